#include "prov/torchzip.h"

#include "prov/crc.h"
#include "prov/tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define ALIGN 64u
#define LOCAL_LEN 30u
#define CENTRAL_LEN 46u
#define END_LEN 22u
#define PICKLE_MAX 160u
#define NUMBERS_MAX 0x7fffffffu /* the pickle's counts are 32-bit signed */

enum { PICKLE, BYTEORDER, DATA, VERSION, ENTRIES };

static const char *const entry_name[ENTRIES] = {
    "archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/version"};

struct layout {
    uint8_t pickle[PICKLE_MAX];
    size_t size[ENTRIES];
    size_t header[ENTRIES], payload[ENTRIES]; /* offsets */
    size_t central, total;
};

static const char *storage_of(enum prov_type type)
{
    switch (type) {
    case PROV_FP32:
        return "FloatStorage";
    case PROV_FP16:
        return "HalfStorage";
    case PROV_BF16:
        return "BFloat16Storage";
    default:
        return NULL;
    }
}

static uint8_t *put16(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
    return at + 2;
}

static uint8_t *put32(uint8_t *at, size_t v)
{
    return put16(put16(at, v & 0xffff), v >> 16 & 0xffff);
}

/* ---- the pickle ---- */

struct pen {
    uint8_t *at;
};

static void bytes(struct pen *p, const char *s, size_t len)
{
    memcpy(p->at, s, len);
    p->at += len;
}

/* A literal with NULs inside, without its last one. */
#define LITERAL(p, s) bytes(p, s, sizeof(s) - 1)

static void number(struct pen *p, size_t v) /* BININT */
{
    *p->at++ = 'J';
    p->at = put32(p->at, v);
}

/* _rebuild_tensor_v2(storage, 0, (rows, cols), (cols, 1), False, OrderedDict()). Protocol 2:
 * safe loaders refuse others. Counts always take four bytes, so that only they differ. */
static size_t write_pickle(uint8_t *out, const char *storage, size_t rows, size_t cols)
{
    struct pen p = {out};

    LITERAL(&p, "\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n");
    bytes(&p, storage, strlen(storage));
    LITERAL(&p, "\nX\x01\0\0\0" "0X\x03\0\0\0cpu");
    number(&p, rows * cols);
    LITERAL(&p, "tQK\0");
    number(&p, rows);
    number(&p, cols);
    LITERAL(&p, "\x86");
    number(&p, cols);
    LITERAL(&p, "K\x01\x86\x89" "ccollections\nOrderedDict\n)RtR.");
    return (size_t)(p.at - out);
}

/* ---- the container ---- */

static bool lay_out(enum prov_type type, size_t rows, size_t cols, struct layout *l)
{
    const char *storage = storage_of(type);
    size_t n, at = 0;

    if (!storage || rows == 0 || cols == 0 || __builtin_mul_overflow(rows, cols, &n) ||
        n > NUMBERS_MAX)
        return false;
    l->size[PICKLE] = write_pickle(l->pickle, storage, rows, cols);
    l->size[BYTEORDER] = 6;
    l->size[DATA] = n * tensor_size(type);
    l->size[VERSION] = 2;
    l->total = END_LEN;
    for (int e = 0; e < ENTRIES; e++) {
        size_t head = LOCAL_LEN + strlen(entry_name[e]) + 4; /* 4: tag and size of the fill */

        l->header[e] = at;
        l->payload[e] = (at + head + ALIGN - 1) / ALIGN * ALIGN;
        at = l->payload[e] + l->size[e];
        l->total += CENTRAL_LEN + strlen(entry_name[e]);
    }
    l->central = at;
    l->total += at;
    return l->total <= NUMBERS_MAX; /* far from where ZIP needs its 64-bit records */
}

/* From the signature's end to the sizes: the same in both kinds of header. */
static uint8_t *put_common(uint8_t *at, uint32_t crc, size_t size)
{
    at = put16(at, 0);      /* version needed */
    at = put16(at, 0x0800); /* names are UTF-8 */
    at = put16(at, 0);      /* stored */
    at = put32(at, 0);      /* time and date */
    at = put32(at, crc);
    at = put32(at, size);
    return put32(at, size);
}

/* The header and, right before the payload, its fill; returns where the payload goes. */
static uint8_t *put_local(uint8_t *at, const struct layout *l, int e, uint32_t crc)
{
    size_t name = strlen(entry_name[e]);
    size_t extra = l->payload[e] - l->header[e] - LOCAL_LEN - name;

    at = put32(at, 0x04034b50);
    at = put_common(at, crc, l->size[e]);
    at = put16(at, name);
    at = put16(at, extra);
    memcpy(at, entry_name[e], name);
    at = put16(at + name, 0x4246); /* torch's own tag for the fill */
    at = put16(at, extra - 4);
    memset(at, 'Z', extra - 4);
    return at + extra - 4;
}

static uint8_t *put_entry(
    uint8_t *at, const struct layout *l, int e, const void *payload, uint32_t *crc)
{
    *crc = crc_of(payload, l->size[e]);
    at = put_local(at, l, e, *crc);
    memcpy(at, payload, l->size[e]);
    return at + l->size[e];
}

static uint8_t *put_central(uint8_t *at, const struct layout *l, int e, uint32_t crc)
{
    size_t name = strlen(entry_name[e]);

    at = put32(at, 0x02014b50);
    at = put16(at, 0);
    at = put_common(at, crc, l->size[e]);
    at = put16(at, name);
    memset(at, 0, 12); /* extra, comment, disk, attributes */
    at = put32(at + 12, l->header[e]);
    memcpy(at, entry_name[e], name);
    return at + name;
}

static uint8_t *put_end(uint8_t *at, const struct layout *l)
{
    at = put32(at, 0x06054b50);
    at = put32(at, 0);
    at = put16(at, ENTRIES);
    at = put16(at, ENTRIES);
    at = put32(at, l->total - END_LEN - l->central);
    at = put32(at, l->central);
    return put16(at, 0);
}

size_t torchzip_size(enum prov_type type, size_t rows, size_t cols)
{
    struct layout l;

    return lay_out(type, rows, cols, &l) ? l.total : 0;
}

static enum bbt_rc no_file(
    enum prov_type type, size_t rows, size_t cols, struct bbt_err *err)
{
    return bbt_fail(err, BBT_INVALID, "no tensor file of %zu x %zu numbers of type %s", rows,
        cols, tensor_type_name(type));
}

enum bbt_rc torchzip_frame(enum prov_type type, size_t rows, size_t cols, uint32_t crc,
    struct torchzip_frame *ret, struct bbt_err *err)
{
    uint32_t crcs[ENTRIES] = {[DATA] = crc};
    struct layout l;
    uint8_t *at;

    if (!lay_out(type, rows, cols, &l))
        return no_file(type, rows, cols, err);
    at = put_entry(ret->head, &l, PICKLE, l.pickle, &crcs[PICKLE]);
    at = put_entry(at, &l, BYTEORDER, "little", &crcs[BYTEORDER]);
    at = put_local(at, &l, DATA, crc);
    ret->head_len = (size_t)(at - ret->head);
    at = put_entry(ret->tail, &l, VERSION, "3\n", &crcs[VERSION]);
    for (int e = 0; e < ENTRIES; e++)
        at = put_central(at, &l, e, crcs[e]);
    at = put_end(at, &l);
    ret->tail_len = (size_t)(at - ret->tail);
    assert(ret->head_len == l.payload[DATA] && ret->head_len <= sizeof ret->head);
    assert(ret->head_len + l.size[DATA] + ret->tail_len == l.total);
    return BBT_OK;
}

size_t torchzip_head_len(enum prov_type type)
{
    struct layout l;

    return lay_out(type, 1, 1, &l) ? l.payload[DATA] : 0;
}

/* Would it be finite there? The least numbers that round to an infinity. */
static bool fits(enum prov_type type, float v)
{
    if (type == PROV_FP16)
        return fabsf(v) < 65520.0f;
    if (type == PROV_BF16)
        return fabsf(v) < 0x1.ffp127f;
    return isfinite(v);
}

enum bbt_rc torchzip_check(enum prov_type type, const float *v, size_t rows, size_t cols,
    struct bbt_err *err)
{
    for (size_t i = 0; i < rows * cols; i++)
        if (!fits(type, v[i]))
            return bbt_fail(err, BBT_INVALID,
                "row %zu of the embeddings has a number that %s cannot hold", i / cols,
                tensor_type_name(type));
    return BBT_OK;
}

enum bbt_rc torchzip_put(struct bbt_buf *b, enum prov_type type, const float *v,
    size_t rows, size_t cols, struct bbt_err *err)
{
    struct torchzip_frame f;
    size_t total = torchzip_size(type, rows, cols), data;
    uint8_t *file;
    enum bbt_rc rc;

    if (total == 0)
        return no_file(type, rows, cols, err);
    if (torchzip_check(type, v, rows, cols, err) != BBT_OK)
        return BBT_INVALID;
    if (total > b->max - b->len)
        return bbt_fail(err, BBT_INVALID,
            "a tensor file of %zu bytes is over the limit for a request", total);
    file = buf_extend(b, total);
    if (!file)
        return bbt_fail(err, BBT_NOMEM, "no memory for a tensor file");
    data = rows * cols * tensor_size(type);
    file += torchzip_head_len(type);
    (void)tensor_put_real(file, type, v, rows * cols);
    rc = torchzip_frame(type, rows, cols, crc_of(file, data), &f, err);
    assert(rc == BBT_OK); /* it has a size */
    memcpy(file - f.head_len, f.head, f.head_len);
    memcpy(file + data, f.tail, f.tail_len);
    return rc;
}
