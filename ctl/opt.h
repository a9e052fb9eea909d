/* opt.h -- the command line: options and arguments of one command, checked against its
 * table. Options may stand anywhere; "--" ends them. */
#ifndef CTL_OPT_H
#define CTL_OPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct opt {
    const char *name; /* without the dashes */
    char letter;      /* '\0': none */
    const char *arg;  /* name of its value; NULL: a switch */
    const char *help; /* one line */
};

#define OPT_GIVEN_MAX 256

struct opt_args {
    const char **pos; /* arguments that are no options; lent from argv */
    size_t pos_n;
    struct {
        const struct opt *opt;
        const char *value; /* NULL for a switch */
    } given[OPT_GIVEN_MAX];
    size_t given_n;
};

/* Sorts argv[0..argc) into options of either table (ended by a NULL name) and arguments.
 * `pos` has room for argc pointers. BBT_INVALID: unknown option (with the nearest), value
 * missing or not wanted. */
BBT_NODISCARD enum bbt_rc opt_parse(int argc, char **argv, const struct opt *common,
    const struct opt *own, struct opt_args *ret, struct bbt_err *err);

/* Was it given? */
bool opt_has(const struct opt_args *a, const char *name);

/* Value of the last one given; `fallback` where none was. */
const char *opt_text(const struct opt_args *a, const char *name, const char *fallback);

/* Value of the i-th one given, NULL after the last. */
const char *opt_each(const struct opt_args *a, const char *name, size_t i);

/* A whole number within [min, max], or a duration such as "90s". `ret` keeps its value where
 * the option was not given. BBT_INVALID. */
BBT_NODISCARD enum bbt_rc opt_count(const struct opt_args *a, const char *name, int64_t min,
    int64_t max, int64_t *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc opt_time(
    const struct opt_args *a, const char *name, uint64_t *ret_us, struct bbt_err *err);

#endif
