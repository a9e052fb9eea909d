/* kserve2.c -- questions of the kserve2 dialect: one JSON part and, where the server takes
 * them, raw tensors behind it. */
#include "prov/kserve2.h"

#include "prov/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One input of a request. Its elements come from one of the sources below, walked by
 * put_binary() and put_json() in the same order. */
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

static enum bbt_rc check_prompt(
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
    for (size_t i = 0; ask->prompt && i < n; i++)
        if (!isfinite(ask->prompt[i]))
            return bbt_fail(
                err, BBT_INVALID, "the soft prompt has a number that is not finite");
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
    if (!sends_prompt(m, ask))
        return BBT_OK;
    if (!ask->prompt && ask->compose != PROV_ADD)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\" cannot be asked without a prompt where prompts are prepended",
            m->name);
    return check_prompt(m, ask, err);
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

static void put_binary(const struct message *msg, const struct input *in, uint8_t *at)
{
    static const float zero = 0, one = 1;
    size_t n = in->from == FROM_PROMPT ? msg->ask->prompt_rows * msg->ask->hidden : 0;

    if (in->from == FROM_PROMPT && msg->ask->prompt) {
        for (size_t done = 0; done < in->count; done += n)
            at = tensor_put_real(at, in->type, msg->ask->prompt, n);
        return;
    }
    for (size_t i = 0; i < in->count; i++) {
        if (in->from == FROM_PROMPT)
            at = tensor_put_real(at, in->type, &zero, 1);
        else if (tensor_is_int(in->type))
            at = tensor_put_int(at, in->type, int_at(msg, in, i), 1);
        else /* an attention mask of reals */
            at = tensor_put_real(at, in->type, int_at(msg, in, i) ? &one : &zero, 1);
    }
}

/* Nine digits bring every float back to the bit. The point is a point in every locale. */
static enum bbt_rc put_real_text(struct bbt_buf *b, float v)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%.9g", (double)v);

    for (int i = 0; i < n; i++)
        if (text[i] == ',')
            text[i] = '.';
    return buf_put(b, text, (size_t)n);
}

static enum bbt_rc put_json(const struct message *msg, const struct input *in, struct bbt_buf *b)
{
    size_t n = in->from == FROM_PROMPT ? msg->ask->prompt_rows * msg->ask->hidden : 1;
    enum bbt_rc rc = buf_puts(b, ",\"data\":[");

    for (size_t i = 0; rc == BBT_OK && i < in->count; i++) {
        char text[24];

        if (i && (rc = buf_put(b, ",", 1)) != BBT_OK)
            break;
        if (in->from == FROM_PROMPT) {
            rc = put_real_text(b, msg->ask->prompt ? msg->ask->prompt[i % n] : 0);
        } else {
            int len = snprintf(text, sizeof text, "%d", (int)int_at(msg, in, i));

            rc = buf_put(b, text, (size_t)len);
        }
    }
    return rc == BBT_OK ? buf_puts(b, "]") : rc;
}

/* ---- the whole ---- */

/* A JSON text; bytes beyond ASCII pass as they are. */
static enum bbt_rc put_text(struct bbt_buf *b, const char *s)
{
    enum bbt_rc rc = buf_put(b, "\"", 1);

    for (; rc == BBT_OK && *s; s++) {
        if (*s == '"' || *s == '\\')
            rc = buf_printf(b, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            rc = buf_printf(b, "\\u%04x", (unsigned)*s);
        else
            rc = buf_put(b, s, 1);
    }
    return rc == BBT_OK ? buf_put(b, "\"", 1) : rc;
}

static enum bbt_rc put_params(const struct message *msg, struct bbt_buf *b)
{
    const struct prov_ask *ask = msg->ask;
    bool own = ask && msg->m->own_params && sends_prompt(msg->m, ask);
    const char *more = ask ? msg->m->params : NULL;
    enum bbt_rc rc = BBT_OK;

    if (more && !strcmp(more, "{}"))
        more = NULL;
    if (!own && !more)
        return BBT_OK;
    if (own)
        rc = buf_printf(b, "\"parameters\":{\"compose\":\"%s\",\"prompt_at\":\"%s\"",
            ask->compose == PROV_ADD ? "add" : "prepend",
            ask->prompt_at == PROV_AT_HIDDEN ? "hidden" : "embedding");
    else
        rc = buf_puts(b, "\"parameters\":{");
    if (rc == BBT_OK && more && own)
        rc = buf_puts(b, ",");
    if (rc == BBT_OK && more) /* without its own braces */
        rc = buf_put(b, more + 1, strlen(more) - 2);
    return rc == BBT_OK ? buf_puts(b, "},") : rc;
}

static enum bbt_rc put_input(const struct message *msg, const struct input *in, struct bbt_buf *b)
{
    enum bbt_rc rc = buf_puts(b, "{\"name\":");

    if (rc == BBT_OK)
        rc = put_text(b, in->name);
    for (size_t i = 0; rc == BBT_OK && i < in->rank; i++)
        rc = buf_printf(b, "%s%zu", i ? "," : ",\"shape\":[", in->shape[i]);
    if (rc == BBT_OK)
        rc = buf_printf(b, "],\"datatype\":\"%s\"", tensor_type_name(in->type));
    if (rc == BBT_OK && msg->m->use_binary)
        rc = buf_printf(b, ",\"parameters\":{\"binary_data_size\":%zu}",
            in->count * tensor_size(in->type));
    else if (rc == BBT_OK)
        rc = put_json(msg, in, b);
    return rc == BBT_OK ? buf_puts(b, "}") : rc;
}

static enum bbt_rc put_head(const struct message *msg, struct bbt_buf *b)
{
    enum bbt_rc rc = buf_puts(b, "{");

    if (rc == BBT_OK && msg->ask && msg->ask->id) {
        rc = buf_puts(b, "\"id\":");
        if (rc == BBT_OK)
            rc = put_text(b, msg->ask->id);
        if (rc == BBT_OK)
            rc = buf_puts(b, ",");
    }
    if (rc == BBT_OK)
        rc = put_params(msg, b);
    if (rc == BBT_OK)
        rc = buf_puts(b, "\"inputs\":[");
    for (size_t i = 0; rc == BBT_OK && i < msg->n; i++) {
        if (i)
            rc = buf_puts(b, ",");
        if (rc == BBT_OK)
            rc = put_input(msg, &msg->in[i], b);
    }
    if (rc == BBT_OK)
        rc = buf_puts(b, "],\"outputs\":[");
    for (size_t i = 0; rc == BBT_OK && msg->outputs[i]; i++) {
        rc = buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        if (rc == BBT_OK)
            rc = put_text(b, msg->outputs[i]);
        if (rc == BBT_OK)
            rc = buf_puts(b,
                msg->m->use_binary ? ",\"parameters\":{\"binary_data\":true}}" : "}");
    }
    return rc == BBT_OK ? buf_puts(b, "]}") : rc;
}

static enum bbt_rc put_tensors(const struct message *msg, struct bbt_buf *b)
{
    for (size_t i = 0; i < msg->n; i++) {
        const struct input *in = &msg->in[i];
        size_t bytes = in->count * tensor_size(in->type);
        uint8_t *at;

        if (bytes > b->max - b->len)
            return BBT_INVALID;
        at = buf_extend(b, bytes);
        if (!at)
            return BBT_NOMEM;
        put_binary(msg, in, at);
    }
    return BBT_OK;
}

static void set_header(struct prov_http *h, const char *name, const char *value)
{
    size_t i = h->headers++;

    (void)snprintf(h->header[i].name, sizeof h->header[i].name, "%s", name);
    (void)snprintf(h->header[i].value, sizeof h->header[i].value, "%s", value);
}

/* Message to POST request. */
static enum bbt_rc compose(const struct message *msg, const char *suffix,
    struct prov_http *ret, struct bbt_err *err)
{
    bool binary = msg->m->use_binary;
    struct prov_http h = {.method = "POST"};
    char head_len[32];
    enum bbt_rc rc;

    buf_init(&h.body, msg->m->body_max);
    rc = kserve2_path(msg->m, suffix, "/infer", h.path, err);
    if (rc != BBT_OK)
        return rc;
    set_header(
        &h, "Content-Type", binary ? "application/octet-stream" : "application/json");
    rc = put_head(msg, &h.body);
    if (rc == BBT_OK && binary) {
        (void)snprintf(head_len, sizeof head_len, "%zu", h.body.len);
        set_header(&h, "Inference-Header-Content-Length", head_len);
        rc = put_tensors(msg, &h.body);
    }
    if (rc != BBT_OK) {
        prov_http_fini(&h);
        if (rc == BBT_NOMEM)
            return bbt_fail(err, rc, "no memory for a request");
        return bbt_fail(err, rc,
            "the request is over the limit of %zu bytes (use smaller batches)",
            msg->m->body_max);
    }
    prov_http_fini(ret);
    *ret = h;
    return BBT_OK;
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_http *ret, struct bbt_err *err)
{
    const char *outputs[] = {m->tensor.logits, NULL};
    struct message msg = {.m = m, .ask = ask, .outputs = outputs};
    enum bbt_rc rc = check_ask(m, ask, err);

    if (rc != BBT_OK)
        return rc;
    msg.rows = m->rows_fixed ? m->rows_fixed : ask->batch->rows;
    msg.cols = m->cols_fixed ? m->cols_fixed : ask->batch->cols;
    rc = choose_inputs(&msg, err);
    return rc == BBT_OK ? compose(&msg, "", ret, err) : rc;
}

static enum bbt_rc embed_encode(const struct prov_model *m, const int32_t *ids, size_t n,
    struct prov_http *ret, struct bbt_err *err)
{
    static const char *const outputs[] = {"embedding", "mean", "std", NULL};
    struct message msg = {.m = m, .list = ids, .rows = 1, .cols = n, .outputs = outputs};
    size_t shape[2] = {1, n};
    enum bbt_rc rc;

    if (!m->has_embedding)
        return bbt_fail(err, BBT_NOTFOUND,
            "the server has no model \"%s-embedding\" to read the input embedding from",
            m->name);
    if (n == 0)
        return bbt_fail(err, BBT_INVALID, "no token to look up");
    rc = add_input(&msg, m->tensor.input_ids, m->type_embed_ids, FROM_LIST,
        m->rank_embed_ids, m->rank_embed_ids == 2 ? shape : shape + 1, err);
    return rc == BBT_OK ? compose(&msg, "-embedding", ret, err) : rc;
}

const struct prov_adapter kserve2_adapter = {
    .name = "kserve2",
    .soft_prompt = true,
    .probe_next = kserve2_probe_next,
    .probe_take = kserve2_probe_take,
    .encode = encode,
    .decode = kserve2_decode,
    .embed_encode = embed_encode,
    .embed_decode = kserve2_embed_decode,
};
