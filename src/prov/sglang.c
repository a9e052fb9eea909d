#include "prov/sglang.h"

static enum bbt_rc tokenize(const struct prov_model *m, const char *text, bool framed,
    struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, "/v1/tokenize", &h);
    struct pen *p = &c.pen;

    pen_raw(p, "{\"model\":");
    pen_text(p, m->name);
    pen_raw(p, ",\"prompt\":");
    pen_text(p, text);
    pen_format(p, ",\"add_special_tokens\":%s}", framed ? "true" : "false");
    return dialog_send(&c, NULL, ret, err);
}

enum bbt_rc sglang_tokens_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err)
{
    return tokenize(m, text, false, ret, err);
}

enum bbt_rc sglang_framed_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err)
{
    return tokenize(m, text, true, ret, err);
}

/* "text" and "input_ids" would be taken in the place of the rows, without a word. */
const char *const sglang_ours[] = {"model", "query", "items", "label_token_ids",
    "apply_softmax", "item_first", "embed_override_token_id", "query_embed_overrides",
    "item_embed_overrides", "input_embeds", "text", "input_ids", "sampling_params",
    "return_logprob", "logprob_start_len", "top_logprobs_num", "token_ids_logprob",
    "extra_key", "stream", NULL};
