/* kserve2.c -- questions of the kserve2 dialect: one JSON part and, where the server takes
 * them, raw tensors behind it. */
#include "prov/kserve2.h"

#include "prov/chain.h"
#include "prov/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One input of a request. Its elements come from one of the sources below, walked by
 * put_binary() and put_json() in the same order; the prompt's are in a part of their own. */
struct input {
    const char *name;
    enum prov_type type;
    size_t shape[3], rank;
    size_t count; /* elements */
    enum source { FROM_IDS, FROM_LEN, FROM_PROMPT, FROM_MASK_POS, FROM_LABELS, FROM_LIST } from;
};

struct message {
    const struct prov_model *m;
    const struct prov_ask *ask; /* NULL for FROM_LIST */
    const int32_t *list;        /* FROM_LIST */
    size_t rows, cols;          /* on the wire: the server may insist on more */
    struct input in[5];
    size_t n;
    const char *const *outputs; /* names, NULL-terminated */
};

/* ---- what goes in ---- */

static enum bbt_rc add_input(struct message *msg, const char *name, enum prov_type type,
    enum source from, size_t rank, const size_t *shape, struct bbt_err *err)
{
    struct input *in = &msg->in[msg->n++];
    size_t bytes;

    *in = (struct input){
        .name = name, .type = type, .rank = rank, .count = 1, .from = from};
    for (size_t i = 0; i < rank; i++) {
        in->shape[i] = shape[i];
        if (__builtin_mul_overflow(in->count, shape[i], &in->count))
            return bbt_fail(err, BBT_INVALID, "the tensor \"%s\" is too large", name);
    }
    if (__builtin_mul_overflow(in->count, tensor_size(type), &bytes) ||
        bytes > msg->m->body_max)
        return bbt_fail(err, BBT_INVALID,
            "the tensor \"%s\" is over the limit of %zu bytes for a request (use smaller "
            "batches)", name, msg->m->body_max);
    return BBT_OK;
}

static enum bbt_rc check_batch(const struct prov_batch *b, struct bbt_err *err)
{
    for (size_t r = 0; r < b->rows; r++) {
        if (b->len[r] < 1 || (size_t)b->len[r] > b->cols)
            return bbt_fail(err, BBT_INVALID, "example %zu has no tokens or too many", r);
        if (b->mask_pos && (b->mask_pos[r] < 0 || b->mask_pos[r] >= b->len[r]))
            return bbt_fail(
                err, BBT_INVALID, "example %zu has its mask outside its tokens", r);
    }
    return BBT_OK;
}

static enum bbt_rc check_shape(
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    size_t n;

    if (m->type_prompt == PROV_TYPE_NONE)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\" declares no input for a soft prompt (set "
            "tensors.prompt_embedding, or use a deployment that has one)", m->name);
    if (ask->prompt_rows == 0 || ask->hidden == 0 ||
        __builtin_mul_overflow(ask->prompt_rows, ask->hidden, &n))
        return bbt_fail(err, BBT_INVALID, "the soft prompt is empty");
    if (m->hidden && ask->hidden != m->hidden)
        return bbt_fail(err, BBT_INVALID,
            "the soft prompt has %zu numbers per row, model \"%s\" takes %zu", ask->hidden,
            m->name, m->hidden);
    if (m->prompt_rows_fixed && ask->prompt_rows != m->prompt_rows_fixed)
        return bbt_fail(err, BBT_INVALID,
            "the soft prompt has %zu rows, model \"%s\" takes exactly %zu",
            ask->prompt_rows, m->name, m->prompt_rows_fixed);
    if (!ask->prompt && ask->compose != PROV_ADD)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\" cannot be asked without a prompt where prompts are prepended",
            m->name);
    return BBT_OK;
}

static bool sends_prompt(const struct prov_model *m, const struct prov_ask *ask)
{
    return ask->prompt || m->need_prompt;
}

static enum bbt_rc check_ask(
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    const struct prov_batch *b = ask->batch;

    if (!m->probed)
        return bbt_fail(err, BBT_INVALID, "model \"%s\" has not been probed", m->name);
    if (b->rows == 0 || b->cols == 0 || ask->labels == 0)
        return bbt_fail(err, BBT_INVALID, "an empty question");
    if (m->batch_max && b->rows > m->batch_max)
        return bbt_fail(err, BBT_INVALID, "%zu examples, model \"%s\" takes at most %zu",
            b->rows, m->name, m->batch_max);
    if (m->cols_fixed && b->cols > m->cols_fixed)
        return bbt_fail(err, BBT_INVALID,
            "examples of %zu tokens, model \"%s\" takes exactly %zu", b->cols, m->name,
            m->cols_fixed);
    for (size_t i = 0; i < ask->labels; i++)
        if (ask->label_ids[i] < 0)
            return bbt_fail(err, BBT_INVALID, "label %zu has no token", i);
    if (!b->mask_pos && (m->type_mask_pos != PROV_TYPE_NONE || m->out == PROV_OUT_TOKEN))
        return bbt_fail(
            err, BBT_INVALID, "model \"%s\" needs the position of the mask", m->name);
    if (check_batch(b, err) != BBT_OK)
        return BBT_INVALID;
    return sends_prompt(m, ask) ? check_shape(m, ask, err) : BBT_OK;
}

/* The inputs that this model declares, in the order of the protocol's example. */
static enum bbt_rc choose_inputs(struct message *msg, struct bbt_err *err)
{
    const struct prov_model *m = msg->m;
    const struct prov_ask *ask = msg->ask;
    size_t rows = msg->rows, texts[2] = {rows, msg->cols}, at[2] = {rows, 1};
    size_t prompt[3] = {m->prompt_wire == PROV_PROMPT_ROW ? rows : 1, ask->prompt_rows,
        ask->hidden};
    size_t label[2] = {m->label_ids_by_row ? rows : 1, ask->labels};
    bool flat = m->prompt_wire == PROV_PROMPT_FLAT;
    enum bbt_rc rc;

    rc = add_input(msg, m->tensor.input_ids, m->type_ids, FROM_IDS, 2, texts, err);
    if (rc == BBT_OK && m->type_mask != PROV_TYPE_NONE)
        rc = add_input(
            msg, m->tensor.attention_mask, m->type_mask, FROM_LEN, 2, texts, err);
    if (rc == BBT_OK && sends_prompt(m, ask))
        rc = add_input(msg, m->tensor.prompt_embedding, m->type_prompt, FROM_PROMPT,
            flat ? 2 : 3, flat ? prompt + 1 : prompt, err);
    if (rc == BBT_OK && m->type_mask_pos != PROV_TYPE_NONE)
        rc = add_input(msg, m->tensor.mask_pos, m->type_mask_pos, FROM_MASK_POS,
            m->rank_mask_pos, at, err);
    if (rc == BBT_OK && m->type_label_ids != PROV_TYPE_NONE)
        rc = add_input(msg, m->tensor.label_ids, m->type_label_ids, FROM_LABELS,
            m->rank_label_ids, m->rank_label_ids == 2 ? label : label + 1, err);
    return rc;
}

/* ---- elements, in wire order ---- */

/* Whole-number element `i` of an input. Rows that only fill up a fixed batch repeat the last
 * example: they cost the server nothing unusual and nobody reads their answer. */
static int32_t int_at(const struct message *msg, const struct input *in, size_t i)
{
    const struct prov_batch *b = msg->ask ? msg->ask->batch : NULL;
    size_t row, col;

    switch (in->from) {
    case FROM_LIST:
        return msg->list[i];
    case FROM_LABELS:
        return msg->ask->label_ids[i % msg->ask->labels];
    case FROM_MASK_POS:
        return b->mask_pos[i < b->rows ? i : b->rows - 1];
    default:
        row = i / msg->cols;
        col = i % msg->cols;
        row = row < b->rows ? row : b->rows - 1;
        if (in->from == FROM_LEN)
            return col < (size_t)b->len[row];
        return col < (size_t)b->len[row] ? b->ids[row * b->cols + col] : b->pad;
    }
}

/* An input's numbers; of the prompt's only the place, which ends a piece of the batch's part:
 * they are the candidate's own. */
static void put_binary(
    const struct message *msg, const struct input *in, struct pen *p, struct prov_part *part)
{
    static const float zero = 0, one = 1;
    size_t bytes = in->count * tensor_size(in->type);
    uint8_t *at;

    if (in->from == FROM_PROMPT) {
        (void)chain_cut(p, part);
        return;
    }
    at = pen_room(p, bytes);
    for (size_t i = 0; at && i < in->count; i++) {
        int32_t v = int_at(msg, in, i);

        if (tensor_is_int(in->type))
            at = tensor_put_int(at, in->type, v, 1);
        else /* an attention mask of reals */
            at = tensor_put_real(at, in->type, v ? &one : &zero, 1);
    }
}

static void put_json(
    const struct message *msg, const struct input *in, struct pen *p, struct prov_part *part)
{
    pen_raw(p, ",\"data\":[");
    if (in->from == FROM_PROMPT) {
        (void)chain_cut(p, part);
        (void)chain_cut(p, part); /* nothing raw before it */
    } else {
        for (size_t i = 0; p->rc == BBT_OK && i < in->count; i++)
            pen_format(p, i ? ",%d" : "%d", (int)int_at(msg, in, i));
    }
    pen_raw(p, "]");
}

/* ---- the whole ---- */

static void put_params(const struct message *msg, struct pen *p)
{
    const struct prov_ask *ask = msg->ask;
    bool own = ask && msg->m->own_params && sends_prompt(msg->m, ask);
    const char *more = ask ? msg->m->params : NULL;

    if (more && !strcmp(more, "{}"))
        more = NULL;
    if (!own && !more)
        return;
    pen_raw(p, "\"parameters\":");
    if (own) {
        pen_format(p, "{\"compose\":\"%s\",\"prompt_at\":\"%s\"",
            ask->compose == PROV_ADD ? "add" : "prepend",
            ask->prompt_at == PROV_AT_HIDDEN ? "hidden" : "embedding");
        pen_members(p, more);
        pen_raw(p, "},");
    } else {
        pen_raw(p, more);
        pen_raw(p, ",");
    }
}

static void put_input(
    const struct message *msg, const struct input *in, struct pen *p, struct prov_part *part)
{
    pen_raw(p, "{\"name\":");
    pen_text(p, in->name);
    for (size_t i = 0; i < in->rank; i++)
        pen_format(p, "%s%zu", i ? "," : ",\"shape\":[", in->shape[i]);
    pen_format(p, "],\"datatype\":\"%s\"", tensor_type_name(in->type));
    if (msg->m->use_binary)
        pen_format(p, ",\"parameters\":{\"binary_data_size\":%zu}",
            in->count * tensor_size(in->type));
    else
        put_json(msg, in, p, part);
    pen_raw(p, "}");
}

/* The JSON part behind the id. */
static void put_head(const struct message *msg, struct pen *p, struct prov_part *part)
{
    put_params(msg, p);
    pen_raw(p, "\"inputs\":[");
    for (size_t i = 0; i < msg->n; i++) {
        if (i)
            pen_raw(p, ",");
        put_input(msg, &msg->in[i], p, part);
    }
    pen_raw(p, "],\"outputs\":[");
    for (size_t i = 0; msg->outputs[i]; i++) {
        pen_raw(p, i ? ",{\"name\":" : "{\"name\":");
        pen_text(p, msg->outputs[i]);
        pen_raw(p, msg->m->use_binary ? ",\"parameters\":{\"binary_data\":true}}" : "}");
    }
    pen_raw(p, "]}");
}

/* Pieces of a batch's part. In JSON the prompt's place is within the head, which ends there
 * and goes on behind it. */
enum { PIECE_HEAD, PIECE_BEFORE, PIECE_AFTER, PIECES };

static enum bbt_rc part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    const char *outputs[] = {m->tensor.logits, NULL};
    struct message msg = {.m = m, .ask = ask, .outputs = outputs};
    enum bbt_rc rc = check_ask(m, ask, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    msg.rows = m->rows_fixed ? m->rows_fixed : ask->batch->rows;
    msg.cols = m->cols_fixed ? m->cols_fixed : ask->batch->cols;
    rc = choose_inputs(&msg, err);
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    put_head(&msg, &p, ret);
    if (m->use_binary)
        (void)chain_cut(&p, ret);
    for (size_t i = 0; m->use_binary && i < msg.n; i++)
        put_binary(&msg, &msg.in[i], &p, ret);
    while (p.rc == BBT_OK && ret->pieces < PIECES)
        (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

/* One copy of the prompt, raw or as JSON numbers; zeros where it stands for none. */
static enum bbt_rc part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    static const float zero = 0;
    const float *v = ask->prompt;
    size_t n;
    uint8_t *at = NULL;
    struct pen p;

    *ret = (struct prov_part){0};
    if (!sends_prompt(m, ask))
        return BBT_OK;
    if (check_shape(m, ask, err) != BBT_OK)
        return BBT_INVALID;
    n = ask->prompt_rows * ask->hidden;
    for (size_t i = 0; v && i < n; i++)
        if (!isfinite(v[i]))
            return bbt_fail(
                err, BBT_INVALID, "the soft prompt has a number that is not finite");
    p = chain_part(ret, m->body_max);
    if (m->use_binary)
        at = pen_room(&p, n * tensor_size(m->type_prompt));
    if (at && v)
        (void)tensor_put_real(at, m->type_prompt, v, n);
    for (size_t i = 0; at && !v && i < n; i++)
        at = tensor_put_real(at, m->type_prompt, &zero, 1);
    for (size_t i = 0; !m->use_binary && p.rc == BBT_OK && i < n; i++) {
        if (i)
            pen_raw(&p, ",");
        pen_number(&p, v ? v[i] : 0);
    }
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

static void set_header(struct prov_http *h, const char *name, const char *value)
{
    size_t i = h->headers++;

    (void)snprintf(h->header[i].name, sizeof h->header[i].name, "%s", name);
    (void)snprintf(h->header[i].value, sizeof h->header[i].value, "%s", value);
}

enum bbt_rc kserve2_post(const struct prov_model *m, const char *suffix, struct prov_http *h,
    struct bbt_err *err)
{
    *h = (struct prov_http){.method = "POST"};
    set_header(h, "Content-Type",
        m->use_binary ? "application/octet-stream" : "application/json");
    return kserve2_path(m, suffix, "/infer", h->path, err);
}

enum bbt_rc kserve2_ask(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_http *h, struct chain *ret, struct bbt_err *err)
{
    enum bbt_rc rc = kserve2_post(m, "", h, err);

    if (rc != BBT_OK)
        return rc;
    *ret = chain_begin(h, m->body_max);
    pen_raw(&ret->pen, "{");
    if (ask->id) {
        pen_raw(&ret->pen, "\"id\":");
        pen_text(&ret->pen, ask->id);
        pen_raw(&ret->pen, ",");
    }
    return BBT_OK;
}

void kserve2_head_len(struct prov_http *h, size_t n)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%zu", n);
    set_header(h, "Inference-Header-Content-Length", text);
}

enum bbt_rc kserve2_finish(struct chain *c, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http *h = c->h;
    enum bbt_rc rc = chain_end(c, err);

    if (rc != BBT_OK)
        return rc;
    prov_http_fini(ret);
    *ret = *h;
    return BBT_OK;
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    size_t rows = m->rows_fixed ? m->rows_fixed : ask->batch->rows;
    size_t copies = m->prompt_wire == PROV_PROMPT_ROW ? rows : 1;
    struct prov_http h;
    struct chain c;
    enum bbt_rc rc = kserve2_ask(m, ask, &h, &c, err);

    if (rc != BBT_OK)
        return rc;
    if (m->use_binary)
        kserve2_head_len(&h, h.own.len + batch->piece[PIECE_HEAD].n);
    chain_piece(&c, batch, PIECE_HEAD);
    chain_piece(&c, batch, PIECE_BEFORE);
    for (size_t i = 0; sends_prompt(m, ask) && c.pen.rc == BBT_OK && i < copies; i++) {
        if (i && !m->use_binary)
            pen_raw(&c.pen, ",");
        chain_piece(&c, prompt, 0);
    }
    chain_piece(&c, batch, PIECE_AFTER);
    return kserve2_finish(&c, ret, err);
}

static enum bbt_rc embed_encode(const struct prov_model *m, const int32_t *ids, size_t n,
    struct prov_http *ret, struct bbt_err *err)
{
    static const char *const outputs[] = {"embedding", "mean", "std", NULL};
    struct message msg = {.m = m, .list = ids, .rows = 1, .cols = n, .outputs = outputs};
    size_t shape[2] = {1, n};
    struct prov_http h;
    struct chain c;
    enum bbt_rc rc;

    if (!m->has_embedding)
        return bbt_fail(err, BBT_NOTFOUND,
            "the server has no model \"%s-embedding\" to read the input embedding from",
            m->name);
    if (n == 0)
        return bbt_fail(err, BBT_INVALID, "no token to look up");
    rc = add_input(&msg, m->tensor.input_ids, m->type_embed_ids, FROM_LIST,
        m->rank_embed_ids, m->rank_embed_ids == 2 ? shape : shape + 1, err);
    if (rc == BBT_OK)
        rc = kserve2_post(m, "-embedding", &h, err);
    if (rc != BBT_OK)
        return rc;
    c = chain_begin(&h, m->body_max);
    pen_raw(&c.pen, "{");
    put_head(&msg, &c.pen, NULL);
    if (m->use_binary) {
        kserve2_head_len(&h, h.own.len);
        put_binary(&msg, &msg.in[0], &c.pen, NULL);
    }
    return kserve2_finish(&c, ret, err);
}

const struct prov_adapter kserve2_adapter = {
    .name = "kserve2",
    .soft_prompt = true,
    .probe_next = kserve2_probe_next,
    .probe_take = kserve2_probe_take,
    .part_batch = part_batch,
    .part_prompt = part_prompt,
    .encode = encode,
    .read = &kserve2_read,
    .embed_encode = embed_encode,
    .embed_decode = kserve2_embed_decode,
};
