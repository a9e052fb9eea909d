/* api.h -- the control API: HTTP requests in, JSON out. One file per noun (api_*.c).
 *
 * A handler reads the request, hands a call to the store (or the engine) and answers when it
 * comes back: `struct api` carries the request through. What the store has not committed is
 * never answered as done. */
#ifndef DAEMON_API_H
#define DAEMON_API_H

#include "base/json.h"
#include "daemon.h"
#include "engine/plan.h"
#include "engine/ports.h"
#include "spec/job.h"
#include "web/web.h"

#define API_JSON_MAX (4u * 1024u * 1024u)

/* The routes; schema/openapi.json lists the same, and a test holds them together. */
const struct web_route *api_routes(size_t *ret_n);

/* One request under way. Embedded first in a handler's own structure where it needs more. */
struct api {
    struct daemon *d;
    struct web_req *r;
    struct port_call call;
    struct op op;
    /* what `run` may leave for the answer */
    int64_t id;
    unsigned status; /* 0 = 200 */
    json_t *json;    /* owned; NULL = it could not be built: 503 */
    /* Loop thread, after the call came back with BBT_OK, before the answer; or NULL. */
    void (*then)(struct api *a);
    void (*free)(struct api *a); /* frees more than the base; or NULL */
    void (*drop)(struct api *a); /* asks a long story to end soon; or NULL */
    struct api *next, **at;      /* among the daemon's stories */
};

/* Asks every story under way to end soon; each still answers. */
void api_drop_all(struct daemon *d);

/* Allocates `size` >= sizeof(struct api) zeroed bytes for a request; NULL: it has been
 * answered (no memory). */
struct api *api_new(struct web_req *r, void *daemon, size_t size);

/* Runs `run` on the store's thread; then the answer: a->json with a->status, or the problem
 * that run's error is. Frees `a`. */
void api_db(struct api *a, void (*run)(struct port_call *c, struct port_db *db));

/* The same on a worker thread. */
void api_work(struct api *a, void (*run)(struct port_call *c, struct port_db *db));

/* Answers and frees. An answer is whole or 503: views are built with json_pack(), json_put() and
 * json_add(), which leave NULL without memory. */
void api_json(struct api *a);
void api_fail(struct api *a, enum bbt_rc rc, const struct bbt_err *err);
void api_free(struct api *a);

/* Answers a request that has no struct api. `v` is taken; NULL is 503. */
void api_reply(struct web_req *r, unsigned status, json_t *v);
void api_problem(struct web_req *r, enum bbt_rc rc, const char *detail);

/* The body as a JSON object, {} where there is none; NULL: it has been answered (400, 503). */
json_t *api_body(struct web_req *r);

/* {id} of the path; 0: it has been answered (404). */
int64_t api_id(struct web_req *r);

/* Query parameter as a number within [min, max]; `fallback` where absent or no number. */
int64_t api_number(const struct web_req *r, const char *name, int64_t fallback, int64_t min,
    int64_t max);

/* PATCH of limits and stop rules (api_extend.c); takes `patch`, an object with these. */
void api_extend(struct web_req *r, struct daemon *d, int64_t id, json_t *patch);

/* BBT_INVALID where the job limits money and its model's price is not known. */
BBT_NODISCARD enum bbt_rc api_check_price(
    const struct conf *c, const struct job_spec *s, struct bbt_err *err);

/* kind Estimate (api_estimate.c); NULL without memory. */
json_t *api_view_estimate(
    struct daemon *d, const struct job_spec *s, const struct plan *p);

/* ---- views (api_view.c): NULL without memory ---- */

json_t *api_view_job(struct daemon *d, const struct rec_job *j);
json_t *api_view_event(const struct rec_event *e);
json_t *api_view_gen(const struct rec_gen *g);
json_t *api_time(int64_t wall_us); /* RFC 3339, or null */
json_t *api_real(double v);        /* or null where it is not finite */
json_t *api_money(uint64_t nano);  /* a decimal text */
json_t *api_day(int64_t day);      /* "2026-11-01", of days since 1970 */
json_t *api_view_today(const struct engine *e); /* spending of the day against its caps */

/* ---- handlers ---- */

web_handler_fn api_jobs_post, api_jobs_validate, api_jobs_estimate, api_jobs_get,
    api_job_get, api_job_spec, api_job_pause, api_job_resume, api_job_cancel, api_job_patch,
    api_job_delete, api_job_undelete, api_job_generations, api_job_result,
    api_job_prompt, api_job_predict, api_job_events;
web_handler_fn api_blob_put, api_blob_head;
web_handler_fn api_events_get, api_usage_get;
web_handler_fn api_cache_get, api_cache_prune, api_cache_clear, api_cache_verify;
web_handler_fn api_providers_get, api_provider_get, api_provider_test,
    api_provider_pause, api_provider_resume;
web_handler_fn api_version_get, api_server_get, api_health_get, api_ready_get,
    api_openapi_get, api_server_backup, api_server_check, api_server_vacuum;

#endif
