/* Buffers against a plain array as the model, at the cap, and without memory. */
#include "base/buf.h"
#include "unit.h"

static void grows_as_a_plain_array_would(void **state)
{
    static uint8_t model[1 << 16];
    uint8_t part[97];
    struct bbt_buf b;
    size_t len = 0;

    (void)state;
    buf_init(&b, sizeof model);
    assert_null(b.data);
    for (unsigned i = 0; len + sizeof part < sizeof model; i++) {
        size_t n = (i * 31u) % sizeof part;

        for (size_t k = 0; k < n; k++)
            part[k] = (uint8_t)(i + k);
        if (i % 3 == 2) {
            uint8_t *at = buf_extend(&b, n);

            assert_non_null(at);
            memcpy(at, part, n);
        } else {
            assert_int_equal(buf_put(&b, part, n), BBT_OK);
        }
        memcpy(model + len, part, n);
        len += n;
        assert_int_equal(b.len, len);
        assert_int_equal(b.data[len], 0); /* NUL after the bytes, not counted */
        assert_true(b.len < b.room && b.room <= b.max + 1);
    }
    assert_memory_equal(b.data, model, len);
    buf_fini(&b);
    assert_null(b.data);
    assert_int_equal(b.max, sizeof model);
}

static void cap_is_exact_and_refusal_changes_nothing(void **state)
{
    struct bbt_buf b;

    (void)state;
    for (size_t max = 0; max < 200; max += 9) {
        char text[256];

        memset(text, 'a', sizeof text);
        buf_init(&b, max);
        assert_int_equal(buf_put(&b, text, max + 1), BBT_INVALID);
        assert_null(buf_extend(&b, max + 1));
        assert_int_equal(b.len, 0);
        assert_int_equal(buf_put(&b, text, max), BBT_OK);
        assert_int_equal(buf_put(&b, text, 1), BBT_INVALID);
        assert_int_equal(buf_puts(&b, "x"), BBT_INVALID);
        assert_int_equal(buf_printf(&b, "%d", 1), BBT_INVALID);
        assert_int_equal(buf_put(&b, text, SIZE_MAX), BBT_INVALID);
        assert_int_equal(buf_put(&b, NULL, 0), BBT_OK);
        assert_int_equal(b.len, max);
        assert_int_equal(strspn((char *)b.data, "a"), max);
        buf_fini(&b);
    }
    buf_init(&b, SIZE_MAX); /* no cap: must not wrap around */
    assert_int_equal(buf_put(&b, "abc", 3), BBT_OK);
    assert_int_equal(buf_put(&b, "abc", SIZE_MAX - 2), BBT_INVALID);
    buf_fini(&b);
}

static void prints(void **state)
{
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(buf_puts(&b, "n="), BBT_OK);
    assert_int_equal(buf_printf(&b, "%d %s", -5, "ok"), BBT_OK);
    assert_int_equal(buf_printf(&b, "%200d", 1), BBT_OK); /* past the first allocation */
    assert_int_equal(b.len, 2 + 5 + 200);
    assert_memory_equal(b.data, "n=-5 ok ", 8);
    assert_int_equal(b.data[b.len - 1], '1');
    buf_fini(&b);
}

static void take_hands_over(void **state)
{
    struct bbt_buf b;
    uint8_t *bytes;
    size_t len = 99;

    (void)state;
    buf_init(&b, 10);
    assert_null(buf_take(&b, &len));
    assert_int_equal(len, 0);
    assert_int_equal(buf_puts(&b, "hello"), BBT_OK);
    bytes = buf_take(&b, &len);
    assert_int_equal(len, 5);
    assert_string_equal(bytes, "hello");
    assert_null(b.data);
    assert_int_equal(b.max, 10);
    assert_int_equal(buf_puts(&b, "again"), BBT_OK); /* usable, and not the same bytes */
    assert_string_equal(bytes, "hello");
    bbt_free(bytes);
    bytes = buf_take(&b, NULL);
    bbt_free(bytes);
}

static void slices_are_appended_all_or_none(void **state)
{
    const struct bbt_slice slice[] = {{"ab", 2}, {NULL, 0}, {"c\0d", 3}, {"e", 1}};
    const struct bbt_slice vast[] = {{"x", SIZE_MAX}, {"x", 1}};
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_put_slices(&b, slice, 4), BBT_OK);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "abc\0de", 7);
    assert_int_equal(buf_put_slices(&b, slice, 4), BBT_INVALID);
    assert_int_equal(buf_put_slices(&b, vast, 2), BBT_INVALID);
    assert_int_equal(b.len, 6);
    buf_trim(&b);
    assert_int_equal(b.room, 7);
    assert_memory_equal(b.data, "abc\0de", 7);
    buf_fini(&b);
    buf_trim(&b);
    assert_null(b.data);
}

static void no_memory_leaves_it_as_it_was(void **state)
{
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 1u << 20);
    assert_int_equal(buf_puts(&b, "kept"), BBT_OK);
    (void)bbt_alloc_fault(0, 1);
    assert_int_equal(buf_printf(&b, "%500d", 1), BBT_NOMEM);
    assert_null(buf_extend(&b, 500));
    (void)bbt_alloc_fault(-1, 0);
    assert_string_equal(b.data, "kept");
    assert_int_equal(b.len, 4);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_as_a_plain_array_would),
        cmocka_unit_test(cap_is_exact_and_refusal_changes_nothing),
        cmocka_unit_test(prints),
        cmocka_unit_test(take_hands_over),
        cmocka_unit_test(slices_are_appended_all_or_none),
        cmocka_unit_test(no_memory_leaves_it_as_it_was),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
