/* chain.h -- builds bodies: the pen writes what is a request's own, pieces of parts go between.
 * The first failure sticks and is told at the end. */
#ifndef PROV_CHAIN_H
#define PROV_CHAIN_H

#include "prov/body.h"
#include "prov/pen.h"

struct chain_link;

struct chain {
    struct pen pen; /* on h->own; its rc is the chain's */
    struct prov_http *h;
    struct chain_link *link;
    size_t links, room;
    size_t from; /* own bytes that stand in a link already */
    size_t lent; /* bytes in links that are not own */
};

/* An empty body of at most `max` bytes for `h`, which must stay where it is until the end. */
struct chain chain_begin(struct prov_http *h, size_t max);

/* Appends bytes that outlive the request; whole pieces; own bytes at..at+n once more. */
void chain_lend(struct chain *c, const void *p, size_t n);
void chain_piece(struct chain *c, const struct prov_part *part, size_t piece);
void chain_again(struct chain *c, size_t at, size_t n);

/* Every piece of the batch, each with the prompt's piece of the same number behind it, where
 * there is one. */
void chain_weave(
    struct chain *c, const struct prov_part *batch, const struct prov_part *prompt);

/* Own bytes that the pen writes from here to chain_kept(), which tells how many, stand nowhere
 * until chain_again() puts them somewhere. Returns their place. */
size_t chain_aside(struct chain *c);
size_t chain_kept(struct chain *c);

/* Fills h's slices. BBT_NOMEM; BBT_INVALID over the limit: then h is empty. */
enum bbt_rc chain_end(struct chain *c, struct bbt_err *err);

/* Not wanted any more: h is empty. */
void chain_drop(struct chain *c);

/* ---- parts ---- */

/* Starts a part (a zeroed or freed one) of at most `max` bytes; the pen writes them. */
struct pen chain_part(struct prov_part *p, size_t max);

/* Ends a piece at the bytes that were written since the last one. NULL after a failure. */
struct prov_piece *chain_cut(struct pen *pen, struct prov_part *p);

/* BBT_OK (spare room is given back), or the part is freed and the failure told as by
 * chain_end(). */
enum bbt_rc chain_part_end(struct pen *pen, struct prov_part *p, struct bbt_err *err);

#endif
