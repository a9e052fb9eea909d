#include "bench.h"

/* Builds a task as a worker would; the folder is a world's. */
static enum bbt_rc build(
    struct place *p, const char *spec_text, size_t cols_fixed, struct task **ret,
    struct bbt_err *err)
{
    struct job_spec *spec = parse_spec(spec_text);
    char folder[128], *train = scene_data("train", 18), *test = scene_data("unseen", 9);
    struct task_input in = {.spec = spec, .batch_max = 4, .cols_fixed = cols_fixed,
        .tokenizer = scene_tokenizer(&p->w, folder, sizeof folder),
        .train = {train, strlen(train)}, .test = {test, strlen(test)}};
    enum bbt_rc rc = task_build(&in, ret, err);

    bbt_free(train);
    bbt_free(test);
    job_spec_free(spec);
    return rc;
}

static char *with(char *spec, const char *old, const char *new)
{
    char *at = strstr(spec, old), *ret;

    assert_non_null(at);
    *at = '\0';
    ret = bbt_asprintf("%s%s%s", spec, new, at + strlen(old));
    bbt_free(spec);
    return ret;
}

static void check_set(const struct task *t, const struct task_set *s, size_t n, size_t slots)
{
    size_t rows = 0;

    assert_int_equal(s->n, n);
    assert_int_equal(s->batches, (n + 3) / 4);
    for (size_t b = 0; b < s->batches; b++) {
        const struct prov_batch *w = &s->batch[b].wire;

        assert_int_equal(s->batch[b].first, rows);
        rows += w->rows;
        for (size_t r = 0; r < w->rows; r++) {
            const int32_t *ids = w->ids + r * w->cols;

            assert_int_equal(ids[0], 2);                 /* [CLS] */
            assert_int_equal(ids[w->len[r] - 1], 3);     /* [SEP] */
            assert_int_equal(ids[w->mask_pos[r]], 4);    /* [MASK] */
            for (size_t i = (size_t)w->len[r]; i < w->cols; i++)
                assert_int_equal(ids[i], 0);
            for (size_t i = 0; i < slots; i++)
                assert_int_equal(ids[1 + i], t->slot_ids[i]);
        }
    }
    assert_int_equal(rows, n);
}

static void test_add(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct bbt_err err = {0};
    struct task *t = NULL;
    char *spec;

    (void)state;
    place_open(p, (struct world_opts){0});
    spec = scene_spec(&p->w, &(struct scene_job){.shots = 2, .tokens = 3});
    assert_int_equal(build(p, spec, 0, &t, &err), BBT_OK);
    check_set(t, &t->train, 6, 3);
    check_set(t, &t->dev, 6, 3);
    check_set(t, &t->test, 9, 3);
    check_set(t, &t->train_plain, 6, 0);
    check_set(t, &t->test_plain, 9, 0);
    for (size_t i = 0; i < 6; i++) {
        unsigned same = 0;

        for (size_t k = 0; k < 6; k++) /* balanced */
            same += t->train.truth[k] == t->train.truth[i];
        assert_int_equal(same, 2);
        assert_int_equal(t->train.gold[i], (int32_t)t->train.truth[i]);
    }
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(t->test.truth[i], i % 3); /* the file's own order */
    assert_true(t->train.tokens > t->train_plain.tokens + 6 * 3 - 1);
    task_free(t);
    bbt_free(spec);
    place_close(p);
    free(p);
}

/* No row of train is in dev: told by the tokens, whole rows. */
static void test_disjoint(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct bbt_err err = {0};
    struct task *t = NULL;
    char *spec;

    (void)state;
    place_open(p, (struct world_opts){0});
    spec = scene_spec(&p->w, &(struct scene_job){.shots = 2});
    assert_int_equal(build(p, spec, 24, &t, &err), BBT_OK);
    for (size_t a = 0; a < 6; a++)
        for (size_t b = 0; b < 6; b++) {
            const struct prov_batch *x = &t->train.batch[a / 4].wire,
                                    *y = &t->dev.batch[b / 4].wire;

            assert_int_equal(x->cols, 24); /* what the server insists on */
            assert_true(memcmp(x->ids + (a % 4) * 24, y->ids + (b % 4) * 24,
                            24 * sizeof(int32_t)) != 0);
        }
    task_free(t);
    bbt_free(spec);
    place_close(p);
    free(p);
}

static void test_concat(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct bbt_err err = {0};
    struct task *t = NULL;
    char *spec;

    (void)state;
    place_open(p, (struct world_opts){0});
    spec = scene_spec(&p->w, &(struct scene_job){.mode = "concat", .tokens = 5});
    assert_int_equal(build(p, spec, 0, &t, &err), BBT_OK);
    assert_int_equal(t->slots, 0);
    assert_int_equal(t->len_max, 64 - 5); /* config.json's 64, less the prompt's rows */
    check_set(t, &t->train, 6, 0);
    for (size_t i = 0; i < 5; i++) /* words, not marks */
        assert_in_range(t->slot_ids[i], 5, FAKELM_VOCAB - 1);
    task_free(t);
    bbt_free(spec);
    place_close(p);
    free(p);
}

static const struct {
    const char *old, *new, *says;
} bad[] = {
    {"\"f\":\"fair\"", "\"f\":\"unheard\"", "unheard"},
    {"{prompt} {text}", "the {prompt} {text}", "prompt must come first"},
    {"\"text\":\"text\"", "\"text\":\"body\"", "body"},
    {"\"f\":\"fair\"", "\"x\":\"fair\"", "train.tsv:4"},
    {"\"shots\":2", "\"shots\":40", "40"},
    {"train.tsv", "train.dat", "train.dat"},
    {"{mask}", "the", "mask"},
};

static void test_errors_name_the_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct task *t = NULL;

    (void)state;
    place_open(p, (struct world_opts){0});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *spec = scene_spec(&p->w, &(struct scene_job){0});
        struct bbt_err err = {0};

        spec = with(spec, bad[i].old, bad[i].new);
        assert_int_equal(build(p, spec, 0, &t, &err), BBT_INVALID);
        if (!strstr(err.msg, bad[i].says))
            print_error("case %zu: \"%s\" does not say so\n", i, err.msg);
        assert_non_null(strstr(err.msg, bad[i].says));
        assert_null(t);
        bbt_free(spec);
    }
    place_close(p);
    free(p);
}

/* Rows of exactly eight tokens cannot hold the template; nothing is cut silently. */
static void test_too_narrow(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct bbt_err err = {0};
    struct task *t = NULL;
    char *spec;

    (void)state;
    place_open(p, (struct world_opts){0});
    spec = scene_spec(&p->w, &(struct scene_job){0});
    assert_int_equal(build(p, spec, 12, &t, &err), BBT_OK);
    assert_int_equal(t->train.cut_rows, 6); /* counted */
    task_free(t);
    t = NULL;
    assert_int_equal(build(p, spec, 6, &t, &err), BBT_INVALID);
    assert_null(t);
    bbt_free(spec);
    place_close(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_disjoint),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_errors_name_the_place),
        cmocka_unit_test(test_too_narrow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
