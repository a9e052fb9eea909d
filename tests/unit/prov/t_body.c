/* The law of parts: a request put together from parts that many requests share is, byte for
 * byte, the one that is made for itself alone. */
#include "prov/body.h"
#include "talk.h"

#define PROMPTS 3

static const int32_t other_ids[3 * 9] = {2, 5, 6, 7, 11, 4, 12, 13, 3, /* one token longer */
    2, 5, 6, 7, 4, 3, -7, -7, -7, 2, 8, 9, 10, 14, 15, 3, -7, -7};
static const int32_t other_len[3] = {9, 6, 7}, other_mask[3] = {5, 4, 2};
static const char *const other_text[3] = {"x", "y\n", "z z"};

static const struct prov_batch batches[] = {
    {.rows = WIRE_B, .cols = WIRE_L, .ids = wire_ids, .len = wire_len, .mask_pos = wire_mask,
        .text = talk_text},
    {.rows = 3, .cols = 9, .ids = other_ids, .len = other_len, .mask_pos = other_mask,
        .text = other_text},
    {.rows = 1, .cols = 9, .ids = other_ids + 9, .len = other_len + 1,
        .mask_pos = other_mask + 1, .text = other_text + 1},
};

#define BATCHES (sizeof batches / sizeof batches[0])

static struct prov_ask ask_of(float prompts[PROMPTS][WIRE_P * WIRE_H], size_t p, size_t b,
    bool soft, enum prov_compose compose)
{
    struct prov_ask ask = {.batch = &batches[b],
        .prompt = soft ? prompts[p] : NULL,
        .prompt_rows = soft ? WIRE_P : 0,
        .hidden = WIRE_H,
        .compose = compose,
        .prompt_at = PROV_AT_EMBEDDING,
        .label_ids = wire_label,
        .labels = WIRE_C,
        .label_text = talk_word,
        .id = p ? "r7g12c3" : "another"};

    return ask;
}

static void expect_same(const struct prov_http *got, const struct prov_http *want,
    const char *name)
{
    struct bbt_buf all;

    buf_init(&all, 1u << 20);
    assert_int_equal(buf_put_slices(&all, got->slice, got->slices), BBT_OK);
    assert_int_equal(got->body_len, all.len);
    if (all.len != want->body_len || memcmp(all.data, want->slice[0].p, all.len))
        fail_msg("%s: shared parts give\n%s\nand not\n%s", name, (char *)all.data,
            (const char *)want->slice[0].p);
    assert_int_equal(got->headers, want->headers);
    for (size_t i = 0; i < got->headers; i++)
        assert_string_equal(got->header[i].value, want->header[i].value);
    assert_string_equal(got->path, want->path);
    buf_fini(&all);
}

/* Every prompt with every batch, out of the same parts, twice. */
static void expect_law(const struct prov_adapter *a, const struct prov_model *m, bool soft,
    enum prov_compose compose)
{
    float prompts[PROMPTS][WIRE_P * WIRE_H];
    struct prov_part batch[BATCHES] = {{.pieces = 0}}, prompt[PROMPTS] = {{.pieces = 0}};
    size_t tried = 0, n = m->batch_max == 1 ? 1 : BATCHES;
    size_t first = m->batch_max == 1 ? BATCHES - 1 : 0;

    for (size_t i = 0; i < PROMPTS * WIRE_P * WIRE_H; i++)
        prompts[i / (WIRE_P * WIRE_H)][i % (WIRE_P * WIRE_H)] = (float)((i * 7) % 31) / 3 - 5;
    for (size_t b = first; b < first + n; b++) {
        struct prov_ask ask = ask_of(prompts, 0, b, soft, compose);

        assert_int_equal(a->part_batch(m, &ask, &batch[b], NULL), BBT_OK);
    }
    for (size_t p = 0; p < PROMPTS; p++) {
        struct prov_ask ask = ask_of(prompts, p, first, soft, compose);

        assert_int_equal(a->part_prompt(m, &ask, &prompt[p], NULL), BBT_OK);
    }
    for (size_t i = 0; i < 2 * PROMPTS * n; i++) {
        size_t p = i % PROMPTS, b = first + i / PROMPTS % n;
        struct prov_ask ask = ask_of(prompts, p, b, soft, compose);
        struct prov_http got = {0}, want = {0};

        assert_int_equal(a->encode(m, &ask, &batch[b], &prompt[p], &got, NULL), BBT_OK);
        assert_int_equal(prov_encode(a, m, &ask, &want, NULL), BBT_OK);
        expect_same(&got, &want, a->name);
        prov_http_fini(&got);
        prov_http_fini(&want);
        tried++;
    }
    assert_true(tried >= 6);
    for (size_t b = 0; b < BATCHES; b++)
        prov_part_fini(&batch[b]);
    for (size_t p = 0; p < PROMPTS; p++)
        prov_part_fini(&prompt[p]);
}

static void shared_parts_give_the_same_bytes(void **state)
{
    static const struct {
        const char *name;
        bool one, soft, add;
    } dialect[] = {{"vllm", true, true, false}, {"vllm-embeds", false, true, true},
        {"sglang-score", false, true, false}, {"sglang-generate", false, true, true},
        {"openai", false, false, false}, {"openai-chat", true, false, false},
        {"llamacpp", true, false, false}, {"trtllm", true, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof dialect / sizeof dialect[0]; i++) {
        const struct prov_adapter *a = prov_adapter_find(dialect[i].name);
        struct prov_model m = talk_model();

        m.batch_max = dialect[i].one ? 1 : 0;
        for (int bos = 0; bos < 2; bos++) {
            m.bos_id = bos ? 2 : 77; /* no example starts with the second */
            for (enum prov_type t = PROV_FP16; t <= PROV_FP32; t++) {
                m.embed_type = t;
                m.type_prompt = t;
                if (dialect[i].soft)
                    expect_law(a, &m, true, PROV_PREPEND);
                if (dialect[i].add)
                    expect_law(a, &m, true, PROV_ADD);
            }
            if (bos || strcmp(dialect[i].name, "sglang-score") != 0)
                expect_law(a, &m, false, PROV_PREPEND);
        }
    }
}

static void of_named_tensors_too(void **state)
{
    const struct prov_adapter *a = prov_adapter_find("kserve2");

    (void)state;
    for (int json = 0; json < 2; json++)
        for (int wire = PROV_PROMPT_FLAT; wire <= PROV_PROMPT_ROW; wire++)
            for (int labels = 0; labels < 2; labels++) {
                struct prov_model m = wire_model();

                m.use_binary = !json;
                m.own_params = labels;
                m.prompt_wire = (enum prov_prompt_kind)wire;
                m.type_prompt = labels ? PROV_FP16 : PROV_FP32;
                m.type_label_ids = labels ? PROV_INT32 : PROV_TYPE_NONE;
                m.rank_label_ids = 1;
                expect_law(a, &m, true, PROV_ADD);
                expect_law(a, &m, false, PROV_ADD);
                m.type_mask_pos = PROV_TYPE_NONE; /* nothing behind the prompt */
                expect_law(a, &m, true, PROV_PREPEND);
            }
}

/* A prompt costs a request nothing but a place in its list. */
static void the_prompt_is_not_copied(void **state)
{
    static float prompt[50 * 1024];
    static const char *const name[] = {"kserve2", "vllm", "sglang-score", "trtllm"};
    struct prov_ask ask = {.batch = &batches[2], .prompt = prompt, .prompt_rows = 50,
        .hidden = 1024, .compose = PROV_PREPEND, .prompt_at = PROV_AT_EMBEDDING,
        .label_ids = wire_label, .labels = WIRE_C, .id = "r7g12c3"};

    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        const struct prov_adapter *a = prov_adapter_find(name[i]);
        struct prov_model m = i ? talk_model() : wire_model();
        struct prov_part b = {0}, p = {0};
        struct prov_http h = {0};

        m.hidden = 1024;
        assert_int_equal(a->part_batch(&m, &ask, &b, NULL), BBT_OK);
        assert_int_equal(a->part_prompt(&m, &ask, &p, NULL), BBT_OK);
        assert_int_equal(a->encode(&m, &ask, &b, &p, &h, NULL), BBT_OK);
        assert_true(h.body_len > 100000);
        assert_true(h.own.room + h.slices * sizeof *h.slice < 300);
        prov_http_fini(&h);
        prov_part_fini(&b);
        prov_part_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_parts_give_the_same_bytes),
        cmocka_unit_test(of_named_tensors_too),
        cmocka_unit_test(the_prompt_is_not_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
