/* Which job fits which provider: every refusal names the key and what to do. */
#include "form.h"

#include "spec/fit.h"

#include <math.h>

static enum bbt_rc check(const struct conf_provider *p, const struct conf_model *m,
    const struct job_spec *s, struct bbt_err *err)
{
    *err = (struct bbt_err){0};
    return fit_check(p, m, s, err);
}

static struct conf_provider provider(enum conf_kind kind)
{
    return (struct conf_provider){.name = (char *)(uintptr_t) "p", .kind = kind};
}

/* A job and a model that fit every provider of soft prompts. */
static const struct job_spec soft = {.mode = JOB_CONCAT, .at = JOB_AT_EMBEDDING, .scale = 0.1,
    .projection = JOB_PROJ_NORMAL, .init = JOB_INIT_ZERO};
static const struct conf_model wide = {.hidden = 64, .slot_id = 9};

static void what_fits(void **state)
{
    struct job_spec none = {.prompt = JOB_NONE}, masked = {.scale = NAN};
    struct bbt_err err;

    (void)state;
    for (enum conf_kind k = 0; k < CONF_KIND_NR; k++) {
        struct conf_provider p = provider(k);
        struct conf_model bare = {.slot_id = -1};

        assert_int_equal(check(&p, &bare, &none, &err), BBT_OK); /* baselines everywhere */
        assert_int_equal(check(&p, &wide, &soft, &err),
            conf_text_only(&p) ? BBT_INVALID : BBT_OK);
        assert_int_equal(
            check(&p, &bare, &masked, &err), k == CONF_KSERVE2 ? BBT_OK : BBT_INVALID);
    }
}

static void text_only(void **state)
{
    static const enum conf_kind kinds[] = {CONF_OPENAI, CONF_OPENAI_CHAT, CONF_LLAMACPP};
    struct bbt_err err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct conf_provider p = provider(kinds[i]);

        assert_int_equal(check(&p, &wide, &soft, &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, "prompt.kind: "));
        assert_non_null(strstr(err.msg, "text only"));
        assert_non_null(strstr(err.msg, "kind: none"));
    }
}

static void language_models(void **state)
{
    struct conf_provider p = provider(CONF_SGLANG_SCORE);
    struct conf_model m = wide;
    struct job_spec s = soft;
    struct bbt_err err;

    (void)state;
    s.mode = JOB_ADD;
    assert_int_equal(check(&p, &m, &s, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "prompt.mode: "));
    assert_non_null(strstr(err.msg, "mode: concat"));
    s = soft;
    s.at = JOB_AT_HIDDEN;
    assert_int_equal(check(&p, &m, &s, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "at: embedding"));
    s = soft;
    s.scale = NAN;
    assert_int_equal(check(&p, &m, &s, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "prompt.projection.scale: "));
    s.projection = JOB_PROJ_UNIFORM; /* auto is the factor 1 there */
    assert_int_equal(check(&p, &m, &s, &err), BBT_OK);
    s.init = JOB_INIT_RANDOM_TOKENS;
    assert_int_equal(check(&p, &m, &s, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "prompt.init: "));
    m.embeddings = (char *)(uintptr_t) "e";
    m.hidden = 0; /* the matrix tells */
    assert_int_equal(check(&p, &m, &s, &err), BBT_OK);
    m.slot_id = -1;
    assert_int_equal(check(&p, &m, &s, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "slot_id"));
    p.kind = CONF_VLLM;
    assert_int_equal(check(&p, &m, &s, &err), BBT_OK);
    m.embeddings = NULL;
    assert_int_equal(check(&p, &m, &soft, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "how wide"));
}

/* Any setting that changes what is sent or read keeps another provider from standing in. */
static void stand_ins(void **state)
{
    char folder[] = "/a", other[] = "/b";
    const struct conf_model m = {.name = folder, .tokenizer = folder, .batch = 4};
    struct conf_model n[] = {m, m, m, m, m, m, m, m, m};
    static const char *const key[] = {"tokenizer", "tokenizer", "embeddings", "batch", "top",
        "bos_id", "slot_id", "vocab_size", "max_length"};
    struct conf_provider p = provider(CONF_VLLM), q = p;
    struct bbt_err err;

    (void)state;
    n[0].tokenizer = other;
    n[1].tokenizer = NULL;
    n[2].embeddings = other;
    n[3].batch = 5;
    n[4].top = 1;
    n[5].bos_id = 1;
    n[6].slot_id = 1;
    n[7].vocab_size = 1;
    n[8].max_length = 1;
    assert_int_equal(fit_stand_in(&p, &m, &q, &m, &err), BBT_OK);
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
        assert_int_equal(fit_stand_in(&p, &m, &q, &n[i], &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, key[i]));
        assert_ptr_equal(strstr(err.msg, "fallback: "), err.msg);
    }
    q.mode = CONF_EMBEDS;
    assert_int_equal(fit_stand_in(&p, &m, &q, &m, &err), BBT_INVALID);
    q.mode = p.mode;
    q.kind = CONF_OPENAI;
    assert_int_equal(fit_stand_in(&p, &m, &q, &m, &err), BBT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits),
        cmocka_unit_test(text_only),
        cmocka_unit_test(language_models),
        cmocka_unit_test(stand_ins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
