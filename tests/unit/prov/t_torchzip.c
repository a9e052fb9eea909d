/* The file of one tensor: golden digests of files that torch loads, and its refusals. With an
 * argument the program writes sample files there, for tests/model/test_torchzip.py. */
#include "prov/torchzip.h"
#include "base/alloc.h"
#include "base/digest.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const float steps[6] = {0, 1, 2, 3, 4, 5};

/* Made by a generator of its own (struct and zlib of Python); each file was loaded by
 * torch.load(weights_only=True) and compared equal. */
static void golden_files(void **state)
{
    static const struct {
        enum prov_type type;
        size_t total, payload;
        const char *sha256;
    } t[] = {
        {PROV_FP32, 782, 384,
            "d251b57bf672b28d02fc5506b1700b0ee65aaf4cd0ca5c36a23b144c5ff47d6e"},
        {PROV_FP16, 654, 320,
            "56d5c4fe37045bfbe576e48d2afd60a9f7e5f3d3ab9cf7999402410f68c9773b"},
        {PROV_BF16, 718, 384,
            "ceade9c981f423bfaa88d4c62bdebbbb5f64a9857c3b797b071a5ba5ceb0e6fb"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        uint8_t digest[DIGEST_LEN];
        char hex[DIGEST_HEX];
        struct bbt_buf b;

        buf_init(&b, 4096);
        assert_int_equal(torchzip_put(&b, t[i].type, steps, 2, 3, NULL), BBT_OK);
        assert_int_equal(b.len, t[i].total);
        assert_int_equal(torchzip_size(t[i].type, 2, 3), t[i].total);
        assert_memory_equal(b.data + t[i].payload, "\0\0", 2); /* the 0 of 0, 1, 2 ... */
        assert_int_equal(digest_sha256(b.data, b.len, digest), BBT_OK);
        digest_hex(digest, hex);
        assert_string_equal(hex, t[i].sha256);
        buf_fini(&b);
    }
}

static void behind_what_the_buffer_has(void **state)
{
    struct bbt_buf a, b;

    (void)state;
    buf_init(&a, 4096);
    buf_init(&b, 4096);
    assert_int_equal(buf_puts(&b, "before"), BBT_OK);
    assert_int_equal(torchzip_put(&a, PROV_FP32, steps, 3, 2, NULL), BBT_OK);
    assert_int_equal(torchzip_put(&b, PROV_FP32, steps, 3, 2, NULL), BBT_OK);
    assert_int_equal(b.len, a.len + 6);
    assert_memory_equal(b.data + 6, a.data, a.len); /* offsets count from the file's start */
    buf_fini(&a);
    buf_fini(&b);
}

/* P5: what is not finite never leaves, also where only the narrow type makes it so. */
static void p5_no_number_that_is_not_finite(void **state)
{
    static const struct {
        enum prov_type type;
        float v;
        bool fine;
    } t[] = {
        {PROV_FP32, INFINITY, false}, {PROV_FP32, -INFINITY, false}, {PROV_FP32, NAN, false},
        {PROV_FP32, 3.4028234e38f, true},
        {PROV_FP16, NAN, false}, {PROV_FP16, 65520, false}, {PROV_FP16, -65520, false},
        {PROV_FP16, 65519.996f, true},
        {PROV_BF16, -NAN, false}, {PROV_BF16, 0x1.ffp127f, false},
        {PROV_BF16, 0x1.fefffep127f, true}, {PROV_BF16, 3.4028234e38f, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        float v[2] = {1, t[i].v};
        struct bbt_err err = {0};
        struct bbt_buf b;

        buf_init(&b, 4096);
        assert_int_equal(torchzip_put(&b, t[i].type, v, 2, 1, &err),
            t[i].fine ? BBT_OK : BBT_INVALID);
        assert_int_equal(b.len > 0, t[i].fine);
        if (!t[i].fine)
            assert_non_null(strstr(err.msg, "row 1"));
        buf_fini(&b);
    }
}

static void sizes_are_checked(void **state)
{
    struct bbt_err err = {0};
    struct bbt_buf b;

    (void)state;
    assert_int_equal(torchzip_size(PROV_FP32, 0, 3), 0);
    assert_int_equal(torchzip_size(PROV_FP32, 3, 0), 0);
    assert_int_equal(torchzip_size(PROV_INT32, 3, 3), 0);
    assert_int_equal(torchzip_size(PROV_FP64, 3, 3), 0);
    assert_int_equal(torchzip_size(PROV_FP32, SIZE_MAX, 3), 0);
    assert_int_equal(torchzip_size(PROV_FP32, 1u << 16, 1u << 15), 0);
    assert_int_equal(torchzip_size(PROV_FP32, 1u << 15, 1u << 14), 0); /* 2 GiB */
    assert_true(torchzip_size(PROV_FP16, 1u << 15, 1u << 14) > 1u << 30);
    assert_int_equal(torchzip_size(PROV_FP32, 50, 1024) / 1000, 205);
    buf_init(&b, 781);
    assert_int_equal(torchzip_put(&b, PROV_FP32, steps, 2, 3, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "over the limit"));
    assert_int_equal(torchzip_put(&b, PROV_FP64, steps, 2, 3, &err), BBT_INVALID);
    b.max = 782;
    bbt_alloc_fault(0, 0);
    assert_int_equal(torchzip_put(&b, PROV_FP32, steps, 2, 3, &err), BBT_NOMEM);
    bbt_alloc_fault(-1, 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(torchzip_put(&b, PROV_FP32, steps, 2, 3, &err), BBT_OK);
    buf_fini(&b);
}

/* ---- samples for torch ---- */

static int write_sample(const char *folder, enum prov_type type, size_t rows, size_t cols)
{
    static const char *const names[] = {
        [PROV_FP32] = "float32", [PROV_FP16] = "float16", [PROV_BF16] = "bfloat16"};
    float *v = bbt_alloc_array(rows * cols, sizeof *v);
    char *path = bbt_asprintf("%s/%s-%zu-%zu.pt", folder, names[type], rows, cols);
    struct bbt_err err = {0};
    uint32_t x = 1;
    int rc = 1;
    struct bbt_buf b;
    FILE *f = path ? fopen(path, "wb") : NULL;

    /* Numbers of all sizes: to 3e4 by the generator of test_torchzip.py. */
    for (size_t i = 0; v && i < rows * cols; i++) {
        x = x * 1664525u + 1013904223u;
        v[i] = ldexpf((float)((int)(x >> 8 & 0xffff) - 32768), (int)(x >> 24) % 40 - 39);
    }
    buf_init(&b, SIZE_MAX);
    if (!v || !f || torchzip_put(&b, type, v, rows, cols, &err) != BBT_OK)
        fprintf(stderr, "%s: %s\n", path ? path : "", err.msg);
    else
        rc = fwrite(b.data, 1, b.len, f) != b.len;
    if (f && fclose(f))
        rc = 1;
    buf_fini(&b);
    bbt_free(v);
    bbt_free(path);
    return rc;
}

static int write_samples(const char *folder)
{
    static const size_t shape[][2] = {{1, 1}, {2, 3}, {50, 1024}, {1, 65536}, {70000, 3}};
    static const enum prov_type types[] = {PROV_FP32, PROV_FP16, PROV_BF16};
    int rc = 0;

    for (size_t i = 0; i < 15; i++)
        rc |= write_sample(folder, types[i % 3], shape[i / 3][0], shape[i / 3][1]);
    return rc;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_files),
        cmocka_unit_test(behind_what_the_buffer_has),
        cmocka_unit_test(p5_no_number_that_is_not_finite),
        cmocka_unit_test(sizes_are_checked),
    };

    if (argc == 2)
        return write_samples(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
