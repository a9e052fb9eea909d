#include "golden.h"

#include "base/alloc.h"
#include "base/file.h"
#include "num/safehead.h"
#include "num/safeindex.h"
#include "num/safetens.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file from its header's text and `data` bytes 0, 1, 2, ... The caller frees. */
static uint8_t *file_of(const char *header, size_t data, size_t *ret_len)
{
    uint64_t n = strlen(header);
    uint8_t *f = malloc(8 + n + data + 1);

    assert_non_null(f);
    memcpy(f, &n, 8);
    memcpy(f + 8, header, n);
    for (size_t i = 0; i < data; i++)
        f[8 + n + i] = (uint8_t)i;
    *ret_len = 8 + n + data;
    return f;
}

static void refused(const char *header, size_t data, const char *part)
{
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    size_t len;
    uint8_t *f = file_of(header, data, &len);
    enum bbt_rc rc = safetens_parse(f, len, "m.st", &st, &err);

    if (rc != BBT_INVALID || st || !strstr(err.msg, part) || !strstr(err.msg, "m.st"))
        fail_msg("%s: rc %d, '%s' does not hold '%s'", header, rc, err.msg, part);
    free(f);
}

#define T(type, shape, from, to) \
    "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void hostile_headers(void **state)
{
    (void)state;
    refused("{\"a\":" T("F32", "[2]", 0, 8) "}", 7, "do not lie inside");
    refused("{\"a\":" T("F32", "[2]", 0, 8) "}", 9, "belong to no tensor");
    refused("{\"a\":" T("F32", "[2]", 0, 4) "}", 4, "shape need 8");
    refused("{\"a\":" T("F32", "[1]", 4, 0) "}", 4, "do not lie inside");
    refused("{\"a\":" T("F32", "[1]", -4, 0) "}", 4, "do not lie inside");
    refused("{\"a\":" T("F32", "[1]", 0, 9223372036854775807) "}", 4, "do not lie inside");
    refused("{\"a\":" T("F32", "[-1]", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("F32", "[1.0]", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("F32", "[4294967296,4294967296]", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("F32", "[4611686018427387904]", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("F32", "3", 0, 4) "}", 4, "shape");
    refused("{\"a\":" T("Q7", "[1]", 0, 4) "}", 4, "unknown type 'Q7'");
    refused("{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 2, 6) "}", 6,
        "overlaps");
    refused("{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 0, 4) "}", 4,
        "overlaps");
    refused("{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 8, 12) "}", 12,
        "hole");
    refused("{\"a\":" T("F32", "[1]", 0, 4) ",\"a\":" T("F32", "[1]", 4, 8) "}", 8,
        "duplicate");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "do not lie inside");
    refused("{\"a\":7}", 0, "unknown type");
    refused("[]", 0, "not a JSON object");
    refused("{", 0, "m.st:1:");
    refused("", 0, "m.st");
}

static void hostile_lengths(void **state)
{
    static const uint64_t claims[] = {
        3, 1u << 30, UINT64_MAX, UINT64_MAX - 7, SAFETENS_HEADER_MAX + 1ull};
    (void)state;

    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        uint8_t bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
        struct safetens *st = NULL;
        struct bbt_err err = {0};

        memcpy(bytes, &claims[i], 8);
        assert_int_equal(safetens_parse(bytes, 10, "x", &st, &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, "the header claims"));
    }
    for (size_t len = 0; len < 8; len++) {
        const uint8_t bytes[8] = {0};
        struct safetens *st = NULL;

        assert_int_equal(safetens_parse(bytes, len, "x", &st, NULL), BBT_INVALID);
    }
}

/* Reads one tensor of two elements whose bytes are given. */
static void floats_of(const char *type, const void *bytes, size_t each, float out[2])
{
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    char header[200];
    size_t len;
    uint8_t *f;

    (void)snprintf(header, sizeof header,
        "{\"t\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}", type, 2 * each);
    f = file_of(header, 2 * each, &len);
    memcpy(f + len - 2 * each, bytes, 2 * each);
    if (safetens_parse(f, len, "x", &st, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(safetens_floats(safetens_find(st, "t"), out, &err), BBT_OK);
    safetens_free(st);
    free(f);
}

static void conversions(void **state)
{
    /* bit patterns from IEEE 754: 1.5, smallest subnormal half; -2.0 and 1/3 in bfloat16 */
    const uint16_t half[2] = {0x3e00, 0x0001}, brain[2] = {0xc000, 0x3eab};
    const double wide[2] = {0.1, -7e300};
    const float own[2] = {3.25f, -0.0f};
    float out[2];
    (void)state;

    floats_of("F16", half, 2, out);
    assert_true(out[0] == 1.5f && out[1] == 0x1p-24f);
    floats_of("BF16", brain, 2, out);
    assert_true(out[0] == -2.0f && out[1] == 0.333984375f);
    floats_of("F64", wide, 8, out);
    assert_true(out[0] == 0.1f && isinf(out[1]));
    floats_of("F32", own, 4, out);
    assert_memory_equal(out, own, sizeof own);
}

/* Every half there is against the definition: sign, exponent, fraction. */
static void halves(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 65536; b++) {
        int e = (int)(b >> 10 & 31), frac = (int)(b & 1023);
        double want = e ? ldexp(1024 + frac, e - 25) : ldexp(frac, -24);
        float got = safetens_half((uint16_t)b);

        if (e == 31 && frac) {
            assert_true(isnan(got));
            continue;
        }
        if (e == 31)
            want = HUGE_VAL;
        assert_true((double)got == (b & 0x8000 ? -want : want));
        assert_true(!!signbit(got) == !!(b & 0x8000));
    }
}

static void integers_are_not_floats(void **state)
{
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    size_t len;
    uint8_t *f = file_of("{\"i\":" T("I64", "[1]", 0, 8) "}", 8, &len);
    float out[1];
    (void)state;

    assert_int_equal(safetens_parse(f, len, "x", &st, &err), BBT_OK);
    assert_null(safetens_peek(safetens_find(st, "i")));
    assert_int_equal(safetens_floats(safetens_find(st, "i"), out, &err), BBT_INVALID);
    safetens_free(st);
    free(f);
}

static void peek_needs_alignment(void **state)
{
    /* header lengths that put the data at every place modulo 4 */
    (void)state;
    for (size_t pad = 0; pad < 4; pad++) {
        struct safetens *st = NULL;
        char header[128];
        size_t len, at;
        uint8_t *f;
        float v[1];

        (void)snprintf(header, sizeof header, "{\"a\":" T("F32", "[]", 0, 4) "}%*s",
            (int)pad, "");
        f = file_of(header, 4, &len);
        at = (size_t)(uintptr_t)(f + len - 4);
        assert_int_equal(safetens_parse(f, len, "x", &st, NULL), BBT_OK);
        assert_true(!safetens_peek(safetens_find(st, "a")) == (at % 4 != 0));
        assert_int_equal(safetens_floats(safetens_find(st, "a"), v, NULL), BBT_OK);
        assert_memory_equal(v, f + len - 4, 4);
        safetens_free(st);
        free(f);
    }
}

static void written_reads_back(void **state)
{
    const float a[6] = {1, -2, 3.5f, 0, 1e-30f, 7}, b[1] = {42};
    const struct safetens_out out[] = {
        {"prompt", a, 2, {2, 3}}, {"b", b, 0, {0}}, {"none", a, 2, {0, 5}}};
    json_t *meta = json_pack("{s:s}", "job", "sst2 \"x\"");
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    const struct safetens_item *it;
    struct bbt_buf buf;
    float back[6];
    (void)state;

    buf_init(&buf, 4096);
    assert_int_equal(safetens_write(out, 3, meta, &buf, &err), BBT_OK);
    if (safetens_parse(buf.data, buf.len, "x", &st, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(safetens_count(st), 3);
    assert_string_equal(safetens_at(st, 0)->name, "b");
    assert_null(safetens_at(st, 3));
    assert_null(safetens_find(st, "promp"));
    it = safetens_find(st, "prompt");
    assert_true(it->rank == 2 && it->shape[0] == 2 && it->shape[1] == 3);
    assert_true((it->bytes - buf.data) % 8 == 0);
    assert_int_equal(safetens_floats(it, back, &err), BBT_OK);
    assert_memory_equal(back, a, sizeof a);
    assert_int_equal(safetens_find(st, "none")->count, 0);
    safetens_free(st);
    buf_fini(&buf);
    json_decref(meta);
}

static void write_refuses(void **state)
{
    const float a[1] = {1};
    const struct safetens_out twice[] = {{"a", a, 1, {1}}, {"a", a, 1, {1}}};
    const struct safetens_out huge[] = {{"a", a, 2, {SIZE_MAX / 2, 3}}};
    json_t *meta = json_pack("{s:i}", "n", 1);
    struct bbt_buf buf;
    (void)state;

    buf_init(&buf, 4096);
    assert_int_equal(safetens_write(twice, 2, NULL, &buf, NULL), BBT_INVALID);
    assert_int_equal(safetens_write(huge, 1, NULL, &buf, NULL), BBT_INVALID);
    assert_int_equal(safetens_write(twice, 1, meta, &buf, NULL), BBT_INVALID);
    buf_fini(&buf);
    buf_init(&buf, 60);
    assert_int_equal(safetens_write(twice, 1, NULL, &buf, NULL), BBT_INVALID);
    buf_fini(&buf);
    json_decref(meta);
}

/* --- folders --- */

static void put_file(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write(path, bytes, len, 0600, NULL), BBT_OK);
}

static void put_shard(const char *dir, const char *name, const char *tensor, float v)
{
    const struct safetens_out out = {tensor, &v, 1, {1}};
    struct bbt_buf buf;

    buf_init(&buf, 4096);
    assert_int_equal(safetens_write(&out, 1, NULL, &buf, NULL), BBT_OK);
    put_file(dir, name, buf.data, buf.len);
    buf_fini(&buf);
}

static enum bbt_rc open_with(const char *dir, const char *index, struct safetens **ret,
    struct bbt_err *err)
{
    put_file(dir, "model.safetensors.index.json", index, strlen(index));
    return safetens_open_dir(dir, ret, err);
}

static void shards(void **state)
{
    static const struct {
        const char *index, *part;
    } bad[] = {
        {"{\"weight_map\":{\"x\":\"one\",\"y\":\"../two\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", "no file of this folder"},
        {"{\"weight_map\":{\"x\":7}}", "no file of this folder"},
        {"{\"weight_map\":{}}", "weight_map"},
        {"[]", "weight_map"},
        {"{\"weight_map\":{\"x\":\"two\",\"y\":\"two\"}}", "'x' is not in"},
        {"{\"weight_map\":{\"x\":\"one\",\"y\":\"one\",\"x2\":\"three\"}}", "'y' is not in"},
        {"{\"weight_map\":{\"x\":\"one\",\"y\":\"two\",\"z\":\"same\"}}", "in two files"},
    };
    char dir[] = "/tmp/t-safetens-XXXXXX";
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    float v[1];
    (void)state;

    assert_non_null(mkdtemp(dir));
    assert_int_equal(safetens_open_dir(dir, &st, &err), BBT_NOTFOUND);
    put_shard(dir, "one", "x", 1);
    put_shard(dir, "two", "y", 2);
    put_shard(dir, "three", "x2", 3);
    put_shard(dir, "same", "x", 4);
    assert_int_equal(open_with(dir,
                         "{\"weight_map\":{\"x\":\"one\",\"y\":\"two\",\"x2\":\"three\"}}",
                         &st, &err),
        BBT_OK);
    assert_int_equal(safetens_count(st), 3);
    assert_int_equal(safetens_floats(safetens_find(st, "y"), v, &err), BBT_OK);
    assert_true(v[0] == 2);
    safetens_free(st);
    st = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (open_with(dir, bad[i].index, &st, &err) != BBT_INVALID || st ||
            !strstr(err.msg, bad[i].part))
            fail_msg("%s: '%s'", bad[i].index, err.msg);
    assert_int_equal(
        open_with(dir, "{\"weight_map\":{\"x\":\"gone\"}}", &st, &err), BBT_NOTFOUND);
    put_file(dir, "empty", "", 0);
    assert_int_equal(
        open_with(dir, "{\"weight_map\":{\"x\":\"empty\"}}", &st, &err), BBT_INVALID);
    put_shard(dir, "model.safetensors", "only", 5); /* the single file goes first */
    assert_int_equal(safetens_open_dir(dir, &st, &err), BBT_OK);
    assert_int_equal(safetens_count(st), 1);
    safetens_free(st);
}

/* Each allocation of a parse fails once: an error, no leak (sanitizer), no half handle. */
static void memory_runs_out(void **state)
{
    size_t len;
    uint8_t *f = file_of("{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F16", "[2]", 4, 8) "}",
        8, &len);
    long k;
    (void)state;

    for (k = 0;; k++) {
        struct safetens *st = NULL;
        struct bbt_err err = {0};
        enum bbt_rc rc;

        (void)bbt_alloc_fault(k, 0);
        rc = safetens_parse(f, len, "x", &st, &err);
        (void)bbt_alloc_fault(-1, 0);
        if (rc == BBT_OK) {
            safetens_free(st);
            break;
        }
        assert_int_equal(rc, BBT_NOMEM);
        assert_null(st);
    }
    assert_true(k >= 3);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(hostile_lengths),
        cmocka_unit_test(conversions),
        cmocka_unit_test(halves),
        cmocka_unit_test(integers_are_not_floats),
        cmocka_unit_test(peek_needs_alignment),
        cmocka_unit_test(written_reads_back),
        cmocka_unit_test(write_refuses),
        cmocka_unit_test(shards),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
