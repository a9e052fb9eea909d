#include "text/verb.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hint.h"
#include "text/utf8.h"

#include <string.h>

#define SHOWN_MAX 200 /* bytes of a list in a sentence */

void verb_free(struct verb *v)
{
    if (!v)
        return;
    for (size_t i = 0; v->labels && i < v->n; i++) {
        bbt_free((char *)(size_t)v->labels[i].name);
        bbt_free((char *)(size_t)v->labels[i].word);
    }
    bbt_free(v->labels);
    bbt_free(v->token);
    bbt_free(v);
}

static enum bbt_rc no_memory(struct bbt_err *err)
{
    return bbt_fail(err, BBT_NOMEM, "no memory for label words");
}

/* How many bytes of a name fit into a sentence. */
static int shown(const char *s)
{
    return (int)utf8_cut(s, strlen(s), 60);
}

/* The ids of a word in one form. A word's own leading space overrules `spaced`. */
static enum bbt_rc encode(const struct tok *tok, const char *word, int spaced,
    struct tok_ids *ids, struct bbt_err *err)
{
    if (word[0] == ' ') {
        word++;
        spaced = 1;
    }
    ids->n = 0;
    return tok_encode(tok, word, strlen(word), spaced, ids, err);
}

static int is_one(const struct tok *tok, const struct tok_ids *ids)
{
    return ids->n == 1 && ids->id[0] != tok_special(tok)->unk;
}

static enum bbt_rc refuse(const struct tok *tok, const struct verb_label *l,
    const struct tok_ids *ids, struct bbt_err *err)
{
    struct bbt_buf list;
    enum bbt_rc rc = BBT_OK;

    if (ids->n == 0)
        return bbt_fail(err, BBT_INVALID, "label \"%.*s\": its word is empty",
            shown(l->name), l->name);
    if (ids->n == 1)
        return bbt_fail(err, BBT_INVALID,
            "label \"%.*s\": the word \"%.*s\" is not in the model's vocabulary (choose "
            "another)", shown(l->name), l->name, shown(l->word), l->word);
    buf_init(&list, SHOWN_MAX);
    for (size_t i = 0; i < ids->n && rc == BBT_OK; i++) {
        const char *piece = tok_piece(tok, ids->id[i]);

        if (list.len + strlen(piece ? piece : "?") + 5 > SHOWN_MAX) {
            rc = buf_puts(&list, " ...");
            break;
        }
        rc = buf_printf(&list, " %s", piece ? piece : "?");
    }
    if (rc == BBT_NOMEM)
        rc = no_memory(err);
    else
        rc = bbt_fail(err, BBT_INVALID,
            "label \"%.*s\": the word \"%.*s\" is %zu tokens:%s (choose a word that is one "
            "token)", shown(l->name), l->name, shown(l->word), l->word, ids->n,
            (const char *)list.data);
    buf_fini(&list);
    return rc;
}

/* Every word's token in one form. BBT_NOTFOUND: *ret_bad is the first that is not one. */
static enum bbt_rc find_tokens(struct verb *v, const struct tok *tok, int spaced,
    struct tok_ids *ids, size_t *ret_bad, struct bbt_err *err)
{
    for (size_t i = 0; i < v->n; i++) {
        enum bbt_rc rc = encode(tok, v->labels[i].word, spaced, ids, err);

        if (rc != BBT_OK)
            return rc;
        if (!is_one(tok, ids)) {
            *ret_bad = i;
            return BBT_NOTFOUND;
        }
        v->token[i] = ids->id[0];
    }
    return BBT_OK;
}

static enum bbt_rc choose(
    struct verb *v, const struct tok *tok, enum verb_lead lead, struct bbt_err *err)
{
    int spaced = lead == VERB_LEAD_AUTO || lead == VERB_LEAD_SPACE;
    struct tok_ids ids = {0};
    size_t bad = 0, other;
    enum bbt_rc rc;

    rc = find_tokens(v, tok, spaced, &ids, &bad, err);
    if (rc == BBT_NOTFOUND && (lead == VERB_LEAD_AUTO || lead == VERB_LEAD_FRESH))
        rc = find_tokens(v, tok, !spaced, &ids, &other, err);
    if (rc == BBT_NOTFOUND) {
        rc = encode(tok, v->labels[bad].word, spaced, &ids, err);
        if (rc == BBT_OK)
            rc = refuse(tok, &v->labels[bad], &ids, err);
    }
    tok_ids_fini(&ids);
    return rc;
}

/* Names and tokens must each be there once. */
static enum bbt_rc check_twice(
    const struct verb *v, const struct tok *tok, struct bbt_err *err)
{
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct verb_label *a = &v->labels[k], *b = &v->labels[i];

            if (strcmp(a->name, b->name) == 0)
                return bbt_fail(err, BBT_INVALID, "label \"%.*s\" is there twice",
                    shown(a->name), a->name);
            if (v->token[i] == v->token[k])
                return bbt_fail(err, BBT_INVALID,
                    "labels \"%.*s\" and \"%.*s\" have the same token \"%.60s\" (the model "
                    "could not tell them apart)", shown(a->name), a->name, shown(b->name),
                    b->name, tok_piece(tok, v->token[i]));
        }
    return BBT_OK;
}

static enum bbt_rc copy_labels(
    struct verb *v, const struct verb_label *labels, struct bbt_err *err)
{
    v->labels = bbt_calloc(v->n, sizeof *v->labels);
    v->token = bbt_calloc(v->n, sizeof *v->token);
    if (!v->labels || !v->token)
        return no_memory(err);
    for (size_t i = 0; i < v->n; i++) {
        v->token[i] = TOK_NONE;
        v->labels[i].name = bbt_strdup(labels[i].name);
        v->labels[i].word = bbt_strdup(labels[i].word);
        if (!v->labels[i].name || !v->labels[i].word)
            return no_memory(err);
    }
    return BBT_OK;
}

/* Names, words, no tokens. */
static enum bbt_rc unbound(
    const struct verb_label *labels, size_t n, struct verb **ret, struct bbt_err *err)
{
    struct verb *v;
    enum bbt_rc rc;

    if (n < 2 || n > VERB_LABELS_MAX)
        return bbt_fail(err, BBT_INVALID, "%zu labels (2 to %d are possible)", n,
            VERB_LABELS_MAX);
    v = bbt_calloc(1, sizeof *v);
    if (!v)
        return no_memory(err);
    v->n = n;
    rc = copy_labels(v, labels, err);
    if (rc == BBT_OK)
        *ret = v;
    else
        verb_free(v);
    return rc;
}

enum bbt_rc verb_bind(const struct verb_label *labels, size_t n, const struct tok *tok,
    enum verb_lead lead, struct verb **ret, struct bbt_err *err)
{
    struct verb *v = NULL;
    enum bbt_rc rc = unbound(labels, n, &v, err);

    if (rc == BBT_OK)
        rc = choose(v, tok, lead, err);
    if (rc == BBT_OK)
        rc = check_twice(v, tok, err);
    if (rc == BBT_OK) {
        *ret = v;
        v = NULL; /* the caller's now */
    }
    verb_free(v);
    return rc;
}

enum bbt_rc verb_new(
    const struct verb_label *labels, size_t n, struct verb **ret, struct bbt_err *err)
{
    struct verb *v = NULL;
    int spaced;
    enum bbt_rc rc = unbound(labels, n, &v, err);

    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        if (!*verb_word(v, i, &spaced))
            rc = bbt_fail(err, BBT_INVALID, "label \"%.*s\": its word is empty",
                shown(v->labels[i].name), v->labels[i].name);
        for (size_t k = 0; rc == BBT_OK && k < i; k++)
            if (strcmp(v->labels[i].name, v->labels[k].name) == 0)
                rc = bbt_fail(err, BBT_INVALID, "label \"%.*s\" is there twice",
                    shown(v->labels[i].name), v->labels[i].name);
    }
    if (rc == BBT_OK) {
        *ret = v;
        v = NULL;
    }
    verb_free(v);
    return rc;
}

const char *verb_word(const struct verb *v, size_t i, int *ret_spaced)
{
    const char *word = v->labels[i].word;

    *ret_spaced = word[0] == ' ';
    return word + *ret_spaced;
}

int verb_index(const struct verb *v, const char *label)
{
    for (size_t i = 0; label && i < v->n; i++)
        if (strcmp(v->labels[i].name, label) == 0)
            return (int)i;
    return -1;
}

static enum bbt_rc unknown_label(const struct verb *v, const struct dataset *d,
    const struct dataset_row *row, struct bbt_err *err)
{
    const char *names[VERB_LABELS_MAX], *near;
    struct bbt_buf known;
    enum bbt_rc rc = BBT_OK;

    if (!row->label)
        return bbt_fail(err, BBT_INVALID, "%s:%u: no label (known: see task.labels)",
            d->name, row->line);
    buf_init(&known, SHOWN_MAX);
    for (size_t i = 0; i < v->n; i++) {
        names[i] = v->labels[i].name;
        if (rc == BBT_OK && known.len + strlen(names[i]) + 6 > SHOWN_MAX)
            rc = buf_puts(&known, ", ...") == BBT_OK ? BBT_INVALID : BBT_NOMEM;
        if (rc == BBT_OK)
            rc = buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
    }
    near = hint_nearest(row->label, names, v->n);
    rc = bbt_fail(err, BBT_INVALID,
        "%s:%u: label \"%.*s\" is not in task.labels (known: %s)%s%.*s%s", d->name,
        row->line, shown(row->label), row->label,
        known.data ? (const char *)known.data : "...", near ? ", did you mean \"" : "",
        near ? shown(near) : 0, near ? near : "", near ? "\"?" : "");
    buf_fini(&known);
    return rc;
}

enum bbt_rc verb_classes(
    const struct verb *v, const struct dataset *d, uint32_t *ret, struct bbt_err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        int class = verb_index(v, d->rows[i].label);

        if (class < 0)
            return unknown_label(v, d, &d->rows[i], err);
        ret[i] = (uint32_t)class;
    }
    return BBT_OK;
}
