#include "api.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_MAX (64u * 1024u * 1024u)

static const struct web_route routes[] = {
    {"GET", "/healthz", api_health_get, 0},
    {"GET", "/readyz", api_ready_get, 0},
    {"GET", "/v1/version", api_version_get, 0},
    {"GET", "/v1/openapi.json", api_openapi_get, 0},
    {"GET", "/v1/server", api_server_get, 0},
    {"POST", "/v1/server:backup", api_server_backup, API_JSON_MAX},
    {"POST", "/v1/server:check", api_server_check, API_JSON_MAX},
    {"POST", "/v1/server:vacuum", api_server_vacuum, API_JSON_MAX},
    {"PUT", "/v1/blobs/{sha256}", api_blob_put, BLOB_MAX},
    {"GET", "/v1/blobs/{sha256}", api_blob_head, 0},
    {"POST", "/v1/jobs", api_jobs_post, API_JSON_MAX},
    {"POST", "/v1/jobs:validate", api_jobs_validate, API_JSON_MAX},
    {"POST", "/v1/jobs:estimate", api_jobs_estimate, API_JSON_MAX},
    {"GET", "/v1/jobs", api_jobs_get, 0},
    {"GET", "/v1/jobs/{id}", api_job_get, 0},
    {"PATCH", "/v1/jobs/{id}", api_job_patch, API_JSON_MAX},
    {"DELETE", "/v1/jobs/{id}", api_job_delete, API_JSON_MAX},
    {"POST", "/v1/jobs/{id}:undelete", api_job_undelete, API_JSON_MAX},
    {"GET", "/v1/jobs/{id}/spec", api_job_spec, 0},
    {"GET", "/v1/jobs/{id}/generations", api_job_generations, 0},
    {"GET", "/v1/jobs/{id}/events", api_job_events, 0},
    {"GET", "/v1/jobs/{id}/result", api_job_result, 0},
    {"GET", "/v1/jobs/{id}/prompt", api_job_prompt, 0},
    {"POST", "/v1/jobs/{id}:pause", api_job_pause, API_JSON_MAX},
    {"POST", "/v1/jobs/{id}:resume", api_job_resume, API_JSON_MAX},
    {"POST", "/v1/jobs/{id}:cancel", api_job_cancel, API_JSON_MAX},
    {"POST", "/v1/jobs/{id}:predict", api_job_predict, API_JSON_MAX},
    {"GET", "/v1/events", api_events_get, 0},
    {"GET", "/v1/cache", api_cache_get, 0},
    {"POST", "/v1/cache:prune", api_cache_prune, API_JSON_MAX},
    {"POST", "/v1/cache:clear", api_cache_clear, API_JSON_MAX},
    {"POST", "/v1/cache:verify", api_cache_verify, API_JSON_MAX},
    {"GET", "/v1/usage", api_usage_get, 0},
    {"GET", "/v1/providers", api_providers_get, 0},
    {"GET", "/v1/providers/{name}", api_provider_get, 0},
    {"POST", "/v1/providers/{name}:test", api_provider_test, API_JSON_MAX},
    {"POST", "/v1/providers/{name}:pause", api_provider_pause, API_JSON_MAX},
    {"POST", "/v1/providers/{name}:resume", api_provider_resume, API_JSON_MAX},
};

const struct web_route *api_routes(size_t *ret_n)
{
    *ret_n = sizeof routes / sizeof routes[0];
    return routes;
}

/* ---- answers ---- */

void api_reply(struct web_req *r, unsigned status, json_t *v)
{
    char *text = v ? json_print(v) : NULL;

    if (text) {
        secret_redact(text);
        web_reply(r, status, "application/json", text, strlen(text));
    } else {
        api_problem(r, BBT_NOMEM, "no memory for the answer");
    }
    bbt_free(text);
    json_decref(v);
}

void api_problem(struct web_req *r, enum bbt_rc rc, const char *detail)
{
    static const struct {
        unsigned status;
        const char *urn, *title;
    } by[BBT_RC_NR] = {
        [BBT_AGAIN] = {503, "unavailable", "Not now"},
        [BBT_INVALID] = {422, "invalid", "The request cannot be carried out"},
        [BBT_NOTFOUND] = {404, "not-found", "Not found"},
        [BBT_CONFLICT] = {409, "conflict", "Not allowed in this state"},
        [BBT_DENIED] = {403, "denied", "Not permitted"},
        [BBT_CANCELED] = {503, "stopping", "The daemon is stopping"},
        [BBT_NOMEM] = {503, "no-memory", "No memory"},
        [BBT_IO] = {503, "store", "The database refuses to write"},
        [BBT_CORRUPT] = {500, "corrupt", "Stored bytes are damaged"},
    };
    unsigned i = rc > BBT_OK && rc < BBT_RC_NR ? rc : BBT_CORRUPT;

    if (by[i].status == 503)
        web_reply_header(r, "Retry-After", "1");
    web_problem(r, by[i].status, by[i].urn, by[i].title, detail, NULL);
}

struct api *api_new(struct web_req *r, void *daemon, size_t size)
{
    struct api *a = bbt_calloc(1, size);

    if (!a) {
        api_problem(r, BBT_NOMEM, "no memory for a request");
        return NULL;
    }
    a->d = daemon;
    a->r = r;
    a->next = a->d->stories;
    a->at = &a->d->stories;
    if (a->next)
        a->next->at = &a->next;
    a->d->stories = a;
    return a;
}

void api_drop_all(struct daemon *d)
{
    for (struct api *a = d->stories; a; a = a->next)
        if (a->drop)
            a->drop(a);
}

void api_free(struct api *a)
{
    if (a->free)
        a->free(a);
    if (a->op.q)
        op_fini(&a->op);
    *a->at = a->next;
    if (a->next)
        a->next->at = a->at;
    json_decref(a->json);
    bbt_free(a);
}

void api_json(struct api *a)
{
    json_t *v = a->json;

    a->json = NULL;
    api_reply(a->r, a->status ? a->status : 200, v);
    api_free(a);
}

void api_fail(struct api *a, enum bbt_rc rc, const struct bbt_err *err)
{
    api_problem(a->r, rc, err->msg);
    api_free(a);
}

static void api_step(struct op *op)
{
    struct api *a = bbt_container(op, struct api, op);

    if (!a->call.done)
        return;
    if (a->call.rc != BBT_OK) {
        api_fail(a, a->call.rc, &a->call.err);
        return;
    }
    if (a->then)
        a->then(a);
    api_json(a);
}

static void start(struct api *a, void (*run)(struct port_call *c, struct port_db *db))
{
    op_init(&a->op, loop_turnq(a->d->loop), api_step);
    a->call = (struct port_call){.run = run, .wake = &a->op};
}

void api_db(struct api *a, void (*run)(struct port_call *c, struct port_db *db))
{
    start(a, run);
    port_db_run(&a->call);
}

void api_work(struct api *a, void (*run)(struct port_call *c, struct port_db *db))
{
    start(a, run);
    port_work_run(&a->call);
}

/* ---- requests ---- */

json_t *api_body(struct web_req *r)
{
    struct bbt_err err = {0};
    json_t *v = NULL;
    size_t len;
    const void *bytes = web_body(r, &len);
    enum bbt_rc rc = json_parse(len ? bytes : "{}", len ? len : 2, "body", &v, &err);

    if (rc == BBT_OK && !json_is_object(v)) {
        json_decref(v);
        rc = bbt_fail(&err, BBT_INVALID, "body: must be a JSON object");
    }
    if (rc == BBT_OK)
        return v;
    if (rc == BBT_NOMEM)
        api_problem(r, rc, err.msg);
    else
        web_problem(r, 400, "bad-json", "The body is no valid JSON", err.msg, NULL);
    return NULL;
}

static bool number(const char *text, int64_t *ret)
{
    char *end;
    long long v;

    if (!text || !*text)
        return false;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = v;
    return true;
}

int64_t api_id(struct web_req *r)
{
    int64_t id = 0;

    if (number(web_part(r, 0), &id) && id > 0)
        return id;
    api_problem(r, BBT_NOTFOUND, "no such job (an id is a positive number)");
    return 0;
}

int64_t api_number(const struct web_req *r, const char *name, int64_t fallback, int64_t min,
    int64_t max)
{
    int64_t v = fallback;

    if (!number(web_query(r, name), &v))
        return fallback;
    return v < min ? min : v > max ? max : v;
}
