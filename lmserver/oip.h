/* oip.h -- the Open Inference Protocol's request and response as plain values: JSON, with
 * tensors in it or behind it (binary tensor data extension). Pure: bytes in, bytes out; what
 * the tensors mean is not known here. */
#ifndef LMSERVER_OIP_H
#define LMSERVER_OIP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "numcut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OIP_RANK_MAX 4
#define OIP_INPUTS_MAX NUMCUT_ARRAYS_MAX
#define OIP_WISHES_MAX 8
#define OIP_JSON_MAX (1024u * 1024u) /* of a request's JSON, number arrays not counted */
#define OIP_ALL_JSON ((size_t)-1)    /* no Inference-Header-Content-Length */

enum oip_type {
    OIP_BOOL,
    OIP_UINT8,
    OIP_INT8,
    OIP_INT16,
    OIP_INT32,
    OIP_INT64,
    OIP_FP16,
    OIP_BF16,
    OIP_FP32,
    OIP_FP64,
    OIP_TYPE_NR
};

struct oip_tensor {
    const char *name; /* lent by the request, as the data */
    enum oip_type type;
    size_t rank, shape[OIP_RANK_MAX], count;
    const uint8_t *raw; /* count elements, any alignment; or NULL */
    const double *num;  /* the same from JSON; or NULL */
};

/* An output that the client asked for. */
struct oip_wish {
    const char *name;
    bool binary;
};

struct oip_request {
    const char *id; /* NULL where none was sent */
    const json_t *params; /* object, or NULL */
    struct oip_tensor in[OIP_INPUTS_MAX];
    size_t in_nr;
    struct oip_wish wish[OIP_WISHES_MAX];
    size_t wish_nr;  /* 0: all outputs */
    bool binary_all; /* outputs that are not in `wish` */

    json_t *doc; /* private */
    struct numcut cut;
};

/* `body` is borrowed until oip_request_fini(). `head_len`: value of the header
 * Inference-Header-Content-Length, or OIP_ALL_JSON. BBT_INVALID with a sentence for the
 * client; BBT_NOMEM. On failure *ret is all zero. */
BBT_NODISCARD enum bbt_rc oip_request_parse(const void *body, size_t len, size_t head_len,
    struct oip_request *ret, struct bbt_err *err);
void oip_request_fini(struct oip_request *r);

/* NULL where the request has no such input. */
const struct oip_tensor *oip_find(const struct oip_request *r, const char *name);

/* Is the output wanted, and how? */
bool oip_wants(const struct oip_request *r, const char *name, bool *ret_binary);

/* The tensor's elements, converted; the caller frees *ret (bbt_free). BBT_INVALID where an
 * element of an integer tensor does not fit 32 bits or is no integer, or where the type is of
 * the other kind. */
BBT_NODISCARD enum bbt_rc oip_ints(
    const struct oip_tensor *t, int32_t **ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc oip_floats(
    const struct oip_tensor *t, float **ret, struct bbt_err *err);

/* --- the response --- */

struct oip_out {
    const char *name;
    const float *data;
    size_t rank, shape[OIP_RANK_MAX];
    bool binary;
};

/* Appends the response's body. *ret_head: length of its JSON where a binary tensor follows,
 * else OIP_ALL_JSON. Data must be finite. BBT_INVALID: the buffer's cap; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc oip_response(const char *model, const char *id,
    const struct oip_out *outs, size_t n, struct bbt_buf *ret, size_t *ret_head,
    struct bbt_err *err);

#endif
