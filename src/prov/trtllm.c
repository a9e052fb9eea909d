/* trtllm.c -- questions and answers of the trtllm dialect: raw tensors both ways. */
#include "prov/trtllm.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "prov/adapters.h"
#include "prov/dialog.h"
#include "prov/kserve2.h"
#include "prov/kserve2_stream.h"
#include "prov/tensor.h"

#include <math.h>
#include <stdlib.h>

#define EXTRA_SIZE 8 /* UINT64 */

/* ---- questions ---- */

static const struct dialog_need need = {
    .label_ids = true, .prepend_only = true, .soft_prompt = true};

/* Tokens that stay before the prompt: the model's first one, where the example has it. */
static size_t lead_of(const struct prov_model *m, const struct prov_ask *ask)
{
    return m->bos_id >= 0 && ask->batch->ids[0] == m->bos_id;
}

static size_t rows_of(const struct prov_ask *ask)
{
    return ask->prompt ? ask->prompt_rows : 0;
}

static bool sends_extra(const struct prov_model *m, const struct prov_ask *ask)
{
    return ask->prompt && m->inputs & 1u << TRTLLM_EXTRA_IDS;
}

/* The table by its shape alone. */
static enum bbt_rc check_table(
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    size_t n;

    if (!ask->prompt)
        return BBT_OK;
    if (m->type_prompt == PROV_TYPE_NONE)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\" declares no prompt table (build the engine with "
            "--max_prompt_embedding_table_size)", m->name);
    if (m->prompt_rows_fixed && ask->prompt_rows != m->prompt_rows_fixed)
        return bbt_fail(err, BBT_INVALID,
            "the soft prompt has %zu rows, model \"%s\" takes exactly %zu", ask->prompt_rows,
            m->name, m->prompt_rows_fixed);
    if (__builtin_mul_overflow(ask->prompt_rows, ask->hidden, &n) || n > m->body_max ||
        ask->prompt_rows > (size_t)INT32_MAX - m->vocab)
        return bbt_fail(err, BBT_INVALID, "the soft prompt is too large for a request");
    return BBT_OK;
}

/* An id past the vocabulary would be a row of the table. */
static enum bbt_rc check_ids(
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    const struct prov_batch *b = ask->batch;

    if (m->vocab == 0 || m->vocab > INT32_MAX)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\": the size of the vocabulary is not known (set vocab_size)", m->name);
    for (int32_t i = 0; i < b->len[0]; i++)
        if ((size_t)b->ids[i] >= m->vocab)
            return bbt_fail(err, BBT_INVALID,
                "token %d of an example is past the vocabulary (vocab_size %zu)",
                (int)b->ids[i], m->vocab);
    for (size_t i = 0; i < ask->labels; i++)
        if ((size_t)ask->label_ids[i] >= m->vocab)
            return bbt_fail(err, BBT_INVALID,
                "token %d of a label is past the vocabulary (vocab_size %zu)",
                (int)ask->label_ids[i], m->vocab);
    return BBT_OK;
}

static enum bbt_rc check_ask(
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_one(m, ask, &need, err);

    if (rc == BBT_OK)
        rc = check_ids(m, ask, err);
    return rc == BBT_OK ? check_table(m, ask, err) : rc;
}

/* What goes into an input of one number, and whether it is sent. -1 is no end: whichever token is
 * the likeliest, its logits come back. Padding is never sent. */
static bool value_of(const struct prov_model *m, const struct prov_ask *ask,
    enum trtllm_input i, int32_t *ret)
{
    const struct prov_batch *b = ask->batch;

    switch (i) {
    case TRTLLM_INPUT_LENGTHS:
        *ret = b->len[0] + (int32_t)rows_of(ask);
        break;
    case TRTLLM_TABLE_ROWS:
        *ret = (int32_t)rows_of(ask);
        return ask->prompt;
    case TRTLLM_END_ID:
        *ret = -1;
        break;
    case TRTLLM_PAD_ID:
        *ret = b->pad >= 0 && (size_t)b->pad < m->vocab ? b->pad : 0;
        break;
    default: /* one token, true, one beam, the likeliest */
        *ret = 1;
    }
    return m->inputs & 1u << i;
}

static void put_input(struct pen *p, const char *name, const char *type, size_t cols,
    size_t width, size_t size)
{
    pen_raw(p, "{\"name\":");
    pen_text(p, name);
    pen_format(p, ",\"shape\":[1,%zu", cols);
    if (width)
        pen_format(p, ",%zu", width);
    pen_format(p, "],\"datatype\":\"%s\",\"parameters\":{\"binary_data_size\":%zu}}", type,
        cols * (width ? width : 1) * size);
}

/* The JSON part behind the id. */
static void put_head(struct pen *p, const struct prov_model *m, const struct prov_ask *ask)
{
    size_t cols = (size_t)ask->batch->len[0] + rows_of(ask);
    int32_t v;

    if (m->params) {
        pen_raw(p, "\"parameters\":");
        pen_raw(p, m->params);
        pen_raw(p, ",");
    }
    pen_raw(p, "\"inputs\":[");
    put_input(p, m->tensor.input_ids, "INT32", cols, 0, 4);
    for (unsigned i = 0; i < TRTLLM_INPUTS; i++) {
        if (!value_of(m, ask, (enum trtllm_input)i, &v))
            continue;
        pen_raw(p, ",");
        put_input(p, trtllm_inputs[i].name, trtllm_inputs[i].type, 1, 0,
            i == TRTLLM_WANT_LOGITS ? 1 : 4);
    }
    if (ask->prompt) {
        pen_raw(p, ",");
        put_input(p, m->tensor.prompt_embedding, tensor_type_name(m->type_prompt),
            ask->prompt_rows, ask->hidden, tensor_size(m->type_prompt));
    }
    if (sends_extra(m, ask)) {
        pen_raw(p, ",");
        put_input(p, TRTLLM_EXTRA_NAME, "UINT64", cols, 0, EXTRA_SIZE);
    }
    pen_raw(p, "],\"outputs\":[{\"name\":");
    pen_text(p, m->tensor.logits);
    pen_raw(p, ",\"parameters\":{\"binary_data\":true}}]}");
}

static void put_ints(struct pen *p, const int32_t *v, size_t n)
{
    uint8_t *at = pen_room(p, n * sizeof *v);

    for (size_t i = 0; at && i < n; i++)
        at = tensor_put_int(at, PROV_INT32, v[i], 1);
}

static void put_raw(struct pen *p, const struct prov_model *m, const struct prov_ask *ask)
{
    const struct prov_batch *b = ask->batch;
    size_t lead = lead_of(m, ask);
    uint8_t *at;
    int32_t v;

    put_ints(p, b->ids, lead);
    for (size_t i = 0; i < rows_of(ask); i++) {
        v = (int32_t)(m->vocab + i);
        put_ints(p, &v, 1);
    }
    put_ints(p, b->ids + lead, (size_t)b->len[0] - lead);
    for (unsigned i = 0; i < TRTLLM_INPUTS; i++) {
        if (!value_of(m, ask, (enum trtllm_input)i, &v))
            continue;
        if (i != TRTLLM_WANT_LOGITS)
            put_ints(p, &v, 1);
        else if ((at = pen_room(p, 1)))
            *at = 1;
    }
}

static void put_zeros(struct pen *p, size_t n)
{
    uint8_t *at = pen_room(p, n);

    for (size_t i = 0; at && i < n; i++)
        at[i] = 0;
}

/* Pieces of a batch's part: the head, tensors before the table, and of the table's ids those
 * before and those behind the prompt's tokens. */
enum { PIECE_HEAD, PIECE_RAW, PIECE_LEAD, PIECE_REST };
/* And of a prompt's: the table, an id for each of its rows. */
enum { PIECE_TABLE, PIECE_EXTRA };

static enum bbt_rc part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = check_ask(m, ask, err);
    struct pen p;
    size_t lead;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    lead = lead_of(m, ask);
    p = chain_part(ret, m->body_max);
    put_head(&p, m, ask);
    (void)chain_cut(&p, ret);
    put_raw(&p, m, ask);
    (void)chain_cut(&p, ret);
    if (sends_extra(m, ask))
        put_zeros(&p, EXTRA_SIZE * lead);
    (void)chain_cut(&p, ret);
    if (sends_extra(m, ask))
        put_zeros(&p, EXTRA_SIZE * ((size_t)ask->batch->len[0] - lead));
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

/* The table, with every number still finite in its type. */
static enum bbt_rc put_table(struct pen *p, const struct prov_model *m,
    const struct prov_ask *ask, struct bbt_err *err)
{
    size_t n = ask->prompt_rows * ask->hidden, size = tensor_size(m->type_prompt);
    uint8_t *at = pen_room(p, n * size);

    if (at)
        (void)tensor_put_real(at, m->type_prompt, ask->prompt, n);
    for (size_t i = 0; at && i < n; i++)
        if (!isfinite(tensor_get(at + i * size, m->type_prompt)))
            return bbt_fail(err, BBT_INVALID,
                "the soft prompt has the number %g, too large for %s", (double)ask->prompt[i],
                tensor_type_name(m->type_prompt));
    return BBT_OK;
}

/* The id of a table: the same for the same numbers, and never 0, which is "no table". */
static void put_extra(struct pen *p, const struct prov_ask *ask)
{
    uint64_t id =
        digest_short(ask->prompt, ask->prompt_rows * ask->hidden * sizeof *ask->prompt);
    uint8_t *at = pen_room(p, EXTRA_SIZE * ask->prompt_rows);

    id += id == 0;
    for (size_t i = 0; at && i < EXTRA_SIZE * ask->prompt_rows; i++)
        at[i] = (uint8_t)(id >> 8 * (i % EXTRA_SIZE));
}

static enum bbt_rc part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_prompt(m, ask, &need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc == BBT_OK)
        rc = check_table(m, ask, err);
    if (rc != BBT_OK || !ask->prompt)
        return rc;
    p = chain_part(ret, m->body_max);
    rc = put_table(&p, m, ask, err);
    if (rc != BBT_OK) {
        prov_part_fini(ret);
        return rc;
    }
    (void)chain_cut(&p, ret);
    if (sends_extra(m, ask))
        put_extra(&p, ask);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    struct prov_http h;
    struct chain c;
    enum bbt_rc rc = kserve2_ask(m, ask, &h, &c, err);

    if (rc != BBT_OK)
        return rc;
    kserve2_head_len(&h, h.own.len + batch->piece[PIECE_HEAD].n);
    chain_piece(&c, batch, PIECE_HEAD);
    chain_piece(&c, batch, PIECE_RAW);
    if (ask->prompt) {
        chain_piece(&c, prompt, PIECE_TABLE);
        chain_piece(&c, batch, PIECE_LEAD);
        chain_piece(&c, prompt, PIECE_EXTRA);
        chain_piece(&c, batch, PIECE_REST);
    }
    return kserve2_finish(&c, ret, err);
}

/* ---- answers ---- */

struct prov_reading {
    struct stream s;
    struct stream_output out;
    const struct prov_model *m;
    const struct prov_ask *ask;
    float *logit; /* of the labels */
};

static int by_place(const void *a, const void *b)
{
    const struct stream_want *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

/* [1,1,1,V]: one beam, one step. Engines pad V to what suits their kernels. */
static enum bbt_rc plan_labels(void *arg, struct stream_output *o, struct bbt_err *err)
{
    struct prov_reading *r = arg;
    const struct prov_ask *ask = r->ask;

    if (o->rank != 4 || o->shape[3] != o->count)
        return stream_corrupt(err, "the logits are not those of one token: [1,1,1,vocabulary]");
    if (o->count < r->m->vocab)
        return bbt_fail(err, BBT_CORRUPT,
            "response: logits of %zu tokens, the vocabulary has %zu", o->count, r->m->vocab);
    for (size_t k = 0; k < ask->labels; k++)
        if ((size_t)ask->label_ids[k] >= o->count)
            return stream_corrupt(err, "a label's column is missing");
    r->logit = bbt_alloc_array(ask->labels, sizeof *r->logit);
    o->want = bbt_alloc_array(ask->labels, sizeof *o->want);
    if (!r->logit || !o->want)
        return bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    o->out = r->logit;
    o->wants = ask->labels;
    for (size_t k = 0; k < ask->labels; k++)
        o->want[k] = (struct stream_want){.at = (size_t)ask->label_ids[k], .to = k};
    qsort(o->want, o->wants, sizeof *o->want, by_place);
    return BBT_OK;
}

static enum bbt_rc begin(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *head, struct prov_reading **ret, struct bbt_err *err)
{
    struct prov_reading *r;

    if (ask->batch->rows != 1 || ask->labels == 0)
        return bbt_fail(err, BBT_INVALID, "this provider answers one example per request");
    r = bbt_calloc(1, sizeof *r);
    if (!r)
        return bbt_fail(err, BBT_NOMEM, "no memory for a response");
    *ret = r;
    r->m = m;
    r->ask = ask;
    r->out.name = m->tensor.logits;
    r->s = (struct stream){
        .out = &r->out, .outs = 1, .id = ask->id, .plan = plan_labels, .arg = r};
    return stream_begin(&r->s, head, err);
}

static enum bbt_rc feed(
    struct prov_reading *r, const void *bytes, size_t len, struct bbt_err *err)
{
    return stream_feed(&r->s, bytes, len, err);
}

static enum bbt_rc finish(struct prov_reading *r, struct prov_answer *ret, struct bbt_err *err)
{
    enum bbt_rc rc = stream_finish(&r->s, err);

    if (rc != BBT_OK)
        return rc;
    *ret = (struct prov_answer){.logit = r->logit,
        .rows = 1,
        .labels = r->ask->labels,
        .tokens_in = (uint64_t)r->ask->batch->len[0] + rows_of(r->ask),
        .tokens_out = 1};
    r->logit = NULL;
    return BBT_OK;
}

static void reading_free(struct prov_reading *r)
{
    if (!r)
        return;
    stream_fini(&r->s);
    bbt_free(r->logit);
    bbt_free(r);
}

static const struct prov_read trtllm_read = {
    .begin = begin, .feed = feed, .finish = finish, .free = reading_free};

const struct prov_adapter trtllm_adapter = {
    .name = "trtllm",
    .soft_prompt = true,
    .probe_next = trtllm_probe_next,
    .probe_take = trtllm_probe_take,
    .part_batch = part_batch,
    .part_prompt = part_prompt,
    .encode = encode,
    .read = &trtllm_read,
};
