/* run.h -- bytes inside of a longer base64 text, encoded once for all the texts that have them.
 *
 * Base64 writes three bytes as four characters, so what a run's text is depends on where in
 * such a group it begins (its phase), and its first and last bytes may share a group with
 * their neighbours: these stay bytes. */
#ifndef PROV_RUN_H
#define PROV_RUN_H

#include "prov/base64.h"
#include "prov/chain.h"

#include <stdbool.h>

/* Writes the text of the whole groups and fills the piece but for its place. */
void run_put(struct pen *p, const void *bytes, size_t len, size_t phase,
    struct prov_piece *ret);

/* Writes the bytes at a run's ends: `run_first`, then the piece itself goes out, then
 * `run_last`. False: the text so far ends in another phase than the run's. */
bool run_first(struct base64 *s, struct pen *p, const struct prov_piece *run);
void run_last(struct base64 *s, struct pen *p, const struct prov_piece *run);

#endif
