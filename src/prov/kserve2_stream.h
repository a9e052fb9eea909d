/* kserve2_stream.h -- the tensors of a kserve2 response while they come, raw or as JSON: finds
 * the outputs that are wanted, and of their numbers keeps those that were asked for.
 *
 *   head (JSON; its number arrays are read on the fly) | raw tensors, in the head's order
 *
 * An output is planned when its name, type and shape are known and its numbers are about to
 * come: the owner then says which of them it wants. */
#ifndef PROV_KSERVE2_STREAM_H
#define PROV_KSERVE2_STREAM_H

#include "prov/jcut.h"
#include "prov/prov.h"

#define STREAM_RANK_MAX NUMLIST_RANK_MAX

/* Element `at` of the output goes to out[to]. */
struct stream_want {
    size_t at, to;
};

struct stream_output {
    const char *name; /* in: the one that is wanted */

    /* facts, when planned */
    enum prov_type type;
    size_t shape[STREAM_RANK_MAX], rank, count;

    /* set by the plan: what is wanted of it, sorted by `at`, each within `count` */
    struct stream_want *want; /* freed with the stream */
    size_t wants;
    float *out; /* the owner's */

    /* own */
    bool planned, seen;
    size_t piece; /* of jcut */
    size_t next;  /* want */
    bool bad;     /* a number that is wanted is not finite as a float */
};

/* Checks the shape and sets the wants. Its failure is the response's. */
typedef enum bbt_rc stream_plan_fn(
    void *arg, struct stream_output *o, struct bbt_err *err);

struct stream_raw;

struct stream {
    /* in */
    struct stream_output *out; /* the owner's; stays until stream_fini() */
    size_t outs;
    const char *id; /* an answer that carries another one was crossed on the way; or NULL */
    stream_plan_fn *plan;
    void *arg;

    /* own */
    struct jcut head;
    size_t head_len; /* SIZE_MAX: all of it is JSON */
    size_t got;      /* of the head */
    bool raw_part;
    struct numlist list;
    struct stream_output *reading; /* the one whose JSON numbers come now */
    struct stream_raw *raw;        /* tensors behind the head */
    size_t raws, raw_next;
    size_t raw_at;    /* byte in it */
    uint8_t carry[8]; /* a number that the piece's end cuts */
};

/* `s` has its "in" fields set and is zero elsewhere; `head` has the headers. BBT_CORRUPT. */
BBT_NODISCARD enum bbt_rc stream_begin(
    struct stream *s, const struct prov_reply *head, struct bbt_err *err);

/* The next bytes; after a failure none. */
BBT_NODISCARD enum bbt_rc stream_feed(
    struct stream *s, const void *bytes, size_t len, struct bbt_err *err);

/* It is over: every output was there, whole, and every wanted number is finite. Codes as
 * decode. */
BBT_NODISCARD enum bbt_rc stream_finish(struct stream *s, struct bbt_err *err);

void stream_fini(struct stream *s); /* a zeroed one is fine */

/* "response: " and the reason. */
enum bbt_rc stream_corrupt(struct bbt_err *err, const char *why);

#endif
