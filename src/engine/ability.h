/* ability.h -- what a probe found out about a provider's model, as a table for people: each row
 * a thing that tuning needs, whether it is there, and a sentence. */
#ifndef ENGINE_ABILITY_H
#define ENGINE_ABILITY_H

#include "engine/probe.h"

#define ABILITY_MAX 16

enum ability_is { ABILITY_YES, ABILITY_NO, ABILITY_OPEN /* not known, or not needed here */ };

struct ability {
    const char *name; /* "reach", "label_logprobs"; stays the same for scripts */
    enum ability_is is;
    char text[320];
};

/* The rows in a fixed order; their number. `p` is done. Where the probe failed, the row to which
 * its failure belongs is ABILITY_NO with its sentence, and what comes after it is open. */
size_t ability_list(const struct probe *p, struct ability ret[ABILITY_MAX]);

/* "yes", "no", "open". */
const char *ability_is_name(enum ability_is is);

#endif
