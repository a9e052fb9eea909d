/* limits-sim.c -- the engine in virtual time against limiters that are not its own code: is the
 * limit kept, and is all of it used?
 *
 * The limiter here remembers every single request of the last minute and refuses what would be
 * one too many, at the moment at which it arrives: up to 150 ms after it was sent, in another
 * order. Twenty jobs of mixed size. The first lines of bench/run limits. */
#include "base/log.h"
#include "engine/engine.h"
#include "scene.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S UINT64_C(1000000)
#define JOBS 20u
#define MINUTES 5u
#define LOG_MAX 200000

static struct {
    uint64_t requests, tokens; /* allowed in any minute; 0 = no limit */
    struct {
        uint64_t at_us, tokens;
    } log[LOG_MAX]; /* everything that was let through */
    size_t n;
    unsigned refused;
    /* case tightens: rests that were asked for, and how long nothing came */
    uint64_t tight_from_us;
    long wait_s;
    uint64_t asked_us, asked_until_us;
} limiter;

/* Would this one be too many, with everything of the last minute? */
static bool too_many(uint64_t now, uint64_t tokens)
{
    uint64_t requests = 1, sum = tokens;

    for (size_t i = limiter.n; i-- > 0 && limiter.log[i].at_us + 60 * S > now;) {
        requests++;
        sum += limiter.log[i].tokens;
    }
    return (limiter.requests && requests > limiter.requests) ||
        (limiter.tokens && sum > limiter.tokens);
}

static bool front(struct world *w, uint64_t tokens, long *ret_wait_s)
{
    (void)ret_wait_s;
    if (too_many(w->now_us, tokens)) {
        limiter.refused++;
        return false;
    }
    if (limiter.n == LOG_MAX)
        abort();
    limiter.log[limiter.n].at_us = w->now_us;
    limiter.log[limiter.n++].tokens = tokens;
    return true;
}

/* From its time on it allows half, and asks for twice the rest whenever it is asked too much
 * again. */
static bool tightening(struct world *w, uint64_t tokens, long *ret_wait_s)
{
    uint64_t all = limiter.requests;
    bool good;

    if (w->now_us >= limiter.tight_from_us)
        limiter.requests /= 2;
    good = front(w, tokens, ret_wait_s);
    limiter.requests = all;
    if (good)
        return true;
    if (w->now_us >= limiter.asked_until_us)
        limiter.wait_s = limiter.wait_s ? 2 * limiter.wait_s : 1;
    *ret_wait_s = limiter.wait_s;
    if (w->now_us + (uint64_t)limiter.wait_s * S > limiter.asked_until_us)
        limiter.asked_until_us = w->now_us + (uint64_t)limiter.wait_s * S;
    return false;
}

/* ---- the jobs ---- */

static void open_world(struct world *w, unsigned requests, unsigned tokens)
{
    memset(&limiter, 0, sizeof limiter);
    limiter.requests = requests;
    limiter.tokens = tokens;
    world_open(w, &(struct world_opts){.seed = 1, .concurrency = 32, .max_running = JOBS,
                      .batch = 32, .requests_per_minute = requests, .tokens_per_minute = tokens});
    w->front = front;
    for (unsigned i = 0; i < JOBS; i++)
        (void)scene_submit(w,
            &(struct scene_job){.seed = i + 1, .generations = 1000000,
                .popsize = (unsigned[]){4, 8, 20}[i % 3], .shots = (unsigned[]){2, 4, 8}[i % 3],
                .dev_every = 1 + i % 4, .tokens = 1 + i % 5});
    world_start(w);
}

static uint64_t sent(struct world *w)
{
    size_t n;

    return engine_endpoints(w->engine, &n)[0].sent;
}

static void run_until(struct world *w, uint64_t until)
{
    while (w->now_us < until)
        if (!world_step(w)) {
            (void)fprintf(stderr, "limits-sim: nothing is left to happen\n");
            exit(1);
        }
}

static size_t in_trouble(struct world *w)
{
    size_t n = 0;

    for (int64_t id = 1; id <= (int64_t)JOBS; id++) {
        struct rec_job row;

        scene_job_row(w, id, &row);
        n += row.state == REC_FAILED || row.state == REC_PAUSED;
    }
    return n;
}

/* Five minutes under load, from the moment at which all jobs are at work. */
static int measure(const char *name, unsigned requests, unsigned tokens)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t from, sum = 0;
    double ratio;
    size_t bad;

    if (!w)
        abort();
    open_world(w, requests, tokens);
    while (sent(w) < 2 * JOBS)
        run_until(w, w->now_us + 1);
    from = w->now_us;
    run_until(w, from + MINUTES * 60 * S);
    for (size_t i = 0; i < limiter.n; i++)
        if (limiter.log[i].at_us > from && limiter.log[i].at_us <= from + MINUTES * 60 * S)
            sum += tokens ? limiter.log[i].tokens : 1;
    ratio = (double)sum / MINUTES / (tokens ? tokens : requests);
    bad = in_trouble(w);
    (void)printf("{\"case\": \"%s\", \"delivered_ratio\": %.4f, \"own_429\": %u, "
                 "\"failed_jobs\": %zu, \"virtual_seconds\": %u}\n",
        name, ratio, limiter.refused, bad, MINUTES * 60);
    world_stop(w, true);
    world_close(w);
    free(w);
    return ratio >= 0.98 && limiter.refused == 0 && bad == 0 ? 0 : 1;
}

/* ---- Retry-After ---- */

/* Steps on and notes for how long nothing left after each wish for a rest arrived. */
static uint64_t waited_in(struct world *w, uint64_t until)
{
    uint64_t waited = 0, since = 0, end = 0, asked = 0;
    const struct endpoint *e;
    size_t n;

    e = engine_endpoints(w->engine, &n);
    while (w->now_us < until) {
        uint64_t failed = e->failed, before = e->sent;

        if (!world_step(w))
            exit(1);
        if (since && e->sent != before) { /* the first that leaves again */
            waited += w->now_us - since;
            asked += end - since;
            since = 0;
        }
        if (e->failed != failed) { /* one or more wishes have come in: the longest counts */
            if (!since)
                since = end = w->now_us;
            if (w->now_us + (uint64_t)limiter.wait_s * S > end)
                end = w->now_us + (uint64_t)limiter.wait_s * S;
        }
    }
    limiter.asked_us = asked;
    return waited;
}

static int tightens(void)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t waited;
    size_t bad;
    bool good;

    if (!w)
        abort();
    open_world(w, 600, 0);
    w->front = tightening;
    limiter.tight_from_us = w->now_us + 60 * S;
    waited = waited_in(w, w->now_us + 600 * S);
    bad = in_trouble(w);
    good = limiter.asked_us > 0 && waited >= limiter.asked_us && bad == 0;
    (void)printf("{\"case\": \"tightens\", \"asked_seconds\": %.1f, \"waited_seconds\": %.1f, "
                 "\"last_retry_after\": %ld, \"refused\": %u, \"failed_jobs\": %zu}\n",
        (double)limiter.asked_us / 1e6, (double)waited / 1e6, limiter.wait_s, limiter.refused,
        bad);
    world_stop(w, true);
    world_close(w);
    free(w);
    return good ? 0 : 1;
}

int main(void)
{
    int bad;

    log_set_level(LOG_ERROR);
    bad = measure("virtual-requests", 600, 0);
    bad |= measure("virtual-tokens", 0, 100000);
    return bad | tightens();
}
