/* conf.h -- the daemon's configuration, bbtd.yaml: checked, with defaults.
 *
 * Paths are as written: relative ones are meant from the folder of the file
 * (file_beside()). */
#ifndef SPEC_CONF_H
#define SPEC_CONF_H

#include "base/err.h"
#include "base/json.h"
#include "spec/conf_price.h"
#include "spec/conf_quota.h"
#include "spec/problem.h"
#include "spec/table.h"
#include "spec/window.h"

#include <stdbool.h>
#include <stdint.h>

enum conf_kind {
    CONF_KSERVE2,
    CONF_OPENAI,
    CONF_OPENAI_CHAT,
    CONF_VLLM,
    CONF_SGLANG_SCORE,
    CONF_SGLANG_GENERATE,
    CONF_LLAMACPP,
    CONF_TRTLLM,
    CONF_KIND_NR
};
/* vllm: soft rows in a part of a chat message, or the whole prompt as rows */
enum conf_mode { CONF_CHAT_PART, CONF_EMBEDS };
enum conf_binary { CONF_BINARY_AUTO, CONF_BINARY_ON, CONF_BINARY_OFF };
enum conf_restart { CONF_RESUME, CONF_HOLD };

struct conf_model {
    char *name;          /* as the job file says it, and the provider */
    char *version;       /* NULL = the server's choice */
    char *tokenizer;     /* folder with the vocabulary; NULL = the server tokenises, or
                            the dialect is of text only */
    char *embeddings;    /* safetensors file, folder or index with the input embedding */
    char *tensor;        /* its name there; NULL = one of the usual ones */
    uint64_t hidden;     /* 0 = from the server's metadata, or the embeddings */
    uint64_t batch;      /* rows per request; never 0 */
    uint64_t top;        /* likeliest tokens to ask for; 0 = as the dialect has it */
    int64_t bos_id;      /* -1 = as the server's tokeniser does */
    int64_t slot_id;     /* unused token that stands where prompt rows go; -1 = none */
    uint64_t vocab_size; /* tokens of the vocabulary; 0 = not told */
    uint64_t max_length; /* tokens per row; 0 = as the tokenizer's folder says */
    enum conf_binary binary;
    struct { /* tensor names; NULL = as the server declares */
        char *input_ids, *attention_mask, *prompt_embedding, *mask_pos, *label_ids,
            *logits;
    } tensors;
    struct key_pairs parameters; /* sent with every request; values as text */
    struct conf_price price;
};

struct conf_provider {
    char *name;
    enum conf_kind kind;
    enum conf_mode mode;
    char *url;            /* http://HOST:PORT, https://..., unix:/path */
    struct { /* where the API key is; at most one is not NULL */
        char *credential; /* name below $CREDENTIALS_DIRECTORY */
        char *file;
        char *env;
    } key;
    char *key_header; /* "authorization" (then "Bearer KEY"), or the header that is the key */
    char *quota;          /* name of the limit that it shares; NULL = one of its own */
    uint64_t concurrency; /* requests in flight */
    uint64_t timeout_us, connect_timeout_us;
    uint64_t response_max; /* bytes */
    struct {
        uint64_t base_us, cap_us;
        uint64_t give_up_us; /* after this long without success the job pauses */
    } retry;
    struct conf_breaker breaker;
    struct key_items maintenance; /* struct spec_window: nothing is sent inside */
    struct key_items windows;     /* struct spec_window: sent inside only; none = always */
    struct key_items models; /* struct conf_model */
};

struct conf {
    char *state_dir;    /* NULL = the caller's default */
    bool network_state; /* accept a network file system below state_dir */
    struct {
        char *path; /* NULL = the caller's default */
        unsigned mode;
    } unix_socket;
    struct {
        uint64_t max_running;
        uint64_t stop_grace_us;
        enum conf_restart on_restart;
    } queue;
    struct {
        uint64_t jobs_us, ledger_us, checkpoints_us; /* after a job's end; 0 = for ever */
        uint64_t trash_us, events_us;
    } retention;
    char *timezone; /* of days and hours where nothing else is said */
    struct {
        uint64_t day, user_day; /* nano-dollars; MONEY_NONE: no cap */
    } caps;
    struct {
        char *dir; /* NULL = no response cache */
        uint64_t max_size, ttl_us;
    } cache;
    int log_level; /* as enum log_level: 0 error, 1 warn, 2 info, 3 debug */
    uint64_t worker_threads, blas_threads; /* 0 = one */
    struct key_items quotas;               /* struct conf_quota */
    struct key_items providers;            /* struct conf_provider */
};

/* One example per request is all that such a provider takes. */
bool conf_single(const struct conf_provider *p);

/* Takes text and gives no place for prompt rows. */
bool conf_text_only(const struct conf_provider *p);

/* As the file writes it: "sglang-score". */
const char *conf_kind_name(enum conf_kind k);

/* As job_spec_parse(). */
BBT_NODISCARD enum bbt_rc conf_parse(const json_t *tree, struct conf **ret,
    struct spec_problems *problems, struct bbt_err *err);
void conf_free(struct conf *c); /* NULL is fine */

/* Effective values, as a document that conf_parse() reads. NULL without memory. */
json_t *conf_print(const struct conf *c);

/* Is it known of every model what it costs? Only then can a cap in money be kept. */
bool conf_priced(const struct conf *c);

/* NULL where there is none of that name. Borrowed from `c`. */
const struct conf_provider *conf_provider(const struct conf *c, const char *name);
const struct conf_quota *conf_quota(const struct conf *c, const char *name);
const struct conf_model *conf_model(const struct conf_provider *p, const char *name);

extern const struct key_table conf_table;

#endif
