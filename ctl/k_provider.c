/* k_provider.c -- bbtctl provider list, show, test, pause, resume. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "fmt.h"
#include "grid.h"
#include "safe.h"
#include "sheet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum bbt_rc text(const json_t *v, const char *key, struct bbt_buf *b)
{
    return buf_puts(b, json_get_str(v, key, ""));
}

static enum bbt_rc count(const json_t *v, const char *key, struct bbt_buf *b)
{
    return buf_printf(b, "%lld", json_get_int(v, key, 0));
}

static enum bbt_rc cell_name(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return text(p, "name", b);
}

static enum bbt_rc cell_kind(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return text(p, "dialect", b);
}

static enum bbt_rc cell_state(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return text(p, "state", b);
}

static enum bbt_rc cell_models(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    const json_t *models = json_object_get(p, "models");
    enum bbt_rc rc = BBT_OK;

    (void)c;
    for (size_t i = 0; i < json_array_size(models) && rc == BBT_OK; i++)
        rc = buf_printf(b, "%s%s", i ? ", " : "",
            json_get_str(json_array_get(models, i), "name", ""));
    return rc;
}

static enum bbt_rc cell_flight(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld/%lld", json_get_int(p, "in_flight", 0),
        json_get_int(p, "concurrency", 0));
}

static enum bbt_rc cell_answered(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return count(p, "answered", b);
}

static enum bbt_rc cell_failed(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return count(p, "failed", b);
}

static enum bbt_rc cell_trouble(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return text(p, "trouble", b);
}

static const struct grid_col cols[] = {
    {"NAME", cell_name, false, false},
    {"KIND", cell_kind, false, false},
    {"STATE", cell_state, false, false},
    {"ON WIRE", cell_flight, true, false},
    {"ANSWERED", cell_answered, true, false},
    {"FAILED", cell_failed, true, false},
    {"MODELS", cell_models, false, false},
    {"TROUBLE", cell_trouble, false, true},
};

int k_provider_list(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL;
    int code = client_get(c, "/v1/providers", &v);

    (void)a;
    if (code == CTL_OK)
        code = grid_list(c, "ProviderList", cols, sizeof cols / sizeof cols[0],
            json_object_get(v, "items"));
    json_decref(v);
    return code;
}

static void show_model(const json_t *m)
{
    (void)putchar('\n');
    sheet_line("model", "%s", json_get_str(m, "name", ""));
    if (json_get_bool(m, "probed", 0))
        sheet_line("  server", "%s %s %s", json_get_str(m, "server", ""),
            json_get_str(m, "server_version", ""), json_get_str(m, "platform", ""));
    sheet_line("  hidden", "%lld", json_get_int(m, "hidden", 0));
    sheet_line("  batch", "%lld", json_get_int(m, "batch", 0));
    sheet_line("  tensors", "%s", json_get_bool(m, "binary", 0) ? "binary" : "JSON");
    sheet_line("  embeddings", "%s", json_get_bool(m, "embeddings", 0) ? "yes" : "no");
    sheet_line("  asked yet", "%s", json_get_bool(m, "probed", 0) ? "yes" : "no");
}

static void show_limit(const char *name, const json_t *quota, const char *key)
{
    const json_t *l = json_object_get(quota, key);

    if (json_is_object(l))
        sheet_line(name, "%lld of %lld in the last minute", json_get_int(l, "used", 0),
            json_get_int(l, "allowed", 0));
}

static void show_quota(const json_t *p)
{
    const json_t *q = json_object_get(p, "quota");
    double wait = fmt_number(p, "wait_seconds");

    if (json_is_string(json_object_get(p, "paused")))
        sheet_line("paused", "%s %s", json_get_str(p, "paused", ""),
            json_get_str(p, "pause_text", ""));
    if (isfinite(wait) && wait > 0)
        sheet_line("waits", "%.0f s", ceil(wait));
    if (strcmp(json_get_str(p, "breaker", "closed"), "closed") != 0)
        sheet_line("breaker", "%s", json_get_str(p, "breaker", ""));
    show_limit("requests", q, "requests_per_minute");
    show_limit("tokens", q, "tokens_per_minute");
}

static void show(const json_t *p)
{
    const json_t *models = json_object_get(p, "models");

    sheet_line("provider", "%s (%s)", json_get_str(p, "name", ""),
        json_get_str(p, "dialect", ""));
    sheet_line("state", "%s", json_get_str(p, "state", ""));
    sheet_line("trouble", "%s", json_get_str(p, "trouble", ""));
    sheet_line("on the wire", "%lld of at most %lld (now %lld)",
        json_get_int(p, "in_flight", 0), json_get_int(p, "concurrency", 0),
        json_get_int(p, "window", 0));
    show_quota(p);
    sheet_count("sent", p, "sent");
    sheet_count("answered", p, "answered");
    sheet_count("failed", p, "failed");
    for (size_t i = 0; i < json_array_size(models); i++)
        show_model(json_array_get(models, i));
}

/* `verb` with its colon; "" only looks. */
static int ask(struct ctl *c, const char *name, const char *verb, json_t **ret)
{
    char *part = client_escape(name),
         *path = part ? bbt_asprintf("/v1/providers/%s%s", part, verb) : NULL;
    struct client_req q = {.method = *verb ? "POST" : "GET", .path = path,
        .slow = strcmp(verb, ":test") == 0};
    struct client_reply r = {0};
    int code = path ? client_ask(c, &q, &r) : ctl_fail(c, CTL_FAIL, "no memory for a path");

    if (code == CTL_OK)
        *ret = json_incref(r.json);
    client_fini(&r);
    bbt_free(path);
    bbt_free(part);
    return code;
}

int k_provider_show(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL;
    int code = ask(c, a->pos[0], "", &v);

    if (code == CTL_OK && !sheet_json(c, v)) {
        show(v);
        ctl_note(c, "Next: bbtctl provider test %s", a->pos[0]);
    }
    json_decref(v);
    return code;
}

/* One line a thing that tuning needs: there, not there, or not known. */
static void tell_abilities(const json_t *list)
{
    const json_t *a;
    size_t i;

    json_array_foreach (list, i, a) {
        const char *is = json_get_str(a, "is", "");
        const char *mark = strcmp(is, "yes") == 0 ? "\u2714"
            : strcmp(is, "no") == 0             ? "\u2718"
                                                : "-";
        char name[32];

        (void)snprintf(name, sizeof name, "%s", json_get_str(a, "name", ""));
        for (char *c = name; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        (void)printf("    %s %-15s ", mark, name);
        safe_print(stdout, json_get_str(a, "text", ""));
        (void)putchar('\n');
    }
}

/* One line a model, and why not; then its table. */
static bool tell_test(const json_t *m)
{
    bool ok = json_get_bool(m, "ok", 0), soft = json_get_bool(m, "soft_prompts", 1);
    double latency = fmt_number(m, "latency_ms"), effect = fmt_number(m, "canary_effect");

    safe_printf(stdout, "  %s: %s%s", json_get_str(m, "name", ""),
        !ok         ? "NOT fit: "
            : soft  ? "fit for tuning"
                    : "fit for baselines",
        ok ? "" : json_get_str(m, "problem", ""));
    if (ok && isfinite(latency))
        (void)printf(" · %.1f ms", latency);
    if (ok)
        (void)printf(" · hidden %lld · batch %lld · %s", json_get_int(m, "hidden", 0),
            json_get_int(m, "batch", 0),
            json_get_bool(m, "binary", 0) ? "binary tensors" : "JSON");
    if (ok && isfinite(effect))
        (void)printf(" · a prompt moves scores by %.3g", effect);
    (void)putchar('\n');
    tell_abilities(json_object_get(m, "abilities"));
    return ok;
}

int k_provider_test(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL, *models;
    size_t bad = 0;
    int code = ask(c, a->pos[0], ":test", &v);

    if (code != CTL_OK)
        return code;
    models = json_object_get(v, "models");
    if (!sheet_json(c, v)) {
        sheet_line("provider", "%s", json_get_str(v, "name", ""));
        for (size_t i = 0; i < json_array_size(models); i++)
            (void)tell_test(json_array_get(models, i));
    }
    for (size_t i = 0; i < json_array_size(models); i++)
        bad += !json_get_bool(json_array_get(models, i), "ok", 0);
    code = bad == 0 ? CTL_OK : bad < json_array_size(models) ? CTL_PARTIAL : CTL_FAIL;
    json_decref(v);
    return code;
}

static int act(struct ctl *c, const char *name, const char *verb, const char *did)
{
    json_t *v = NULL;
    int code = ask(c, name, verb, &v);

    if (code == CTL_OK && !sheet_json(c, v))
        safe_printf(stdout, "provider %s %s%s\n", name,
            json_get_bool(v, "changed", 0) ? "" : "was already ", did);
    json_decref(v);
    return code;
}

int k_provider_pause(struct ctl *c, const struct opt_args *a)
{
    int code = act(c, a->pos[0], ":pause", "paused");

    if (code == CTL_OK)
        ctl_note(c, "Its jobs wait. Next: bbtctl provider resume %s", a->pos[0]);
    return code;
}

int k_provider_resume(struct ctl *c, const struct opt_args *a)
{
    return act(c, a->pos[0], ":resume", "in use");
}
