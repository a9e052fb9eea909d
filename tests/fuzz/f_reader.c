/* f_reader.c -- a response that comes in pieces says what the whole one says, in every dialect.
 *
 * (Of a broken one, that it is broken: in which words may depend on where it was cut.)
 * Input: dialect, size of a piece, length of the inference header (two bytes), the body. */
#include "prov/reader.h"

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

static const struct prov_adapter *dialect(unsigned choice)
{
    const char *const *names = prov_adapter_names();
    size_t n = 0;

    while (names[n])
        n++;
    return prov_adapter_find(names[choice % n]);
}

static void compare(const struct prov_adapter *a, const struct prov_ask *ask,
    const struct prov_reply *r, size_t step)
{
    struct prov_model m;
    struct prov_answer whole = {0}, pieces = {0};
    struct prov_reader reader = {0};
    struct bbt_err err = {0}, err2 = {0};
    enum bbt_rc rc;

    prov_model_init(&m);
    (void)snprintf(m.name, sizeof m.name, "m");
    (void)snprintf(m.tensor.input_ids, sizeof m.tensor.input_ids, "input_ids");
    (void)snprintf(m.tensor.logits, sizeof m.tensor.logits, "logits");
    m.probed = true;
    m.hidden = 4;
    m.vocab = 40;
    rc = prov_decode(a, &m, ask, r, &whole, &err);
    prov_reader_begin(&reader, a, &m, ask, r);
    for (size_t at = 0; at < r->len; at += step)
        prov_reader_feed(&reader, r->body + at, r->len - at < step ? r->len - at : step);
    expect(prov_reader_finish(&reader, &pieces, &err2) == rc);
    if (rc == BBT_OK) {
        expect(whole.rows == pieces.rows && whole.labels == pieces.labels);
        expect(whole.censored == pieces.censored && whole.tokens_in == pieces.tokens_in &&
               whole.tokens_out == pieces.tokens_out);
        expect(!memcmp(whole.logit, pieces.logit,
            whole.rows * whole.labels * sizeof whole.logit[0]));
    } else {
        expect(!whole.logit && !pieces.logit && err.msg[0] && err2.msg[0]);
    }
    prov_answer_fini(&whole);
    prov_answer_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t ids[16], len[2] = {8, 6}, at[2] = {5, 4}, label[3] = {9, 30, 1};
    static const char *const text[2] = {"a", "b"}, *const word[3] = {" good", " bad", " s"};
    static const float prompt[12];
    struct prov_reply r = {.status = 200, .header = header_of};
    char length[16];

    if (size < 4)
        return 0;
    {
        const struct prov_batch batch = {.rows = data[0] & 16 ? 2 : 1, .cols = 8, .ids = ids,
            .len = len, .mask_pos = data[0] & 32 ? NULL : at, .text = text};
        const struct prov_ask ask = {.batch = &batch, .prompt = prompt, .prompt_rows = 3,
            .hidden = 4, .compose = data[0] & 64 ? PROV_PREPEND : PROV_ADD,
            .label_ids = label, .labels = 3, .label_text = word, .id = "r7g12c3"};

        (void)snprintf(length, sizeof length, "%d", data[2] | data[3] << 8);
        r.arg = data[0] & 128 ? length : NULL;
        r.body = data + 4;
        r.len = size - 4;
        compare(dialect(data[0] & 15), &ask, &r, 1u + data[1]);
    }
    return 0;
}
