#include "num/safetens.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "num/safehead.h"
#include "num/safeindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX (16u * 1024u * 1024u)

struct shard {
    char *name; /* of the file: for sentences, and to be found by the index */
    void *map;  /* NULL where the bytes are borrowed */
    size_t map_len;
    json_t *header; /* owns the tensors' names */
};

struct safetens {
    struct shard *shards;
    size_t shards_nr;
    struct safetens_item *items; /* sorted by name */
    size_t items_nr;
};

void safetens_free(struct safetens *st)
{
    if (!st)
        return;
    for (size_t i = 0; i < st->shards_nr; i++) {
        json_decref(st->shards[i].header);
        if (st->shards[i].map)
            (void)munmap(st->shards[i].map, st->shards[i].map_len);
        bbt_free(st->shards[i].name);
    }
    bbt_free(st->shards);
    bbt_free(st->items);
    bbt_free(st);
}

/* Adds the tensors of one whole file. The shard's name and map are set. */
static enum bbt_rc read_shard(struct safetens *st, struct shard *sh, const uint8_t *bytes,
    size_t len, struct bbt_err *err)
{
    struct safetens_item *more = NULL, *all;
    enum bbt_rc rc;
    size_t n = 0;

    rc = safehead_read(sh->name, bytes, len, &sh->header, &more, &n, err);
    if (rc != BBT_OK)
        return rc;
    all = bbt_realloc(st->items, (st->items_nr + n + 1) * sizeof *all);
    if (all) {
        st->items = all;
        if (n)
            memcpy(all + st->items_nr, more, n * sizeof *all);
        st->items_nr += n;
    } else {
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu tensors", st->items_nr + n);
    }
    bbt_free(more);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct safetens_item *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static enum bbt_rc sort_items(struct safetens *st, struct bbt_err *err)
{
    if (st->items_nr)
        qsort(st->items, st->items_nr, sizeof st->items[0], by_name);
    for (size_t i = 1; i < st->items_nr; i++)
        if (!strcmp(st->items[i - 1].name, st->items[i].name))
            return bbt_fail(err, BBT_INVALID, "tensor '%.100s' is in two files",
                st->items[i].name);
    return BBT_OK;
}

static struct safetens *new_handle(size_t shards)
{
    struct safetens *st = bbt_calloc(1, sizeof *st);

    if (!st)
        return NULL;
    st->shards = bbt_calloc(shards, sizeof st->shards[0]);
    if (!st->shards) {
        bbt_free(st);
        return NULL;
    }
    st->shards_nr = shards;
    return st;
}

enum bbt_rc safetens_parse(const void *bytes, size_t len, const char *name,
    struct safetens **ret, struct bbt_err *err)
{
    struct safetens *st = new_handle(1);
    enum bbt_rc rc;

    if (st)
        st->shards[0].name = bbt_strdup(name);
    if (!st || !st->shards[0].name) {
        safetens_free(st);
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
    }
    rc = read_shard(st, &st->shards[0], bytes, len, err);
    if (rc == BBT_OK)
        rc = sort_items(st, err);
    if (rc == BBT_OK) {
        *ret = st;
        st = NULL;
    }
    safetens_free(st);
    return rc;
}

/* Maps a regular file that is not empty. */
static enum bbt_rc map_file(
    const char *path, void **ret, size_t *ret_len, struct bbt_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    enum bbt_rc rc = BBT_OK;
    void *map;

    if (fd < 0)
        return bbt_fail(err, errno == ENOENT ? BBT_NOTFOUND
                           : errno == EACCES ? BBT_DENIED
                                             : BBT_IO,
            "%s: %s", path, strerror(errno));
    if (fstat(fd, &info) < 0) {
        rc = bbt_fail(err, BBT_IO, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode) || info.st_size == 0) {
        rc = bbt_fail(err, BBT_INVALID, "%s: not a safetensors file", path);
    } else {
        map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            rc = bbt_fail(err, BBT_NOMEM, "%s: %s", path, strerror(errno));
        } else {
            *ret = map;
            *ret_len = (size_t)info.st_size;
        }
    }
    (void)close(fd);
    return rc;
}

static enum bbt_rc load_shard(
    struct safetens *st, struct shard *sh, const char *path, struct bbt_err *err)
{
    enum bbt_rc rc;

    sh->name = bbt_strdup(path);
    if (!sh->name)
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", path);
    rc = map_file(path, &sh->map, &sh->map_len, err);
    if (rc == BBT_OK)
        rc = read_shard(st, sh, sh->map, sh->map_len, err);
    return rc;
}

enum bbt_rc safetens_open(const char *path, struct safetens **ret, struct bbt_err *err)
{
    struct safetens *st = new_handle(1);
    enum bbt_rc rc;

    if (!st)
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", path);
    rc = load_shard(st, &st->shards[0], path, err);
    if (rc == BBT_OK)
        rc = sort_items(st, err);
    if (rc == BBT_OK) {
        *ret = st;
        st = NULL;
    }
    safetens_free(st);
    return rc;
}

/* --- several files --- */

/* Every tensor of the index stands in its file (and nowhere else: sort_items). */
static enum bbt_rc check_index(const struct safetens *st, const json_t *index,
    const json_t *files, const char *name, struct bbt_err *err)
{
    json_t *map = json_object_get(index, "weight_map"), *v;
    const char *tensor;

    json_object_foreach (map, tensor, v) {
        const json_t *nr = json_object_get(files, json_string_value(v));
        const struct shard *sh = &st->shards[json_integer_value(nr)];

        if (!json_object_get(sh->header, tensor) || !safetens_find(st, tensor))
            return bbt_fail(err, BBT_INVALID, "%s: tensor '%.100s' is not in %s", name,
                tensor, sh->name);
    }
    return BBT_OK;
}

static enum bbt_rc open_index(const char *dir, const json_t *index, const json_t *files,
    const char *name, struct safetens **ret, struct bbt_err *err)
{
    struct safetens *st = new_handle(json_object_size(files));
    enum bbt_rc rc = BBT_OK;
    const char *file;
    json_t *v;

    if (!st)
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
    json_object_foreach ((json_t *)(uintptr_t)files, file, v) {
        char *path = bbt_asprintf("%s/%s", dir, file);

        rc = path ? load_shard(st, &st->shards[json_integer_value(v)], path, err)
                  : bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
        bbt_free(path);
        if (rc != BBT_OK)
            break;
    }
    if (rc == BBT_OK)
        rc = sort_items(st, err);
    if (rc == BBT_OK)
        rc = check_index(st, index, files, name, err);
    if (rc == BBT_OK) {
        *ret = st;
        st = NULL;
    }
    safetens_free(st);
    return rc;
}

static enum bbt_rc open_shards(
    const char *dir, const char *name, struct safetens **ret, struct bbt_err *err)
{
    json_t *index = NULL, *files = NULL;
    struct bbt_buf text;
    enum bbt_rc rc;

    buf_init(&text, INDEX_MAX);
    rc = file_read(name, &text, err);
    if (rc == BBT_OK)
        rc = json_parse(text.data, text.len, name, &index, err);
    if (rc == BBT_OK)
        rc = safeindex_files(index, name, &files, err);
    if (rc == BBT_OK)
        rc = open_index(dir, index, files, name, ret, err);
    json_decref(files);
    json_decref(index);
    buf_fini(&text);
    return rc;
}

enum bbt_rc safetens_open_dir(const char *dir, struct safetens **ret, struct bbt_err *err)
{
    char *one = bbt_asprintf("%s/model.safetensors", dir);
    char *many = bbt_asprintf("%s/model.safetensors.index.json", dir);
    enum bbt_rc rc;

    if (!one || !many)
        rc = bbt_fail(err, BBT_NOMEM, "no memory to read %s", dir);
    else if (access(one, F_OK) == 0 || access(many, F_OK) != 0)
        rc = safetens_open(one, ret, err);
    else
        rc = open_shards(dir, many, ret, err);
    bbt_free(one);
    bbt_free(many);
    return rc;
}

/* --- looking --- */

size_t safetens_count(const struct safetens *st)
{
    return st->items_nr;
}

const struct safetens_item *safetens_at(const struct safetens *st, size_t i)
{
    return i < st->items_nr ? &st->items[i] : NULL;
}

const struct safetens_item *safetens_find(const struct safetens *st, const char *name)
{
    struct safetens_item key = {.name = name};

    if (st->items_nr == 0)
        return NULL;
    return bsearch(&key, st->items, st->items_nr, sizeof key, by_name);
}

const float *safetens_peek(const struct safetens_item *item)
{
    if (item->type != SAFETENS_F32 || (uintptr_t)item->bytes % _Alignof(float))
        return NULL;
    return (const float *)(const void *)item->bytes;
}

float safetens_half(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exp = (bits >> 10) & 31u;
    uint32_t frac = bits & 0x3ffu, out;
    float f;

    if (exp == 0) { /* zero or subnormal: frac x 2^-24, exact in a float */
        f = (float)frac * 0x1p-24f;
        return sign ? -f : f;
    }
    out = sign | (exp == 31 ? 255u << 23 : (exp + 112u) << 23) | frac << 13;
    memcpy(&f, &out, sizeof f);
    return f;
}

static float brain(uint16_t bits)
{
    uint32_t out = (uint32_t)bits << 16;
    float f;

    memcpy(&f, &out, sizeof f);
    return f;
}

enum bbt_rc safetens_floats(
    const struct safetens_item *item, float *out, struct bbt_err *err)
{
    const uint8_t *p = item->bytes;
    uint16_t h;
    double d;

    switch (item->type) {
    case SAFETENS_F32:
        if (item->len)
            memcpy(out, p, item->len);
        return BBT_OK;
    case SAFETENS_F16:
    case SAFETENS_BF16:
        for (size_t i = 0; i < item->count; i++) {
            memcpy(&h, p + 2 * i, sizeof h);
            out[i] = item->type == SAFETENS_F16 ? safetens_half(h) : brain(h);
        }
        return BBT_OK;
    case SAFETENS_F64:
        for (size_t i = 0; i < item->count; i++) {
            memcpy(&d, p + 8 * i, sizeof d);
            out[i] = (float)d;
        }
        return BBT_OK;
    case SAFETENS_OTHER:
        break;
    }
    return bbt_fail(
        err, BBT_INVALID, "tensor '%.100s' does not hold floating-point numbers", item->name);
}

/* --- writing --- */

/* Where the tensor's bytes end; false where no file can be so large. */
static bool out_end(const struct safetens_out *t, size_t at, size_t *ret)
{
    size_t bytes = sizeof(float);

    for (size_t i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(bytes, t->shape[i], &bytes) || bytes > INT64_MAX)
            return false;
    return !__builtin_add_overflow(at, bytes, ret) && *ret <= INT64_MAX;
}

/* One header entry; NULL without memory. */
static json_t *out_entry(const struct safetens_out *t, size_t from, size_t to)
{
    json_t *shape = json_array();

    for (size_t i = 0; i < t->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)t->shape[i]))) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
        (json_int_t)from, (json_int_t)to);
}

static enum bbt_rc out_header(const struct safetens_out *tensors, size_t n,
    const json_t *meta, json_t *head, struct bbt_err *err)
{
    size_t at = 0, to = 0;
    const char *key;
    json_t *v;

    if (meta) {
        json_object_foreach ((json_t *)(uintptr_t)meta, key, v)
            if (!json_is_string(v))
                return bbt_fail(err, BBT_INVALID, "metadata '%.100s' is not a string", key);
        if (json_object_set_new(head, "__metadata__", json_deep_copy(meta)))
            return bbt_fail(err, BBT_NOMEM, "no memory for the metadata");
    }
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].rank > SAFETENS_RANK_MAX ||
            json_object_get(head, tensors[i].name))
            return bbt_fail(err, BBT_INVALID, "tensor '%.100s' is there twice, or its rank "
                "is over %d", tensors[i].name, SAFETENS_RANK_MAX);
        if (!out_end(&tensors[i], at, &to))
            return bbt_fail(err, BBT_INVALID, "tensor '%.100s' is too large for any file",
                tensors[i].name);
        if (json_object_set_new(head, tensors[i].name, out_entry(&tensors[i], at, to)))
            return bbt_fail(err, BBT_NOMEM, "no memory for a safetensors header");
        at = to;
    }
    return BBT_OK;
}

enum bbt_rc safetens_write(const struct safetens_out *tensors, size_t n,
    const json_t *meta, struct bbt_buf *ret, struct bbt_err *err)
{
    json_t *head = json_object();
    char *text = NULL;
    uint64_t len;
    enum bbt_rc rc;

    rc = head ? out_header(tensors, n, meta, head, err)
              : bbt_fail(err, BBT_NOMEM, "no memory for a safetensors header");
    if (rc != BBT_OK)
        goto out;
    text = json_print(head);
    rc = text ? BBT_OK : BBT_NOMEM;
    len = text ? (strlen(text) + 7) / 8 * 8 : 0; /* the data starts aligned */
    if (rc == BBT_OK)
        rc = buf_put(ret, &len, sizeof len);
    if (rc == BBT_OK)
        rc = buf_printf(ret, "%-*s", (int)len, text);
    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        size_t bytes = sizeof(float);

        for (size_t k = 0; k < tensors[i].rank; k++)
            bytes *= tensors[i].shape[k]; /* was checked by out_end() */
        if (bytes)
            rc = buf_put(ret, tensors[i].data, bytes);
    }
    if (rc != BBT_OK)
        (void)bbt_fail(err, rc, "no room for the safetensors file");
out:
    bbt_free(text);
    json_decref(head);
    return rc;
}
