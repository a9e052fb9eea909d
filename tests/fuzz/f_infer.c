/* A request's body to a checked question, as bbt-lm reads it; the first two bytes are the
 * Inference-Header-Content-Length (0xffff: none). A question that is taken must be safe to
 * compute, so it is computed, by a model small enough not to slow the fuzzer. */
#include "base/alloc.h"
#include "forward.h"
#include "infer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define H 8u
#define VOCAB 20u
#define PLACES 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static float some[VOCAB * H + 4096];

static const struct weights *tiny(void)
{
    static struct weights_layer layer;
    static struct weights w;

    if (w.layer)
        return &w;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        some[i] = (float)((i * 2654435761u) % 1000) / 1000.0f - 0.5f;
    w.conf = (struct lmconf){.family = LMCONF_ROBERTA, .hidden = H, .layers = 1, .heads = 2,
        .inner = 16, .vocab = VOCAB, .types = 1, .positions = PLACES, .first_pos = 2,
        .tokens = PLACES - 2, .pad = 1, .eps = 1e-5f, .tied = true};
    layer = (struct weights_layer){some, some, some, some, {some, some}, some, some, some,
        some, {some, some}};
    w.words = w.places = w.types = w.head = w.head_bias = w.out = w.out_bias = some;
    w.norm[0] = w.norm[1] = w.head_norm[0] = w.head_norm[1] = some;
    w.layer = &layer;
    return &w;
}

static void answer(const struct oip_request *r, const struct query *q)
{
    const struct weights *w = tiny();
    struct forward_room room = {0};
    struct bbt_err err = {0};
    struct bbt_buf out;
    float *logits = bbt_alloc_array(q->rows * q->out_cols, sizeof *logits);
    size_t head = 0;
    enum bbt_rc rc;

    assert(logits);
    buf_init(&out, 1u << 26);
    rc = forward_rows(w, q, (const size_t[2]){0, q->rows}, &room, logits, &err);
    assert(rc == BBT_OK || (rc == BBT_INVALID && err.msg[0]));
    if (rc == BBT_OK)
        assert(infer_answer("m", r, q, logits, &out, &head, &err) == BBT_OK && out.len);
    bbt_free(logits);
    forward_room_fini(&room);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weights *w = tiny();
    struct oip_request r;
    struct query q = {0};
    struct bbt_err err = {0};
    struct bbt_buf out;
    size_t head;

    if (size < 2)
        return 0;
    head = (size_t)(data[0] | data[1] << 8);
    if (oip_request_parse(data + 2, size - 2, head == 0xffff ? OIP_ALL_JSON : head, &r,
            &err) != BBT_OK) {
        assert(err.msg[0] && !r.doc);
        return 0;
    }
    if (infer_query(&r, &w->conf, &q, &err) != BBT_OK)
        assert(err.msg[0]);
    else if (q.rows * (q.cols + query_front(&q)) <= 4096)
        answer(&r, &q);
    query_fini(&q);
    buf_init(&out, 1u << 26);
    err.msg[0] = 0;
    if (infer_embedding("m", &r, w, &out, &head, &err) != BBT_OK)
        assert(err.msg[0]);
    buf_fini(&out);
    oip_request_fini(&r);
    return 0;
}
