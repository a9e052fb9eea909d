#include "golden.h"

#include "num/npy.h"

#include <string.h>

/* What numpy 1.24 writes for arange(6, dtype='<f4').reshape(2, 3), .reshape(6) and a scalar:
 * description padded to 118 bytes, newline last, data at byte 128. */
static void check(size_t rank, const size_t *shape, size_t count, const char *tuple)
{
    const float data[6] = {0, 1, 2, 3, 4, 5};
    char want[200];
    struct bbt_buf buf;
    struct bbt_err err;

    buf_init(&buf, 4096);
    assert_int_equal(npy_write(data, rank, shape, &buf, &err), BBT_OK);
    (void)snprintf(want, sizeof want,
        "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", tuple);
    assert_int_equal(buf.len, 128 + count * sizeof(float));
    assert_memory_equal(buf.data, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_memory_equal(buf.data + 10, want, strlen(want));
    for (size_t i = 10 + strlen(want); i < 127; i++)
        assert_int_equal(buf.data[i], ' ');
    assert_int_equal(buf.data[127], '\n');
    assert_memory_equal(buf.data + 128, data, count * sizeof(float));
    buf_fini(&buf);
}

static void shapes(void **state)
{
    (void)state;
    check(2, (const size_t[]){2, 3}, 6, "(2, 3)");
    check(1, (const size_t[]){6}, 6, "(6,)");
    check(0, NULL, 1, "()");
    check(3, (const size_t[]){0, 7, 1}, 0, "(0, 7, 1)");
}

static void limits(void **state)
{
    const size_t huge[3] = {SIZE_MAX / 2, 2, 2}, many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const float one = 1;
    struct bbt_buf buf;
    (void)state;

    buf_init(&buf, 100);
    assert_int_equal(npy_write(&one, 3, huge, &buf, NULL), BBT_INVALID);
    assert_int_equal(npy_write(&one, 9, many, &buf, NULL), BBT_INVALID);
    assert_int_equal(npy_write(&one, 1, many, &buf, NULL), BBT_INVALID);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
