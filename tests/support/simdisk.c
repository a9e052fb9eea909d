#include "simdisk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u
#define NAME_MAX_ 256

/* A change that is not on the platter yet. */
struct change {
    bool cut; /* truncation to `at`, else a write */
    uint64_t at;
    size_t len;
    unsigned char *bytes;
};

struct face {
    unsigned char *bytes;
    uint64_t size, room;
};

struct simfile {
    struct simfile *next;
    char name[NAME_MAX_];
    bool there;     /* readers can open it */
    bool on_platter; /* its name outlives a power cut for sure */
    struct face seen, platter;
    struct change *list;
    size_t nr, room;
    struct simshare share;
};

static struct {
    struct simfile *files;
    unsigned life;
    uint64_t rng;
    bool dead;
    unsigned fail_ops, die_ops;
    long fail_in, die_in;
    bool fail_sticky, failing;
    int64_t room; /* < 0: endless */
    struct simdisk_count count;
} disk = {.room = -1};

/* ---- chance ---- */

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = disk.rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool chance(unsigned percent)
{
    return draw() % 100 < percent;
}

/* ---- faces ---- */

static void *must(void *p)
{
    if (!p) {
        (void)fprintf(stderr, "simdisk: no memory\n");
        abort();
    }
    return p;
}

static void face_size(struct face *f, uint64_t size)
{
    if (size > f->room) {
        uint64_t room = f->room ? f->room : 1u << 19;

        while (room < size)
            room *= 2;
        f->bytes = must(realloc(f->bytes, room));
        f->room = room;
    }
    if (size > f->size)
        memset(f->bytes + f->size, 0, size - f->size);
    f->size = size;
}

static void face_put(struct face *f, uint64_t at, const void *bytes, size_t len)
{
    if (at + len > f->size)
        face_size(f, at + len);
    if (len)
        memcpy(f->bytes + at, bytes, len);
}

static void face_copy(struct face *to, const struct face *from)
{
    to->size = 0;
    face_size(to, from->size);
    if (from->size)
        memcpy(to->bytes, from->bytes, from->size);
}

/* ---- files ---- */

static struct simfile *find(const char *name)
{
    for (struct simfile *f = disk.files; f; f = f->next)
        if (f->there && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static void forget_list(struct simfile *f)
{
    for (size_t i = 0; i < f->nr; i++)
        free(f->list[i].bytes);
    f->nr = 0;
}

static void forget_share(struct simfile *f)
{
    for (size_t i = 0; i < sizeof f->share.region / sizeof f->share.region[0]; i++)
        free(f->share.region[i]);
    f->share = (struct simshare){0};
}

static void free_file(struct simfile *f)
{
    forget_list(f);
    forget_share(f);
    free(f->list);
    free(f->seen.bytes);
    free(f->platter.bytes);
    free(f);
}

static void note(struct simfile *f, bool cut, uint64_t at, const void *bytes, size_t len)
{
    struct change *c;

    if (f->nr == f->room) {
        f->room = f->room ? f->room * 2 : 16;
        f->list = must(realloc(f->list, f->room * sizeof *f->list));
    }
    c = &f->list[f->nr++];
    *c = (struct change){.cut = cut, .at = at, .len = len};
    if (len)
        c->bytes = memcpy(must(malloc(len)), bytes, len);
}

/* ---- reaching the platter ---- */

static void put_torn(struct face *p, const struct change *c)
{
    size_t off = 0;

    while (off < c->len) {
        size_t n = SECTOR - (size_t)((c->at + off) % SECTOR);

        if (n > c->len - off)
            n = c->len - off;
        if (chance(50))
            face_put(p, c->at + off, c->bytes + off, n);
        off += n;
    }
}

static void put_change(struct face *p, const struct change *c)
{
    if (c->cut)
        face_size(p, c->at);
    else
        face_put(p, c->at, c->bytes, c->len);
}

/* Some of the list, in order: `percent` of it, a quarter of that torn. What stays behind
 * may still have made the file longer. */
static void put_some(struct simfile *f, unsigned percent)
{
    for (size_t i = 0; i < f->nr; i++) {
        const struct change *c = &f->list[i];

        if (chance(percent)) {
            if (!c->cut && percent < 100 && chance(25))
                put_torn(&f->platter, c);
            else
                put_change(&f->platter, c);
        } else if (!c->cut && c->at + c->len > f->platter.size && chance(20)) {
            face_size(&f->platter, c->at + c->len);
        }
    }
    forget_list(f);
}

/* ---- planned trouble ---- */

/* One call of kind `op`: may it go on? */
static enum simdisk_rc gate(enum simdisk_op op, uint64_t *counter)
{
    if (disk.dead)
        return SIMDISK_DEAD;
    (*counter)++;
    if ((disk.die_ops & op) && disk.die_in-- == 0) {
        disk.dead = true;
        return SIMDISK_DEAD;
    }
    if (!(disk.fail_ops & op))
        return SIMDISK_OK;
    if (!disk.failing && disk.fail_in-- == 0) {
        disk.failing = disk.fail_sticky;
        disk.fail_ops = disk.fail_sticky ? disk.fail_ops : 0;
        disk.count.faults++;
        return SIMDISK_BAD;
    }
    if (!disk.failing)
        return SIMDISK_OK;
    disk.count.faults++;
    return SIMDISK_BAD;
}

void simdisk_fail(unsigned ops, long kth, bool sticky)
{
    disk.fail_ops = ops;
    disk.fail_in = kth;
    disk.fail_sticky = sticky;
    disk.failing = false;
}

void simdisk_die(unsigned ops, long kth)
{
    disk.die_ops = ops;
    disk.die_in = kth;
}

bool simdisk_is_dead(void)
{
    return disk.dead;
}

void simdisk_room(int64_t bytes)
{
    disk.room = bytes;
}

const struct simdisk_count *simdisk_count(void)
{
    return &disk.count;
}

unsigned simdisk_life(void)
{
    return disk.life;
}

static void reboot(void)
{
    disk.life++;
    disk.dead = false;
    disk.die_ops = disk.fail_ops = 0;
    disk.failing = false;
}

void simdisk_wipe(void)
{
    while (disk.files) {
        struct simfile *f = disk.files;

        disk.files = f->next;
        free_file(f);
    }
    reboot();
    disk.room = -1;
    disk.rng = 0;
    disk.count = (struct simdisk_count){0};
}

static bool survives(struct simfile *f)
{
    if (!f->name[0])
        return false; /* a file without a name was open only */
    if (f->there)
        return f->on_platter || chance(50);
    return f->on_platter && !find(f->name) && chance(50); /* was the delete in time? */
}

void simdisk_power_cut(uint64_t seed)
{
    static const unsigned percents[] = {0, 30, 60, 90, 100};
    struct simfile **at = &disk.files;

    disk.rng = seed;
    while (*at) {
        struct simfile *f = *at;

        forget_share(f);
        if (!survives(f)) {
            *at = f->next;
            free_file(f);
            continue;
        }
        put_some(f, percents[draw() % 5]);
        face_copy(&f->seen, &f->platter);
        f->there = f->on_platter = true;
        at = &f->next;
    }
    reboot();
}

void simdisk_kill(void)
{
    for (struct simfile *f = disk.files; f; f = f->next) {
        forget_share(f);
        if (!f->name[0])
            f->there = false;
    }
    reboot();
}

/* ---- copies ---- */

struct simdisk_image {
    struct simfile *files;
};

static struct simfile *copy_file(const struct simfile *f)
{
    struct simfile *c = must(calloc(1, sizeof *c));

    memcpy(c->name, f->name, sizeof c->name);
    c->there = f->there;
    c->on_platter = f->on_platter;
    face_copy(&c->platter, &f->platter);
    for (size_t i = 0; i < f->nr; i++)
        note(c, f->list[i].cut, f->list[i].at, f->list[i].bytes, f->list[i].len);
    face_copy(&c->seen, &f->seen);
    return c;
}

static struct simfile *copy_files(const struct simfile *from)
{
    struct simfile *all = NULL, **at = &all;

    for (; from; from = from->next) {
        *at = copy_file(from);
        at = &(*at)->next;
    }
    return all;
}

static void free_files(struct simfile *f)
{
    while (f) {
        struct simfile *next = f->next;

        free_file(f);
        f = next;
    }
}

struct simdisk_image *simdisk_save(void)
{
    struct simdisk_image *img = must(calloc(1, sizeof *img));

    img->files = copy_files(disk.files);
    return img;
}

void simdisk_load(const struct simdisk_image *img)
{
    free_files(disk.files);
    disk.files = copy_files(img->files);
    reboot();
}

void simdisk_image_free(struct simdisk_image *img)
{
    if (img)
        free_files(img->files);
    free(img);
}

bool simdisk_damage(const char *name, uint64_t at, unsigned char xor_with)
{
    struct simfile *f = find(name);

    if (!f || at >= f->seen.size)
        return false;
    f->seen.bytes[at] ^= xor_with;
    if (at < f->platter.size)
        f->platter.bytes[at] ^= xor_with;
    return true;
}

/* ---- the file system's calls ---- */

bool simdisk_exists(const char *name)
{
    return !disk.dead && find(name);
}

enum simdisk_rc simdisk_open(const char *name, bool create, struct simfile **ret)
{
    enum simdisk_rc rc = gate(SIMDISK_OPEN, &disk.count.opens);
    struct simfile *f;

    if (rc != SIMDISK_OK)
        return rc;
    f = name ? find(name) : NULL;
    if (!f && !create)
        return SIMDISK_BAD;
    if (!f) {
        f = must(calloc(1, sizeof *f));
        (void)snprintf(f->name, sizeof f->name, "%s", name ? name : "");
        f->there = true;
        f->next = disk.files;
        disk.files = f;
    }
    *ret = f;
    return SIMDISK_OK;
}

enum simdisk_rc simdisk_delete(const char *name)
{
    enum simdisk_rc rc = gate(SIMDISK_DELETE, &disk.count.deletes);
    struct simfile *f = find(name);

    if (rc == SIMDISK_OK && f) {
        if (disk.room >= 0)
            disk.room += (int64_t)f->seen.size;
        f->there = false;
        forget_share(f);
    }
    return rc;
}

enum simdisk_rc simdisk_read(
    struct simfile *f, uint64_t at, void *to, size_t len, size_t *ret_got)
{
    enum simdisk_rc rc = gate(SIMDISK_READ, &disk.count.reads);
    size_t got = at >= f->seen.size        ? 0
                 : len < f->seen.size - at ? len
                                           : (size_t)(f->seen.size - at);

    if (rc != SIMDISK_OK)
        return rc;
    if (got)
        memcpy(to, f->seen.bytes + at, got);
    disk.count.bytes_read += got;
    *ret_got = got;
    return SIMDISK_OK;
}

enum simdisk_rc simdisk_write(
    struct simfile *f, uint64_t at, const void *bytes, size_t len)
{
    bool alive = !disk.dead;
    enum simdisk_rc rc = gate(SIMDISK_WRITE, &disk.count.writes);
    uint64_t end = at + len;
    int64_t grows = end > f->seen.size ? (int64_t)(end - f->seen.size) : 0;

    if (rc == SIMDISK_BAD)
        len /= 2;
    else if (rc == SIMDISK_DEAD && !alive)
        return rc;
    if (rc == SIMDISK_OK && disk.room >= 0 && grows > disk.room) {
        disk.count.faults++;
        return SIMDISK_FULL;
    }
    if (disk.room >= 0)
        disk.room -= grows < disk.room ? grows : disk.room;
    note(f, false, at, bytes, len);
    face_put(&f->seen, at, bytes, len);
    disk.count.bytes_written += len;
    return rc;
}

enum simdisk_rc simdisk_truncate(struct simfile *f, uint64_t size)
{
    enum simdisk_rc rc = gate(SIMDISK_TRUNCATE, &disk.count.truncates);

    if (rc != SIMDISK_OK)
        return rc;
    if (disk.room >= 0 && size < f->seen.size)
        disk.room += (int64_t)(f->seen.size - size);
    note(f, true, size, NULL, 0);
    face_size(&f->seen, size);
    return SIMDISK_OK;
}

enum simdisk_rc simdisk_sync(struct simfile *f)
{
    enum simdisk_rc rc = gate(SIMDISK_SYNC, &disk.count.syncs);

    if (rc == SIMDISK_BAD)
        put_some(f, 50); /* what was not written then is never tried again */
    if (rc != SIMDISK_OK)
        return rc;
    for (size_t i = 0; i < f->nr; i++)
        put_change(&f->platter, &f->list[i]);
    forget_list(f);
    f->on_platter = true;
    /* the folder's journal is one: earlier deletes are through as well */
    for (struct simfile *o = disk.files; o; o = o->next)
        if (!o->there)
            o->on_platter = false;
    return SIMDISK_OK;
}

uint64_t simdisk_size(const struct simfile *f)
{
    return f->seen.size;
}

struct simshare *simdisk_share(struct simfile *f)
{
    return &f->share;
}
