#include "engine/task.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/demo.h"
#include "engine/lex.h"
#include "engine/task_data.h"
#include "num/rng.h"

#include <string.h>

#define BATCH_DEFAULT 32
#define LEN_DEFAULT 512
#define SLOTS_MAX 4096

static void texts_free(char **text, size_t n)
{
    for (size_t i = 0; text && i < n; i++)
        bbt_free(text[i]);
    bbt_free(text);
}

void task_free(struct task *t)
{
    if (!t)
        return;
    task_set_fini(&t->train);
    task_set_fini(&t->dev);
    task_set_fini(&t->test);
    task_set_fini(&t->train_plain);
    task_set_fini(&t->test_plain);
    demo_free(t->demo);
    texts_free(t->label_text, t->verb ? t->verb->n : 0);
    texts_free(t->label_form, t->verb ? 2 * t->verb->n : 0);
    verb_free(t->verb);
    tmpl_free(t->tmpl);
    tok_free(t->tok);
    bbt_free(t->slot_ids);
    bbt_free(t);
}

void task_input_init(struct task_input *in, const struct job_spec *spec,
    const struct conf_provider *p, const struct conf_model *m)
{
    bool text = conf_text_only(p) || (p->kind == CONF_VLLM && p->mode == CONF_CHAT_PART);

    *in = (struct task_input){
        .spec = spec,
        .form = p->kind == CONF_KSERVE2 ? TASK_MASKED : text ? TASK_TEXT : TASK_IDS,
        .tokenizer = m->tokenizer,
        .text_labels = p->kind == CONF_OPENAI || p->kind == CONF_OPENAI_CHAT,
        .chat = p->kind == CONF_OPENAI_CHAT || (p->kind == CONF_VLLM && text),
        .plain_single = p->kind == CONF_SGLANG_SCORE,
        .bos = (int32_t)m->bos_id,
        .batch_max = (size_t)m->batch,
        .len_max = (size_t)m->max_length,
    };
}

void task_input_probed(struct task_input *in, const struct prov_model *m)
{
    in->bos = m->bos_id;
    in->batch_max = m->batch_max;
    in->cols_fixed = m->cols_fixed;
    if (in->form != TASK_MASKED && m->context_max &&
        (!in->len_max || in->len_max > m->context_max))
        in->len_max = m->context_max;
}

/* ---- model folder ---- */

/* Longest row by the folder's config.json. RoBERTa's first two positions are not usable. */
static size_t folder_len_max(const char *folder)
{
    char *path = bbt_asprintf("%s/config.json", folder);
    json_t *conf = NULL;
    struct bbt_buf b;
    long long n = 0;

    buf_init(&b, 1u << 20);
    if (path && file_read(path, &b, NULL) == BBT_OK &&
        json_parse(b.data, b.len, "config.json", &conf, NULL) == BBT_OK) {
        n = json_get_int(conf, "max_position_embeddings", 0);
        if (strcmp(json_get_str(conf, "model_type", ""), "roberta") == 0)
            n -= 2;
    }
    json_decref(conf);
    buf_fini(&b);
    bbt_free(path);
    return n > 0 && n < 1 << 20 ? (size_t)n : LEN_DEFAULT;
}

static bool is_word(const struct tok *tok, int32_t id)
{
    const struct tok_special *sp = tok_special(tok);
    const char *piece = tok_piece(tok, id);

    return piece && id != sp->cls && id != sp->sep && id != sp->mask && id != sp->pad &&
           id != sp->unk && strncmp(piece, "##", 2) != 0 && piece[0] != '[' && piece[0] != '<';
}

/* Tokens whose embeddings start the search: whole words, as a person's prompt would be, where
 * the words are known. */
static enum bbt_rc draw_slots(
    struct task *t, const struct task_input *in, struct bbt_err *err)
{
    const struct job_spec *spec = in->spec;
    size_t n = (size_t)spec->tokens, vocab = t->tok ? tok_vocab_size(t->tok) : in->vocab;
    uint64_t index = 0;

    if (spec->prompt == JOB_NONE || vocab == 0)
        return BBT_OK;
    if (n > SLOTS_MAX)
        return bbt_fail(err, BBT_INVALID, "prompt.tokens is over %d", SLOTS_MAX);
    t->slot_ids = bbt_alloc_array(n, sizeof *t->slot_ids);
    if (!t->slot_ids)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu prompt tokens", n);
    for (size_t i = 0; i < n;) {
        int32_t id = (int32_t)rng_below(spec->init_seed, RNG_INIT, index++, vocab);

        if (index > 1000 * (n + 1))
            return bbt_fail(err, BBT_INVALID, "the vocabulary has no words to start from");
        if (t->tok && !is_word(t->tok, id))
            continue;
        t->slot_ids[i++] = id;
    }
    return BBT_OK;
}

/* `each` spellings of every word: with a space where bit k of `spaced` is set. */
static enum bbt_rc spell(const struct task *t, size_t each, unsigned spaced, char ***ret,
    struct bbt_err *err)
{
    size_t n = each * t->verb->n;
    char **text = bbt_calloc(n, sizeof *text);
    bool ok = text != NULL;

    for (size_t i = 0; i < n && ok; i++) {
        int own;
        const char *word = verb_word(t->verb, i / each, &own);
        bool space = own || (spaced >> (i % each) & 1);

        text[i] = bbt_asprintf("%s%s", space ? " " : "", word);
        ok = text[i] != NULL;
    }
    if (ok) {
        *ret = text;
        return BBT_OK;
    }
    texts_free(text, n);
    return bbt_fail(err, BBT_NOMEM, "no memory for the labels");
}

static enum bbt_rc bind_words(
    struct task *t, const struct task_input *in, struct bbt_err *err)
{
    const struct job_spec *spec = in->spec;
    size_t n = spec->labels.nr;
    struct verb_label *l = bbt_alloc_array(n, sizeof *l);
    enum bbt_rc rc;

    if (!l)
        return bbt_fail(err, BBT_NOMEM, "no memory for the labels");
    for (size_t i = 0; i < n; i++)
        l[i] = (struct verb_label){spec->labels.item[i].name, spec->labels.item[i].value};
    t->lead = in->chat ? VERB_LEAD_FRESH
        : tmpl_mask_spaced(t->tmpl) ? VERB_LEAD_AUTO
                                    : VERB_LEAD_PLAIN;
    rc = t->tok ? verb_bind(l, n, t->tok, t->lead, &t->verb, err)
                : verb_new(l, n, &t->verb, err);
    bbt_free(l);
    t->words_open = !t->tok && !in->text_labels;
    if (rc == BBT_OK && t->form == TASK_TEXT)
        rc = spell(t, 1, t->lead == VERB_LEAD_AUTO, &t->label_text, err);
    if (rc == BBT_OK && t->words_open)
        rc = spell(t, 2, 2, &t->label_form, err);
    return rc == BBT_OK ? rc : bbt_err_ctx(err, "task.labels");
}

/* Mode add without slots: the rows are added to the template's own first words, so these must
 * be the same in every text. Two texts that differ from the first letter on show how many
 * there are. */
static enum bbt_rc check_head(const struct task *t, size_t rows, struct bbt_err *err)
{
    struct tmpl_input a = {"a", "a", NULL, 0, t->len_max}, b = {"b", "b", NULL, 0, t->len_max};
    struct tmpl_rendered ra = {0}, rb = {0};
    size_t same = 0;
    enum bbt_rc rc = tmpl_render(t->tmpl, t->tok, &a, &ra, err);

    if (rc == BBT_OK)
        rc = tmpl_render(t->tmpl, t->tok, &b, &rb, err);
    while (rc == BBT_OK && same < ra.n && same < rb.n && ra.ids[same] == rb.ids[same])
        same++;
    if (rc == BBT_OK && same < rows + 1)
        rc = bbt_fail(err, BBT_INVALID,
            "prompt.tokens: %zu rows are added to the template's first words, but only %zu "
            "tokens come before the text (put {prompt} first, or ask for fewer rows)",
            rows, same ? same - 1 : 0);
    tmpl_rendered_fini(&ra);
    tmpl_rendered_fini(&rb);
    return rc;
}

/* Of a causal model: one place is for what it writes, the prompt's rows come before the text. */
static enum bbt_rc limit_text(struct task *t, const struct job_spec *spec, struct bbt_err *err)
{
    size_t taken = 1 + (spec->prompt == JOB_SOFT ? (size_t)spec->tokens : 0);

    if (!tmpl_mask_last(t->tmpl))
        return bbt_fail(err, BBT_INVALID,
            "task.template: words stand behind {mask}, but this model writes what comes next "
            "and cannot see them (end the template with {mask})");
    if (t->len_max && t->len_max <= taken + 2)
        return bbt_fail(err, BBT_INVALID,
            "prompt.tokens: %llu rows leave no room for text (the model takes %zu tokens)",
            (unsigned long long)spec->tokens, t->len_max);
    t->len_max -= t->len_max ? taken : 0;
    return BBT_OK;
}

static enum bbt_rc set_limits(
    const struct task_input *in, struct task *t, struct bbt_err *err)
{
    const struct job_spec *spec = in->spec;

    t->batch_max = in->batch_max ? in->batch_max : BATCH_DEFAULT;
    t->cols_fixed = in->cols_fixed;
    t->len_max = in->len_max || t->form != TASK_MASKED ? in->len_max
                                                       : folder_len_max(in->tokenizer);
    if (t->form != TASK_MASKED)
        return limit_text(t, spec, err);
    if (in->cols_fixed && t->len_max > in->cols_fixed)
        t->len_max = in->cols_fixed;
    if (spec->prompt == JOB_NONE)
        return BBT_OK;
    if (spec->mode == JOB_ADD && tmpl_uses(t->tmpl, TMPL_PROMPT)) {
        t->slots = (size_t)spec->tokens;
        if (!tmpl_prompt_first(t->tmpl))
            return bbt_fail(err, BBT_INVALID,
                "task.template: in mode add the prompt must come first ({prompt} ...)");
        return BBT_OK;
    }
    if (spec->mode == JOB_ADD)
        return check_head(t, (size_t)spec->tokens, err);
    if (t->len_max <= spec->tokens + 3)
        return bbt_fail(err, BBT_INVALID,
            "prompt.tokens: %llu rows leave no room for text (the model takes %zu tokens)",
            (unsigned long long)spec->tokens, t->len_max);
    t->len_max -= (size_t)spec->tokens;
    return BBT_OK;
}

enum bbt_rc task_build(const struct task_input *in, struct task **ret, struct bbt_err *err)
{
    struct task *t = bbt_calloc(1, sizeof *t);
    enum bbt_rc rc;

    if (!t)
        return bbt_fail(err, BBT_NOMEM, "no memory for the job's task");
    t->form = in->form;
    t->bos = in->bos;
    t->plain_single = in->plain_single;
    rc = in->tokenizer ? tok_open(in->tokenizer, &t->tok, err) : BBT_OK;
    t->rows_open = t->form == TASK_IDS && !t->tok;
    if (rc != BBT_OK)
        goto out;
    rc = tmpl_compile(in->spec->template, &t->tmpl, err);
    if (rc != BBT_OK) {
        rc = bbt_err_ctx(err, "task.template");
        goto out;
    }
    rc = bind_words(t, in, err);
    if (rc != BBT_OK)
        goto out;
    rc = set_limits(in, t, err);
    if (rc != BBT_OK)
        goto out;
    rc = draw_slots(t, in, err);
    if (rc != BBT_OK)
        goto out;
    rc = in->train.bytes ? task_data(in, t, err) : BBT_OK;
    if (rc != BBT_OK)
        goto out;
    if (t->demo)
        demo_count(t, t->demo, &t->test_plain);
    *ret = t;
    t = NULL;
out:
    task_free(t);
    return rc;
}

enum prov_compose task_compose(const struct job_spec *spec)
{
    return spec->mode == JOB_ADD ? PROV_ADD : PROV_PREPEND;
}

enum prov_at task_at(const struct job_spec *spec)
{
    return spec->at == JOB_AT_HIDDEN ? PROV_AT_HIDDEN : PROV_AT_EMBEDDING;
}
