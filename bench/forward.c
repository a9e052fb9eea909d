/* forward.c -- times bbt-lm's forward pass on one batch, as forward.py asks it to.
 *
 *   forward MODEL-DIR BATCH THREADS REPEATS LOGITS
 *
 * BATCH: text, "rows cols labels", then rows lines "len mask_pos id id ...", then the label
 * ids. Prints {"ours_ms": best of the repeats, "median_ms": ...}; LOGITS gets rows x labels
 * raw floats, to be compared with torch's. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/op.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "num/blas.h"
#include "query.h"
#include "split.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int next(FILE *f, long from, long to)
{
    long v;

    if (fscanf(f, "%ld", &v) != 1 || v < from || v > to) {
        (void)fprintf(stderr, "forward: the batch file is wrong\n");
        exit(1);
    }
    return (int)v;
}

static void *get(size_t count, size_t size)
{
    void *p = bbt_calloc(count, size);

    if (!p) {
        (void)fprintf(stderr, "forward: no memory\n");
        exit(1);
    }
    return p;
}

static void read_batch(const char *path, struct query *q)
{
    FILE *f = fopen(path, "re");

    if (!f) {
        (void)fprintf(stderr, "forward: cannot read %s\n", path);
        exit(1);
    }
    q->rows = (size_t)next(f, 1, 1024);
    q->cols = (size_t)next(f, 1, 4096);
    q->label_nr = (size_t)next(f, 1, 65536);
    q->label_sets = 1;
    q->ids = get(q->rows * q->cols, sizeof q->ids[0]);
    q->keep = get(q->rows * q->cols, 1);
    q->mask_pos = get(q->rows, sizeof q->mask_pos[0]);
    q->labels = get(q->label_nr, sizeof q->labels[0]);
    for (size_t r = 0; r < q->rows; r++) {
        int len = next(f, 1, (long)q->cols);

        memset(q->keep + r * q->cols, 1, (size_t)len);
        q->mask_pos[r] = next(f, 0, (long)q->cols - 1);
        for (size_t i = 0; i < q->cols; i++)
            q->ids[r * q->cols + i] = next(f, 0, 1 << 24);
    }
    for (size_t i = 0; i < q->label_nr; i++)
        q->labels[i] = next(f, 0, 1 << 24);
    (void)fclose(f);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The repeats, each as the server does it: cut into parts, wait for all of them. */
struct bench {
    struct op op;
    struct loop *loop;
    struct work_pool *pool;
    struct split split;
    unsigned threads;
    int round, repeats; /* the first two rounds warm up */
    double *ms;
    uint64_t started_us;
};

static void start_round(struct bench *b)
{
    struct bbt_err err;

    b->started_us = clock_mono_us();
    if (split_start(&b->split, b->pool, b->threads, &b->op, &err) != BBT_OK) {
        (void)fprintf(stderr, "forward: %s\n", err.msg);
        exit(1);
    }
}

static void bench_step(struct op *op)
{
    struct bench *b = bbt_container(op, struct bench, op);
    struct bbt_err err;

    if (!split_done(&b->split))
        return;
    if (b->round >= 2)
        b->ms[b->round - 2] = (double)(clock_mono_us() - b->started_us) / 1000;
    if (split_result(&b->split, &err) != BBT_OK) {
        (void)fprintf(stderr, "forward: %s\n", err.msg);
        exit(1);
    }
    split_fini(&b->split);
    if (++b->round < b->repeats + 2)
        start_round(b);
    else
        loop_stop(b->loop);
}

static void measure(struct bench *b, struct split_rooms *rooms)
{
    struct bbt_err err;

    split_rooms_init(rooms);
    b->split.rooms = rooms;
    b->ms = get((size_t)b->repeats, sizeof *b->ms);
    if (loop_new(&b->loop, &err) != BBT_OK ||
        work_pool_new(b->loop, b->threads, &b->pool, &err) != BBT_OK) {
        (void)fprintf(stderr, "forward: %s\n", err.msg);
        exit(1);
    }
    op_init(&b->op, loop_turnq(b->loop), bench_step);
    start_round(b);
    loop_run(b->loop);
    qsort(b->ms, (size_t)b->repeats, sizeof *b->ms, by_size);
    printf("{\"ours_ms\": %.3f, \"ours_median_ms\": %.3f}\n", b->ms[0],
        b->ms[b->repeats / 2]);
    bbt_free(b->ms);
    work_pool_free(b->pool);
    loop_free(b->loop);
    split_rooms_fini(rooms);
}

int main(int argc, char **argv)
{
    static struct split_rooms rooms;
    struct weights *w = NULL;
    struct query q = {0};
    struct bench b = {0};
    struct bbt_err err;
    float *out;
    FILE *f;

    if (argc != 6) {
        (void)fprintf(stderr, "usage: forward MODEL-DIR BATCH THREADS REPEATS LOGITS\n");
        return 2;
    }
    blas_threads(1);
    read_batch(argv[2], &q);
    if (weights_load(argv[1], &w, &err) != BBT_OK ||
        query_check(&q, &w->conf, &err) != BBT_OK) {
        (void)fprintf(stderr, "forward: %s\n", err.msg);
        return 1;
    }
    out = get(q.rows * q.out_cols, sizeof *out);
    b.split = (struct split){.w = w, .q = &q, .out = out};
    b.threads = (unsigned)strtoul(argv[3], NULL, 10);
    b.repeats = (int)strtol(argv[4], NULL, 10);
    measure(&b, &rooms);
    f = fopen(argv[5], "wbe");
    if (!f || fwrite(out, sizeof *out, q.rows * q.out_cols, f) != q.rows * q.out_cols)
        return 1;
    (void)fclose(f);
    bbt_free(out);
    query_fini(&q);
    weights_free(w);
    return 0;
}
