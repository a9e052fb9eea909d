#include "prov/torchzip.h"

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

/* CRC-32 of ZIP (polynomial 0xedb88320, reflected). */
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
    uint32_t table[256], crc = 0xffffffffu;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    for (size_t i = 0; i < len; i++)
        crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
    return ~crc;
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

static void put_local(uint8_t *file, const struct layout *l, int e, uint32_t crc)
{
    uint8_t *at = put32(file + l->header[e], 0x04034b50);
    size_t name = strlen(entry_name[e]);
    size_t extra = l->payload[e] - l->header[e] - LOCAL_LEN - name;

    at = put_common(at, crc, l->size[e]);
    at = put16(at, name);
    at = put16(at, extra);
    memcpy(at, entry_name[e], name);
    at = put16(at + name, 0x4246); /* torch's own tag for the fill */
    at = put16(at, extra - 4);
    memset(at, 'Z', extra - 4);
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

static void put_end(uint8_t *at, const struct layout *l)
{
    at = put32(at, 0x06054b50);
    at = put32(at, 0);
    at = put16(at, ENTRIES);
    at = put16(at, ENTRIES);
    at = put32(at, l->total - END_LEN - l->central);
    at = put32(at, l->central);
    (void)put16(at, 0);
}

size_t torchzip_size(enum prov_type type, size_t rows, size_t cols)
{
    struct layout l;

    return lay_out(type, rows, cols, &l) ? l.total : 0;
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

enum bbt_rc torchzip_put(struct bbt_buf *b, enum prov_type type, const float *v,
    size_t rows, size_t cols, struct bbt_err *err)
{
    uint32_t crc[ENTRIES];
    struct layout l;
    uint8_t *file, *at;

    if (!lay_out(type, rows, cols, &l))
        return bbt_fail(err, BBT_INVALID, "no tensor file of %zu x %zu numbers of type %s",
            rows, cols, tensor_type_name(type));
    for (size_t i = 0; i < rows * cols; i++)
        if (!fits(type, v[i]))
            return bbt_fail(err, BBT_INVALID,
                "row %zu of the soft prompt has a number that %s cannot hold", i / cols,
                tensor_type_name(type));
    if (l.total > b->max - b->len)
        return bbt_fail(err, BBT_INVALID,
            "a tensor file of %zu bytes is over the limit for a request", l.total);
    file = buf_extend(b, l.total);
    if (!file)
        return bbt_fail(err, BBT_NOMEM, "no memory for a tensor file");
    memcpy(file + l.payload[PICKLE], l.pickle, l.size[PICKLE]);
    memcpy(file + l.payload[BYTEORDER], "little", 6);
    (void)tensor_put_real(file + l.payload[DATA], type, v, rows * cols);
    memcpy(file + l.payload[VERSION], "3\n", 2);
    at = file + l.central;
    for (int e = 0; e < ENTRIES; e++) {
        crc[e] = crc32_of(file + l.payload[e], l.size[e]);
        put_local(file, &l, e, crc[e]);
        at = put_central(at, &l, e, crc[e]);
    }
    put_end(at, &l);
    return BBT_OK;
}
