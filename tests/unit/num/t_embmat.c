/* The input embedding: three number types, one file, folder and shards, against numbers that
 * were put in. */
#include "golden.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "num/embmat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 5
#define COLS 3

/* Small quarters: exact in every type. */
static float entry(size_t r, size_t c)
{
    return (float)((double)(r * COLS + c) * 0.25 - 1.5);
}

static char dir[64];

static void put(const char *name, const void *bytes, size_t len)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* A safetensors file with the matrix as `type`, its bits made here. */
static void put_matrix(const char *file, const char *tensor, const char *type)
{
    size_t size = strcmp(type, "F32") == 0 ? 4 : 2, data = size * ROWS * COLS, n;
    uint8_t out[512];
    uint64_t head;

    n = (size_t)snprintf((char *)out + 8, 400,
        "{\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]}}", tensor, type,
        ROWS, COLS, data);
    head = n;
    memcpy(out, &head, 8);
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++) {
        float v = entry(i / COLS, i % COLS);
        uint32_t bits;
        uint16_t half;

        memcpy(&bits, &v, 4);
        half = (uint16_t)(bits >> 16); /* bfloat16 */
        if (strcmp(type, "F16") == 0)
            half = v == 0 ? 0
                          : (uint16_t)((bits >> 16 & 0x8000) |
                                (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 0x3ff));
        memcpy(out + 8 + n + i * size, size == 4 ? (void *)&bits : (void *)&half, size);
    }
    put(file, out, 8 + n + data);
}

static void good(const char *name, const char *tensor)
{
    struct embmat *m = NULL;
    struct bbt_err err = {0};
    char path[160];
    double mean, std;
    float row[COLS];

    (void)snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    if (embmat_open(path, tensor, &m, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(embmat_rows(m), ROWS);
    assert_int_equal(embmat_cols(m), COLS);
    for (size_t r = 0; r < ROWS; r++) {
        assert_true(embmat_row(m, (int32_t)r, row));
        for (size_t c = 0; c < COLS; c++)
            assert_true(row[c] == entry(r, c));
    }
    assert_false(embmat_row(m, ROWS, row));
    assert_false(embmat_row(m, -1, row));
    /* 0 .. 14 quarters from -1.5 on: mean 0.25, variance (15^2 - 1) / 12 / 16 */
    embmat_stats(m, &mean, &std);
    assert_true(fabs(mean - 0.25) < 1e-12);
    assert_true(fabs(std - sqrt(224.0 / 12 / 16)) < 1e-12);
    embmat_free(m);
}

static void every_type_and_place(void **state)
{
    static const char index[] = "{\"weight_map\":{\"wte.weight\":\"a.safetensors\","
                                "\"other\":\"b.safetensors\"}}";

    (void)state;
    put_matrix("f32.safetensors", "model.embed_tokens.weight", "F32");
    put_matrix("f16.safetensors", "transformer.wte.weight", "F16");
    put_matrix("bf16.safetensors", "mine", "BF16");
    good("f32.safetensors", NULL);
    good("f16.safetensors", NULL);
    good("bf16.safetensors", "mine");
    put_matrix("a.safetensors", "wte.weight", "BF16");
    put_matrix("b.safetensors", "other", "F32");
    put("model.safetensors.index.json", index, sizeof index - 1);
    good("model.safetensors.index.json", NULL);
    good("", NULL);
    put_matrix("model.safetensors", "embed_tokens.weight", "F16");
    good("", NULL); /* the folder's one file is preferred */
}

static void refused(const char *name, const char *tensor, const char *says)
{
    struct embmat *m = NULL;
    struct bbt_err err = {0};
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_true(embmat_open(path, tensor, &m, &err) != BBT_OK);
    assert_null(m);
    if (!strstr(err.msg, says))
        fail_msg("%s: \"%s\" does not say \"%s\"", name, err.msg, says);
}

static void refusals(void **state)
{
    static const char ints[] = "{\"wte.weight\":{\"dtype\":\"I32\",\"shape\":[1,1],"
                               "\"data_offsets\":[0,4]}}",
                      flat[] = "{\"wte.weight\":{\"dtype\":\"F32\",\"shape\":[1],"
                               "\"data_offsets\":[0,4]}}",
                      nans[] = "{\"wte.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],"
                               "\"data_offsets\":[0,4]}}";
    const char *const heads[] = {ints, flat, nans};
    static const char *const says[] = {"no matrix", "no matrix", "not finite"};

    (void)state;
    put_matrix("odd.safetensors", "strange", "F32");
    refused("odd.safetensors", NULL, "\"strange\"");
    refused("odd.safetensors", "strnage", "\"strnage\"");
    refused("none.safetensors", NULL, "none.safetensors");
    for (size_t i = 0; i < 3; i++) {
        uint64_t n = strlen(heads[i]);
        uint8_t out[256] = {0};

        memcpy(out, &n, 8);
        memcpy(out + 8, heads[i], n);
        memset(out + 8 + n, 0xff, 4); /* a NaN */
        put("bad.safetensors", out, 8 + n + 4);
        refused("bad.safetensors", NULL, says[i]);
    }
}

static void without_memory(void **state)
{
    char path[160];
    enum bbt_rc rc = BBT_NOMEM;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/f32.safetensors", dir);
    for (long k = 0; rc == BBT_NOMEM; k++) {
        struct embmat *m = NULL;

        bbt_alloc_fault(k, 0);
        rc = embmat_open(path, NULL, &m, NULL);
        bbt_alloc_fault(-1, 0);
        embmat_free(m);
        assert_true(rc == BBT_OK || rc == BBT_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_place),
        cmocka_unit_test(refusals),
        cmocka_unit_test(without_memory),
    };

    (void)snprintf(dir, sizeof dir, "/tmp/bbt-embmat-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
