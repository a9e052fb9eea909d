/* checkpoint.c -- what a generation's commit costs, and a resume: the store and the search
 * themselves, popsize 20, full covariance, a soft prompt of 50 x 1024 numbers.
 *
 * Bytes come from a counting VFS (a disk in memory; WAL and the write-back into the database
 * file both count, up to the closing), latencies and the resume from the real disk. Beside
 * it, in the same run, the naive checkpoint: the optimiser's whole image every generation.
 * The resume is the worst case: killed just before the next image, so that all generations
 * since the last one are told again; then both runs go on and must agree to the bit.
 *
 * bench/run checkpoint [--dims 100,500,1000] [--dir FOLDER] */
#include "base/alloc.h"
#include "base/clock.h"
#include "engine/search.h"
#include "engine/tune_gen.h"
#include "num/blas.h"
#include "simvfs.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/store.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POP 20u
#define ROUNDS 3u /* whole rounds between images, then one that is cut short */
#define MORE 5u   /* generations after the resume */
#define GENS ((ROUNDS + 1) * TUNE_SNAPSHOT_EVERY - 1)

struct bench {
    struct bbt_err err;
    struct job_spec spec;
    struct search_setup setup;
    char dir[200];
    struct store *s;
    uint64_t commit_us[GENS + 1];
};

static void must(struct bench *b, enum bbt_rc rc, const char *what)
{
    if (rc == BBT_OK)
        return;
    (void)fprintf(stderr, "checkpoint: %s: %s\n", what, b->err.msg);
    exit(1);
}

/* ---- one generation ---- */

/* A valley whose axes differ; cheap beside the commit. */
static void losses(const struct rec_gen *g, double *ret)
{
    for (size_t k = 0; k < g->popsize; k++) {
        const double *x = g->cand + k * g->dim;

        ret[k] = 0.0;
        for (size_t i = 0; i < g->dim; i++)
            ret[k] += (1.0 + (double)(i % 50)) * (x[i] - 1.0) * (x[i] - 1.0);
    }
}

static void open_next(struct bench *b, struct search *s, struct rec_gen *ret)
{
    must(b, search_open(s, 1, ret, &b->err), "open");
}

/* As the engine does it: close one, open the next, an image where one is due. */
static void turn(struct bench *b, struct search *s, struct rec_gen *at, bool naive)
{
    struct rec_gen closed = *at, next = {0};
    double loss[POP];
    struct bbt_buf image;
    struct rec_turn t = {.job = 1, .closed = &closed, .open = &next,
        .add = {.generations = 1, .evaluations = POP}};
    uint64_t start;

    losses(at, loss);
    closed.loss = loss;
    must(b, cma_tell(s->cma, loss, &b->err), "tell");
    if (!naive)
        must(b, search_trace(s, &closed, &b->err), "trace");
    buf_init(&image, SIZE_MAX);
    if (naive || cma_generation(s->cma) % TUNE_SNAPSHOT_EVERY == 0)
        must(b, search_snapshot(s, &image, &b->err), "image");
    open_next(b, s, &next);
    t.snapshot = image.len ? image.data : NULL;
    t.snapshot_len = image.len;
    t.snapshot_gen = next.gen;
    if (b->s) {
        start = clock_mono_us();
        must(b, store_turn(b->s, &t, &b->err), "commit");
        if (closed.gen <= GENS)
            b->commit_us[closed.gen] = clock_mono_us() - start;
    }
    buf_fini(&image);
    closed.loss = NULL; /* not on the heap */
    rec_gen_fini(&closed);
    *at = next;
}

/* ---- one run of GENS generations ---- */

static void begin(struct bench *b, struct search **s, struct rec_gen *at)
{
    const struct rec_job j = {.name = "bench"};
    struct rec_turn t = {.job = 1, .open = at};
    struct bbt_buf image;
    int64_t id;
    bool existed;

    must(b, store_open(b->dir, STORE_NETWORK_OK, &b->s, &b->err), "open the store");
    must(b, store_job_add(b->s, &j, "{}", NULL, &id, &existed, &b->err), "job");
    must(b, search_new(&b->spec, &b->setup, NULL, s, &b->err), "search");
    buf_init(&image, SIZE_MAX);
    must(b, search_snapshot(*s, &image, &b->err), "image");
    open_next(b, *s, at);
    t.snapshot = image.data;
    t.snapshot_len = image.len;
    must(b, store_turn(b->s, &t, &b->err), "first commit");
    buf_fini(&image);
}

static void finish(struct bench *b, struct search *s, struct rec_gen *at)
{
    search_free(s);
    bbt_free(at->cand);
    store_close(b->s);
    b->s = NULL;
}

static double bytes_per_generation(struct bench *b, bool naive)
{
    struct search *s;
    struct rec_gen at = {0};
    uint64_t before;

    simvfs_install();
    simdisk_wipe();
    begin(b, &s, &at);
    before = simdisk_count()->bytes_written;
    for (unsigned i = 0; i < GENS; i++)
        turn(b, s, &at, naive);
    finish(b, s, &at); /* writes back what only the WAL had */
    before = simdisk_count()->bytes_written - before;
    simdisk_wipe();
    simvfs_remove();
    return (double)before / GENS;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double quantile_ms(struct bench *b, double q)
{
    qsort(b->commit_us, GENS, sizeof b->commit_us[0], by_size);
    return (double)b->commit_us[(size_t)(q * (GENS - 1) + 0.5)] / 1e3;
}

/* Opens the store again and stands where the other run stands. */
static double resume(struct bench *b, struct search **ret, struct rec_gen *at)
{
    struct rec_resume r = {0};
    uint64_t start;

    store_close(b->s);
    start = clock_mono_us();
    must(b, store_open(b->dir, STORE_NETWORK_OK, &b->s, &b->err), "open again");
    must(b, store_resume(b->s, 1, &r, &b->err), "load");
    must(b, search_new(&b->spec, &b->setup, &r, ret, &b->err), "resume");
    open_next(b, *ret, at);
    rec_resume_fini(&r);
    return (double)(clock_mono_us() - start) / 1e6;
}

static bool same(const struct search *x, const struct search *y, const struct rec_gen *a,
    const struct rec_gen *b)
{
    return cma_digest(x->cma) == cma_digest(y->cma) && !y->drifted && a->gen == b->gen &&
           memcmp(a->cand, b->cand, a->popsize * a->dim * sizeof *a->cand) == 0;
}

/* False where the runs differ, or where a generation at d = 500 writes more than 300 kB. */
static bool measure(struct bench *b, size_t dim)
{
    struct search *calm, *again;
    struct rec_gen at = {0}, at2 = {0};
    double bytes, naive, p50, p99, seconds;
    struct store *kept;
    bool identical;

    b->spec.intrinsic_dim = dim;
    bytes = bytes_per_generation(b, false);
    naive = bytes_per_generation(b, true);
    begin(b, &calm, &at);
    for (unsigned i = 0; i < GENS; i++)
        turn(b, calm, &at, false);
    p50 = quantile_ms(b, 0.5);
    p99 = quantile_ms(b, 0.99);
    seconds = resume(b, &again, &at2);
    identical = same(calm, again, &at, &at2);
    for (unsigned i = 0; i < MORE; i++) {
        kept = b->s;
        b->s = NULL; /* the calm one goes on in memory only */
        turn(b, calm, &at, false);
        b->s = kept;
        turn(b, again, &at2, false);
        identical = identical && same(calm, again, &at, &at2);
    }
    (void)printf("{\"d\": %zu, \"bytes_per_generation\": %.0f, "
                 "\"naive_bytes_per_generation\": %.0f, \"commit_p50_ms\": %.3f, "
                 "\"commit_p99_ms\": %.3f, \"resume_s\": %.3f, \"identical\": %s}\n",
        dim, bytes, naive, p50, p99, seconds, identical ? "true" : "false");
    (void)fflush(stdout);
    search_free(calm);
    bbt_free(at.cand);
    finish(b, again, &at2);
    return identical && (dim != 500 || bytes <= 300e3);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    static struct bench b;
    const char *dims = "100,500,1000", *dir = "/var/tmp";
    char base[160];
    bool good = true;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--dims") == 0)
            dims = argv[i + 1];
        else if (strcmp(argv[i], "--dir") == 0)
            dir = argv[i + 1];
    }
    blas_threads(1);
    (void)snprintf(base, sizeof base, "%s/bbt-checkpoint-XXXXXX", dir);
    if (!mkdtemp(base)) {
        perror(base);
        return 1;
    }
    b.spec = (struct job_spec){.popsize = POP, .sigma = 1.0, .seed = 42,
        .projection = JOB_PROJ_NORMAL, .scale = 0.05, .alpha = 1.0, .projection_seed = 1};
    b.setup = (struct search_setup){
        .rows = 50, .hidden = 1024, .embed_mean = NAN, .embed_std = NAN};
    for (const char *p = dims; *p;) {
        char *end;
        size_t dim = strtoul(p, &end, 10);

        if (end == p || dim < 2)
            break;
        (void)snprintf(b.dir, sizeof b.dir, "%s/d%zu", base, dim);
        good = measure(&b, dim) && good;
        p = *end == ',' ? end + 1 : end;
    }
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return good ? 0 : 1;
}
