/* tensors.h -- the server's side of the kserve2 wire, written apart from src/prov: a request's
 * tensors out of JSON and raw bytes, a reply's back into them. */
#ifndef SIM_TENSORS_H
#define SIM_TENSORS_H

#include "base/json.h"
#include "fakelm.h"

struct tensor_in {
    char name[32];
    size_t shape[3], rank, count;
    double *v;
};

struct tensors {
    char id[64];
    bool binary_out; /* the asker wants raw tensors back */
    struct tensor_in in[8];
    size_t n;
};

struct tensor_out {
    const char *name;
    size_t shape[3], rank;
    const float *v;
};

/* False where it is not a request of the protocol; then nothing is kept. */
bool tensors_read(struct tensors *ret, const void *body, size_t len, long head_len);
void tensors_fini(struct tensors *t);

/* NULL where the request has no such input. */
const struct tensor_in *tensors_find(const struct tensors *t, const char *name);

/* A 200 with these outputs, raw or JSON as was asked for. */
void tensors_reply(const struct tensors *t, const struct tensor_out *out, size_t n,
    struct fakelm_reply *ret);

#endif
