/* Databases of every earlier schema, as their bbtd left them: opened by this one, sound, with
 * nothing lost, and the unfinished job stands where it stood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "engine/search.h"
#include "num/blas.h"
#include "spec/job.h"
#include "store/migrate.h"
#include "store/st_backup.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_upkeep.h"
#include "store/store.h"

#include <ftw.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bbt_err err;

static void ok(enum bbt_rc rc, const char *what)
{
    if (rc != BBT_OK)
        print_error("%s: %s\n", what, err.msg);
    assert_int_equal(rc, BBT_OK);
}

static void copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char bytes[8192];
    size_t n;

    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void finding(void *arg, const char *text)
{
    (void)arg;
    fail_msg("%s", text);
}

/* The search of an unfinished job, from what the file holds. */
static void resumes(struct store *s, int64_t id, const struct rec_job *j)
{
    struct rec_resume r = {0};
    struct search_setup setup = {0};
    struct spec_problems problems;
    struct job_spec *spec = NULL;
    struct search *search = NULL;
    struct rec_job again;
    char *text = NULL;
    json_t *tree = NULL;
    void *bytes = NULL;
    size_t len = 0;

    ok(store_job_get(s, id, &again, &text, &err), "job");
    ok(json_parse(text, strlen(text), "spec", &tree, &err), "spec");
    problem_init(&problems);
    ok(job_spec_parse(tree, JOB_WIRE, &spec, &problems, &err), "spec");
    ok(store_setup_get(s, id, &bytes, &len, &err), "setup");
    ok(search_setup_load(bytes, len, &setup, &err), "setup");
    ok(store_resume(s, id, &r, &err), "resume");
    assert_non_null(r.snapshot);
    assert_int_equal(r.snapshot_gen + r.gens_nr, j->usage.generations + 1);
    assert_null(r.gens[r.gens_nr - 1].loss); /* the open one */
    ok(search_new(spec, &setup, &r, &search, &err), "search");
    assert_int_equal(cma_generation(search->cma), j->usage.generations);
    assert_memory_equal(cma_ask(search->cma), r.gens[r.gens_nr - 1].cand,
        search->popsize * search->dim * sizeof(double));
    search_free(search);
    rec_resume_fini(&r);
    search_setup_fini(&setup);
    job_spec_free(spec);
    problem_fini(&problems);
    json_decref(tree);
    bbt_free(text);
    bbt_free(bytes);
}

static void job_is(struct store *s, int64_t id, const char *state, uint64_t requests,
    uint64_t generations, uint64_t evaluations)
{
    struct rec_job j;
    struct rec_result result = {0};
    uint64_t rows = 0;

    ok(store_job_get(s, id, &j, NULL, &err), "job");
    assert_string_equal(rec_state_name(j.state), state);
    assert_int_equal(j.usage.requests, requests);
    assert_int_equal(j.usage.generations, generations);
    assert_int_equal(j.usage.evaluations, evaluations);
    ok(store_ledger_count(s, id, &rows, &err), "ledger");
    assert_int_equal(rows, requests);
    if (j.state != REC_COMPLETED) {
        resumes(s, id, &j);
        return;
    }
    ok(store_result_get(s, id, &result, &err), "result");
    assert_non_null(result.prompt);
    rec_result_fini(&result);
}

static void one_version(const char *db, bool older)
{
    char dir[] = "/tmp/bbt-upgrade-XXXXXX", path[64], pattern[80], state[32];
    char list[400];
    struct store *s = NULL;
    int64_t id;
    uint64_t requests, generations, evaluations;
    unsigned jobs = 0;
    FILE *f;
    glob_t kept;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/bbtd.db", dir);
    copy(db, path);
    ok(store_open(dir, STORE_NETWORK_OK, &s, &err), db);
    assert_int_equal(store_version(s), (int)migrate_all_nr);
    ok(store_check(s, &err), db);
    ok(store_audit(dir, finding, NULL, &err), db);
    (void)snprintf(list, sizeof list, "%.*s.txt", (int)strlen(db) - 3, db);
    f = fopen(list, "r");
    assert_non_null(f);
    while (fscanf(f, "%" SCNd64 " %31s %" SCNu64 " %" SCNu64 " %" SCNu64, &id, state,
               &requests, &generations, &evaluations) == 5) {
        job_is(s, id, state, requests, generations, evaluations);
        jobs++;
    }
    (void)fclose(f);
    assert_int_equal(jobs, 2);
    store_close(s);
    /* the file as it was is kept */
    (void)snprintf(pattern, sizeof pattern, "%s/backups/bbtd-v*.db", dir);
    assert_int_equal(glob(pattern, 0, NULL, &kept), older ? 0 : GLOB_NOMATCH);
    if (older) {
        assert_int_equal(kept.gl_pathc, 1);
        globfree(&kept);
    }
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_every_version(void **state)
{
    const char *tests = getenv("BBT_TESTS");
    char db[300];

    (void)state;
    blas_threads(1);
    for (size_t v = 1; v <= migrate_all_nr; v++) {
        (void)snprintf(db, sizeof db, "%s/upgrade/v%zu.db", tests ? tests : "tests", v);
        if (v == migrate_all_nr && access(db, R_OK) != 0)
            break; /* made when the next version comes */
        one_version(db, v < migrate_all_nr);
    }
}

/* The backup that a migration leaves can be gone back to. */
static void test_way_back(void **state)
{
    const char *tests = getenv("BBT_TESTS");
    char dir[] = "/tmp/bbt-upgrade-XXXXXX", other[64], db[300];
    char *kept = NULL;
    struct store *s = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(db, sizeof db, "%s/upgrade/v1.db", tests ? tests : "tests");
    (void)snprintf(other, sizeof other, "%s/state", dir);
    ok(store_restore(db, other, false, &kept, &err), "restore");
    assert_null(kept);
    ok(store_open(other, STORE_NETWORK_OK, &s, &err), "open");
    assert_int_equal(store_version(s), (int)migrate_all_nr);
    ok(store_audit(other, finding, NULL, &err), "audit");
    store_close(s);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version),
        cmocka_unit_test(test_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
