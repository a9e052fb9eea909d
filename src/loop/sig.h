/* sig.h -- a signal as a fact: sets a flag in the loop thread and wakes an operation.
 */
#ifndef LOOP_SIG_H
#define LOOP_SIG_H

#include "base/err.h"

#include <stdbool.h>

struct loop;
struct op;
struct sig;

/* Until sig_free(), every `signum` sets *fired and wakes `wake` (may be NULL); both are
 * borrowed. Does not keep the loop running. */
BBT_NODISCARD enum bbt_rc sig_new(struct loop *l, int signum, bool *fired,
    struct op *wake, struct sig **ret, struct bbt_err *err);
void sig_free(struct sig *s); /* NULL is fine */

#endif
