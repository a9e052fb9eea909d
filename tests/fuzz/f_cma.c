/* Image of an optimiser. The digest is put right first, so that what lies behind it is
 * reached; what loads must also work. The same bytes then serve as a trace. */
#include "base/alloc.h"
#include "base/digest.h"
#include "num/cma.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct cma *c)
{
    size_t lambda = cma_popsize(c);
    double *loss = bbt_calloc(lambda, sizeof *loss);

    if (!loss)
        return;
    for (size_t k = 0; k < lambda; k++)
        loss[k] = (double)(k * 7 % 5);
    for (int g = 0; g < 3; g++) {
        (void)cma_ask(c);
        if (cma_tell(c, loss, NULL) != BBT_OK)
            abort();
        (void)cma_stop(c, NULL);
    }
    bbt_free(loss);
}

/* Its end, cut to a trace's length, for a generation at the origin. */
static void use_trace(struct cma *c, const uint8_t *bytes, size_t size)
{
    size_t n = cma_dim(c), lambda = cma_popsize(c);
    size_t want = (2 + n + lambda) * sizeof(double);
    double *cand = bbt_calloc(lambda * n, sizeof *cand);
    double *loss = bbt_calloc(lambda, sizeof *loss);

    if (cand && loss && cma_put(c, cand, NULL) == BBT_OK &&
        cma_retell(c, loss, bytes + (size > want ? size - want : 0),
            size > want ? want : size, NULL) == BBT_OK &&
        cma_settle(c, NULL) == BBT_OK)
        use(c);
    bbt_free(cand);
    bbt_free(loss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = bbt_alloc(size + 1);
    struct cma *c = NULL;

    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    if (size > 32 && digest_sha256(bytes, size - 32, bytes + size - 32) != BBT_OK)
        abort();
    if (cma_load(bytes, size, &c, NULL) == BBT_OK) {
        if (cma_dim(c) * cma_popsize(c) < 100000)
            use(c);
        cma_free(c);
    }
    if (cma_load_owing(bytes, size, &c, NULL) == BBT_OK) {
        if (cma_dim(c) * cma_popsize(c) < 100000)
            use_trace(c, bytes, size);
        cma_free(c);
    }
    bbt_free(bytes);
    return 0;
}
