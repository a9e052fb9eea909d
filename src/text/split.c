#include "text/split.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void split_fini(struct split *s)
{
    bbt_free(s->train);
    bbt_free(s->dev);
    *s = (struct split){0};
}

static enum bbt_rc no_memory(const struct split_source *src, struct bbt_err *err)
{
    return bbt_fail(err, BBT_NOMEM, "no memory to split %s", src->name);
}

static size_t row_at(const struct split_source *src, size_t i)
{
    return src->perm ? src->perm[i] : i;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Marks the rows that may be picked: 1 in ret[row]. Refuses a walk that misses a row. */
static enum bbt_rc mark(const struct split_source *src, const uint64_t *sorted,
    size_t n_sorted, uint8_t *ret, struct bbt_err *err)
{
    memset(ret, 2, src->rows); /* 2: not walked over yet */
    for (size_t i = 0; i < src->rows; i++) {
        size_t row = row_at(src, i);

        if (row >= src->rows || ret[row] != 2)
            return bbt_fail(err, BBT_INVALID, "%s: the order is no permutation of %zu rows",
                src->name, src->rows);
        if (src->cls[row] >= src->classes)
            return bbt_fail(err, BBT_INVALID, "%s: row %zu has class %u of %zu", src->name,
                row, src->cls[row], src->classes);
        ret[row] = n_sorted == 0 || !bsearch(&src->digest[row], sorted, n_sorted,
            sizeof *sorted, compare);
    }
    return BBT_OK;
}

static enum bbt_rc check_class(const struct split_source *src, size_t class, size_t have,
    size_t need, int avoiding, struct bbt_err *err)
{
    char number[24];
    const char *name = number;

    if (have >= need)
        return BBT_OK;
    (void)snprintf(number, sizeof number, "%zu", class);
    if (src->class_names)
        name = src->class_names[class];
    return bbt_fail(err, BBT_INVALID,
        "%s: class \"%.60s\" has %zu rows%s, %zu are needed (fewer shots, or more rows)",
        src->name, name, have, avoiding ? " whose text is not taken already" : "", need);
}

/* Walks in order and takes marked rows while their class has room. */
static size_t take(const struct split_source *src, const uint8_t *marked, size_t shots,
    size_t *count, uint32_t *ret)
{
    size_t n = 0;

    memset(count, 0, src->classes * sizeof *count);
    for (size_t i = 0; i < src->rows; i++) {
        size_t row = row_at(src, i);

        if (marked[row] && (shots == 0 || count[src->cls[row]] < shots)) {
            count[src->cls[row]]++;
            ret[n++] = (uint32_t)row;
        }
    }
    return n;
}

enum bbt_rc split_pick(const struct split_source *src, size_t shots, const uint64_t *avoid,
    size_t n_avoid, uint32_t **ret, size_t *ret_n, struct bbt_err *err)
{
    uint64_t *sorted = bbt_alloc_array(n_avoid, sizeof *sorted);
    uint32_t *rows = bbt_alloc_array(src->rows, sizeof *rows);
    size_t *count = bbt_calloc(src->classes, sizeof *count);
    uint8_t *marked = bbt_alloc(src->rows);
    enum bbt_rc rc = BBT_OK;

    if (!sorted || !rows || !count || !marked) {
        rc = no_memory(src, err);
        goto out;
    }
    if (n_avoid) {
        memcpy(sorted, avoid, n_avoid * sizeof *sorted);
        qsort(sorted, n_avoid, sizeof *sorted, compare);
    }
    rc = mark(src, sorted, n_avoid, marked, err);
    if (rc != BBT_OK)
        goto out;
    for (size_t i = 0; i < src->rows; i++)
        count[src->cls[i]] += marked[i];
    for (size_t c = 0; c < src->classes && rc == BBT_OK; c++)
        rc = check_class(src, c, count[c], shots, n_avoid != 0, err);
    if (rc != BBT_OK)
        goto out;
    *ret_n = take(src, marked, shots, count, rows);
    *ret = rows;
    rows = NULL; /* the caller's now */
out:
    bbt_free(sorted);
    bbt_free(rows);
    bbt_free(count);
    bbt_free(marked);
    return rc;
}

enum bbt_rc split_kshot(const struct split_source *src, size_t shots_train,
    size_t shots_dev, struct split *ret, struct bbt_err *err)
{
    struct split s = {0};
    uint64_t *taken = NULL;
    enum bbt_rc rc;

    if (shots_train == 0)
        return bbt_fail(err, BBT_INVALID, "%s: 0 shots to train on", src->name);
    rc = split_pick(src, shots_train, NULL, 0, &s.train, &s.n_train, err);
    if (rc != BBT_OK || shots_dev == 0)
        goto out;
    taken = bbt_alloc_array(s.n_train, sizeof *taken);
    if (!taken) {
        rc = no_memory(src, err);
        goto out;
    }
    for (size_t i = 0; i < s.n_train; i++)
        taken[i] = src->digest[s.train[i]];
    rc = split_pick(src, shots_dev, taken, s.n_train, &s.dev, &s.n_dev, err);
    if (rc != BBT_OK)
        (void)bbt_err_ctx(err, "dev, after %zu shots for train", shots_train);
out:
    bbt_free(taken);
    if (rc == BBT_OK)
        *ret = s;
    else
        split_fini(&s);
    return rc;
}
