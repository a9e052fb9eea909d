/* verb_ids.c -- label words bound by a server's own tokeniser. */
#include "text/verb.h"

#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 120 /* bytes of a list in a sentence */

static int shown(const char *s)
{
    return (int)utf8_cut(s, strlen(s), 60);
}

/* A word's own leading space overrules `spaced`. */
static const struct verb_ids *form_of(
    const struct verb *v, const struct verb_ids *form, size_t i, int spaced)
{
    int own;

    (void)verb_word(v, i, &own);
    return &form[2 * i + (spaced || own)];
}

/* True where every word is one token in this form; else *ret_bad is the first that is not. */
static int take(struct verb *v, const struct verb_ids *form, int spaced, size_t *ret_bad)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct verb_ids *f = form_of(v, form, i, spaced);

        if (f->n != 1) {
            *ret_bad = i;
            return 0;
        }
        v->token[i] = f->id[0];
    }
    return 1;
}

static enum bbt_rc refuse(
    const struct verb_label *l, const struct verb_ids *f, struct bbt_err *err)
{
    char list[SHOWN_MAX] = "";
    size_t at = 0;

    if (f->n == 0)
        return bbt_fail(err, BBT_INVALID,
            "label \"%.*s\": the server's tokeniser makes nothing of the word \"%.*s\"",
            shown(l->name), l->name, shown(l->word), l->word);
    for (size_t i = 0; i < f->n && at + 20 < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, " %d", (int)f->id[i]);
    return bbt_fail(err, BBT_INVALID,
        "label \"%.*s\": the word \"%.*s\" is %zu tokens of the server's tokeniser:%s (choose "
        "a word that is one token)",
        shown(l->name), l->name, shown(l->word), l->word, f->n, list);
}

enum bbt_rc verb_bind_ids(struct verb *v, const struct verb_ids *form, enum verb_lead lead,
    struct bbt_err *err)
{
    int spaced = lead == VERB_LEAD_AUTO || lead == VERB_LEAD_SPACE;
    size_t bad = 0, other;

    if (!take(v, form, spaced, &bad) &&
        !((lead == VERB_LEAD_AUTO || lead == VERB_LEAD_FRESH) &&
            take(v, form, !spaced, &other))) {
        for (size_t i = 0; i < v->n; i++)
            v->token[i] = TOK_NONE;
        return refuse(&v->labels[bad], form_of(v, form, bad, spaced), err);
    }
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < i; k++)
            if (v->token[i] == v->token[k])
                return bbt_fail(err, BBT_INVALID,
                    "labels \"%.*s\" and \"%.*s\" have the same token %d (the model could not "
                    "tell them apart)",
                    shown(v->labels[k].name), v->labels[k].name, shown(v->labels[i].name),
                    v->labels[i].name, (int)v->token[i]);
    return BBT_OK;
}
