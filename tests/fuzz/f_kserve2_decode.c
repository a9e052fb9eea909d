/* f_kserve2_decode.c -- any response to a question, an embedding request or a start-up step.
 *
 * Input: a byte of choices, the inference header's length (two bytes), the body. */
#include "chop.h"
#include "prov/kserve2.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header_of(const void *arg, const char *name)
{
    return strcasecmp(name, "Inference-Header-Content-Length") ? NULL : arg;
}

static void expect(bool law)
{
    if (!law)
        abort();
}

static struct prov_model model(void)
{
    struct prov_model m;

    prov_model_init(&m);
    (void)snprintf(m.name, sizeof m.name, "m");
    (void)snprintf(m.tensor.input_ids, sizeof m.tensor.input_ids, "input_ids");
    (void)snprintf(m.tensor.logits, sizeof m.tensor.logits, "logits");
    m.probed = true;
    m.hidden = 4;
    return m;
}

static void answer(const struct prov_reply *r, unsigned choice)
{
    static const int32_t ids[16], len[2] = {8, 6}, at[2] = {5, 4}, label[3] = {9, 30, 1};
    static const float prompt[12];
    const struct prov_batch batch = {
        .rows = 2, .cols = 8, .ids = ids, .len = len, .mask_pos = choice & 8 ? NULL : at};
    const struct prov_ask ask = {.batch = &batch, .prompt = prompt, .prompt_rows = 3,
        .hidden = 4, .compose = choice & 4 ? PROV_PREPEND : PROV_ADD, .label_ids = label,
        .labels = 3, .id = "r7g12c3"};
    struct prov_model m = model();
    struct prov_answer a = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = chop_decode(prov_adapter_find("kserve2"), &m, &ask, r,
        choice * 256u + (r->len ? r->body[r->len / 2] : 0), &a, &err);

    expect(rc == BBT_OK ? a.rows == 2 && a.labels == 3 : !a.logit && err.rc == rc);
    for (size_t i = 0; rc == BBT_OK && i < 6; i++)
        expect(isfinite(a.logit[i]));
    prov_answer_fini(&a);
}

static void embedding(const struct prov_reply *r)
{
    struct prov_model m = model();
    struct prov_embed e = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = kserve2_embed_decode(&m, 3, r, &e, &err);

    expect(rc == BBT_OK ? e.rows == 3 && e.hidden == 4 && e.std > 0 : !e.row);
    for (size_t i = 0; rc == BBT_OK && i < 12; i++)
        expect(isfinite(e.row[i]));
    prov_embed_fini(&e);
}

/* What a start-up step learned must be something that a question can be put to. */
static void step(const struct prov_reply *r, unsigned choice)
{
    static const int32_t ids[8], len[2] = {4, 4}, at[2] = {1, 2}, label[1] = {3};
    const struct prov_batch batch = {
        .rows = 2, .cols = 4, .ids = ids, .len = len, .mask_pos = at};
    const struct prov_ask ask = {.batch = &batch, .label_ids = label, .labels = 1};
    struct prov_http h = {0};
    struct prov_model m = model();

    m.hidden = 0;
    m.body_max = 1 << 16;
    m.probed = false;
    if (kserve2_probe_take(&m, choice >> 2 & 7, r, NULL) == BBT_OK) {
        m.probed = m.type_ids != PROV_TYPE_NONE;
        if (prov_encode(prov_adapter_find("kserve2"), &m, &ask, &h, NULL) == BBT_OK)
            expect(h.own.len > 0);
    }
    prov_http_fini(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prov_reply r = {.status = 200, .header = header_of};
    char length[16];

    if (size < 3)
        return 0;
    (void)snprintf(length, sizeof length, "%d", data[1] | data[2] << 8);
    r.arg = data[0] & 0x80 ? length : NULL;
    r.body = data + 3;
    r.len = size - 3;
    if ((data[0] & 3) == 0)
        answer(&r, data[0]);
    else if ((data[0] & 3) == 1)
        embedding(&r);
    else
        step(&r, data[0]);
    return 0;
}
