#include "base/zone.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/civil.h"
#include "base/file.h"
#include "base/zone_rule.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX (64u * 1024u) /* the largest of the system has 4 KiB */
#define HEAD_BYTES 44
#define RULE_BYTES_MAX 128
#define AROUND_S 200000 /* more than the two largest offsets together */
#define REACH_S (ZONE_LIMIT + 100 * AROUND_S) /* a caller at the limit may look ahead */

struct zone {
    int32_t first;     /* before the first change */
    bool ruled;        /* `rule` holds after `table_end`; else the last offset stays */
    bool tabled;       /* there is a table, up to and with `table_end` */
    int64_t table_end;
    struct zone_rule rule;
    size_t n;
    struct {
        int64_t at;
        int32_t offset; /* from then on; never the one before */
    } change[];
};

const struct zone *zone_utc(void)
{
    static const struct zone utc = {0};

    return &utc;
}

void zone_free(const struct zone *z)
{
    if (z != zone_utc())
        bbt_free((void *)(uintptr_t)z);
}

/* ---- reading (RFC 8536) ---- */

struct head {
    unsigned version;
    uint64_t isut, isstd, leaps, times, types, chars; /* uint32_t each in the file */
};

static uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

static bool read_head(const uint8_t *p, size_t len, struct head *ret)
{
    if (len < HEAD_BYTES || memcmp(p, "TZif", 4) != 0)
        return false;
    *ret = (struct head){p[4] ? (unsigned)p[4] - '0' : 1, be(p + 20, 4), be(p + 24, 4),
        be(p + 28, 4), be(p + 32, 4), be(p + 36, 4), be(p + 40, 4)};
    return true;
}

/* Bytes of the block after a head whose times have `wide` bytes. */
static uint64_t block_bytes(const struct head *h, size_t wide)
{
    return h->times * (wide + 1) + h->types * 6 + h->chars + h->leaps * (wide + 4) + h->isstd +
           h->isut;
}

/* Offset of a local time type. */
static bool read_type(const uint8_t *types, uint64_t n, uint64_t i, int32_t *ret)
{
    int32_t s;

    if (i >= n)
        return false;
    s = (int32_t)(uint32_t)be(types + 6 * i, 4);
    *ret = s;
    return s > -90000 && s < 93600; /* RFC 8536 3.2 */
}

/* The changes of a block. Those before ZONE_LIMIT only say how it began, those after it never
 * matter, and those that leave the offset as it is are none. */
static bool read_changes(
    const struct head *h, const uint8_t *p, size_t wide, struct zone *z)
{
    const uint8_t *index = p + h->times * wide, *types = index + h->times;
    int64_t before = INT64_MIN;
    int32_t offset;

    if (!read_type(types, h->types, 0, &z->first))
        return false;
    for (uint64_t i = 0; i < h->times; i++) {
        int64_t at = wide == 8 ? (int64_t)be(p + i * 8, 8)
                               : (int64_t)(int32_t)(uint32_t)be(p + i * 4, 4);

        if ((i && at <= before) || !read_type(types, h->types, index[i], &offset))
            return false;
        before = at;
        z->tabled = true;
        z->table_end = at > ZONE_LIMIT ? ZONE_LIMIT : at < -ZONE_LIMIT ? -ZONE_LIMIT : at;
        if (at < -ZONE_LIMIT)
            z->first = offset;
        if (at < -ZONE_LIMIT || at > ZONE_LIMIT ||
            offset == (z->n ? z->change[z->n - 1].offset : z->first))
            continue;
        z->change[z->n].at = at;
        z->change[z->n++].offset = offset;
    }
    return true;
}

/* "\nRULE\n" after the block; an empty rule says that nobody knows. */
static bool read_rule(const uint8_t *p, size_t len, struct zone *z)
{
    const uint8_t *end;

    if (len < 2 || *p != '\n')
        return false;
    end = memchr(p + 1, '\n', len - 1 < RULE_BYTES_MAX ? len - 1 : RULE_BYTES_MAX);
    if (!end)
        return false;
    z->ruled = end > p + 1;
    return !z->ruled ||
           zone_rule_parse((const char *)p + 1, (size_t)(end - p - 1), &z->rule);
}

enum bbt_rc zone_parse(
    const void *bytes, size_t len, const struct zone **ret, struct bbt_err *err)
{
    const uint8_t *p = bytes, *end = p + len;
    struct zone *z;
    size_t wide = 4;
    struct head h;
    bool ok;

    if (len > FILE_BYTES_MAX || !read_head(p, len, &h) ||
        block_bytes(&h, 4) > len - HEAD_BYTES)
        return bbt_fail(err, BBT_CORRUPT, "not a time zone file");
    if (h.version >= 2) {
        /* The first block is for programs of before 2005. */
        p += HEAD_BYTES + block_bytes(&h, 4);
        wide = 8;
        if (!read_head(p, (size_t)(end - p), &h) ||
            block_bytes(&h, 8) > (size_t)(end - p) - HEAD_BYTES)
            return bbt_fail(err, BBT_CORRUPT, "a time zone file that is cut short");
    }
    if (h.leaps)
        return bbt_fail(err, BBT_INVALID, "a time zone that counts leap seconds");
    p += HEAD_BYTES;
    z = bbt_calloc(1, sizeof *z + (size_t)h.times * sizeof z->change[0]);
    if (!z)
        return bbt_fail(err, BBT_NOMEM, "no memory for a time zone");
    ok = read_changes(&h, p, wide, z);
    p += block_bytes(&h, wide);
    if (!ok || (wide == 8 && !read_rule(p, (size_t)(end - p), z))) {
        zone_free(z);
        return bbt_fail(err, BBT_CORRUPT, "a time zone file with nonsense in it");
    }
    *ret = z;
    return BBT_OK;
}

bool zone_name_ok(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n >= ZONE_NAME_MAX || name[0] == '/' || name[n - 1] == '/')
        return false;
    for (const char *p = name; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

        if (!letter && !(*p >= '0' && *p <= '9') && !strchr("_+-/", *p))
            return false;
    }
    return true;
}

enum bbt_rc zone_load(
    const char *folder, const char *name, const struct zone **ret, struct bbt_err *err)
{
    struct bbt_buf b;
    char path[512];
    enum bbt_rc rc;

    if (strcmp(name, "UTC") == 0) {
        *ret = zone_utc();
        return BBT_OK;
    }
    if (!zone_name_ok(name))
        return bbt_fail(err, BBT_INVALID, "\"%.80s\" is no name of a time zone", name);
    if (!folder)
        folder = ZONE_FOLDER;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return bbt_fail(err, BBT_INVALID, "the time zones' folder has too long a name");
    buf_init(&b, FILE_BYTES_MAX);
    rc = file_read(path, &b, err);
    if (rc == BBT_NOTFOUND)
        rc = bbt_fail(err, rc, "there is no time zone %s (no file %s)", name, path);
    if (rc == BBT_OK) {
        rc = zone_parse(b.data, b.len, ret, err);
        if (rc != BBT_OK)
            (void)bbt_err_ctx(err, "%s", path);
    }
    buf_fini(&b);
    return rc;
}

/* ---- using ---- */

static int64_t clamp(int64_t v, int64_t most)
{
    return v > most ? most : v < -most ? -most : v;
}

/* Changes of the table at or before `utc_s`. */
static size_t passed(const struct zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (z->change[mid].at <= utc_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool by_rule(const struct zone *z, int64_t utc_s)
{
    return z->ruled && (!z->tabled || utc_s > z->table_end);
}

int32_t zone_offset(const struct zone *z, int64_t utc_s)
{
    size_t n;

    utc_s = clamp(utc_s, REACH_S);
    if (by_rule(z, utc_s))
        return zone_rule_offset(&z->rule, utc_s);
    n = passed(z, utc_s);
    return n ? z->change[n - 1].offset : z->first;
}

int64_t zone_next_change(const struct zone *z, int64_t utc_s)
{
    size_t n;

    utc_s = clamp(utc_s, REACH_S);
    if (by_rule(z, utc_s))
        return zone_rule_next(&z->rule, utc_s);
    n = passed(z, utc_s);
    if (n < z->n)
        return z->change[n].at;
    if (!z->ruled)
        return ZONE_NEVER;
    /* Table and rule should agree where they meet. */
    if (zone_rule_offset(&z->rule, z->table_end + 1) != zone_offset(z, utc_s))
        return z->table_end + 1;
    return zone_rule_next(&z->rule, z->table_end + 1);
}

/* Goes through the stretches of equal offset around a local time: its moment is in the first
 * that has it. *ret_skip is the moment before at which clocks skip it, or ZONE_NEVER: one
 * stretch ended too early for it, and the next began too late. */
static int64_t moment(const struct zone *z, int64_t local_s, int64_t *ret_skip)
{
    int64_t from = local_s - AROUND_S, ret = local_s;
    int32_t offset = zone_offset(z, from), before = offset;

    *ret_skip = ZONE_NEVER;
    for (;;) {
        int64_t utc_s = local_s - offset, next = zone_next_change(z, from);

        if (utc_s >= from && utc_s < next)
            return utc_s;
        if (utc_s < from && *ret_skip == ZONE_NEVER && local_s - before >= from) {
            *ret_skip = from;
            ret = local_s - before;
        }
        if (next > local_s + AROUND_S)
            return ret;
        before = offset;
        from = next;
        offset = zone_offset(z, from);
    }
}

int64_t zone_moment(const struct zone *z, int64_t local_s)
{
    int64_t skip;

    return moment(z, clamp(local_s, ZONE_LIMIT), &skip);
}

int64_t zone_day(const struct zone *z, int64_t utc_s)
{
    utc_s = clamp(utc_s, REACH_S);
    return civil_floor(utc_s + zone_offset(z, utc_s), 86400);
}

int64_t zone_day_start(const struct zone *z, int64_t day)
{
    int64_t skip = ZONE_NEVER, at;

    at = moment(z, clamp(day, ZONE_LIMIT / 86400) * 86400, &skip);
    return skip != ZONE_NEVER ? skip : at;
}
