/* Whole prompts as rows: every example's bytes are those of its rows looked up, put together
 * and encoded one by one, here and not by the adapters' parts. */
#include "prov/whole.h"
#include "prov/base64.h"
#include "prov/torchzip.h"
#include "talk.h"

#define ROWS 4
#define COLS 9
#define SOFT 3
#define HIDDEN_MAX 6

/* With and without the first token, other tokens where the prompt is added. */
static const int32_t ids[ROWS * COLS] = {2, 5, 6, 7, 11, 4, 12, 13, 3, 5, 6, 7, 4, 3, -7, -7, -7,
    -7, 2, 5, 6, 7, 14, 15, 3, -7, -7, 2, 8, 9, 10, -7, -7, -7, -7, -7};
static const int32_t len[ROWS] = {9, 5, 7, 4};
static const struct prov_batch batch = {.rows = ROWS, .cols = COLS, .ids = ids, .len = len};

static bool token_row(const void *arg, int32_t id, float *ret)
{
    const struct prov_model *m = arg;

    for (size_t h = 0; h < m->hidden; h++)
        ret[h] = (float)(id * 31 % 17) / 7 - (float)h;
    return true;
}

/* Rows of example r, the plain way. */
static size_t rows_of(const struct prov_model *m, const struct prov_ask *ask, size_t r, float *v)
{
    size_t n = 0, hidden = m->hidden, soft = ask->prompt ? SOFT : 0;
    const int32_t *id = ids + r * COLS;
    bool prepend = soft && ask->compose == PROV_PREPEND;

    for (int32_t i = 0; i < len[r]; i++) {
        bool here = prepend && (size_t)i == (m->bos_id == id[0] ? 1 : 0);

        for (size_t k = 0; here && k < SOFT * hidden; k++)
            v[n++] = ask->prompt[k];
        (void)token_row(m, id[i], v + n);
        n += hidden;
    }
    for (size_t k = 0; soft && !prepend && k < SOFT * hidden; k++)
        v[hidden + k] += ask->prompt[k];
    return n / hidden;
}

static json_t *body_of(const char *dialect, const struct prov_model *m,
    const struct prov_ask *ask, const char *member)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};
    json_t *root, *v;

    if (prov_encode(prov_adapter_find(dialect), m, ask, &h, &err) != BBT_OK)
        fail_msg("%s: %s", dialect, err.msg);
    root = talk_json(h.own.data, h.own.len);
    v = json_incref(json_object_get(root, member));
    assert_int_equal(json_array_size(v), ROWS);
    json_decref(root);
    prov_http_fini(&h);
    return v;
}

static void expect_files(const struct prov_model *m, const struct prov_ask *ask)
{
    json_t *list = body_of("vllm-embeds", m, ask, "prompt_embeds");

    for (size_t r = 0; r < ROWS; r++) {
        float v[(COLS + SOFT) * HIDDEN_MAX];
        size_t rows = rows_of(m, ask, r, v);
        struct bbt_buf file, text;

        buf_init(&file, 1u << 16);
        buf_init(&text, 1u << 16);
        assert_int_equal(torchzip_put(&file, m->embed_type, v, rows, m->hidden, NULL), BBT_OK);
        assert_int_equal(base64_put(&text, file.data, file.len), BBT_OK);
        assert_string_equal(json_string_value(json_array_get(list, r)), text.data);
        buf_fini(&file);
        buf_fini(&text);
    }
    json_decref(list);
}

static void expect_numbers(const struct prov_model *m, const struct prov_ask *ask)
{
    json_t *list = body_of("sglang-generate", m, ask, "input_embeds");

    for (size_t r = 0; r < ROWS; r++) {
        const json_t *rows = json_array_get(list, r);
        float v[(COLS + SOFT) * HIDDEN_MAX];
        size_t n = rows_of(m, ask, r, v);

        assert_int_equal(json_array_size(rows), n);
        for (size_t i = 0; i < n * m->hidden; i++) {
            const json_t *row = json_array_get(rows, i / m->hidden);

            assert_int_equal(json_array_size(row), m->hidden);
            assert_true((float)json_real_value(json_array_get(row, i % m->hidden)) == v[i]);
        }
    }
    json_decref(list);
}

static void examples_are_what_their_rows_are(void **state)
{
    float prompt[SOFT * HIDDEN_MAX];

    (void)state;
    for (int i = 0; i < SOFT * HIDDEN_MAX; i++)
        prompt[i] = (float)(i * 13 % 29) / 5 - 2;
    for (size_t hidden = 1; hidden <= HIDDEN_MAX; hidden++)
        for (enum prov_type t = PROV_FP16; t <= PROV_FP32; t++)
            for (int how = 0; how < 6; how++) {
                struct prov_model m = talk_model();
                struct prov_ask ask = {.batch = &batch, .prompt = how < 4 ? prompt : NULL,
                    .prompt_rows = how < 4 ? SOFT : 0, .hidden = hidden,
                    .compose = how & 2 ? PROV_ADD : PROV_PREPEND,
                    .prompt_at = PROV_AT_EMBEDDING, .label_ids = wire_label,
                    .labels = WIRE_C};

                m.hidden = hidden;
                m.embed_type = t;
                m.bos_id = how & 1 ? 2 : -1;
                m.token_row = token_row;
                m.token_arg = &m;
                expect_files(&m, &ask);
                expect_numbers(&m, &ask);
            }
}

static void the_plan_of_an_example(void **state)
{
    float prompt[WIRE_P * WIRE_H], row[WIRE_H * 2];
    static const int32_t id[2] = {3, 50}; /* 50: outside the matrix */
    struct prov_model m = talk_model();
    struct prov_ask ask = talk_ask(prompt, &talk_batch);
    struct bbt_err err = {0};
    struct whole w;

    (void)state;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, NULL), BBT_OK);
    assert_true(w.rows == 6 + 3 && w.len == 6 && w.before == 1 && w.from == 1);
    m.bos_id = -1; /* a model without a first token of its own */
    assert_int_equal(whole_plan(&m, &ask, 1, &w, NULL), BBT_OK);
    assert_true(w.rows == 9 && w.before == 0 && w.from == 0);
    ask.compose = PROV_ADD;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, NULL), BBT_OK);
    assert_true(w.rows == 6 && w.before == 1 && w.from == 4);
    ask.prompt_rows = 6;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "example 1 has 6 tokens"));
    ask.prompt = NULL;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, NULL), BBT_OK);
    assert_true(w.rows == 6 && w.before == 6 && w.from == 6);
    m.context_max = 6;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "takes 5"));
    assert_int_equal(whole_look_up(&m, id, 2, row, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "no row for token 50"));
    m.token_row = NULL;
    assert_int_equal(whole_plan(&m, &ask, 1, &w, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "must be configured"));
}

/* The paper's way adds the prompt to the same words everywhere: the sums are written once. */
static void sums_are_written_once(void **state)
{
    static int32_t many[32 * 60], all[32];
    static float prompt[50 * 64];
    const struct prov_batch b = {.rows = 32, .cols = 60, .ids = many, .len = all};
    struct prov_model m = talk_model();
    struct prov_ask ask = {.batch = &b, .prompt = prompt, .prompt_rows = 50, .hidden = 64,
        .compose = PROV_ADD, .prompt_at = PROV_AT_EMBEDDING, .label_ids = wire_label,
        .labels = WIRE_C};
    static const char *const name[] = {"vllm-embeds", "sglang-generate"};

    (void)state;
    m.hidden = 64;
    m.token_row = token_row;
    m.token_arg = &m;
    for (int r = 0; r < 32; r++) {
        all[r] = 60;
        many[r * 60 + 55] = r;
    }
    for (int i = 0; i < 2; i++) {
        const struct prov_adapter *a = prov_adapter_find(name[i]);
        struct prov_part batch_part = {0}, prompt_part = {0};
        struct prov_http h = {0};

        assert_int_equal(a->part_batch(&m, &ask, &batch_part, NULL), BBT_OK);
        assert_int_equal(a->part_prompt(&m, &ask, &prompt_part, NULL), BBT_OK);
        assert_int_equal(a->encode(&m, &ask, &batch_part, &prompt_part, &h, NULL), BBT_OK);
        assert_true(h.own.len < h.body_len / 10);
        prov_http_fini(&h);
        prov_part_fini(&batch_part);
        prov_part_fini(&prompt_part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_what_their_rows_are),
        cmocka_unit_test(the_plan_of_an_example),
        cmocka_unit_test(sums_are_written_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
