/* tmpl_text.c -- examples as plain text. */
#include "text/tmpl_part.h"

int tmpl_mask_last(const struct tmpl *t)
{
    size_t i = 0;

    while (t->part[i].field != TMPL_MASK)
        i++;
    for (i++; i < t->n; i++) {
        const struct part *p = &t->part[i];

        if (p->field != NOT_FIELD)
            return 0;
        for (size_t k = 0; k < p->len; k++)
            if (!tmpl_blank(t->words[p->at + k]))
                return 0;
    }
    return 1;
}

/* A part other than {mask}; `behind_prompt`: its first space vanishes. */
static enum bbt_rc put_part(const struct tmpl *t, const struct part *p, const char *text_a,
    const char *text_b, int behind_prompt, struct bbt_buf *ret, struct bbt_err *err)
{
    const char *words = t->words + p->at;
    enum bbt_rc rc = BBT_OK;
    int skip;

    switch (p->field) {
    case TMPL_TEXT_A:
        rc = buf_puts(ret, text_a);
        break;
    case TMPL_TEXT_B:
        if (!text_b)
            return bbt_fail(err, BBT_INVALID,
                "the template has a second text, the example has none (set "
                "data.columns.text_b)");
        rc = buf_puts(ret, text_b);
        break;
    case TMPL_FIELD_NR:
        skip = behind_prompt && p->len && *words == ' ';
        rc = buf_put(ret, words + skip, p->len - (size_t)skip);
        break;
    default:
        break;
    }
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no room for an example");
}

enum bbt_rc tmpl_text(const struct tmpl *t, const char *text_a, const char *text_b,
    const char *word, struct bbt_buf *ret, struct bbt_err *err)
{
    size_t from = ret->len;
    enum bbt_rc rc = BBT_OK;

    if (!word && !tmpl_mask_last(t))
        return bbt_fail(err, BBT_INVALID,
            "words stand behind {mask}, but this model writes what comes next and cannot see "
            "them (end the template with {mask})");
    for (size_t i = 0; i < t->n && rc == BBT_OK; i++) {
        const struct part *p = &t->part[i];

        if (p->field != TMPL_MASK) {
            rc = put_part(t, p, text_a, text_b,
                i && t->part[i - 1].field == TMPL_PROMPT, ret, err);
            continue;
        }
        if (!word) {
            while (ret->len > from && tmpl_blank((char)ret->data[ret->len - 1]))
                ret->data[--ret->len] = '\0';
            break;
        }
        if (*word == ' ' && ret->len > from && tmpl_blank((char)ret->data[ret->len - 1]))
            word++;
        rc = buf_puts(ret, word);
        if (rc != BBT_OK)
            (void)bbt_fail(err, rc, "no room for an example");
    }
    return rc;
}
