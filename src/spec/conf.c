#include "spec/conf.h"

#include "base/alloc.h"
#include "spec/conf_kind.h"
#include "spec/row.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char *const modes[] = {"chat-part", "embeds", NULL};
static const char *const binaries[] = {"auto", "on", "off", NULL};
static const char *const restarts[] = {"resume", "hold", NULL};
static const char *const prices[] = {"free", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define TENSOR(name_, fallback_, help_)                                                \
    ROW("tensors." #name_, KEY_NAME, tensors.name_, 1, 63, fallback_, help_)

#define OF conf_model
static const struct key model_keys[] = {
    MUST("name", KEY_NAME, name, 1, 63, "as the server calls it, and the job file"),
    ROW("version", KEY_NAME, version, 1, 31, NULL, "absent: the server's choice"),
    ROW("tokenizer", KEY_NAME, tokenizer, 1, 4096, NULL,
        "folder with the model's vocabulary, relative to this file; kserve2 and "
        "trtllm need it, elsewhere the server's own tokeniser is asked"),
    ROW("embeddings", KEY_NAME, embeddings, 1, 4096, NULL,
        "safetensors file, folder or index.json with the input embedding, relative to "
        "this file; vllm in mode embeds and sglang-generate need it"),
    ROW("embeddings_tensor", KEY_NAME, tensor, 1, 255, NULL,
        "its name there; absent: one of the usual names"),
    ROW("hidden", KEY_COUNT, hidden, 1, 65536, NULL,
        "width of the model; absent: from the server's metadata, or the embeddings"),
    ROW("batch", KEY_COUNT, batch, 1, 4096, NULL,
        "examples per request; absent: 32, or 1 where the provider takes no more; halved where "
        "the server finds a request too large"),
    ROW("max_length", KEY_COUNT, max_length, 8, 16777216, NULL,
        "tokens per example; absent: what the vocabulary's folder or the server says"),
    ROW("top_logprobs", KEY_COUNT, top, 1, 1000000, NULL,
        "likeliest tokens to ask for where labels cannot be named (openai, openai-chat, "
        "llamacpp); absent: 5, 20, 1024"),
    ROW("bos_id", KEY_INT, bos_id, -1, 2147483647, "-1",
        "first token of a whole prompt; -1: as the server's tokeniser does it"),
    ROW("slot_id", KEY_INT, slot_id, -1, 2147483647, "-1",
        "unused token that stands where prompt rows go (sglang-score); -1: none"),
    ROW("vocab_size", KEY_COUNT, vocab_size, 4, 1073741824, NULL,
        "tokens of the model's vocabulary, as its config.json says; trtllm needs it"),
    WORD("binary", binary, binaries, "auto",
        "binary tensors (auto: where the server can)"),
    TENSOR(input_ids, NULL, "name of the tensor; absent: as the server declares"),
    TENSOR(attention_mask, NULL, "the same"),
    TENSOR(prompt_embedding, NULL, "the same"),
    TENSOR(mask_pos, NULL, "the same"),
    TENSOR(label_ids, NULL, "the same"),
    TENSOR(logits, NULL, "the same, of the output"),
    ROW("parameters", KEY_MAP, parameters, 0, 64, NULL,
        "sent with every request; numbers and truth values keep their type"),
    {.path = "price",
        .type = KEY_WORD,
        .at = offsetof(struct OF, price.free),
        .words = prices,
        .help = "what it costs; needed where money is limited"},
    ROW("price.input_per_million", KEY_MONEY, price.in, 0, 1e6, NULL,
        "for a million tokens that are sent"),
    ROW("price.output_per_million", KEY_MONEY, price.out, 0, 1e6, NULL,
        "for a million tokens that come back"),
    ROW("price.per_request", KEY_MONEY, price.request, 0, 1e6, NULL, "beside the tokens"),
    ROW("price.as_of", KEY_NAME, price.as_of, 1, 32, NULL,
        "day of the price list, like 2026-11-01; needed with a price"),
    {.path = "price.off_peak",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, price.off_peak),
        .min = 0,
        .max = 16,
        .items = &conf_off_peak_table,
        .help = "hours with other prices; of several that hold at once the dearest counts"},
};
static const struct key_table model_table = {
    "model", model_keys, sizeof model_keys / sizeof model_keys[0], sizeof(struct OF)};
#undef OF

#define OF conf_provider
static const struct key provider_keys[] = {
    MUST("name", KEY_NAME, name, 1, 128, "as the job file says it"),
    WORD("kind", kind, conf_kind_names, "kserve2", "the dialect that it speaks"),
    WORD("mode", mode, modes, "chat-part",
        "of vllm: prompt rows in a chat message, or whole prompts as rows"),
    MUST("url", KEY_NAME, url, 1, 1024, "http://HOST:PORT, https://HOST or unix:/path"),
    ROW("key.credential", KEY_NAME, key.credential, 1, 128, NULL,
        "API key: a systemd credential of this name"),
    ROW("key.file", KEY_NAME, key.file, 1, 4096, NULL,
        "API key: a file that nobody else can read; read again by a reload"),
    ROW("key.env", KEY_NAME, key.env, 1, 128, NULL,
        "API key: an environment variable, wiped once it is read"),
    ROW("key_header", KEY_NAME, key_header, 1, 63, "authorization",
        "header of the key; authorization: as \"Bearer KEY\""),
    ROW("quota", KEY_NAME, quota, 1, 128, NULL,
        "the limit that it shares with others; absent: one of its own"),
    ROW("concurrency", KEY_COUNT, concurrency, 1, 1024, "4",
        "requests in flight at once"),
    ROW("http.timeout", KEY_TIME, timeout_us, 0.001, 86400, "120s",
        "for a whole exchange"),
    ROW("http.connect_timeout", KEY_TIME, connect_timeout_us, 0.001, 3600, "10s",
        "for the connection"),
    ROW("http.max_response", KEY_SIZE, response_max, 1024, 4294967296, "32M",
        "larger answers are refused; scores are read as they come, and only the labels' "
        "are kept"),
    ROW("retry.base", KEY_TIME, retry.base_us, 0.001, 3600, "1s",
        "first wait after a failure; doubles"),
    ROW("retry.cap", KEY_TIME, retry.cap_us, 0.001, 86400, "5m", "longest wait"),
    ROW("retry.give_up_after", KEY_TIME, retry.give_up_us, 0, 31536000, "12h",
        "so long without success pauses the job; 0s: never"),
    ROW("breaker.window", KEY_TIME, breaker.window_us, 1, 86400, "60s",
        "failures are counted over so long"),
    ROW("breaker.min_requests", KEY_COUNT, breaker.min_requests, 1, 1e6, "10",
        "fewer tell nothing; so many failures in a row are enough, too"),
    ROW("breaker.failure_ratio", KEY_SHARE, breaker.failure_ratio, 0.01, 1, "50%",
        "of them: the provider is left alone"),
    ROW("breaker.open_for", KEY_TIME, breaker.open_us, 0.1, 86400, "30s",
        "then one request tries; a failure doubles it"),
    ROW("breaker.open_cap", KEY_TIME, breaker.open_cap_us, 0.1, 86400, "15m",
        "longest such time"),
    {.path = "maintenance",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, maintenance),
        .max = 64,
        .items = &spec_window_table,
        .words = spec_window_word,
        .help = "hours in which nothing is sent, like [\"02:00-03:00\"]"},
    {.path = "windows",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, windows),
        .max = 64,
        .items = &spec_window_table,
        .words = spec_window_word,
        .help = "hours outside of which nothing is sent; absent: always"},
    {.path = "models",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, models),
        .min = 1,
        .max = 256,
        .needed = true,
        .items = &model_table,
        .help = "what it serves"},
};
static const struct key_table provider_table = {"provider", provider_keys,
    sizeof provider_keys / sizeof provider_keys[0], sizeof(struct OF)};
#undef OF

#define OF conf
static const struct key keys[] = {
    FIXED("apiVersion", "bbt/v1", "version of this format"),
    FIXED("kind", "Config", "what the file is"),
    ROW("state_dir", KEY_NAME, state_dir, 1, 4000, NULL,
        "folder of the database; absent: $STATE_DIRECTORY, $XDG_STATE_HOME/bbtd or "
        "/var/lib/bbtd"),
    ROW("state_on_network", KEY_BOOL, network_state, 0, 0, "false",
        "accept a network file system for it"),
    ROW("listen.unix.path", KEY_NAME, unix_socket.path, 1,
        sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, NULL,
        "control socket; absent: $XDG_RUNTIME_DIR/bbtd/bbtd.sock or "
        "/run/bbtd/bbtd.sock"),
    ROW("listen.unix.mode", KEY_MODE, unix_socket.mode, 0600, 0777, "0660",
        "who may connect"),
    ROW("queue.max_running", KEY_COUNT, queue.max_running, 1, 256, "4",
        "jobs that run at once"),
    ROW("queue.stop_grace", KEY_TIME, queue.stop_grace_us, 0, 3600, "60s",
        "how long a stop waits for answers on their way"),
    WORD("queue.on_restart", queue.on_restart, restarts, "resume",
        "what running jobs do after a restart: go on, or pause"),
    ROW("retention.finished_jobs", KEY_TIME, retention.jobs_us, 0, 3153600000.0, "0s",
        "so long after its end a job is kept; 0s: for ever"),
    ROW("retention.ledger", KEY_TIME, retention.ledger_us, 0, 3153600000.0, "0s",
        "the same of its single answers; counters, curve and result stay"),
    ROW("retention.checkpoints", KEY_TIME, retention.checkpoints_us, 0, 3153600000.0, "30d",
        "the same of the optimiser's state; an ended job does not need it"),
    ROW("retention.trash", KEY_TIME, retention.trash_us, 0, 3153600000.0, "30d",
        "so long a deleted job can be taken back; 0s: for ever"),
    ROW("retention.events", KEY_TIME, retention.events_us, 0, 3153600000.0, "365d",
        "so long events are kept; 0s: for ever"),
    ROW("timezone", KEY_ZONE, timezone, 0, 0, "UTC",
        "whose midnight ends a day, like Europe/Berlin; also of hours that name none"),
    ROW("caps.usd_per_day", KEY_MONEY, caps.day, 0, 1e9, NULL,
        "all jobs together, from midnight to midnight; every model needs a price then"),
    ROW("caps.usd_per_day_per_user", KEY_MONEY, caps.user_day, 0, 1e9, NULL,
        "the jobs of one user of this machine"),
    ROW("cache.dir", KEY_NAME, cache.dir, 1, 4000, NULL,
        "folder of the response cache; absent: there is none"),
    ROW("cache.max_size", KEY_SIZE, cache.max_size, 1048576, 1125899906842624.0, "20G",
        "what was not used for longest goes"),
    ROW("cache.ttl", KEY_TIME, cache.ttl_us, 0, 3153600000.0, "90d",
        "older answers are asked for again; 0s: never"),
    WORD("log.level", log_level, levels, "info",
        "least important lines that are written"),
    ROW("worker_threads", KEY_COUNT, worker_threads, 1, 256, NULL,
        "for numerics; absent: one"),
    ROW("blas_threads", KEY_COUNT, blas_threads, 1, 256, NULL,
        "of OpenBLAS; absent: one"),
    {.path = "quotas",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, quotas),
        .min = 0,
        .max = 256,
        .items = &conf_quota_table,
        .help = "limits at the vendors, each shared by the providers that name it"},
    {.path = "providers",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, providers),
        .min = 0,
        .max = 256,
        .items = &provider_table,
        .help = "servers that jobs may name"},
};
const struct key_table conf_table = {
    "configuration", keys, sizeof keys / sizeof keys[0], sizeof(struct OF)};
#undef OF

/* ---- what one key alone cannot tell ---- */

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0 && s[strlen(with)] != '\0';
}

static void check_url(
    const struct conf_provider *p, size_t i, struct spec_problems *problems)
{
    char pointer[96];

    if (!p->url)
        return;
    (void)snprintf(pointer, sizeof pointer, "/providers/%zu/url", i);
    if (!starts(p->url, "http://") && !starts(p->url, "https://") && !starts(p->url, "unix:/"))
        problem_add(problems, pointer, false,
            "http://HOST:PORT, https://HOST or unix:/path",
            "providers[%zu].url: is no address", i);
    else if (strpbrk(p->url, "@?#")) /* where keys are hidden; not repeated, for that reason */
        problem_add(problems, pointer, false, "a key goes to `key`",
            "providers[%zu].url: must have no user, query or fragment", i);
}

/* A token of HTTP (RFC 9110, 5.6.2): else one header could smuggle in another. */
static bool is_token(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("\"(),/:;<=>?@[\\]{}", *s))
            return false;
    return true;
}

static void check_key(
    const struct conf_provider *p, size_t i, struct spec_problems *problems)
{
    int ways = (p->key.credential != NULL) + (p->key.file != NULL) + (p->key.env != NULL);
    char pointer[96];

    if (ways > 1) {
        (void)snprintf(pointer, sizeof pointer, "/providers/%zu/key", i);
        problem_add(problems, pointer, false, "one of credential, file and env",
            "providers[%zu].key: says %d places", i, ways);
    }
    if (p->key_header && !is_token(p->key_header)) {
        (void)snprintf(pointer, sizeof pointer, "/providers/%zu/key_header", i);
        problem_add(problems, pointer, false, "letters, digits and -",
            "providers[%zu].key_header: is no name of a header", i);
    }
    if (p->key.credential && strchr(p->key.credential, '/')) {
        (void)snprintf(pointer, sizeof pointer, "/providers/%zu/key/credential", i);
        problem_add(problems, pointer, false, "a path goes to `file`",
            "providers[%zu].key.credential: must be a name", i);
    }
}

static void check_models(
    const struct conf_provider *p, size_t i, struct spec_problems *problems)
{
    const struct conf_model *m = p->models.item;
    char pointer[96];

    for (size_t a = 0; a < p->models.nr; a++)
        for (size_t b = 0; m[a].name && b < a; b++)
            if (m[b].name && strcmp(m[a].name, m[b].name) == 0) {
                (void)snprintf(
                    pointer, sizeof pointer, "/providers/%zu/models/%zu/name", i, a);
                problem_add(problems, pointer, false, NULL,
                    "providers[%zu].models[%zu].name: a second model \"%.60s\"", i, a,
                    m[a].name);
            }
}

static void check_price(const struct conf *c, size_t i, size_t k,
    struct spec_problems *problems)
{
    const struct conf_provider *p = c->providers.item;
    const struct conf_model *m = (const struct conf_model *)p[i].models.item + k;
    bool capped = c->caps.day != MONEY_NONE || c->caps.user_day != MONEY_NONE;
    char pointer[96], where[96];

    (void)snprintf(pointer, sizeof pointer, "/providers/%zu/models/%zu/price", i, k);
    (void)snprintf(where, sizeof where, "providers[%zu].models[%zu].price", i, k);
    conf_price_check(&m->price, pointer, where, problems);
    if (capped && !conf_price_known(&m->price))
        problem_add(problems, pointer, false, "price: {...}, or price: free where it costs nothing",
            "%s: is missing: caps limits money, and nobody knows what \"%.60s\" costs", where,
            m->name ? m->name : "");
}

static void check_quotas(const struct conf *c, struct spec_problems *problems)
{
    const struct conf_quota *q = c->quotas.item;
    const struct conf_provider *p = c->providers.item;
    char pointer[96];

    for (size_t i = 0; i < c->quotas.nr; i++)
        for (size_t j = 0; q[i].name && j < i; j++)
            if (q[j].name && strcmp(q[i].name, q[j].name) == 0) {
                (void)snprintf(pointer, sizeof pointer, "/quotas/%zu/name", i);
                problem_add(problems, pointer, false, NULL,
                    "quotas[%zu].name: a second quota \"%.60s\"", i, q[i].name);
            }
    for (size_t i = 0; i < c->providers.nr; i++)
        if (p[i].quota && !conf_quota(c, p[i].quota)) {
            (void)snprintf(pointer, sizeof pointer, "/providers/%zu/quota", i);
            problem_add(problems, pointer, false, "an entry of `quotas` with that name",
                "providers[%zu].quota: there is no quota \"%.60s\"", i, p[i].quota);
        }
}

static void check_providers(const struct conf *c, struct spec_problems *problems)
{
    const struct conf_provider *p = c->providers.item;
    char pointer[96];

    for (size_t i = 0; i < c->providers.nr; i++) {
        check_url(&p[i], i, problems);
        check_key(&p[i], i, problems);
        check_models(&p[i], i, problems);
        for (size_t k = 0; k < p[i].models.nr; k++)
            check_price(c, i, k, problems);
        for (size_t j = 0; p[i].name && j < i; j++)
            if (p[j].name && strcmp(p[i].name, p[j].name) == 0) {
                (void)snprintf(pointer, sizeof pointer, "/providers/%zu/name", i);
                problem_add(problems, pointer, false, NULL,
                    "providers[%zu].name: a second provider \"%.60s\"", i, p[i].name);
            }
    }
}

enum bbt_rc conf_parse(const json_t *tree, struct conf **ret,
    struct spec_problems *problems, struct bbt_err *err)
{
    struct conf *c = bbt_calloc(1, sizeof *c);
    enum bbt_rc rc;

    if (!c)
        return bbt_fail(err, BBT_NOMEM, "no memory to check the configuration");
    table_read(&conf_table, tree, "", c, problems);
    check_providers(c, problems);
    check_quotas(c, problems);
    conf_kind_settle(c, problems);
    rc = problem_verdict(problems, conf_table.name, err);
    if (rc == BBT_OK)
        *ret = c;
    else
        conf_free(c);
    return rc;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    table_fini(&conf_table, c);
    bbt_free(c);
}

json_t *conf_print(const struct conf *c)
{
    return table_print(&conf_table, c);
}

bool conf_priced(const struct conf *c)
{
    const struct conf_provider *p = c->providers.item;

    for (size_t i = 0; i < c->providers.nr; i++)
        for (size_t k = 0; k < p[i].models.nr; k++)
            if (!conf_price_known(&((const struct conf_model *)p[i].models.item)[k].price))
                return false;
    return true;
}

const struct conf_provider *conf_provider(const struct conf *c, const char *name)
{
    const struct conf_provider *p = c->providers.item;

    for (size_t i = 0; i < c->providers.nr; i++)
        if (strcmp(p[i].name, name) == 0)
            return &p[i];
    return NULL;
}

const struct conf_quota *conf_quota(const struct conf *c, const char *name)
{
    const struct conf_quota *q = c->quotas.item;

    for (size_t i = 0; i < c->quotas.nr; i++)
        if (q[i].name && strcmp(q[i].name, name) == 0)
            return &q[i];
    return NULL;
}

const struct conf_model *conf_model(const struct conf_provider *p, const char *name)
{
    const struct conf_model *m = p->models.item;

    for (size_t i = 0; i < p->models.nr; i++)
        if (strcmp(m[i].name, name) == 0)
            return &m[i];
    return NULL;
}
