/* The response cache: what was put comes back to the bit or not at all. */
#include "room.h"

#include "store/cache.h"

static const struct cache_limits any = {0};

static void key_of(unsigned n, uint8_t ret[DIGEST_LEN])
{
    assert_int_equal(digest_sha256(&n, sizeof n, ret), BBT_OK);
}

/* An answer whose numbers follow from `n`. */
static struct cache_answer answer(unsigned n, float *cells)
{
    struct cache_answer a = {.rows = 1 + n % 5, .labels = 2 + n % 3, .logit = cells,
        .tokens_in = n, .tokens_out = n % 7, .made_us = 1000 + n};

    for (unsigned i = 0; i < a.rows * a.labels; i++)
        cells[i] = (float)(n * 31 + i) / 7.0f;
    return a;
}

static struct cache *opened(struct room *r)
{
    struct cache *c = NULL;

    ok(cache_open(r->base, &c, NULL, &r->err));
    return c;
}

static void put(struct room *r, struct cache *c, unsigned n)
{
    float cells[64];
    struct cache_answer a = answer(n, cells);
    uint8_t key[DIGEST_LEN];

    key_of(n, key);
    ok(cache_put(c, key, &a, &r->err));
}

static void clear(struct room *r, struct cache *c)
{
    const struct cache_limits none = {.bytes_max = 1};

    for (bool more = true; more;)
        ok(cache_trim(c, &none, 0, &more, &r->err));
}

/* Damaged entries that were found and dropped. */
static uint64_t verified(struct room *r, struct cache *c)
{
    uint8_t after[DIGEST_LEN] = {0};
    uint64_t sum = 0, bad;

    for (bool more = true; more; sum += bad)
        ok(cache_verify(c, after, &bad, &more, &r->err));
    return sum;
}

/* True where it comes back whole; it must not come back otherwise. */
static bool has(struct room *r, struct cache *c, unsigned n, int64_t now)
{
    float cells[64];
    struct cache_answer want = answer(n, cells), got = {0};
    uint8_t key[DIGEST_LEN];
    enum bbt_rc rc;

    key_of(n, key);
    rc = cache_get(c, key, &any, now, &got, &r->err);
    if (rc == BBT_NOTFOUND)
        return false;
    assert_int_equal(rc, BBT_OK);
    assert_int_equal(got.rows, want.rows);
    assert_int_equal(got.labels, want.labels);
    assert_memory_equal(got.logit, want.logit, want.rows * want.labels * sizeof(float));
    assert_int_equal(got.tokens_in, want.tokens_in);
    assert_int_equal(got.tokens_out, want.tokens_out);
    assert_int_equal(got.made_us, want.made_us);
    bbt_free(got.logit);
    return true;
}

static void comes_back(void **state)
{
    struct room *r = *state;
    struct cache *c = opened(r), *second = NULL;
    struct cache_stats st;
    struct stat mode;
    char path[200];

    assert_false(has(r, c, 1, 0));
    for (unsigned n = 0; n < 50; n++)
        put(r, c, n);
    put(r, c, 7); /* again: replaces */
    for (unsigned n = 0; n < 50; n++)
        assert_true(has(r, c, n, 5000));
    assert_false(has(r, c, 50, 5000));
    ok(cache_stats(c, &st, &r->err));
    assert_int_equal(st.entries, 50);
    assert_int_equal(st.hits, 50);
    assert_int_equal(st.misses, 2);
    assert_int_equal(st.puts, 51);
    assert_int_equal(st.oldest_us, 1000);
    assert_true(st.bytes > 0);
    fails(cache_open(r->base, &second, NULL, &r->err), BBT_CONFLICT);
    cache_close(c);
    (void)snprintf(path, sizeof path, "%s/responses.db", r->base);
    assert_int_equal(stat(path, &mode), 0);
    assert_int_equal(mode.st_mode & 0777, 0600);
    c = opened(r);
    assert_true(has(r, c, 49, 5000));
    assert_int_equal(verified(r, c), 0);
    clear(r, c);
    assert_false(has(r, c, 49, 5000));
    cache_close(c);
    cache_close(NULL);
}

static void refuses(void **state)
{
    struct room *r = *state;
    struct cache *c = opened(r);
    float cells[64];
    struct cache_answer a = answer(3, cells);
    uint8_t key[DIGEST_LEN];

    key_of(3, key);
    cells[1] = (float)NAN;
    fails(cache_put(c, key, &a, &r->err), BBT_INVALID);
    cells[1] = (float)INFINITY;
    fails(cache_put(c, key, &a, &r->err), BBT_INVALID);
    cells[1] = 0;
    a.rows = 0;
    fails(cache_put(c, key, &a, &r->err), BBT_INVALID);
    a.rows = a.labels = UINT32_MAX;
    fails(cache_put(c, key, &a, &r->err), BBT_INVALID);
    assert_false(has(r, c, 3, 0));
    cache_close(c);
}

static void limits(void **state)
{
    struct room *r = *state;
    struct cache *c = opened(r);
    struct cache_limits l = {.ttl_us = 600};
    struct cache_answer got = {0};
    struct cache_stats st;
    uint8_t key[DIGEST_LEN];
    bool more = true;

    for (unsigned n = 0; n < 1000; n++)
        put(r, c, n); /* made at 1000 + n */
    key_of(99, key);
    fails(cache_get(c, key, &l, 1700, &got, &r->err), BBT_NOTFOUND); /* 1 us too old */
    key_of(100, key);
    ok(cache_get(c, key, &l, 1700, &got, &r->err));
    bbt_free(got.logit);
    for (unsigned steps = 0; more; steps++) {
        assert_true(steps < 20);
        ok(cache_trim(c, &l, 1700, &more, &r->err));
    }
    assert_false(has(r, c, 99, 1700));
    assert_true(has(r, c, 100, 1700));
    /* the least recently used go first: 100 .. 199 were used two hours later */
    for (unsigned n = 100; n < 200; n++)
        assert_true(has(r, c, n, INT64_C(7200000000)));
    ok(cache_stats(c, &st, &r->err));
    assert_int_equal(st.entries, 900);
    l = (struct cache_limits){.bytes_max = st.bytes / 2};
    for (more = true; more;)
        ok(cache_trim(c, &l, INT64_C(7200000000), &more, &r->err));
    ok(cache_stats(c, &st, &r->err));
    assert_true(st.bytes <= l.bytes_max);
    assert_true(st.entries > 100);
    for (unsigned n = 100; n < 200; n++)
        assert_true(has(r, c, n, INT64_C(7200000000)));
    assert_false(has(r, c, 200, 0));
    assert_int_equal(verified(r, c), 0); /* in several steps */
    clear(r, c);
    cache_close(c);
}

static void damage(void **state)
{
    struct room *r = *state;
    static const char *const sql[] = {
        "UPDATE entry SET logit = zeroblob(length(logit))",
        "UPDATE entry SET logit = x'00'",
        "UPDATE entry SET rows = rows + 1",
        "UPDATE entry SET rows = 9223372036854775807",
        "UPDATE entry SET labels = 0",
        "UPDATE entry SET tokens_in = tokens_in + 1",
        "UPDATE entry SET made_us = made_us + 1",
        "UPDATE entry SET seal = seal + 1",
    };

    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        struct cache *c = opened(r);
        struct cache_stats st;
        char path[200];
        sqlite3 *db;

        clear(r, c);
        for (unsigned n = 1; n < 6; n++)
            put(r, c, n);
        cache_close(c);
        (void)snprintf(path, sizeof path, "%s/responses.db", r->base);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        c = opened(r);
        assert_false(has(r, c, 1, 0));
        assert_false(has(r, c, 1, 0)); /* it is gone, not only refused */
        assert_int_equal(verified(r, c), 4);
        ok(cache_stats(c, &st, &r->err));
        assert_int_equal(st.entries, 0);
        assert_int_equal(st.bad, 5);
        cache_close(c);
    }
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Whatever lies in its place: set aside, and a new one begun. */
static void another_file(void **state)
{
    struct room *r = *state;
    char path[200], bad[220], noise[8192];
    struct cache *c = NULL;
    bool anew = true;
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/responses.db", r->base);
    (void)snprintf(bad, sizeof bad, "%s.bad", path);
    ok(cache_open(r->base, &c, &anew, &r->err));
    assert_false(anew);
    put(r, c, 1);
    cache_close(c);
    for (int kind = 0; kind < 3; kind++) {
        if (kind == 0) {
            memset(noise, 'n', sizeof noise);
            write_file(path, noise, sizeof noise);
        } else {
            assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
            assert_int_equal(sqlite3_exec(db,
                                 kind == 1 ? "PRAGMA user_version = 99"
                                           : "PRAGMA application_id = 5",
                                 NULL, NULL, NULL),
                SQLITE_OK);
            assert_int_equal(sqlite3_close(db), SQLITE_OK);
        }
        (void)unlink(bad);
        ok(cache_open(r->base, &c, &anew, &r->err));
        assert_true(anew);
        assert_int_equal(access(bad, F_OK), 0);
        assert_false(has(r, c, 1, 0));
        put(r, c, 1);
        assert_true(has(r, c, 1, 0));
        cache_close(c);
    }
    (void)snprintf(path, sizeof path, "%s/none/deeper", r->base);
    fails(cache_open(path, &c, NULL, &r->err), BBT_INVALID);
    (void)snprintf(path, sizeof path, "%s/responses.db", r->base);
    fails(cache_open(path, &c, NULL, &r->err), BBT_INVALID);
}

static enum bbt_rc round_trip(struct room *r)
{
    float cells[64];
    struct cache_answer a = answer(4, cells), got = {0};
    struct cache_stats st;
    struct cache *c = NULL;
    uint8_t key[DIGEST_LEN], after[DIGEST_LEN] = {0};
    uint64_t bad;
    bool more;
    enum bbt_rc rc = cache_open(r->base, &c, NULL, &r->err);

    if (rc == BBT_OK)
        rc = digest_sha256("k", 1, key);
    if (rc == BBT_OK)
        rc = cache_put(c, key, &a, &r->err);
    if (rc == BBT_OK)
        rc = cache_get(c, key, &any, 5, &got, &r->err);
    if (rc == BBT_OK) {
        assert_memory_equal(got.logit, cells, a.rows * a.labels * sizeof(float));
        rc = cache_verify(c, after, &bad, &more, &r->err);
    }
    if (rc == BBT_OK)
        rc = cache_trim(
            c, &(struct cache_limits){1u << 20, 1000000}, 5000, &more, &r->err);
    if (rc == BBT_OK)
        rc = cache_stats(c, &st, &r->err);
    bbt_free(got.logit);
    cache_close(c);
    return rc;
}

/* Each allocation fails once, and for good; SQLite's too. Then all is well again. */
static void without_memory(void **state)
{
    struct room *r = *state;
    struct cache *c = opened(r); /* the tables are there: making them has its own try */
    long k = 0;

    cache_close(c);
    for (int sticky = 0; sticky < 2; sticky++)
        for (k = 0;; k = next_try(k)) {
            enum bbt_rc rc;

            (void)bbt_alloc_fault(k, sticky);
            rc = round_trip(r);
            (void)bbt_alloc_fault(-1, 0);
            if (rc == BBT_OK)
                break;
            if (rc != BBT_NOMEM)
                print_error("try %ld: %s\n", k, r->err.msg);
            assert_int_equal(rc, BBT_NOMEM);
            ok(round_trip(r));
        }
    assert_true(k > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(refuses, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(limits, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(damage, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(another_file, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(without_memory, room_setup, room_teardown),
    };
    struct bbt_err err;

    if (store_use_alloc(&err) != BBT_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
