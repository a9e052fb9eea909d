/* The kth allocation fails, once and for good, in the parts whose own tests do not try it:
 * the search (new, open, prompts, image, resume), the loop with its threads and signals, the
 * server's sockets, tensor files, backup and restore, looking after the database. BBT_NOMEM,
 * nothing leaks (the leak checker looks), and the next try works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/search.h"
#include "loop/lane.h"
#include "loop/loop.h"
#include "loop/sig.h"
#include "loop/work.h"
#include "num/blas.h"
#include "num/npy.h"
#include "num/safetens.h"
#include "store/st_backup.h"
#include "store/st_blob.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_mark.h"
#include "store/st_upkeep.h"
#include "store/store.h"
#include "web/web.h"

#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bbt_err err;

/* Runs `op` with every allocation refused in turn, until none was. */
static void refuse_all(const char *what, enum bbt_rc (*op)(void), unsigned long least)
{
    unsigned long tries = 0;

    for (int sticky = 0; sticky < 2; sticky++)
        for (long k = 0;; k += 1 + k / 64) {
            enum bbt_rc rc;
            unsigned long asked;

            (void)bbt_alloc_fault(k, sticky);
            rc = op();
            asked = bbt_alloc_fault(-1, 0);
            if (rc != BBT_OK && rc != BBT_NOMEM)
                print_error("%s, allocation %ld: %s\n", what, k, err.msg);
            assert_true(rc == BBT_OK || rc == BBT_NOMEM);
            if (rc != BBT_OK)
                assert_int_equal(op(), BBT_OK);
            if (asked <= (unsigned long)k)
                break;
            tries++;
        }
    print_message("# %s: %lu refusals\n", what, tries);
    assert_true(tries >= least);
}

/* ---- search ---- */

#define DIM 6
#define POP 5

static enum bbt_rc resume(const struct job_spec *spec, const struct search_setup *setup,
    struct bbt_buf *image, struct rec_gen *two)
{
    struct rec_resume r = {
        .snapshot = image->data, .snapshot_len = image->len, .gens = two, .gens_nr = 2};
    struct search *s = NULL;
    enum bbt_rc rc = search_new(spec, setup, &r, &s, &err);

    if (rc == BBT_OK)
        assert_false(s->drifted);
    search_free(s);
    return rc;
}

static enum bbt_rc search_op(void)
{
    const struct job_spec spec = {.intrinsic_dim = DIM, .popsize = POP, .sigma = 1, .seed = 5,
        .projection_seed = 6, .projection = JOB_PROJ_NORMAL, .alpha = 1, .scale = NAN};
    float p0[8] = {1, 2, 3, 4, 5, 6, 7, 8}, *prompts = NULL;
    const struct search_setup setup = {
        .rows = 2, .hidden = 4, .embed_mean = 0.1, .embed_std = 0.5, .p0 = p0};
    struct search_setup back = {0};
    struct search *s = NULL;
    struct rec_gen gen[2] = {{0}, {0}}; /* closed, open */
    struct bbt_buf image, bytes;
    uint64_t digest[POP];
    double loss[POP] = {3, 1, 2, 5, 4};
    enum bbt_rc rc;

    buf_init(&image, SIZE_MAX);
    buf_init(&bytes, SIZE_MAX);
    rc = search_setup_save(&setup, &bytes, &err);
    if (rc == BBT_OK)
        rc = search_setup_load(bytes.data, bytes.len, &back, &err);
    if (rc == BBT_OK)
        rc = search_new(&spec, &back, NULL, &s, &err);
    if (rc == BBT_OK)
        rc = search_snapshot(s, &image, &err);
    if (rc == BBT_OK)
        rc = search_open(s, 1, &gen[0], &err);
    if (rc == BBT_OK)
        rc = search_prompts(s, gen[0].cand, POP, &prompts, digest, &err);
    if (rc == BBT_OK)
        rc = cma_tell(s->cma, loss, &err);
    if (rc == BBT_OK)
        rc = search_trace(s, &gen[0], &err);
    if (rc == BBT_OK)
        rc = search_open(s, 1, &gen[1], &err);
    gen[0].loss = loss;
    if (rc == BBT_OK)
        rc = resume(&spec, &back, &image, gen);
    gen[0].loss = NULL;
    rec_gen_fini(&gen[0]);
    rec_gen_fini(&gen[1]);
    bbt_free(prompts);
    search_free(s);
    search_setup_fini(&back);
    buf_fini(&image);
    buf_fini(&bytes);
    return rc;
}

static void test_search(void **state)
{
    (void)state;
    refuse_all("search", search_op, 10);
}

/* ---- loop ---- */

static enum bbt_rc loop_op(void)
{
    const struct lane_opts opts = {.name = "lane", .batch_max = 4};
    struct loop *l = NULL;
    struct lane *lane = NULL;
    struct work_pool *pool = NULL;
    struct sig *sig = NULL;
    bool fired = false;
    enum bbt_rc rc = loop_new(&l, &err);

    if (rc == BBT_OK)
        rc = lane_new(l, &opts, &lane, &err);
    if (rc == BBT_OK)
        rc = work_pool_new(l, 2, &pool, &err);
    if (rc == BBT_OK)
        rc = sig_new(l, SIGUSR1, &fired, NULL, &sig, &err);
    sig_free(sig);
    work_pool_free(pool);
    lane_free(lane);
    loop_free(l);
    return rc;
}

static void test_loop(void **state)
{
    (void)state;
    refuse_all("loop", loop_op, 4);
}

/* ---- backup and restore, on the real disk ---- */

static char base[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static enum bbt_rc copies_op(void)
{
    char from[96], file[96], to[96];
    char *kept = NULL;
    enum bbt_rc rc;

    (void)snprintf(from, sizeof from, "%s/from", base);
    (void)snprintf(file, sizeof file, "%s/copy.db", base);
    (void)snprintf(to, sizeof to, "%s/to", base);
    (void)unlink(file);
    rc = store_backup(from, file, NULL, &err);
    if (rc != BBT_OK)
        assert_int_not_equal(access(file, F_OK), 0);
    if (rc == BBT_OK)
        rc = store_restore(file, to, true, &kept, &err);
    bbt_free(kept);
    return rc;
}

static void test_copies(void **state)
{
    const struct rec_job j = {.name = "kept"};
    struct store *s = NULL;
    char dir[96];
    int64_t id;
    bool existed;

    (void)state;
    (void)snprintf(base, sizeof base, "%s/bbt-parts-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(base));
    (void)snprintf(dir, sizeof dir, "%s/from", base);
    assert_int_equal(store_open(dir, STORE_NETWORK_OK, &s, &err), BBT_OK);
    assert_int_equal(store_job_add(s, &j, "{}", NULL, &id, &existed, &err), BBT_OK);
    store_close(s);
    refuse_all("backup and restore", copies_op, 100);
    (void)snprintf(dir, sizeof dir, "%s/to", base);
    assert_int_equal(store_open(dir, STORE_NETWORK_OK, &s, &err), BBT_OK);
    assert_int_equal(store_job_get(s, id, &(struct rec_job){0}, NULL, &err), BBT_OK);
    store_close(s);
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- looking after a database, on the real disk ---- */

static unsigned findings;

static void finding(void *arg, const char *text)
{
    (void)arg;
    (void)text;
    findings++;
}

static enum bbt_rc house_op(void)
{
    static const char sha[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const struct rec_mark mark = {.job = 1};
    const struct rec_answer key = {.job = 1};
    const struct store_retain what = {.checkpoints_before_us = 1, .events_before_us = 1};
    struct store *s = NULL;
    uint64_t n;
    bool is;
    enum bbt_rc rc = store_open(base, STORE_NETWORK_OK, &s, &err);

    if (rc == BBT_OK)
        rc = store_touch(s, &err);
    if (rc == BBT_OK)
        rc = store_blob_has(s, sha, &is, &err);
    if (rc == BBT_OK)
        rc = store_mark_put(s, &mark, &err);
    if (rc == BBT_OK)
        rc = store_mark_drop(s, &key, &err);
    if (rc == BBT_OK)
        rc = store_ledger_count(s, 1, &n, &err);
    if (rc == BBT_OK)
        rc = store_retain(s, &what, &is, &err);
    if (rc == BBT_OK)
        rc = store_vacuum(s, 16, &n, &is, &err);
    if (rc == BBT_OK)
        rc = store_audit(base, finding, NULL, &err);
    store_close(s);
    return rc;
}

static void test_house(void **state)
{
    const struct rec_job j = {.name = "kept"};
    struct store *s = NULL;
    int64_t id;
    bool existed;

    (void)state;
    (void)snprintf(base, sizeof base, "%s/bbt-house-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(base));
    assert_int_equal(store_open(base, STORE_NETWORK_OK, &s, &err), BBT_OK);
    assert_int_equal(store_job_add(s, &j, "{}", NULL, &id, &existed, &err), BBT_OK);
    store_close(s);
    refuse_all("house-keeping", house_op, 100);
    assert_int_equal(findings, 0);
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the server's sockets ---- */

static void nothing(struct web_req *r, void *arg)
{
    (void)arg;
    web_reply(r, 200, NULL, NULL, 0);
}

static enum bbt_rc web_op(void)
{
    static const struct web_route routes[] = {
        {"GET", "/a", nothing, 0}, {"POST", "/a/{b}:c", nothing, 9}};
    struct loop *l = NULL;
    struct web *w = NULL;
    char path[96];
    uint16_t port;
    enum bbt_rc rc = loop_new(&l, &err);

    (void)snprintf(path, sizeof path, "%s/sock", base);
    if (rc == BBT_OK)
        rc = web_new(l, NULL, routes, 2, NULL, &w, &err);
    if (rc == BBT_OK)
        rc = web_listen_unix(w, path, 0600, &err);
    if (rc == BBT_OK)
        rc = web_listen_tcp(w, "127.0.0.1", 0, &port, &err);
    web_free(w);
    loop_free(l);
    return rc;
}

static void test_web(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof base, "/tmp/bbt-web-XXXXXX");
    assert_non_null(mkdtemp(base));
    refuse_all("web", web_op, 4);
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- tensor files ---- */

static enum bbt_rc tensors_op(void)
{
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    const size_t shape[2] = {2, 3};
    const struct safetens_out out = {
        .name = "prompt", .rank = 2, .shape = {2, 3}, .data = data};
    struct safetens *st = NULL;
    struct bbt_buf npy, b;
    char path[96];
    enum bbt_rc rc;

    (void)snprintf(path, sizeof path, "%s/t.safetensors", base);

    buf_init(&npy, 1 << 16);
    buf_init(&b, 1 << 16);
    rc = npy_write(data, 2, shape, &npy, &err);
    if (rc == BBT_OK)
        rc = safetens_write(&out, 1, NULL, &b, &err);
    if (rc == BBT_OK)
        rc = file_write(path, b.data, b.len, 0600, &err);
    if (rc == BBT_OK)
        rc = safetens_open(path, &st, &err);
    safetens_free(st);
    buf_fini(&npy);
    buf_fini(&b);
    return rc;
}

static void test_tensors(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof base, "/tmp/bbt-tensors-XXXXXX");
    assert_non_null(mkdtemp(base));
    refuse_all("tensor files", tensors_op, 6);
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_house),
        cmocka_unit_test(test_web),
        cmocka_unit_test(test_tensors),
    };

    json_use_alloc();

    blas_threads(1);
    if (store_use_alloc(NULL) != BBT_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
