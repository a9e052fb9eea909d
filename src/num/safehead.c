#include "num/safehead.h"

#include "base/alloc.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are read as they lie in the file: little endian only"
#endif

#define PREFIX 8u /* the header's length */

/* Bytes per element; 0 for a type nobody has told us about. */
static size_t type_size(const char *name, enum safetens_type *ret)
{
    static const struct {
        const char *name;
        size_t size;
        enum safetens_type type;
    } known[] = {
        {"F32", 4, SAFETENS_F32},
        {"F16", 2, SAFETENS_F16},
        {"BF16", 2, SAFETENS_BF16},
        {"F64", 8, SAFETENS_F64},
        {"I64", 8, SAFETENS_OTHER},
        {"U64", 8, SAFETENS_OTHER},
        {"I32", 4, SAFETENS_OTHER},
        {"U32", 4, SAFETENS_OTHER},
        {"I16", 2, SAFETENS_OTHER},
        {"U16", 2, SAFETENS_OTHER},
        {"I8", 1, SAFETENS_OTHER},
        {"U8", 1, SAFETENS_OTHER},
        {"BOOL", 1, SAFETENS_OTHER},
        {"F8_E4M3", 1, SAFETENS_OTHER},
        {"F8_E5M2", 1, SAFETENS_OTHER},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].name, name)) {
            *ret = known[i].type;
            return known[i].size;
        }
    return 0;
}

/* A JSON integer that fits size_t. */
static bool as_size(const json_t *v, size_t *ret)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *ret = (size_t)json_integer_value(v);
    return true;
}

/* Shape and element size of one header entry; sets `count` and `len`. */
static bool read_shape(const json_t *shape, size_t size, struct safetens_item *it)
{
    it->rank = json_array_size(shape);
    it->count = 1;
    if (!json_is_array(shape) || it->rank > SAFETENS_RANK_MAX)
        return false;
    for (size_t i = 0; i < it->rank; i++)
        if (!as_size(json_array_get(shape, i), &it->shape[i]) ||
            __builtin_mul_overflow(it->count, it->shape[i], &it->count))
            return false;
    return !__builtin_mul_overflow(it->count, size, &it->len);
}

/* One header entry against the `room` bytes of the data part at `data`. */
static enum bbt_rc read_entry(const char *file, const char *name, const json_t *v,
    const uint8_t *data, size_t room, struct safetens_item *it, struct bbt_err *err)
{
    const json_t *at = json_object_get(v, "data_offsets");
    const char *type = json_get_str(v, "dtype", "");
    size_t from, to, size = type_size(type, &it->type);

    it->name = name;
    if (size == 0)
        return bbt_fail(err, BBT_INVALID, "%s: tensor '%.100s' has the unknown type '%.20s'",
            file, name, type);
    if (!read_shape(json_object_get(v, "shape"), size, it))
        return bbt_fail(err, BBT_INVALID,
            "%s: the shape of tensor '%.100s' is not a list of at most %d sizes", file, name,
            SAFETENS_RANK_MAX);
    if (json_array_size(at) != 2 || !as_size(json_array_get(at, 0), &from) ||
        !as_size(json_array_get(at, 1), &to) || from > to || to > room)
        return bbt_fail(err, BBT_INVALID,
            "%s: the offsets of tensor '%.100s' do not lie inside the file's %zu data bytes",
            file, name, room);
    if (to - from != it->len)
        return bbt_fail(err, BBT_INVALID,
            "%s: tensor '%.100s' has %zu bytes, but its type and shape need %zu", file, name,
            to - from, it->len);
    it->bytes = data + from;
    return BBT_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct safetens_item *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    /* an empty tensor may stand at the start of another */
    return x->len < y->len ? -1 : x->len > y->len;
}

/* The format allows neither overlaps nor holes: both hide bytes from somebody. */
static enum bbt_rc check_cover(const char *file, struct safetens_item *items, size_t n,
    const uint8_t *data, size_t room, struct bbt_err *err)
{
    const uint8_t *end = data;

    if (n)
        qsort(items, n, sizeof items[0], by_place);
    for (size_t i = 0; i < n; i++) {
        if (items[i].bytes != end)
            return bbt_fail(err, BBT_INVALID, "%s: tensor '%.100s' %s", file, items[i].name,
                items[i].bytes < end ? "overlaps the one before it"
                                     : "leaves a hole in front of it");
        end += items[i].len;
    }
    if (end != data + room)
        return bbt_fail(err, BBT_INVALID, "%s: %zu bytes at the end belong to no tensor",
            file, (size_t)(data + room - end));
    return BBT_OK;
}

static enum bbt_rc read_entries(const char *file, json_t *header, const uint8_t *data,
    size_t room, struct safetens_item **ret, size_t *ret_n, struct bbt_err *err)
{
    struct safetens_item *it =
        bbt_calloc(json_object_size(header) + 1, sizeof(struct safetens_item));
    enum bbt_rc rc = BBT_OK;
    const char *name;
    json_t *v;
    size_t n = 0;

    if (!it)
        return bbt_fail(err, BBT_NOMEM, "%s: no memory for its tensors", file);
    json_object_foreach (header, name, v) {
        if (!strcmp(name, "__metadata__"))
            continue;
        rc = read_entry(file, name, v, data, room, &it[n], err);
        if (rc != BBT_OK)
            break;
        n++;
    }
    if (rc == BBT_OK)
        rc = check_cover(file, it, n, data, room, err);
    if (rc == BBT_OK) {
        *ret = it;
        *ret_n = n;
        it = NULL;
    }
    bbt_free(it);
    return rc;
}

enum bbt_rc safehead_read(const char *file, const uint8_t *bytes, size_t len,
    json_t **ret_header, struct safetens_item **ret, size_t *ret_n, struct bbt_err *err)
{
    json_t *header = NULL;
    uint64_t claim;
    enum bbt_rc rc;

    if (len < PREFIX)
        return bbt_fail(err, BBT_INVALID,
            "%s: %zu bytes are too short for a safetensors file", file, len);
    memcpy(&claim, bytes, sizeof claim);
    if (claim > len - PREFIX || claim > SAFETENS_HEADER_MAX)
        return bbt_fail(err, BBT_INVALID,
            "%s: the header claims %llu bytes; the file has %zu and the limit is %u", file,
            (unsigned long long)claim, len - PREFIX, SAFETENS_HEADER_MAX);
    rc = json_parse(bytes + PREFIX, (size_t)claim, file, &header, err);
    if (rc == BBT_OK && !json_is_object(header))
        rc = bbt_fail(err, BBT_INVALID, "%s: the header is not a JSON object", file);
    if (rc == BBT_OK)
        rc = read_entries(file, header, bytes + PREFIX + (size_t)claim,
            len - PREFIX - (size_t)claim, ret, ret_n, err);
    if (rc == BBT_OK) {
        *ret_header = header;
        header = NULL;
    }
    json_decref(header);
    return rc;
}
