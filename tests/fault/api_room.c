#include "api_room.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/log.h"
#include "scene.h"
#include "store/cache.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct room room;

/* ---- one call ---- */

static unsigned long asked; /* allocations, up to the answer */

static void on_answered(struct ask *a)
{
    (void)a;
    asked = bbt_alloc_fault(-1, 0); /* what comes after is not the request's any more */
}

static bool is_told(struct world *world, void *arg)
{
    (void)world;
    return !((struct ask *)arg)->on;
}

static bool is_settled(struct world *world, void *unused)
{
    (void)unused;
    for (size_t i = 0; i < world->evs; i++)
        if (world->ev[i].kind != WORLD_TIMER && world->ev[i].kind != WORLD_ALARM &&
            world->ev[i].kind != WORLD_LOOP_TIMER && world->ev[i].kind != WORLD_REPLY)
            return false;
    return true;
}

void room_settle(void)
{
    assert_true(world_until(&room.w, is_settled, NULL, ROOM_STEPS_MAX));
}

static void nothing(struct ask *a)
{
    (void)a;
}

unsigned long room_call(const char *method, const char *target, const char *body, long k,
    bool sticky, struct said *ret)
{
    struct ask a = {.method = method, .tell = nothing, .answered = on_answered};

    room_settle();
    (void)snprintf(a.target, sizeof a.target, target, (long long)room.fresh);
    a.body = bbt_strdup(body);
    (void)bbt_alloc_fault(k, sticky);
    ask_send(&room.w, &a);
    if (!world_until(&room.w, is_told, &a, ROOM_STEPS_MAX)) {
        (void)bbt_alloc_fault(-1, 0);
        fail_msg("%s %s, allocation %ld: no answer", method, a.target, k);
    }
    assert_false(a.lost);
    ret->status = a.status;
    ret->len = a.answer.len;
    ret->text = bbt_strndup(ret->len ? (const char *)a.answer.data : "", ret->len);
    ask_fini(&a);
    return asked;
}

int64_t room_do(const char *method, const char *target, const char *body)
{
    struct said s;
    json_t *v = NULL;
    int64_t id = 0;

    (void)room_call(method, target, body, -1, false, &s);
    if (s.status >= 300 && s.status != 409) /* it is so already */
        fail_msg("%s %s: %u %s", method, target, s.status, s.text);
    if (json_parse(s.text, strlen(s.text), "answer", &v, NULL) == BBT_OK)
        id = json_get_int(v, "id", 0);
    json_decref(v);
    bbt_free(s.text);
    return id;
}

/* ---- the stream of events ---- */

static size_t stream_len; /* of all events; 0 = not known */

static bool is_heard(struct world *world, void *arg)
{
    const struct ask *a = arg;

    (void)world;
    return !a->on || (stream_len && a->answer.len >= stream_len);
}

unsigned long room_listen(long k, bool sticky, size_t len, struct bbt_buf *ret)
{
    struct ask a = {.method = "GET", .target = "/v1/events", .tell = nothing};
    unsigned long n;

    room_settle();
    stream_len = len;
    ask_header(&a, "Accept", "text/event-stream");
    (void)bbt_alloc_fault(k, sticky);
    ask_send(&room.w, &a);
    (void)world_until(&room.w, is_heard, &a, 60);
    n = bbt_alloc_fault(-1, 0);
    if (len && !world_until(&room.w, is_heard, &a, ROOM_STEPS_MAX))
        fail_msg("the stream, allocation %ld: %zu bytes, then silence", k, a.answer.len);
    if (a.on)
        ask_cut(&room.w, &a);
    while (a.on)
        assert_true(world_step(&room.w));
    *ret = a.answer;
    buf_init(&a.answer, 0);
    if (a.status >= 300)
        ret->len = 0;
    ask_fini(&a);
    return n;
}

/* ---- the world ---- */

static void submit(const struct scene_job *j)
{
    char hex[DIGEST_HEX], *text = scene_text(j);

    for (enum scene_part part = SCENE_TRAIN; part <= SCENE_TEST; part++) {
        char *bytes = scene_file(j, part, hex), target[100];

        (void)snprintf(target, sizeof target, "/v1/blobs/%s", hex);
        (void)room_do("PUT", target, bytes);
        bbt_free(bytes);
    }
    (void)room_do("POST", "/v1/jobs", text);
    bbt_free(text);
}

void room_open(void)
{
    const struct scene_job fresh_job = {.name = "fresh",
        .more = ",\"schedule\":{\"windows\":[{\"zone\":\"Asia/Kolkata\"},\"22:00-08:00\"],"
                "\"not_before\":\"2026-01-01T00:00:00Z\"}"};
    char dir[160], hex[DIGEST_HEX];
    struct bbt_err err;

    world_open(&room.w, &(struct world_opts){.seed = 7, .control = true});
    (void)snprintf(dir, sizeof dir, "%s/../cache", room.w.dir);
    (void)snprintf(room.copy, sizeof room.copy, "%s/../copy.db", room.w.dir);
    (void)snprintf(room.copy_body, sizeof room.copy_body, "{\"file\": \"%s\"}", room.copy);
    if (cache_open(dir, &room.w.cache, NULL, &err) != BBT_OK)
        abort();
    world_start(&room.w);
    submit(&(struct scene_job){.name = "done"});
    if (!world_until(&room.w, scene_quiet, NULL, ROOM_STEPS_MAX))
        abort();
    (void)room_do("POST", "/v1/providers/fake:pause", NULL);
    submit(&(struct scene_job){.name = "held", .seed = 2});
    (void)room_do("POST", "/v1/jobs/2:pause", NULL);
    (void)room_do("POST", "/v1/providers/fake:resume", NULL);
    room.spec = scene_text(&fresh_job);
    room.bad_spec =
        bbt_strdup("{\"kind\": \"TuningJob\", \"nmae\": \"x\", \"priority\": \"high\"}");
    room.blob_bytes = scene_file(&fresh_job, SCENE_TEST, hex);
    (void)snprintf(room.blob, sizeof room.blob, "/v1/blobs/%s", hex);
}

void room_close(void)
{
    world_stop(&room.w, true);
    cache_close(room.w.cache);
    room.w.cache = NULL;
    world_close(&room.w);
    bbt_free(room.spec);
    bbt_free(room.bad_spec);
    bbt_free(room.blob_bytes);
    assert_string_equal(room.w.failure, "");
}
