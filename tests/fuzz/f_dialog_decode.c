/* f_dialog_decode.c -- any response to a question or a start-up step, in every dialect of JSON
 * and text. Input: a byte of choices (dialect, step), the body. */
#include "chop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    return prov_adapter_find(names[1 + choice % (n - 1)]); /* the first has its own target */
}

static struct prov_model model(void)
{
    struct prov_model m;

    prov_model_init(&m);
    (void)snprintf(m.name, sizeof m.name, "m");
    m.probed = true;
    m.hidden = 4;
    m.slot_id = 99;
    m.vocab = 40;
    (void)snprintf(m.tensor.logits, sizeof m.tensor.logits, "logits");
    return m;
}

static void answer(const struct prov_adapter *a, const struct prov_reply *r, size_t rows)
{
    static const int32_t ids[16], len[2] = {8, 6}, label[3] = {9, 30, 1};
    static const char *const text[2] = {"a", "b"}, *const word[3] = {" good", " bad", " s"};
    static const float prompt[12];
    const struct prov_batch batch = {
        .rows = rows, .cols = 8, .ids = ids, .len = len, .text = text};
    const struct prov_ask ask = {.batch = &batch, .prompt = prompt, .prompt_rows = 3,
        .hidden = 4, .compose = PROV_PREPEND, .label_ids = label, .labels = 3,
        .label_text = word};
    struct prov_model m = model();
    struct prov_answer got = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = chop_decode(
        a, &m, &ask, r, r->len ? r->body[r->len / 2] : 0, &got, &err);

    expect(rc == BBT_OK ? got.rows == rows && got.labels == 3 : !got.logit && err.rc == rc);
    for (size_t i = 0; rc == BBT_OK && i < rows * 3; i++)
        expect(isfinite(got.logit[i]));
    prov_answer_fini(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prov_reply r = {.status = 200};
    struct prov_tokens t = {0};
    struct prov_model m = model();
    const struct prov_adapter *a;

    if (size < 1)
        return 0;
    a = dialect(data[0] & 15);
    r.body = data + 1;
    r.len = size - 1;
    if ((data[0] >> 4) < 8) {
        answer(a, &r, data[0] & 16 ? 2 : 1);
    } else if ((data[0] >> 4) == 15) {
        if (a->tokens_decode && a->tokens_decode(&r, &t, NULL) == BBT_OK)
            for (size_t i = 0; i < t.n; i++)
                expect(t.id[i] >= 0);
        prov_tokens_fini(&t);
    } else {
        (void)a->probe_take(&m, (data[0] >> 4) - 8, &r, NULL);
    }
    return 0;
}
