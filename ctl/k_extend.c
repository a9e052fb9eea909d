/* k_extend.c -- bbtctl extend: more money, requests, tokens or generations for a job. */
#include "cmd.h"

#include "base/alloc.h"
#include "base/money.h"
#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "safe.h"
#include "sheet.h"
#include "spec/unit.h"

#include <stdio.h>
#include <string.h>

/* A place of the spec: what is there, what was asked for. */
struct place {
    const char *option, *section, *key;
    bool money;
};

static const struct place places[] = {
    {"max-usd", "limits", "usd", true},
    {"max-requests", "limits", "requests", false},
    {"max-tokens", "limits", "tokens", false},
    {"generations", "stop", "generations", false},
};

static void set(json_t *patch, const struct place *p, json_t *v)
{
    json_t *section = json_object_get(patch, p->section);

    if (!section) {
        section = json_object();
        (void)json_object_set_new(patch, p->section, section);
    }
    (void)json_object_set_new(section, p->key, v);
}

/* "+1" on top of what the spec says, "6" instead of it. */
static int read_one(struct ctl *c, const json_t *spec, const struct place *p, const char *text,
    json_t *patch)
{
    const json_t *now = json_object_get(json_object_get(spec, p->section), p->key);
    bool more = text[0] == '+';
    uint64_t n = 0, was = 0;
    char out[MONEY_TEXT];

    if (p->money ? !money_parse(text + more, &n) : !unit_parse(UNIT_COUNT, text + more, &n))
        return ctl_fail(c, CTL_USAGE, "--%s %s: must be like %s", p->option, text,
            p->money ? "+1 or 6.50" : "+500, 12000 or 30M");
    if (more && !now)
        return ctl_fail(c, CTL_USAGE,
            "--%s %s: the job has no %s.%s to add to; without + it gets one", p->option, text,
            p->section, p->key);
    if (more && p->money)
        (void)money_parse(json_string_value(now) ? json_string_value(now) : "", &was);
    else if (more)
        was = (uint64_t)json_integer_value(now);
    money_print(money_add(n, was), out);
    set(patch, p, p->money ? json_string(out) : json_integer((json_int_t)money_add(n, was)));
    return CTL_OK;
}

/* A plan by evaluations grows with the generations: whichever ends first would end it. */
static void grow_evaluations(const json_t *spec, const char *text, json_t *patch)
{
    static const struct place p = {"", "stop", "evaluations", false};
    const json_t *stop = json_object_get(spec, "stop");
    long long now = json_get_int(stop, "evaluations", 0),
              pop = json_get_int(json_object_get(spec, "optimizer"), "popsize", 0);
    uint64_t n = 0;

    if (now <= 0 || pop <= 0 || !unit_parse(UNIT_COUNT, text + (text[0] == '+'), &n))
        return;
    set(patch, &p,
        json_integer(text[0] == '+' ? now + (long long)n * pop : (long long)n * pop));
}

static int read_all(
    struct ctl *c, const struct opt_args *a, const json_t *spec, json_t *patch)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct place *p = &places[i];
        const char *text = opt_text(a, p->option, NULL);
        const json_t *stop = json_object_get(spec, "stop");
        bool plan = strcmp(p->section, "stop") == 0;
        int code = CTL_OK;

        if (!text)
            continue;
        if (plan)
            grow_evaluations(spec, text, patch);
        if (!plan || json_object_get(stop, p->key) || !json_object_get(stop, "evaluations"))
            code = read_one(c, spec, p, text, patch);
        if (code != CTL_OK)
            return code;
    }
    if (json_object_size(patch) == 0)
        return ctl_fail(c, CTL_USAGE,
            "extend by what? --max-usd, --max-requests, --max-tokens, --generations");
    return CTL_OK;
}

static int send(struct ctl *c, long long id, const json_t *patch, json_t **ret)
{
    char path[64];
    char *text = json_print(patch);
    struct client_req q = {.method = "PATCH", .path = path, .body = text};
    struct client_reply r = {0};
    int code;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld", id);
    if (!text)
        return ctl_fail(c, CTL_FAIL, "no memory");
    q.len = strlen(text);
    code = client_ask(c, &q, &r);
    if (code == CTL_OK) {
        *ret = r.json;
        r.json = NULL;
    }
    client_fini(&r);
    bbt_free(text);
    return code;
}

static int extend(struct ctl *c, const struct opt_args *a, const json_t *job)
{
    long long id = json_get_int(job, "id", 0);
    json_t *spec = NULL, *patch = json_object(), *now = NULL;
    char path[64];
    int code;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/spec", id);
    code = client_get(c, path, &spec);
    if (code == CTL_OK)
        code = read_all(c, a, spec, patch);
    if (code == CTL_OK)
        code = send(c, id, patch, &now);
    if (code == CTL_OK && !sheet_json(c, now)) {
        safe_printf(stdout, "job %lld %s: %s, now %s", id, json_get_str(now, "name", ""),
            json_get_bool(now, "changed", 1) ? "changed" : "was so already",
            json_get_str(now, "state", "?"));
        (void)putchar('\n');
    }
    json_decref(now);
    json_decref(patch);
    json_decref(spec);
    return code;
}

int k_extend(struct ctl *c, const struct opt_args *a)
{
    json_t *job = NULL;
    int code = jobs_one(c, a->pos[0], &job);

    if (code == CTL_OK)
        code = extend(c, a, job);
    json_decref(job);
    return code;
}
