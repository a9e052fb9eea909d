#include "prov/kserve2_stream.h"

#include "base/alloc.h"
#include "prov/tensor.h"
#include "prov/verdict.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct stream_raw {
    size_t bytes;
    struct stream_output *out; /* NULL: nobody wants it */
};

enum bbt_rc stream_corrupt(struct bbt_err *err, const char *why)
{
    return bbt_fail(err, BBT_CORRUPT, "response: %s", why);
}

/* ---- numbers ---- */

static void take_number(void *arg, size_t at, double v)
{
    struct stream_output *o = arg;

    for (; o->next < o->wants && o->want[o->next].at == at; o->next++) {
        float f = (float)v;

        o->out[o->want[o->next].to] = f;
        o->bad |= !isfinite(f);
    }
}

/* The tensor's bytes from..from+n: numbers that are wanted and end in here. One that begins
 * in an earlier piece has its first bytes in `carry`. */
static void take_raw(struct stream_output *o, uint8_t carry[8], size_t from,
    const uint8_t *p, size_t n)
{
    size_t size = tensor_size(o->type), end = from + n;

    while (o->next < o->wants) {
        size_t at = o->want[o->next].at * size;
        size_t first = at > from ? at : from;
        size_t last = at + size < end ? at + size : end;

        if (at >= end)
            return;
        memcpy(carry + (first - at), p + (first - from), last - first);
        if (last < at + size)
            return;
        take_number(o, at / size, tensor_get(carry, o->type));
    }
}

/* ---- one output ---- */

static enum bbt_rc read_shape(const json_t *shape, struct stream_output *o, struct bbt_err *err)
{
    size_t i;
    json_t *v;

    if (!json_is_array(shape) || json_array_size(shape) == 0 ||
        json_array_size(shape) > STREAM_RANK_MAX)
        return stream_corrupt(err, "an output without a shape");
    o->count = 1;
    o->rank = 0;
    json_array_foreach (shape, i, v) {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return stream_corrupt(err, "a dimension that is no size");
        o->shape[o->rank++] = (size_t)json_integer_value(v);
        if (__builtin_mul_overflow(o->count, (size_t)json_integer_value(v), &o->count))
            return stream_corrupt(err, "a shape too large for any memory");
    }
    return BBT_OK;
}

static struct stream_output *find(struct stream *s, const json_t *object)
{
    const char *name = json_get_str(object, "name", "");

    for (size_t i = 0; i < s->outs; i++)
        if (!strcmp(s->out[i].name, name))
            return &s->out[i];
    return NULL;
}

/* Name, type and shape are there, and nothing of it was read yet. */
static enum bbt_rc plan(
    struct stream *s, struct stream_output *o, const json_t *object, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (o->planned)
        return stream_corrupt(err, "the same output twice");
    o->type = tensor_type_parse(json_get_str(object, "datatype", NULL));
    rc = read_shape(json_object_get(object, "shape"), o, err);
    if (rc == BBT_OK && (o->type == PROV_TYPE_NONE || tensor_is_int(o->type)))
        rc = bbt_fail(err, BBT_CORRUPT,
            "response: output \"%s\" has a type that holds no reals", o->name);
    if (rc == BBT_OK)
        rc = s->plan(s->arg, o, err);
    o->planned = rc == BBT_OK;
    return rc;
}

static const json_t *raw_size(const json_t *object)
{
    return json_object_get(json_object_get(object, "parameters"), "binary_data_size");
}

static enum bbt_rc begin_list(struct stream *s, struct stream_output *o, struct bbt_err *err)
{
    s->reading = o;
    return numlist_begin(&s->list, o->shape, o->rank, take_number, o, err);
}

static enum bbt_rc on_array(void *arg, const json_t *object, size_t piece, enum jcut_do *ret,
    struct numlist **ret_list, struct bbt_err *err)
{
    struct stream *s = arg;
    struct stream_output *o = find(s, object);
    enum bbt_rc rc;

    s->reading = NULL;
    if (raw_size(object))
        return stream_corrupt(err, "a binary_data_size that is none");
    *ret = json_object_get(object, "name") && !o ? JCUT_SKIP : JCUT_HOLD;
    if (!o || !json_object_get(object, "datatype") || !json_object_get(object, "shape"))
        return BBT_OK;
    rc = plan(s, o, object, err);
    if (rc == BBT_OK)
        rc = begin_list(s, o, err);
    o->piece = piece;
    *ret = JCUT_READ;
    *ret_list = &s->list;
    return rc;
}

/* "in output so-and-so" for a list that does not read. */
static enum bbt_rc list_failed(struct stream *s, enum bbt_rc rc, struct bbt_err *err)
{
    const struct stream_output *o = s->reading;

    if (rc == BBT_CORRUPT && err && o && o->planned && s->head.state == JCUT_ARRAY)
        (void)bbt_err_ctx(err, "response: output \"%s\"", o->name);
    return rc;
}

/* ---- the head ---- */

/* Its numbers came as JSON: read on the way, kept till now, or not wanted. */
static enum bbt_rc end_json(struct stream *s, const json_t *v, struct bbt_err *err)
{
    const json_t *data = json_object_get(v, "data");
    struct stream_output *o = find(s, v);
    size_t piece, used;
    enum bbt_rc rc;

    if (!json_is_integer(data) || (size_t)json_integer_value(data) >= s->head.pieces)
        return stream_corrupt(err, "an output without data");
    piece = (size_t)json_integer_value(data);
    if (!o)
        return BBT_OK;
    if (!o->planned) {
        rc = plan(s, o, v, err);
        if (rc == BBT_OK)
            rc = begin_list(s, o, err);
        if (rc != BBT_OK)
            return rc;
        rc = numlist_feed(&s->list, s->head.held.data + s->head.piece[piece].at,
            s->head.piece[piece].len, &used, err);
        if (rc != BBT_OK || !s->list.done)
            return bbt_fail(err, BBT_CORRUPT,
                "response: output \"%s\": the numbers do not have the shape that goes with "
                "them", o->name);
        o->piece = piece;
    }
    if (o->seen || o->piece != piece)
        return stream_corrupt(err, "the same output twice");
    o->seen = true;
    return BBT_OK;
}

/* Its numbers are the next `size` raw bytes; `like` has its shape and type. */
static enum bbt_rc end_raw(struct stream *s, const json_t *v, const json_t *size,
    const struct stream_output *like, struct bbt_err *err)
{
    struct stream_raw *raw = &s->raw[s->raws];
    size_t want;

    if (json_object_get(v, "data") || !json_is_integer(size) || json_integer_value(size) < 0)
        return stream_corrupt(err, "a binary_data_size that is none");
    if (s->head_len == SIZE_MAX)
        return stream_corrupt(err, "raw tensors, but no Inference-Header-Content-Length");
    *raw = (struct stream_raw){.bytes = (size_t)json_integer_value(size), .out = find(s, v)};
    if (like->type != PROV_TYPE_NONE &&
        (__builtin_mul_overflow(like->count, tensor_size(like->type), &want) ||
            want != raw->bytes))
        return stream_corrupt(err, "a raw tensor whose size is not that of its shape");
    s->raws++;
    if (!raw->out)
        return BBT_OK;
    raw->out->seen = true;
    return plan(s, raw->out, v, err);
}

static enum bbt_rc walk_outputs(struct stream *s, const json_t *list, struct bbt_err *err)
{
    size_t i;
    json_t *v;

    if (!json_is_array(list))
        return stream_corrupt(err, "no list of outputs");
    s->raw = bbt_calloc(json_array_size(list), sizeof *s->raw);
    if (!s->raw)
        return bbt_fail(err, BBT_NOMEM, "no memory for a response");
    json_array_foreach (list, i, v) {
        const json_t *size = raw_size(v);
        struct stream_output like = {
            .type = tensor_type_parse(json_get_str(v, "datatype", NULL))};
        enum bbt_rc rc = read_shape(json_object_get(v, "shape"), &like, err);

        if (rc == BBT_OK)
            rc = size ? end_raw(s, v, size, &like, err) : end_json(s, v, err);
        if (rc != BBT_OK)
            return rc;
    }
    for (size_t k = 0; k < s->outs; k++)
        if (!s->out[k].seen)
            return bbt_fail(
                err, BBT_CORRUPT, "response: no output \"%s\"", s->out[k].name);
    return BBT_OK;
}

static enum bbt_rc check_root(const struct stream *s, const json_t *root, struct bbt_err *err)
{
    const char *id = json_get_str(root, "id", "");
    char said[256];

    if (!json_is_object(root) || json_object_get(root, "error")) {
        verdict_error_text(s->head.rest.data, s->head.rest.len, said, sizeof said, NULL, 0);
        return bbt_fail(err, BBT_CORRUPT, "an error inside a good status: %s", said);
    }
    if (s->id && id[0] && strcmp(id, s->id))
        return bbt_fail(
            err, BBT_CORRUPT, "response: is for \"%.80s\", not for \"%.80s\"", id, s->id);
    return BBT_OK;
}

/* The head is whole: what follows is known. */
static enum bbt_rc end_head(struct stream *s, struct bbt_err *err)
{
    json_t *root = NULL;
    enum bbt_rc rc = jcut_end(&s->head, &root, err);

    if (rc == BBT_OK)
        rc = check_root(s, root, err);
    if (rc == BBT_OK)
        rc = walk_outputs(s, json_object_get(root, "outputs"), err);
    json_decref(root);
    s->raw_part = rc == BBT_OK;
    return rc;
}

/* A header value that is a whole number and nothing else. */
static bool header_size(const char *text, size_t *ret)
{
    size_t v = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, (size_t)10, &v) ||
            __builtin_add_overflow(v, (size_t)(*p - '0'), &v))
            return false;
    if (p == text || *p)
        return false;
    *ret = v;
    return true;
}

/* ---- the whole ---- */

enum bbt_rc stream_begin(
    struct stream *s, const struct prov_reply *head, struct bbt_err *err)
{
    const char *value = prov_reply_header(head, "Inference-Header-Content-Length");

    jcut_init(&s->head, "response", on_array, s);
    s->head_len = SIZE_MAX;
    if (value && !header_size(value, &s->head_len))
        return stream_corrupt(err, "Inference-Header-Content-Length is not within the body");
    return BBT_OK;
}

/* Past tensors that are whole, or empty. */
static void next_raw(struct stream *s)
{
    while (s->raw_next < s->raws && s->raw_at == s->raw[s->raw_next].bytes) {
        s->raw_next++;
        s->raw_at = 0;
    }
}

static enum bbt_rc feed_raw(
    struct stream *s, const uint8_t *p, size_t len, struct bbt_err *err)
{
    for (next_raw(s); len; next_raw(s)) {
        const struct stream_raw *raw = &s->raw[s->raw_next];
        size_t n;

        if (s->raw_next == s->raws)
            return stream_corrupt(err, "bytes left over after the raw tensors");
        n = raw->bytes - s->raw_at < len ? raw->bytes - s->raw_at : len;
        if (raw->out)
            take_raw(raw->out, s->carry, s->raw_at, p, n);
        s->raw_at += n;
        p += n;
        len -= n;
    }
    return BBT_OK;
}

enum bbt_rc stream_feed(
    struct stream *s, const void *bytes, size_t len, struct bbt_err *err)
{
    const uint8_t *p = bytes;
    size_t n = s->head_len - s->got < len ? s->head_len - s->got : len;
    enum bbt_rc rc = BBT_OK;

    if (!s->raw_part) {
        rc = list_failed(s, jcut_feed(&s->head, p, n, err), err);
        s->got += n;
        if (rc == BBT_OK && s->got == s->head_len && n < len)
            rc = end_head(s, err);
    }
    return rc == BBT_OK && n < len ? feed_raw(s, p + n, len - n, err) : rc;
}

enum bbt_rc stream_finish(struct stream *s, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (!s->raw_part) {
        if (s->head_len != SIZE_MAX && s->got < s->head_len)
            return stream_corrupt(
                err, "Inference-Header-Content-Length is not within the body");
        rc = end_head(s, err);
    }
    if (rc != BBT_OK)
        return rc;
    next_raw(s);
    if (s->raw_next < s->raws)
        return stream_corrupt(err, "ends before the raw tensors do");
    for (size_t k = 0; k < s->outs; k++) {
        assert(s->out[k].next == s->out[k].wants); /* all lay within */
        if (s->out[k].bad)
            return bbt_fail(err, BBT_CORRUPT,
                "response: output \"%s\" has a number that is not finite", s->out[k].name);
    }
    return BBT_OK;
}

void stream_fini(struct stream *s)
{
    jcut_fini(&s->head);
    bbt_free(s->raw);
    s->raw = NULL;
    for (size_t k = 0; k < s->outs; k++) {
        bbt_free(s->out[k].want);
        s->out[k].want = NULL;
    }
}
