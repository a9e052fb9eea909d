/* problem.h -- what is wrong with a file, all of it at once, each with its place and
 * fix. */
#ifndef SPEC_PROBLEM_H
#define SPEC_PROBLEM_H

#include "base/err.h"
#include "base/yaml.h"

#include <stdbool.h>
#include <stddef.h>

#define PROBLEM_MAX 64 /* more are counted, not kept */

struct spec_problem {
    char pointer[160]; /* JSON pointer of the value, "" for the whole document */
    bool of_key;       /* the key itself is wrong, not its value */
    char message[240]; /* 'stop: unknown key "usdd"' */
    char fix[160];     /* 'did you mean "usd"?'; may be empty */
};

struct spec_problems {
    struct spec_problem *item;
    size_t nr;    /* kept */
    size_t total; /* found */
    bool nomem;   /* some were lost for want of memory */
};

/* An empty list, and its end. */
void problem_init(struct spec_problems *p);
void problem_fini(struct spec_problems *p); /* NULL is fine; empty again afterwards */

/* Adds one; `fix` may be NULL. */
void problem_add(struct spec_problems *p, const char *pointer, bool of_key,
    const char *fix, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* BBT_OK where the list is empty, else BBT_INVALID with the first problem's sentence
 * and the number of the others (or BBT_NOMEM). */
BBT_NODISCARD enum bbt_rc problem_verdict(
    const struct spec_problems *p, const char *what, struct bbt_err *err);

/* "FILE:LINE:COL: message (fix)"; without a document "POINTER: message (fix)". To be
 * freed by bbt_free(); NULL without memory. */
char *problem_print(
    const struct spec_problem *p, const struct yaml_doc *doc, const char *file);

#endif
