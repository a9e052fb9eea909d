/* The forward pass against logits that torch computed in double precision
 * (tools/golden_lm.py), and against itself: what must not change an answer. */
#include "lmtest.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "forward.h"
#include "num/blas.h"
#include "query.h"
#include "weights.h"

#include <math.h>

#define VOCAB 120u
#define TOLERANCE 1e-4 /* the promise is 1e-3 */

static int32_t *ints(const json_t *v)
{
    int32_t *p = bbt_calloc(json_array_size(v), sizeof *p);

    for (size_t i = 0; i < json_array_size(v); i++)
        p[i] = (int32_t)json_integer_value(json_array_get(v, i));
    return p;
}

static float *floats(const json_t *v)
{
    float *p = bbt_calloc(json_array_size(v), sizeof *p);

    for (size_t i = 0; i < json_array_size(v); i++)
        p[i] = (float)json_number_value(json_array_get(v, i));
    return p;
}

static void query_of(const json_t *c, struct query *q)
{
    int32_t *keep = ints(json_object_get(c, "attention_mask"));
    struct query out = {
        .rows = (size_t)json_get_int(c, "rows", 0),
        .cols = (size_t)json_get_int(c, "cols", 0),
        .ids = ints(json_object_get(c, "input_ids")),
        .mask_pos = ints(json_object_get(c, "mask_pos")),
        .prompt = floats(json_object_get(c, "prompt")),
        .prompt_rows = (size_t)json_get_int(c, "prompt_rows", 0),
        .prompt_sets = (size_t)json_get_int(c, "prompt_sets", 0),
        .compose =
            strcmp(json_get_str(c, "compose", ""), "add") ? QUERY_PREPEND : QUERY_ADD,
        .at = strcmp(json_get_str(c, "prompt_at", ""), "hidden") ? QUERY_EMBEDDING
                                                                  : QUERY_HIDDEN,
    };

    out.keep = bbt_calloc(out.rows * out.cols, 1);
    for (size_t i = 0; i < out.rows * out.cols; i++)
        out.keep[i] = (uint8_t)keep[i];
    bbt_free(keep);
    *q = out;
}

static void run(const struct weights *w, struct query *q, size_t from, size_t to, float *out)
{
    struct forward_room room = {0};
    struct bbt_err err = {0};

    if (!q->place && query_check(q, &w->conf, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    if (forward_rows(w, q, (const size_t[2]){from, to}, &room, out, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    forward_room_fini(&room);
}

static double widest(const float *a, const float *b, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static struct weights *load(const char *name)
{
    struct weights *w = NULL;
    struct bbt_err err = {0};

    if (weights_load(lmtest_path(name), &w, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return w;
}

static json_t *cases(void)
{
    struct bbt_buf text;
    struct bbt_err err = {0};
    json_t *doc = NULL;

    buf_init(&text, 1u << 22);
    if (file_read(lmtest_path("cases.json"), &text, &err) != BBT_OK ||
        json_parse(text.data, text.len, "cases.json", &doc, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    buf_fini(&text);
    return doc;
}

static void golden(void **state)
{
    json_t *doc = cases(), *c;
    double most = 0;
    size_t i;
    (void)state;

    assert_int_equal(json_array_size(doc), 4 * 10);
    json_array_foreach (doc, i, c) {
        struct weights *w = load(json_get_str(c, "model", "?"));
        float *want = floats(json_object_get(c, "logits")), got[3 * VOCAB];
        struct query q;
        double diff;

        query_of(c, &q);
        run(w, &q, 0, q.rows, got);
        assert_int_equal(q.out_cols, VOCAB);
        diff = widest(got, want, q.rows * VOCAB);
        if (!(diff <= TOLERANCE))
            fail_msg("case %zu (%s %s %s): logits differ by %g", i,
                json_get_str(c, "model", "?"), json_get_str(c, "compose", "?"),
                json_get_str(c, "prompt_at", "?"), diff);
        most = fmax(most, diff);
        query_fini(&q);
        bbt_free(want);
        weights_free(w);
    }
    print_message("# largest difference %.2g\n", most);
    json_decref(doc);
}

/* A row alone gives what it gives among others, to rounding. */
static void rows_do_not_mix(void **state)
{
    json_t *doc = cases(), *c;
    size_t i;
    (void)state;

    json_array_foreach (doc, i, c) {
        struct weights *w = load(json_get_str(c, "model", "?"));
        float all[3 * VOCAB], one[VOCAB];
        struct query q;

        query_of(c, &q);
        run(w, &q, 0, q.rows, all);
        for (size_t r = 0; r < q.rows; r++) {
            run(w, &q, r, r + 1, one);
            assert_true(widest(one, all + r * VOCAB, VOCAB) < 2e-5);
        }
        query_fini(&q);
        weights_free(w);
    }
    json_decref(doc);
}

/* Many rows: several groups of positions, and the same text must get the same answer. */
static void large_batch(void **state)
{
    enum { ROWS = 200, COLS = 20 };
    static float got[ROWS * VOCAB];
    struct weights *w = load("roberta-f32");
    struct query q = {.rows = ROWS, .cols = COLS};
    (void)state;

    q.ids = bbt_calloc(ROWS * COLS, sizeof q.ids[0]);
    q.mask_pos = bbt_calloc(ROWS, sizeof q.mask_pos[0]);
    q.keep = bbt_calloc(ROWS * COLS, 1);
    for (size_t r = 0; r < ROWS; r++) {
        size_t len = COLS - r % 5;

        for (size_t i = 0; i < len; i++) {
            q.ids[r * COLS + i] = (int32_t)(5 + (i * 7 + r % 5) % 100);
            q.keep[r * COLS + i] = 1;
        }
        q.mask_pos[r] = (int32_t)(r % 5 + 3);
    }
    run(w, &q, 0, ROWS, got);
    for (size_t r = 5; r < ROWS; r++)
        assert_true(widest(got + r * VOCAB, got + (r % 5) * VOCAB, VOCAB) < 2e-5);
    assert_true(widest(got, got + VOCAB, VOCAB) > 0.1); /* the five texts differ */
    query_fini(&q);
    weights_free(w);
}

/* One prompt for all is the same prompt for each; labels are columns of the whole. */
static void prompts_and_labels(void **state)
{
    json_t *doc = cases(), *c;
    size_t i;
    (void)state;

    json_array_foreach (doc, i, c) {
        struct weights *w;
        float all[3 * VOCAB], got[3 * 4];
        const int32_t labels[3][4] = {{7, 119, 0, 7}, {1, 2, 3, 4}, {99, 98, 97, 5}};
        struct query q;
        float *each;
        size_t n;

        if (json_get_int(c, "prompt_sets", 0) != 1)
            continue;
        w = load(json_get_str(c, "model", "?"));
        query_of(c, &q);
        run(w, &q, 0, 3, all);
        n = q.prompt_rows * w->conf.hidden;
        each = bbt_calloc(3 * n, sizeof *each);
        for (size_t r = 0; r < 3; r++)
            memcpy(each + r * n, q.prompt, n * sizeof *each);
        bbt_free(q.prompt);
        q.prompt = each;
        q.prompt_sets = 3;
        q.labels = bbt_calloc(12, sizeof q.labels[0]);
        memcpy(q.labels, labels, sizeof labels);
        q.label_nr = q.out_cols = 4;
        q.label_sets = 3;
        run(w, &q, 0, 3, got);
        for (size_t r = 0; r < 3; r++)
            for (size_t k = 0; k < 4; k++)
                assert_true(fabsf(got[r * 4 + k] -
                                  all[r * VOCAB + (size_t)labels[r][k]]) < 2e-5f);
        q.label_sets = 1; /* the first set for every row */
        run(w, &q, 0, 3, got);
        assert_true(fabsf(got[2 * 4 + 1] - all[2 * VOCAB + 119]) < 2e-5f);
        query_fini(&q);
        weights_free(w);
    }
    json_decref(doc);
}

/* A prompt of zeros that is added changes nothing, one that is put in front does. */
static void zero_prompt(void **state)
{
    json_t *doc = cases();
    struct weights *w = load("bert-f32");
    float plain[3 * VOCAB], got[3 * VOCAB];
    struct query q;
    (void)state;

    query_of(json_array_get(doc, 0), &q);
    run(w, &q, 0, 3, plain);
    bbt_free(q.prompt);
    q.prompt = bbt_calloc(4 * 32, sizeof q.prompt[0]);
    q.prompt_rows = 4;
    q.prompt_sets = 1;
    run(w, &q, 0, 3, got);
    assert_true(widest(plain, got, 3 * VOCAB) == 0);
    q.at = QUERY_EMBEDDING;
    run(w, &q, 0, 3, got);
    assert_true(widest(plain, got, 3 * VOCAB) == 0);
    q.compose = QUERY_PREPEND;
    run(w, &q, 0, 3, got);
    assert_true(widest(plain, got, 3 * VOCAB) > 1e-3);
    query_fini(&q);
    weights_free(w);
    json_decref(doc);
}

static void absurd_prompt(void **state)
{
    json_t *doc = cases();
    struct weights *w = load("bert-f32");
    struct forward_room room = {0};
    struct bbt_err err = {0};
    float out[3 * VOCAB];
    struct query q;
    (void)state;

    query_of(json_array_get(doc, 2), &q);
    for (size_t i = 0; i < q.prompt_rows * 32; i++)
        q.prompt[i] = 3e38f;
    assert_int_equal(query_check(&q, &w->conf, &err), BBT_OK);
    lmtest_refused((int)forward_rows(w, &q, (const size_t[2]){0, 3}, &room, out, &err),
        BBT_INVALID, err.msg, "not finite", "huge prompt");
    forward_room_fini(&room);
    query_fini(&q);
    weights_free(w);
    json_decref(doc);
}

static int pin(void **state)
{
    (void)state;
    blas_threads(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(rows_do_not_mix),
        cmocka_unit_test(large_batch),
        cmocka_unit_test(prompts_and_labels),
        cmocka_unit_test(zero_prompt),
        cmocka_unit_test(absurd_prompt),
    };

    return cmocka_run_group_tests(tests, pin, NULL);
}
