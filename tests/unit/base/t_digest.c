/* SHA-256 against the published vectors (FIPS 180-4 examples). */
#include "base/digest.h"
#include "unit.h"

static void published_vectors(void **state)
{
    static const struct {
        const char *text, *hex;
    } v[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t d[DIGEST_LEN];
    char hex[DIGEST_HEX];

    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        assert_int_equal(digest_sha256(v[i].text, strlen(v[i].text), d), BBT_OK);
        digest_hex(d, hex);
        assert_string_equal(hex, v[i].hex);
    }
}

static void short_form_is_little_endian(void **state)
{
    (void)state;
    /* the first eight bytes of the digest of "abc": ba 78 16 bf 8f 01 cf ea */
    assert_true(digest_short("abc", 3) == 0xeacf018fbf1678baULL);
    assert_true(digest_short("abd", 3) != digest_short("abc", 3));
}

/* However it is cut: the digest of the whole. */
static void in_pieces(void **state)
{
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    size_t len = sizeof text - 1;
    uint8_t whole[DIGEST_LEN], d[DIGEST_LEN];

    (void)state;
    assert_int_equal(digest_sha256(text, len, whole), BBT_OK);
    for (size_t cut = 0; cut <= len; cut++) {
        struct digest_run r;

        digest_begin(&r);
        digest_add(&r, text, cut);
        digest_add(&r, text, 0);
        digest_add(&r, text + cut, len - cut);
        assert_int_equal(digest_end(&r, d), BBT_OK);
        assert_memory_equal(d, whole, sizeof d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(short_form_is_little_endian),
        cmocka_unit_test(in_pieces),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
