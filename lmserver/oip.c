#include "oip.h"

#include "base/alloc.h"
#include "base/json.h"
#include "num/safetens.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[OIP_TYPE_NR] = {
    [OIP_BOOL] = {"BOOL", 1},
    [OIP_UINT8] = {"UINT8", 1},
    [OIP_INT8] = {"INT8", 1},
    [OIP_INT16] = {"INT16", 2},
    [OIP_INT32] = {"INT32", 4},
    [OIP_INT64] = {"INT64", 8},
    [OIP_FP16] = {"FP16", 2},
    [OIP_BF16] = {"BF16", 2},
    [OIP_FP32] = {"FP32", 4},
    [OIP_FP64] = {"FP64", 8},
};

void oip_request_fini(struct oip_request *r)
{
    json_decref(r->doc);
    numcut_fini(&r->cut);
    memset(r, 0, sizeof *r);
}

/* The binary part of a body while it is dealt out. */
struct rest {
    const uint8_t *at;
    size_t left;
    bool allowed; /* a header length was sent */
};

static enum bbt_rc read_type(const json_t *v, struct oip_tensor *t, struct bbt_err *err)
{
    const char *name = json_get_str(v, "datatype", "");

    for (size_t i = 0; i < OIP_TYPE_NR; i++)
        if (!strcmp(types[i].name, name)) {
            t->type = (enum oip_type)i;
            return BBT_OK;
        }
    return bbt_fail(err, BBT_INVALID, "input '%.60s': the datatype '%.20s' is not served",
        t->name, name);
}

static enum bbt_rc read_shape(const json_t *v, struct oip_tensor *t, struct bbt_err *err)
{
    const json_t *shape = json_object_get(v, "shape");

    t->rank = json_array_size(shape);
    t->count = 1;
    if (t->rank < 1 || t->rank > OIP_RANK_MAX)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s': 'shape' is not a list of 1 to %d sizes", t->name, OIP_RANK_MAX);
    for (size_t i = 0; i < t->rank; i++) {
        const json_t *size = json_array_get(shape, i);
        json_int_t n = json_is_integer(size) ? json_integer_value(size) : -1;

        /* 2^40 elements are beyond every limit, and far from an overflow in bytes */
        if (n < 0 || n > INT32_MAX || (t->count *= (size_t)n) > (size_t)1 << 40)
            return bbt_fail(err, BBT_INVALID,
                "input '%.60s': 'shape' has a size that cannot be", t->name);
        t->shape[i] = (size_t)n;
    }
    return BBT_OK;
}

static enum bbt_rc read_raw(
    const json_t *size, struct oip_tensor *t, struct rest *rest, struct bbt_err *err)
{
    size_t need = t->count * types[t->type].size;

    if (!rest->allowed)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s': binary_data_size without the header "
            "Inference-Header-Content-Length", t->name);
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        (size_t)json_integer_value(size) != need)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s': binary_data_size is not the %zu bytes that shape and datatype "
            "need", t->name, need);
    if (need > rest->left)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s': the body ends %zu bytes before the tensor does", t->name,
            need - rest->left);
    t->raw = rest->at;
    rest->at += need;
    rest->left -= need;
    return BBT_OK;
}

static enum bbt_rc read_numbers(const struct oip_request *r, const json_t *data,
    struct oip_tensor *t, struct bbt_err *err)
{
    static const double none = 0; /* NULL would mean raw data */
    json_int_t k = json_is_integer(data) ? json_integer_value(data) : -1;
    size_t n;

    if (k < 0 || (size_t)k >= r->cut.arrays)
        return bbt_fail(err, BBT_INVALID, "input '%.60s' has neither 'data' nor the "
            "parameter binary_data_size", t->name);
    n = r->cut.at[k + 1] - r->cut.at[k];
    if (n != t->count)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s': %zu numbers in 'data', but 'shape' asks for %zu", t->name, n,
            t->count);
    t->num = n ? r->cut.num + r->cut.at[k] : &none;
    return BBT_OK;
}

static enum bbt_rc read_input(
    struct oip_request *r, const json_t *v, struct rest *rest, struct bbt_err *err)
{
    struct oip_tensor t = {.name = json_get_str(v, "name", NULL)};
    const json_t *size =
        json_object_get(json_object_get(v, "parameters"), "binary_data_size");
    enum bbt_rc rc;

    if (!t.name)
        return bbt_fail(err, BBT_INVALID, "an input has no 'name'");
    if (oip_find(r, t.name))
        return bbt_fail(err, BBT_INVALID, "input '%.60s' is there twice", t.name);
    rc = read_type(v, &t, err);
    if (rc == BBT_OK)
        rc = read_shape(v, &t, err);
    if (rc == BBT_OK)
        rc = size ? read_raw(size, &t, rest, err)
                  : read_numbers(r, json_object_get(v, "data"), &t, err);
    if (rc == BBT_OK)
        r->in[r->in_nr++] = t;
    return rc;
}

static enum bbt_rc read_inputs(
    struct oip_request *r, struct rest *rest, struct bbt_err *err)
{
    const json_t *list = json_object_get(r->doc, "inputs");
    enum bbt_rc rc;

    if (json_array_size(list) == 0 || json_array_size(list) > OIP_INPUTS_MAX)
        return bbt_fail(err, BBT_INVALID, "'inputs' is not a list of 1 to %u tensors",
            OIP_INPUTS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        rc = read_input(r, json_array_get(list, i), rest, err);
        if (rc != BBT_OK)
            return rc;
    }
    if (rest->left)
        return bbt_fail(err, BBT_INVALID,
            "%zu bytes at the end of the body belong to no input", rest->left);
    return BBT_OK;
}

static enum bbt_rc read_wishes(struct oip_request *r, struct bbt_err *err)
{
    const json_t *list = json_object_get(r->doc, "outputs");

    r->binary_all = json_get_bool(r->params, "binary_data_output", 0);
    if (!list)
        return BBT_OK;
    if (!json_is_array(list) || json_array_size(list) > OIP_WISHES_MAX)
        return bbt_fail(err, BBT_INVALID, "'outputs' is not a list of at most %d tensors",
            OIP_WISHES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        struct oip_wish *w = &r->wish[i];

        w->name = json_get_str(v, "name", NULL);
        w->binary = json_get_bool(
            json_object_get(v, "parameters"), "binary_data", r->binary_all);
        if (!w->name)
            return bbt_fail(err, BBT_INVALID, "an output has no 'name'");
        r->wish_nr++;
    }
    return BBT_OK;
}

static enum bbt_rc read_head(struct oip_request *r, struct bbt_err *err)
{
    if (!json_is_object(r->doc))
        return bbt_fail(err, BBT_INVALID, "the request is not a JSON object");
    r->id = json_get_str(r->doc, "id", NULL);
    r->params = json_object_get(r->doc, "parameters");
    if (r->params && !json_is_object(r->params))
        return bbt_fail(err, BBT_INVALID, "'parameters' is not an object");
    return BBT_OK;
}

enum bbt_rc oip_request_parse(const void *body, size_t len, size_t head_len,
    struct oip_request *ret, struct bbt_err *err)
{
    size_t head = head_len == OIP_ALL_JSON ? len : head_len;
    struct rest rest = {.allowed = head_len != OIP_ALL_JSON};
    struct bbt_buf slim;
    enum bbt_rc rc;

    memset(ret, 0, sizeof *ret);
    if (head > len)
        return bbt_fail(err, BBT_INVALID,
            "Inference-Header-Content-Length is %zu, the body has %zu bytes", head, len);
    buf_init(&slim, OIP_JSON_MAX);
    rest.at = len ? (const uint8_t *)body + head : NULL;
    rest.left = len - head;
    rc = numcut_run(body, head, &slim, &ret->cut, err);
    if (rc == BBT_OK)
        rc = json_parse(slim.data ? slim.data : (const uint8_t *)"", slim.len, "request",
            &ret->doc, err);
    if (rc == BBT_OK)
        rc = read_head(ret, err);
    if (rc == BBT_OK)
        rc = read_inputs(ret, &rest, err);
    if (rc == BBT_OK)
        rc = read_wishes(ret, err);
    buf_fini(&slim);
    if (rc != BBT_OK)
        oip_request_fini(ret);
    return rc;
}

const struct oip_tensor *oip_find(const struct oip_request *r, const char *name)
{
    for (size_t i = 0; i < r->in_nr; i++)
        if (!strcmp(r->in[i].name, name))
            return &r->in[i];
    return NULL;
}

bool oip_wants(const struct oip_request *r, const char *name, bool *ret_binary)
{
    for (size_t i = 0; i < r->wish_nr; i++)
        if (!strcmp(r->wish[i].name, name)) {
            *ret_binary = r->wish[i].binary;
            return true;
        }
    *ret_binary = r->binary_all;
    return r->wish_nr == 0;
}

/* --- numbers --- */

static int64_t raw_int(enum oip_type type, const uint8_t *p)
{
    int16_t i16;
    int32_t i32;
    int64_t i64;

    switch (type) {
    case OIP_INT8:
        return (int8_t)*p;
    case OIP_INT16:
        memcpy(&i16, p, sizeof i16);
        return i16;
    case OIP_INT32:
        memcpy(&i32, p, sizeof i32);
        return i32;
    case OIP_INT64:
        memcpy(&i64, p, sizeof i64);
        return i64;
    default: /* BOOL, UINT8 */
        return *p;
    }
}

enum bbt_rc oip_ints(const struct oip_tensor *t, int32_t **ret, struct bbt_err *err)
{
    int32_t *out;

    if (t->type > OIP_INT64)
        return bbt_fail(err, BBT_INVALID, "input '%.60s' is %s; an integer type is expected",
            t->name, types[t->type].name);
    out = bbt_alloc_array(t->count, sizeof *out);
    if (!out)
        return bbt_fail(err, BBT_NOMEM, "no memory for input '%.60s'", t->name);
    for (size_t i = 0; i < t->count; i++) {
        double v = t->num ? t->num[i]
                          : (double)raw_int(t->type, t->raw + i * types[t->type].size);

        if (!(v >= INT32_MIN && v <= INT32_MAX) || v != (double)(int32_t)v) {
            bbt_free(out);
            return bbt_fail(err, BBT_INVALID,
                "input '%.60s': element %zu is no integer of 32 bits", t->name, i);
        }
        out[i] = (int32_t)v;
    }
    *ret = out;
    return BBT_OK;
}

static float raw_float(enum oip_type type, const uint8_t *p)
{
    uint16_t half;
    uint32_t bits;
    double d;
    float f;

    switch (type) {
    case OIP_FP16:
        memcpy(&half, p, sizeof half);
        return safetens_half(half);
    case OIP_BF16:
        memcpy(&half, p, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&f, &bits, sizeof f);
        return f;
    case OIP_FP64:
        memcpy(&d, p, sizeof d);
        return (float)d;
    default:
        memcpy(&f, p, sizeof f);
        return f;
    }
}

enum bbt_rc oip_floats(const struct oip_tensor *t, float **ret, struct bbt_err *err)
{
    float *out;

    if (t->type < OIP_FP16)
        return bbt_fail(err, BBT_INVALID,
            "input '%.60s' is %s; a floating-point type is expected", t->name,
            types[t->type].name);
    out = bbt_alloc_array(t->count, sizeof *out);
    if (!out)
        return bbt_fail(err, BBT_NOMEM, "no memory for input '%.60s'", t->name);
    if (t->raw && t->type == OIP_FP32 && t->count)
        memcpy(out, t->raw, t->count * sizeof *out);
    else
        for (size_t i = 0; i < t->count; i++)
            out[i] = t->num ? (float)t->num[i]
                            : raw_float(t->type, t->raw + i * types[t->type].size);
    *ret = out;
    return BBT_OK;
}

/* --- the response --- */

static size_t out_count(const struct oip_out *o)
{
    size_t n = 1;

    for (size_t i = 0; i < o->rank; i++)
        n *= o->shape[i];
    return n;
}

/* "KEY":"VALUE" with JSON's escapes. */
static enum bbt_rc put_member(struct bbt_buf *b, const char *key, const char *value)
{
    json_t *v = json_string(value);
    char *text = v ? json_print(v) : NULL;
    enum bbt_rc rc = text ? buf_printf(b, "\"%s\":%s", key, text) : BBT_NOMEM;

    bbt_free(text);
    json_decref(v);
    return rc;
}

static enum bbt_rc put_out(struct bbt_buf *b, const struct oip_out *o)
{
    size_t n = out_count(o);
    enum bbt_rc rc =
        buf_printf(b, "{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[", o->name);

    for (size_t i = 0; rc == BBT_OK && i < o->rank; i++)
        rc = buf_printf(b, "%s%zu", i ? "," : "", o->shape[i]);
    if (rc != BBT_OK)
        return rc;
    if (o->binary)
        return buf_printf(
            b, "],\"parameters\":{\"binary_data_size\":%zu}}", n * sizeof(float));
    rc = buf_puts(b, "],\"data\":[");
    /* nine digits give every float back to the bit */
    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        rc = buf_printf(b, "%s%.9g", i ? "," : "", (double)o->data[i]);
    return rc == BBT_OK ? buf_puts(b, "]}") : rc;
}

static enum bbt_rc put_head(const char *model, const char *id, const struct oip_out *outs,
    size_t n, struct bbt_buf *b)
{
    enum bbt_rc rc = buf_puts(b, "{");

    if (rc == BBT_OK)
        rc = put_member(b, "model_name", model);
    if (rc == BBT_OK && id) {
        rc = buf_puts(b, ",");
        if (rc == BBT_OK)
            rc = put_member(b, "id", id);
    }
    if (rc == BBT_OK)
        rc = buf_puts(b, ",\"model_version\":\"1\",\"outputs\":[");
    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        if (i)
            rc = buf_puts(b, ",");
        if (rc == BBT_OK)
            rc = put_out(b, &outs[i]);
    }
    return rc == BBT_OK ? buf_puts(b, "]}") : rc;
}

enum bbt_rc oip_response(const char *model, const char *id, const struct oip_out *outs,
    size_t n, struct bbt_buf *ret, size_t *ret_head, struct bbt_err *err)
{
    size_t start = ret->len, head = OIP_ALL_JSON;
    enum bbt_rc rc = put_head(model, id, outs, n, ret);
    size_t json = ret->len - start;

    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        if (!outs[i].binary)
            continue;
        head = json;
        rc = buf_put(ret, outs[i].data, out_count(&outs[i]) * sizeof(float));
    }
    if (rc != BBT_OK)
        return bbt_fail(err, rc, rc == BBT_INVALID
                ? "the answer is too large: ask for fewer rows, label_ids or binary data"
                : "no memory for the answer");
    *ret_head = head;
    return BBT_OK;
}
