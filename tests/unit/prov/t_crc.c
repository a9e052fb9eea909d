/* CRC-32: published vectors (zlib's, of Python), and the law of joining. */
#include "prov/crc.h"
#include "unit.h"

static void published_vectors(void **state)
{
    static const struct {
        const char *text;
        uint32_t crc;
    } t[] = {{"", 0}, {"a", 0xe8b7be43}, {"123456789", 0xcbf43926},
        {"The quick brown fox jumps over the lazy dog", 0x414fa339}};
    static uint8_t zeros[1000];

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(crc_of(t[i].text, strlen(t[i].text)), t[i].crc);
    assert_int_equal(crc_of(zeros, 1000), 0x060b1780);
}

static void any_two_parts_join(void **state)
{
    static uint8_t bytes[70000];
    static const size_t len[] = {0, 1, 2, 3, 4, 63, 64, 255, 256, 1000, 65535, 65536, 70000};
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    for (size_t n = 0; n < sizeof len / sizeof len[0]; n++)
        for (size_t k = 0; k <= n; k++) {
            size_t a = len[k], b = len[n] - a;

            assert_int_equal(crc_join(crc_of(bytes, a), crc_of(bytes + a, b), b),
                crc_of(bytes, a + b));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(any_two_parts_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
