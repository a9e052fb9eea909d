#include "meta.h"

#define PLATFORM "bbt-lm"

json_t *meta_server(void)
{
    return json_pack("{s:s, s:s, s:[s]}", "name", "bbt-lm", "version", BBT_VERSION,
        "extensions", "binary_tensor_data");
}

static json_t *tensor(const char *name, const char *type, json_t *shape)
{
    return json_pack("{s:s, s:s, s:o}", "name", name, "datatype", type, "shape", shape);
}

static json_t *shape1(long long a)
{
    return json_pack("[I]", (json_int_t)a);
}

static json_t *shape2(long long a, long long b)
{
    return json_pack("[I, I]", (json_int_t)a, (json_int_t)b);
}

/* What the protocol has no place for; clients that do not know it lose nothing. */
static json_t *facts(const struct lmconf *c)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:[s,s], s:[s,s], s:[s,s,s]}", "family",
        lmconf_family_name(c->family), "hidden_size", (json_int_t)c->hidden, "vocab_size",
        (json_int_t)c->vocab, "max_tokens", (json_int_t)c->tokens, "pad_token_id",
        (json_int_t)c->pad, "compose", "add", "prepend", "prompt_at", "hidden", "embedding",
        "optional_inputs", "attention_mask", "prompt_embedding", "label_ids");
}

/* The prompt is declared as [L, H]: one for the whole batch, the least to send. [1, L, H] and
 * one per row are taken too. */
json_t *meta_model(const char *name, const struct lmconf *conf)
{
    return json_pack("{s:s, s:[s], s:s, s:[o,o,o,o,o], s:[o], s:o}", "name", name,
        "versions", "1", "platform", PLATFORM, "inputs",
        tensor("input_ids", "INT64", shape2(-1, -1)),
        tensor("attention_mask", "INT64", shape2(-1, -1)),
        tensor("prompt_embedding", "FP32", shape2(-1, (long long)conf->hidden)),
        tensor("mask_pos", "INT64", shape2(-1, 1)),
        tensor("label_ids", "INT64", shape1(-1)), "outputs",
        tensor("logits", "FP32", shape2(-1, -1)), "parameters", facts(conf));
}

json_t *meta_embedding(const char *name, const struct lmconf *conf)
{
    return json_pack("{s:s, s:[s], s:s, s:[o], s:[o,o,o], s:o}", "name", name, "versions",
        "1", "platform", PLATFORM, "inputs", tensor("input_ids", "INT64", shape1(-1)),
        "outputs", tensor("embedding", "FP32", shape2(-1, (long long)conf->hidden)),
        tensor("mean", "FP32", shape1(1)), tensor("std", "FP32", shape1(1)), "parameters",
        facts(conf));
}
