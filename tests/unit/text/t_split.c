/* Laws of the k-shot split on random data, the paper's walk by hand, refusals. */
#include "textunit.h"

#include "text/split.h"

#define ROWS 400
#define CLASSES 5

struct bed {
    uint32_t cls[ROWS], perm[ROWS];
    uint64_t digest[ROWS];
    struct split_source src;
};

/* Texts repeat: about a third of the rows share their text with another one. */
static void lay(struct bed *b, uint64_t seed)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        b->cls[i] = (uint32_t)(rnd(&seed) % CLASSES);
        b->digest[i] = rnd(&seed) % 700;
        b->perm[i] = i;
    }
    for (uint32_t i = ROWS - 1; i > 0; i--) {
        uint32_t k = (uint32_t)(rnd(&seed) % (i + 1)), t = b->perm[i];

        b->perm[i] = b->perm[k];
        b->perm[k] = t;
    }
    b->src = (struct split_source){.name = "train.tsv", .rows = ROWS, .classes = CLASSES,
        .cls = b->cls, .digest = b->digest, .perm = b->perm};
}

static void balanced(const struct bed *b, const uint32_t *rows, size_t n, size_t shots)
{
    size_t count[CLASSES] = {0};

    assert_int_equal(n, shots * CLASSES);
    for (size_t i = 0; i < n; i++)
        count[b->cls[rows[i]]]++;
    for (size_t c = 0; c < CLASSES; c++)
        assert_int_equal(count[c], shots);
}

/* The rows stand in the walk's order, each once. */
static void in_order(const struct bed *b, const uint32_t *rows, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < ROWS && at < n; i++)
        at += b->perm[i] == rows[at];
    assert_int_equal(at, n);
}

static void laws(void **state)
{
    static struct bed b;

    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct split s = {0}, again = {0};
        struct bbt_err err = {0};
        size_t shots = 1 + seed % 16;

        lay(&b, seed);
        assert_int_equal(split_kshot(&b.src, shots, shots, &s, &err), BBT_OK);
        balanced(&b, s.train, s.n_train, shots);
        balanced(&b, s.dev, s.n_dev, shots);
        in_order(&b, s.train, s.n_train);
        in_order(&b, s.dev, s.n_dev);
        for (size_t i = 0; i < s.n_train; i++)
            for (size_t k = 0; k < s.n_dev; k++) /* neither a row nor a text in both */
                assert_true(b.digest[s.train[i]] != b.digest[s.dev[k]]);
        assert_int_equal(split_kshot(&b.src, shots, shots, &again, &err), BBT_OK);
        assert_memory_equal(s.train, again.train, s.n_train * sizeof *s.train);
        assert_memory_equal(s.dev, again.dev, s.n_dev * sizeof *s.dev);
        split_fini(&s);
        split_fini(&again);
    }
}

static void the_papers_walk_by_hand(void **state)
{
    static const uint32_t cls[] = {0, 1, 0, 1, 0, 1, 0, 1};
    static const uint64_t digest[] = {10, 11, 12, 13, 14, 11, 16, 17};
    static const uint32_t perm[] = {6, 1, 4, 5, 0, 7, 3, 2};
    const struct split_source src = {"x", 8, 2, cls, digest, perm, NULL};
    static const uint32_t train[] = {6, 1}, dev[] = {4, 7};
    struct bbt_err err = {0};
    struct split s = {0};

    (void)state;
    assert_int_equal(split_kshot(&src, 1, 1, &s, &err), BBT_OK);
    assert_int_equal(s.n_train, 2);
    assert_memory_equal(s.train, train, sizeof train);
    assert_int_equal(s.n_dev, 2);
    assert_memory_equal(s.dev, dev, sizeof dev); /* row 5 has row 1's text */
    split_fini(&s);
    assert_int_equal(split_kshot(&src, 2, 0, &s, &err), BBT_OK);
    assert_int_equal(s.n_train, 4);
    assert_int_equal(s.n_dev, 0);
    split_fini(&s);
}

static void pick_every_row_or_avoid_some(void **state)
{
    static const uint32_t cls[] = {0, 1, 0, 1};
    static const uint64_t digest[] = {4, 3, 2, 1}, avoid[] = {9, 3, 2};
    const struct split_source src = {"x", 4, 2, cls, digest, NULL, NULL};
    static const uint32_t all[] = {0, 1, 2, 3}, rest[] = {0, 3};
    struct bbt_err err = {0};
    uint32_t *rows = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(split_pick(&src, 0, NULL, 0, &rows, &n, &err), BBT_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(rows, all, sizeof all);
    bbt_free(rows);
    assert_int_equal(split_pick(&src, 0, avoid, 3, &rows, &n, &err), BBT_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(rows, rest, sizeof rest);
    bbt_free(rows);
}

static void refused(const struct split_source *src, size_t train, size_t dev, const char *why)
{
    struct bbt_err err = {0};
    struct split s = {0};

    assert_int_equal(split_kshot(src, train, dev, &s, &err), BBT_INVALID);
    assert_null(s.train);
    if (!strstr(err.msg, why))
        fail_msg("\"%s\" lacks \"%s\"", err.msg, why);
}

static void refusals(void **state)
{
    static const uint32_t cls[] = {0, 1, 0, 0, 1, 0}, wild[] = {0, 1, 0, 2, 1, 0};
    static const uint64_t digest[] = {1, 2, 3, 4, 5, 6};
    static const uint32_t twice[] = {0, 1, 2, 3, 4, 4}, beyond[] = {0, 1, 2, 3, 4, 6};
    static const char *const names[] = {"no", "yes"};
    struct split_source src = {"t.csv", 6, 2, cls, digest, NULL, names};

    (void)state;
    refused(&src, 3, 0, "t.csv: class \"yes\" has 2 rows, 3 are needed");
    refused(&src, 2, 1,
        "t.csv: class \"yes\" has 0 rows whose text is not taken already, 1 are needed");
    src.class_names = NULL;
    refused(&src, 5, 0, "class \"0\" has 4 rows, 5 are needed");
    refused(&src, 0, 1, "0 shots");
    src.perm = twice;
    refused(&src, 1, 1, "no permutation of 6 rows");
    src.perm = beyond;
    refused(&src, 1, 1, "no permutation of 6 rows");
    src.perm = NULL;
    src.cls = wild;
    refused(&src, 1, 1, "row 3 has class 2 of 2");
}

static enum bbt_rc once(const struct split_source *src)
{
    struct bbt_err err = {0};
    struct split s = {0};
    enum bbt_rc rc = split_kshot(src, 2, 2, &s, &err);

    split_fini(&s);
    return rc;
}

static void without_memory(void **state)
{
    static struct bed b;

    (void)state;
    lay(&b, 1);
    unit_oom(once(&b.src));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws),
        cmocka_unit_test(the_papers_walk_by_hand),
        cmocka_unit_test(pick_every_row_or_avoid_some),
        cmocka_unit_test(refusals),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
