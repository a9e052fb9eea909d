/* The kth allocation fails, once and for good, between a request's arrival at the control API and
 * its answer, in every route: the answer is the undisturbed one to the byte, but for what time
 * changes, or a 503. Never a 200 with something missing. Nothing leaks (the leak checker looks),
 * and the next call gets the whole answer. */
#include "api_room.h"

#include "api.h"
#include "base/alloc.h"
#include "base/log.h"
#include "scene.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what each case needs before its call ---- */

static void no_copy(void)
{
    (void)unlink(room.copy);
}

static void shut(void)
{
    (void)room_do("POST", "/v1/providers/fake:pause", NULL);
}

static void open_again(void)
{
    (void)room_do("POST", "/v1/providers/fake:resume", NULL);
}

static void purge_fresh(void)
{
    struct said s;
    json_t *v = NULL, *item;
    size_t i;

    (void)room_call("GET", "/v1/jobs?name=fresh&all=1", NULL, -1, false, &s);
    assert_int_equal(json_parse(s.text, strlen(s.text), "list", &v, NULL), BBT_OK);
    json_array_foreach (json_object_get(v, "items"), i, item) {
        room.fresh = json_get_int(item, "id", 0);
        (void)room_do("DELETE", "/v1/jobs/%lld?purge=1", NULL);
    }
    json_decref(v);
    bbt_free(s.text);
}

static void submit_fresh(void)
{
    purge_fresh();
    room.fresh = room_do("POST", "/v1/jobs", room.spec);
}

static void resume_held(void)
{
    (void)room_do("POST", "/v1/jobs/2:resume", NULL);
}

static void pause_held(void)
{
    (void)room_do("POST", "/v1/jobs/2:pause", NULL);
}

static void delete_held(void)
{
    (void)room_do("DELETE", "/v1/jobs/2", NULL);
}

static void undelete_held(void)
{
    (void)room_do("POST", "/v1/jobs/2:undelete", NULL);
}

static void other_priority(void)
{
    (void)room_do("PATCH", "/v1/jobs/2", "{\"priority\": 5}");
}

static void other_limits(void)
{
    (void)room_do("PATCH", "/v1/jobs/2",
        "{\"limits\": {\"requests\": 70000, \"tokens\": null}, \"stop\": {\"generations\": 9}}");
}

/* ---- the cases ---- */

struct route_case {
    const char *method, *route;
    const char *target;  /* NULL = the route; %lld = room.fresh */
    const char *const *body; /* NULL = none */
    const char *vary;    /* members that time changes, blanks around each */
    void (*before)(void);
};

static const char *predict_body = "{\"texts\": [\"the warm film was joy\", {\"text\": \"dull\"}]}",
                  *priority_body = "{\"priority\": -7}",
                  *limits_body = "{\"limits\": {\"requests\": 90000, \"tokens\": 800000}, "
                                 "\"stop\": {\"generations\": null, \"time\": \"3h\"}}",
                  *backup_body = room.copy_body;

#define VERY_BUSY " uptime_seconds rss_mb rss_peak_mb loop_turns "

/* Nothing runs, the provider answers. */
static const struct route_case calm[] = {
    {"GET", "/healthz", NULL, NULL, NULL, NULL},
    {"GET", "/readyz", NULL, NULL, NULL, NULL},
    {"GET", "/v1/version", NULL, NULL, NULL, NULL},
    {"GET", "/v1/openapi.json", NULL, NULL, NULL, NULL},
    {"GET", "/v1/server", NULL, NULL, VERY_BUSY, NULL},
    {"POST", "/v1/server:backup", NULL, &backup_body, NULL, no_copy},
    {"POST", "/v1/server:check", NULL, NULL, NULL, NULL},
    {"POST", "/v1/server:vacuum", NULL, NULL, " bytes let_go ", NULL},
    {"PUT", "/v1/blobs/{sha256}", room.blob, (const char **)&room.blob_bytes, NULL, NULL},
    {"GET", "/v1/blobs/{sha256}", room.blob, NULL, NULL, NULL},
    {"POST", "/v1/jobs:validate", NULL, (const char **)&room.spec, NULL, NULL},
    {"POST", "/v1/jobs:validate", NULL, (const char **)&room.bad_spec, NULL, NULL},
    {"POST", "/v1/jobs:estimate", NULL, (const char **)&room.spec, NULL, NULL},
    {"GET", "/v1/jobs", NULL, NULL, NULL, NULL},
    {"GET", "/v1/jobs", "/v1/jobs?limit=1&newest=1&all=1", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}", "/v1/jobs/1", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}", "/v1/jobs/99", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/spec", "/v1/jobs/1/spec", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/generations", "/v1/jobs/1/generations", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/events", "/v1/jobs/1/events", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/result", "/v1/jobs/1/result", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/prompt", "/v1/jobs/1/prompt", NULL, NULL, NULL},
    {"GET", "/v1/jobs/{id}/prompt", "/v1/jobs/1/prompt?format=npy", NULL, NULL, NULL},
    {"GET", "/v1/events", NULL, NULL, NULL, NULL},
    {"GET", "/v1/usage", "/v1/usage?by=job&since=7d", NULL, NULL, NULL},
    {"GET", "/v1/usage", "/v1/usage?by=day", NULL, NULL, NULL},
    {"GET", "/v1/usage", "/v1/usage?by=user", NULL, NULL, NULL},
    {"GET", "/v1/usage", "/v1/usage?by=model", NULL, NULL, NULL},
    {"GET", "/v1/providers", NULL, NULL, NULL, NULL},
    {"GET", "/v1/providers/{name}", "/v1/providers/fake", NULL, NULL, NULL},
    {"GET", "/v1/cache", NULL, NULL, NULL, NULL},
    {"POST", "/v1/cache:verify", NULL, NULL, NULL, NULL},
    {"POST", "/v1/cache:prune", NULL, NULL, NULL, NULL},
    {"POST", "/v1/cache:clear", NULL, NULL, NULL, NULL},
    {"POST", "/v1/jobs/{id}:predict", "/v1/jobs/1:predict", &predict_body, NULL, NULL},
    {"POST", "/v1/providers/{name}:test", "/v1/providers/fake:test", NULL, " latency_ms ", NULL},
};

/* The provider is paused, so that jobs stay queued. */
static const struct route_case queued[] = {
    {"POST", "/v1/providers/{name}:pause", "/v1/providers/fake:pause", NULL, NULL, open_again},
    {"POST", "/v1/providers/{name}:resume", "/v1/providers/fake:resume", NULL, NULL, shut},
    {"GET", "/v1/providers/{name}", "/v1/providers/fake", NULL, NULL, shut},
    {"POST", "/v1/jobs", NULL, (const char **)&room.spec, " id ", purge_fresh},
    {"GET", "/v1/jobs", NULL, NULL, " id created updated ", submit_fresh},
    {"POST", "/v1/jobs/{id}:cancel", "/v1/jobs/%lld:cancel", NULL,
        " id created updated ended ", submit_fresh},
    {"DELETE", "/v1/jobs/{id}", "/v1/jobs/%lld?purge=1", NULL, " id created updated ",
        submit_fresh},
    {"PATCH", "/v1/jobs/{id}", "/v1/jobs/2", &priority_body, " updated ", other_priority},
    {"PATCH", "/v1/jobs/{id}", "/v1/jobs/2", &limits_body, " updated ", other_limits},
    {"POST", "/v1/jobs/{id}:resume", "/v1/jobs/2:resume", NULL, " updated reason detail ",
        pause_held}, /* whether the engine has looked already: slots, or provider_paused */
    {"POST", "/v1/jobs/{id}:pause", "/v1/jobs/2:pause", NULL, " updated ", resume_held},
    {"DELETE", "/v1/jobs/{id}", "/v1/jobs/2", NULL, " updated deleted ", undelete_held},
    {"POST", "/v1/jobs/{id}:undelete", "/v1/jobs/2:undelete", NULL, " updated ", delete_held},
};

/* A job runs, its questions hang. */
#define RUNNING " answered in_flight needed wait_seconds step why trouble updated "

static const struct route_case running[] = {
    {"GET", "/v1/jobs/{id}", "/v1/jobs/%lld", NULL, RUNNING " reason requests failures ", NULL},
    {"GET", "/v1/jobs", "/v1/jobs?state=running", NULL, RUNNING " reason requests failures ", NULL},
};

/* ---- comparing ---- */

static void mask(json_t *v, const char *vary)
{
    const char *key;
    json_t *item;
    size_t i;

    json_array_foreach (v, i, item)
        mask(item, vary);
    json_object_foreach (v, key, item) {
        char word[64];

        (void)snprintf(word, sizeof word, " %s ", key);
        if (strstr(vary, word))
            (void)json_object_set_new(v, key, json_true());
        else
            mask(item, vary);
    }
}

/* The answer without what time changes. */
static void settle(const struct route_case *c, struct said *s)
{
    json_t *v = NULL;

    if (!c->vary || json_parse(s->text, strlen(s->text), "answer", &v, NULL) != BBT_OK)
        return;
    mask(v, c->vary);
    bbt_free(s->text);
    s->text = json_print(v);
    s->len = strlen(s->text);
    json_decref(v);
}

static unsigned long run(
    const struct route_case *c, long k, bool sticky, struct said *ret)
{
    unsigned long n;

    if (c->before)
        c->before();
    n = room_call(c->method, c->target ? c->target : c->route, c->body ? *c->body : NULL, k, sticky,
        ret);
    settle(c, ret);
    return n;
}

static bool is_same(const struct said *a, const struct said *b)
{
    return a->status == b->status && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* 503; "unavailable" says the router. */
static bool is_refusal(const struct said *s)
{
    return s->status == 503 &&
        (strstr(s->text, "\"no-memory\"") || strstr(s->text, "\"unavailable\""));
}

static void differ(const struct route_case *c, const char *when, long k, bool sticky,
    const struct said *got, const struct said *want)
{
    fail_msg("%s %s, allocation %ld %s, %s:\n%u %s\ninstead of\n%u %s", c->method,
        c->target ? c->target : c->route, k, sticky ? "and all after" : "alone", when,
        got->status, got->text, want->status, want->text);
}

static unsigned long refuse_all(const struct route_case *c, bool sticky)
{
    struct said want, got, next;
    unsigned long n, tries = 0;

    (void)run(c, -1, false, &want);
    for (long k = 0;; k += 1 + k / 64) {
        n = run(c, k, sticky, &got);
        (void)run(c, -1, false, &next);
        if (!is_same(&got, &want) && !is_refusal(&got))
            differ(c, "its answer", k, sticky, &got, &want);
        if (!is_same(&next, &want))
            differ(c, "the next answer", k, sticky, &next, &want);
        bbt_free(next.text);
        if (n <= (unsigned long)k)
            break;
        bbt_free(got.text);
        tries++;
    }
    if (!is_same(&got, &want))
        differ(c, "though none was refused", -1, sticky, &got, &want);
    bbt_free(got.text);
    bbt_free(want.text);
    return tries;
}

static void refuse_in(const struct route_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned long tries = refuse_all(&c[i], false) + refuse_all(&c[i], true);

        print_message("# %s %s: %lu refusals\n", c[i].method,
            c[i].target ? c[i].target : c[i].route, tries);
        assert_true(tries > 0);
        assert_null(engine_ill(room.w.engine));
    }
}

/* ---- tests ---- */

static void test_calm(void **state)
{
    (void)state;
    refuse_in(calm, sizeof calm / sizeof *calm);
}

static void test_queued(void **state)
{
    (void)state;
    shut();
    refuse_in(queued, sizeof queued / sizeof *queued);
    purge_fresh();
    open_again();
}

static bool is_running(struct world *world, void *unused)
{
    struct rec_job row;

    (void)unused;
    scene_job_row(world, room.fresh, &row);
    return row.state == REC_RUNNING && engine_in_flight(world->engine) > 0;
}

static void test_running(void **state)
{
    (void)state;
    room.w.faults.net[NET_HANG] = 1;
    submit_fresh();
    assert_true(world_until(&room.w, is_running, NULL, ROOM_STEPS_MAX));
    refuse_in(running, sizeof running / sizeof *running);
}

/* ---- the stream of events ---- */

/* It may end early; what came of it are whole events in their order, none left out. */
static void test_stream(void **state)
{
    struct bbt_buf whole, got;
    unsigned long tries = 0;

    (void)state;
    (void)room_listen(-1, false, 0, &whole);
    assert_true(whole.len > 500);
    for (int sticky = 0; sticky < 2; sticky++)
        for (long k = 0;; k += 1 + k / 64) {
            unsigned long n = room_listen(k, sticky, whole.len, &got);

            if (got.len > whole.len || memcmp(got.data, whole.data, got.len) != 0 ||
                (got.len && memcmp(got.data + got.len - 2, "\n\n", 2) != 0))
                fail_msg("the stream, allocation %ld: %.*s\ninstead of\n%.*s", k,
                    (int)got.len, (char *)got.data, (int)whole.len, (char *)whole.data);
            buf_fini(&got);
            if (n <= (unsigned long)k)
                break;
            tries++;
        }
    print_message("# the stream: %lu refusals\n", tries);
    buf_fini(&whole);
}

/* What a user said is cut to fit, maybe within a character: the list has the event all the same. */
static void test_cut_text(void **state)
{
    struct bbt_buf body;
    struct said s;
    json_t *v = NULL;
    const json_t *last;

    (void)state;
    buf_init(&body, 4096);
    assert_int_equal(buf_puts(&body, "{\"reason\": \""), BBT_OK);
    for (size_t i = 0; i < REC_DETAIL_MAX; i++) /* two bytes each, and room for an odd number */
        assert_int_equal(buf_puts(&body, "\xc3\xa4"), BBT_OK);
    assert_int_equal(buf_puts(&body, "\"}"), BBT_OK);
    shut();
    resume_held();
    (void)room_do("POST", "/v1/jobs/2:pause", (char *)body.data);
    open_again();
    (void)room_call("GET", "/v1/jobs/2/events", NULL, -1, false, &s);
    assert_int_equal(s.status, 200);
    assert_int_equal(json_parse(s.text, s.len, "list", &v, NULL), BBT_OK);
    last = json_object_get(v, "items");
    last = json_array_get(last, json_array_size(last) - 1);
    assert_string_equal(json_get_str(last, "kind", ""), "paused");
    assert_true(strncmp(json_get_str(last, "text", ""), "\xc3\xa4", 2) == 0);
    buf_fini(&body);
    json_decref(v);
    bbt_free(s.text);
}

static bool has_case(const struct web_route *r, const struct route_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(c[i].method, r->method) == 0 && strcmp(c[i].route, r->pattern) == 0)
            return true;
    return false;
}

static void test_every_route_has_its_case(void **state)
{
    size_t n;
    const struct web_route *r = api_routes(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        if (!has_case(&r[i], calm, sizeof calm / sizeof *calm) &&
            !has_case(&r[i], queued, sizeof queued / sizeof *queued))
            fail_msg("no case for %s %s", r[i].method, r[i].pattern);
}

static int begin(void **state)
{
    (void)state;
    room_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    room_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_has_its_case),
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_queued),
        cmocka_unit_test(test_cut_text),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_running),
    };

    log_set_level(LOG_ERROR);
    json_use_alloc();
    if (store_use_alloc(NULL) != BBT_OK)
        return 1;
    return cmocka_run_group_tests(tests, begin, end);
}
