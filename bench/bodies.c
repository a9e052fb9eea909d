/* bodies.c -- what a request's body costs, per dialect: from parts that are shared, and made
 * whole for every request.
 *
 * One soft prompt of 50 x 1024, 32 examples of 64 tokens (one where a dialect takes no more).
 * One JSON line per dialect: own_bytes_per_request is all memory that a request takes beside
 * its parts (its own bytes, the list of slices, what is set aside for growth); encode_us and
 * naive_encode_us are medians; the parts' sizes and times are paid once per batch and once per
 * candidate. */
#include "base/alloc.h"
#include "base/clock.h"
#include "prov/prov.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 32
#define COLS 64
#define SOFT 50
#define HIDDEN 1024
#define REPEATS 41

static float prompt[SOFT * HIDDEN];
static float matrix[256 * HIDDEN];
static int32_t ids[ROWS * COLS], lens[ROWS], mask_pos[ROWS];
static const char *texts[ROWS];
static const int32_t label_ids[4] = {100, 101, 102, 103};
static const char *const label_text[4] = {" great", " bad", " good", " terrible"};

static bool token_row(const void *arg, int32_t id, float *ret)
{
    (void)arg;
    memcpy(ret, matrix + (size_t)(id & 255) * HIDDEN, HIDDEN * sizeof *ret);
    return true;
}

static void fill(void)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < sizeof prompt / sizeof prompt[0] + sizeof matrix / sizeof matrix[0];
         i++) {
        float v;

        seed = seed * 1664525u + 1013904223u;
        v = (float)(int32_t)seed / 4294967296.0f;
        if (i < sizeof prompt / sizeof prompt[0])
            prompt[i] = v;
        else
            matrix[i - sizeof prompt / sizeof prompt[0]] = v;
    }
    for (int r = 0; r < ROWS; r++) {
        lens[r] = COLS;
        mask_pos[r] = COLS - 2;
        for (int c = 0; c < COLS; c++) /* the prompt's words are the same everywhere */
            ids[r * COLS + c] = c == 0 ? 2 : c <= SOFT ? 3 + c : 3 + (r * 7 + c * 3) % 250;
        texts[r] = "the film is a delight from its first scene to the last , and it never once "
                   "tries to be more than it is , which is rare enough these days . All in all "
                   ", it was";
    }
}

static void need(bool ok, const char *what, const char *why)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bodies: %s: %s\n", what, why);
    exit(1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, REPEATS, sizeof *v, by_size);
    return v[REPEATS / 2];
}

static struct prov_model model_of(bool binary)
{
    struct prov_model m;

    prov_model_init(&m);
    (void)snprintf(m.name, sizeof m.name, "model");
    m.hidden = HIDDEN;
    m.bos_id = 2;
    m.slot_id = 9999;
    m.token_row = token_row;
    m.probed = true;
    m.body_max = (size_t)1 << 30;
    m.use_binary = binary;
    (void)snprintf(m.tensor.input_ids, sizeof m.tensor.input_ids, "input_ids");
    (void)snprintf(m.tensor.attention_mask, sizeof m.tensor.attention_mask, "attention_mask");
    (void)snprintf(m.tensor.prompt_embedding, sizeof m.tensor.prompt_embedding,
        "prompt_embedding");
    (void)snprintf(m.tensor.mask_pos, sizeof m.tensor.mask_pos, "mask_pos");
    (void)snprintf(m.tensor.logits, sizeof m.tensor.logits, "logits");
    m.type_ids = m.type_mask = m.type_mask_pos = PROV_INT64;
    m.type_prompt = m.type_logits = PROV_FP32;
    m.rank_mask_pos = 2;
    m.prompt_wire = PROV_PROMPT_ROW;
    return m;
}

struct kind {
    const char *label, *dialect;
    bool one, soft, add, json;
};

static void measure(const struct kind *k)
{
    const struct prov_adapter *a = prov_adapter_find(k->dialect);
    const struct prov_batch batch = {.rows = k->one ? 1 : ROWS, .cols = COLS, .ids = ids,
        .len = lens, .mask_pos = mask_pos, .text = texts};
    const struct prov_ask ask = {.batch = &batch, .prompt = k->soft ? prompt : NULL,
        .prompt_rows = k->soft ? SOFT : 0, .hidden = HIDDEN,
        .compose = k->add ? PROV_ADD : PROV_PREPEND, .prompt_at = PROV_AT_EMBEDDING,
        .label_ids = label_ids, .labels = 4, .label_text = label_text, .id = "j1-train-g12-c3-b0"};
    struct prov_model m = model_of(!k->json);
    struct prov_part b = {0}, p = {0};
    double shared[REPEATS], naive[REPEATS], batch_us, prompt_us;
    size_t own = 0, body = 0;
    struct bbt_err err = {0};
    uint64_t t = clock_mono_us();

    need(a->part_batch(&m, &ask, &b, &err) == BBT_OK, k->label, err.msg);
    batch_us = (double)(clock_mono_us() - t);
    t = clock_mono_us();
    need(a->part_prompt(&m, &ask, &p, &err) == BBT_OK, k->label, err.msg);
    prompt_us = (double)(clock_mono_us() - t);
    for (int i = 0; i < REPEATS; i++) {
        struct prov_http h = {0}, whole = {0};
        enum { TIMES = 20 };

        t = clock_mono_us();
        for (int n = 0; n < TIMES; n++)
            need(a->encode(&m, &ask, &b, &p, &h, &err) == BBT_OK, k->label, err.msg);
        shared[i] = (double)(clock_mono_us() - t) / TIMES;
        t = clock_mono_us();
        need(prov_encode(a, &m, &ask, &whole, &err) == BBT_OK, k->label, err.msg);
        naive[i] = (double)(clock_mono_us() - t);
        own = h.own.room + h.slices * sizeof *h.slice;
        body = h.body_len;
        need(whole.body_len == body, k->label, "the two ways differ");
        prov_http_fini(&h);
        prov_http_fini(&whole);
    }
    printf("{\"dialect\": \"%s\", \"rows\": %zu, \"body_bytes\": %zu, "
           "\"own_bytes_per_request\": %zu, \"encode_us\": %.2f, \"naive_encode_us\": %.0f, "
           "\"batch_part_bytes\": %zu, \"batch_part_us\": %.0f, \"prompt_part_bytes\": %zu, "
           "\"prompt_part_us\": %.0f}\n",
        k->label, batch.rows, body, own, median(shared), median(naive), b.bytes.room, batch_us,
        p.bytes.room, prompt_us);
    prov_part_fini(&b);
    prov_part_fini(&p);
}

int main(void)
{
    static const struct kind kinds[] = {
        {.label = "kserve2", .dialect = "kserve2", .soft = true, .add = true},
        {.label = "kserve2-json", .dialect = "kserve2", .soft = true, .add = true, .json = true},
        {.label = "vllm", .dialect = "vllm", .soft = true, .one = true},
        {.label = "vllm-embeds", .dialect = "vllm-embeds", .soft = true},
        {.label = "vllm-embeds-add", .dialect = "vllm-embeds", .soft = true, .add = true},
        {.label = "sglang-score", .dialect = "sglang-score", .soft = true},
        {.label = "sglang-generate", .dialect = "sglang-generate", .soft = true},
        {.label = "sglang-generate-add", .dialect = "sglang-generate", .soft = true, .add = true},
        {.label = "openai", .dialect = "openai"},
        {.label = "openai-chat", .dialect = "openai-chat", .one = true},
        {.label = "llamacpp", .dialect = "llamacpp", .one = true},
    };

    fill();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        measure(&kinds[i]);
    return 0;
}
