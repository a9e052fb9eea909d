#include "tensors.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raw {
    const uint8_t *at;
    size_t left;
};

static bool take_raw(struct tensor_in *t, const char *type, size_t bytes, struct raw *raw)
{
    size_t size = strcmp(type, "FP32") == 0 ? 4 : 8;

    if (bytes > raw->left || bytes != t->count * size)
        return false;
    for (size_t i = 0; i < t->count; i++, raw->at += size) {
        float f;
        int64_t n;

        if (size == 4) {
            memcpy(&f, raw->at, sizeof f);
            t->v[i] = (double)f;
        } else {
            memcpy(&n, raw->at, sizeof n);
            t->v[i] = (double)n;
        }
    }
    raw->left -= bytes;
    return true;
}

static bool take_json(struct tensor_in *t, const json_t *data)
{
    if (json_array_size(data) != t->count)
        return false;
    for (size_t i = 0; i < t->count; i++)
        t->v[i] = json_number_value(json_array_get(data, i));
    return true;
}

static bool read_input(struct tensor_in *t, const json_t *v, struct raw *raw)
{
    const json_t *shape = json_object_get(v, "shape");
    const json_t *size = json_object_get(json_object_get(v, "parameters"), "binary_data_size");

    (void)snprintf(t->name, sizeof t->name, "%.31s", json_get_str(v, "name", ""));
    t->rank = json_array_size(shape);
    if (t->rank < 1 || t->rank > 3)
        return false;
    t->count = 1;
    for (size_t i = 0; i < t->rank; i++) {
        t->shape[i] = (size_t)json_integer_value(json_array_get(shape, i));
        t->count *= t->shape[i];
    }
    t->v = bbt_calloc(t->count, sizeof *t->v);
    assert(t->v);
    return size ? take_raw(t, json_get_str(v, "datatype", ""),
                      (size_t)json_integer_value(size), raw)
                : take_json(t, json_object_get(v, "data"));
}

bool tensors_read(struct tensors *ret, const void *body, size_t len, long head_len)
{
    size_t head = head_len >= 0 ? (size_t)head_len : len, i;
    struct raw raw;
    json_t *root = NULL, *v;
    bool good = true;

    *ret = (struct tensors){0};
    if (head > len || json_parse(body, head, "request", &root, NULL) != BBT_OK)
        return false;
    raw = (struct raw){(const uint8_t *)body + head, len - head};
    (void)snprintf(ret->id, sizeof ret->id, "%.63s", json_get_str(root, "id", ""));
    ret->binary_out = head_len >= 0;
    json_array_foreach (json_object_get(root, "inputs"), i, v)
        if (good && ret->n < 8)
            good = read_input(&ret->in[ret->n++], v, &raw);
    good = good && raw.left == 0 && ret->n > 0;
    json_decref(root);
    if (!good)
        tensors_fini(ret);
    return good;
}

void tensors_fini(struct tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        bbt_free(t->in[i].v);
    t->n = 0;
}

const struct tensor_in *tensors_find(const struct tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->in[i].name, name) == 0)
            return &t->in[i];
    return NULL;
}

static size_t count_of(const struct tensor_out *o)
{
    size_t n = 1;

    for (size_t i = 0; i < o->rank; i++)
        n *= o->shape[i];
    return n;
}

static void must(enum bbt_rc rc)
{
    if (rc != BBT_OK)
        abort(); /* the simulator has memory, or it has nothing */
}

static void put_output(const struct tensors *t, const struct tensor_out *o, struct bbt_buf *b)
{
    size_t n = count_of(o);

    must(buf_printf(b, "{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[", o->name));
    for (size_t i = 0; i < o->rank; i++)
        must(buf_printf(b, "%s%zu", i ? "," : "", o->shape[i]));
    if (t->binary_out) {
        must(buf_printf(b, "],\"parameters\":{\"binary_data_size\":%zu}}", 4 * n));
        return;
    }
    must(buf_puts(b, "],\"data\":["));
    for (size_t i = 0; i < n; i++)
        must(buf_printf(b, "%s%.9g", i ? "," : "", (double)o->v[i]));
    must(buf_puts(b, "]}"));
}

void tensors_reply(const struct tensors *t, const struct tensor_out *out, size_t n,
    struct fakelm_reply *ret)
{
    struct bbt_buf *b = &ret->body;

    must(buf_puts(b, "{\"model_name\":\"sim\","));
    if (t->id[0])
        must(buf_printf(b, "\"id\":\"%s\",", t->id));
    must(buf_puts(b, "\"outputs\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            must(buf_puts(b, ","));
        put_output(t, &out[i], b);
    }
    must(buf_puts(b, "]}"));
    if (!t->binary_out)
        return;
    ret->head_len = (long)b->len;
    for (size_t i = 0; i < n; i++)
        must(buf_put(b, out[i].v, 4 * count_of(&out[i])));
}
