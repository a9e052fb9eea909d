/* Demonstrations in front of the text, in the three forms in which texts are asked. */
#include "bench.h"

#include "engine/demo.h"
#include "engine/lex.h"
#include "engine/render.h"
#include "engine/task_data.h"

#define SHOTS 2
#define ORDERS 3

static const char more[] =
    ",\"baselines\":[{\"in_context\":{\"shots\":2,\"orders\":3}},\"manual\"]";

/* The task of a job in that form. `len_max` 0: as the folder says, or not known. */
static struct task *make(struct place *p, enum task_form form, size_t len_max, bool open)
{
    struct scene_job j = {.shots = 3, .more = more, .mode = "concat"};
    char *text = scene_spec(&p->w, &j), *train = scene_data("train", 18),
         *test = scene_data("unseen", 9), folder[128];
    struct job_spec *spec = parse_spec(text);
    struct task_input in = {.spec = spec, .form = form, .batch_max = 4, .len_max = len_max,
        .text_labels = form == TASK_TEXT, .bos = form == TASK_IDS ? 2 : -1,
        .tokenizer = open || form == TASK_TEXT
            ? NULL
            : scene_tokenizer(&p->w, folder, sizeof folder),
        .train = {train, strlen(train)}, .test = {test, strlen(test)}};
    struct task *t = NULL;
    struct bbt_err err = {0};

    if (task_build(&in, &t, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    bbt_free(train);
    bbt_free(test);
    bbt_free(text);
    job_spec_free(spec);
    return t;
}

static struct place *place_lm(const char *kind)
{
    struct place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    place_open(p, (struct world_opts){.kind = kind});
    return p;
}

static void end(struct place *p, struct task *t)
{
    task_free(t);
    place_close(p);
    free(p);
}

/* Lines of a text, and of them those that end with a label's word. */
static void check_text(const struct task *t, const char *text, const char *row)
{
    size_t lines = 0, each[3] = {0};

    for (const char *at = text, *end_at; (end_at = strchr(at, '\n')); at = end_at + 1) {
        lines++;
        for (size_t c = 0; c < t->verb->n; c++) {
            int spaced;
            const char *word = verb_word(t->verb, c, &spaced);

            each[c] += (size_t)(end_at - at) > strlen(word) &&
                       strncmp(end_at - strlen(word), word, strlen(word)) == 0;
        }
    }
    assert_int_equal(lines, SHOTS * 3);
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(each[c], SHOTS);
    assert_string_equal(strrchr(text, '\n') + 1, row);
}

static void as_text(void **state)
{
    struct place *p = place_lm("openai");
    struct task *t = make(p, TASK_TEXT, 0, false);
    char *first[ORDERS];

    (void)state;
    assert_false(task_open(t));
    assert_string_equal(t->label_text[0], " good");
    assert_int_equal(t->demo->used, SHOTS);
    assert_null(t->demo->why);
    for (size_t k = 0; k < ORDERS; k++) {
        struct task_set s = {0};

        assert_int_equal(demo_set(t, k, &s, NULL), BBT_OK);
        assert_int_equal(s.n, t->test_plain.n);
        assert_int_equal(s.batches, t->test_plain.batches);
        for (size_t b = 0; b < s.batches; b++)
            for (size_t r = 0; r < s.batch[b].wire.rows; r++)
                check_text(
                    t, s.batch[b].wire.text[r], t->test_plain.batch[b].wire.text[r]);
        assert_true(s.batch[0].digest != t->test_plain.batch[0].digest);
        first[k] = bbt_strdup(s.batch[0].wire.text[0]);
        task_set_fini(&s);
    }
    assert_string_not_equal(first[0], first[1]); /* other examples, or another order */
    assert_string_not_equal(first[1], first[2]);
    for (size_t k = 0; k < ORDERS; k++)
        bbt_free(first[k]);
    end(p, t);
}

/* [CLS] demonstrations text [MASK] . [SEP]: the mask stays where it was in the text. */
static void masked(void **state)
{
    struct place *p = place_lm(NULL);
    struct task *t = make(p, TASK_MASKED, 512, false);
    struct task_set s = {0};

    (void)state;
    assert_int_equal(t->demo->used, SHOTS);
    assert_int_equal(demo_set(t, 1, &s, NULL), BBT_OK);
    for (size_t b = 0; b < s.batches; b++) {
        const struct prov_batch *w = &s.batch[b].wire, *was = &t->test_plain.batch[b].wire;

        for (size_t r = 0; r < w->rows; r++) {
            const int32_t *id = w->ids + r * w->cols, *old = was->ids + r * was->cols;
            size_t lead = (size_t)(w->len[r] - was->len[r]), labels[3] = {0};

            assert_int_equal(id[0], old[0]);
            assert_memory_equal(id + 1 + lead, old + 1,
                (size_t)(was->len[r] - 1) * sizeof *id);
            assert_int_equal(w->mask_pos[r], was->mask_pos[r] + (int32_t)lead);
            assert_int_equal(id[w->mask_pos[r]], 4);
            for (size_t i = 1; i <= lead; i++) {
                assert_int_not_equal(id[i], 4); /* a word in the place of the mask */
                for (size_t c = 0; c < 3; c++)
                    labels[c] += id[i] == t->verb->token[c];
            }
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(labels[c], SHOTS);
        }
    }
    task_set_fini(&s);
    end(p, t);
}

/* As many as fit, the same for all labels; none where there is no room at all. */
static void no_room(void **state)
{
    struct place *p = place_lm(NULL);
    struct task *t;
    struct task_set s = {0};

    (void)state;
    t = make(p, TASK_MASKED, 64, false);
    assert_int_equal(t->demo->used, 1);
    assert_non_null(strstr(t->demo->why, "context"));
    assert_int_equal(demo_set(t, 0, &s, NULL), BBT_OK);
    for (size_t b = 0; b < s.batches; b++)
        for (size_t r = 0; r < s.batch[b].wire.rows; r++)
            assert_true(s.batch[b].wire.len[r] <= 64);
    task_set_fini(&s);
    task_free(t);
    t = make(p, TASK_MASKED, 30, false);
    assert_int_equal(t->demo->used, 0);
    end(p, t);
    p = place_lm("openai");
    t = make(p, TASK_TEXT, 60, false); /* by a guess from the bytes */
    assert_true(t->demo->used < SHOTS);
    end(p, t);
}

/* Left open, asked for and packed by a table: the same rows as by a tokenizer of our own. */
static void by_the_server(void **state)
{
    struct place *p = place_lm("sglang-score");
    struct task *own = make(p, TASK_IDS, 0, false), *t = make(p, TASK_IDS, 0, true);
    struct lex_wants w = {0};
    struct lex l = {0};
    struct task_set a = {0}, b = {0};
    struct bbt_err err = {0};

    (void)state;
    assert_false(task_open(own));
    assert_true(task_open(t));
    assert_int_equal(task_wants(t, NULL, &w, NULL), BBT_OK);
    lex_missing(&l, &w);
    for (size_t i = 0; i < w.n; i++) {
        struct tok_ids ids = {0};
        struct prov_tokens got;

        assert_int_equal(
            tok_encode(own->tok, w.text[i], strlen(w.text[i]), 0, &ids, NULL), BBT_OK);
        got = (struct prov_tokens){ids.id, ids.n};
        assert_int_equal(lex_add(&l, w.text[i], &got, NULL), BBT_OK);
    }
    if (task_pack(t, NULL, &l, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_false(task_open(t));
    assert_memory_equal(t->verb->token, own->verb->token, 3 * sizeof(int32_t));
    for (size_t i = 0; i < t->train.batches; i++)
        assert_int_equal(t->train.batch[i].digest, own->train.batch[i].digest);
    assert_int_equal(t->train.batch[0].wire.ids[0], 2); /* BOS */
    assert_null(t->train.batch[0].wire.text); /* the ids tell all, and how much it is */
    assert_int_equal(t->train.tokens, own->train.tokens);
    assert_int_equal(t->demo->used, own->demo->used);
    assert_int_equal(demo_set(t, 2, &a, NULL), BBT_OK);
    assert_int_equal(demo_set(own, 2, &b, NULL), BBT_OK);
    for (size_t i = 0; i < a.batches; i++) {
        assert_int_equal(a.batch[i].digest, b.batch[i].digest);
        assert_int_equal(a.batch[i].wire.ids[0], 2);
        assert_int_not_equal(a.batch[i].wire.ids[1], 2);
    }
    task_set_fini(&a);
    task_set_fini(&b);
    lex_wants_fini(&w);
    lex_fini(&l);
    task_free(own);
    end(p, t);
}

/* SGLang's scores need a token before the text: where the model has none of its own, a question
 * without prompt is about one example. */
static void one_by_one(void **state)
{
    struct place *p = place_lm("sglang-score");
    struct task *t = make(p, TASK_IDS, 0, false);

    (void)state;
    assert_int_equal(task_per(t, false), 4);
    t->plain_single = true;
    assert_int_equal(task_per(t, false), 4); /* there is one */
    t->bos = -1;
    assert_int_equal(task_per(t, false), 1);
    assert_int_equal(task_per(t, true), 4);
    end(p, t);
}

/* A task is made, or there is none and nothing leaks, whichever allocation is refused. */
static void building_without_memory(void **state)
{
    static const enum task_form forms[] = {TASK_MASKED, TASK_TEXT, TASK_IDS};
    struct place *p = place_lm(NULL);
    struct scene_job j = {.shots = 2, .more = more, .mode = "concat", .no_search = true};
    char *text = scene_spec(&p->w, &j), *train = scene_data("train", 18),
         *test = scene_data("unseen", 6), folder[128], *at = strstr(text, " .\",");
    struct bbt_err err = {0};
    struct job_spec *spec;

    (void)state;
    assert_non_null(at);
    memmove(at, at + 2, strlen(at + 2) + 1); /* nothing behind the mask */
    spec = parse_spec(text);
    for (size_t i = 0; i < 3; i++) {
        struct task_input in = {.spec = spec, .form = forms[i], .batch_max = 4, .bos = -1,
            .text_labels = forms[i] == TASK_TEXT, .len_max = 200,
            .tokenizer = forms[i] == TASK_TEXT
                ? NULL
                : scene_tokenizer(&p->w, folder, sizeof folder),
            .train = {train, strlen(train)}, .test = {test, strlen(test)}};
        enum bbt_rc rc = BBT_NOMEM;

        for (long k = 0; rc == BBT_NOMEM; k += 1 + k / 32) {
            struct task *t = NULL;

            bbt_alloc_fault(k, 0);
            rc = task_build(&in, &t, &err);
            bbt_alloc_fault(-1, 0);
            if (rc != BBT_OK && rc != BBT_NOMEM)
                print_error("form %zu, allocation %ld: %s\n", i, k, err.msg);
            assert_true((rc == BBT_OK) == (t != NULL));
            assert_true(rc == BBT_OK || rc == BBT_NOMEM);
            task_free(t);
        }
    }
    bbt_free(train);
    bbt_free(test);
    bbt_free(text);
    job_spec_free(spec);
    end(p, NULL);
}

static void without_memory(void **state)
{
    struct place *p = place_lm(NULL);
    struct task *t = make(p, TASK_MASKED, 512, false);
    enum bbt_rc rc = BBT_NOMEM;

    (void)state;
    for (long k = 0; rc == BBT_NOMEM; k++) {
        struct task_set s = {0};

        bbt_alloc_fault(k, 0);
        rc = demo_set(t, 0, &s, NULL);
        bbt_alloc_fault(-1, 0);
        task_set_fini(&s);
    }
    assert_int_equal(rc, BBT_OK);
    end(p, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_text),
        cmocka_unit_test(masked),
        cmocka_unit_test(no_room),
        cmocka_unit_test(by_the_server),
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(building_without_memory),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
