/* outage-sim.c -- the engine in virtual time, its provider refusing every connection for two
 * hours: do the jobs end as if nothing had been, and how often was it asked meanwhile?
 *
 * The first line of bench/run outage. */
#include "base/log.h"
#include "engine/engine.h"
#include "scene.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 3u
#define SLOTS 4u
#define HOURS_US (UINT64_C(2) * 3600 * 1000000)
#define GENERATIONS 12u

static uint64_t sent(struct world *w)
{
    size_t n;
    const struct endpoint *e = engine_endpoints(w->engine, &n);

    return e[0].sent;
}

static bool half_way(struct world *w, void *ids)
{
    for (unsigned i = 0; i < JOBS; i++) {
        struct rec_job row;

        scene_job_row(w, ((int64_t *)ids)[i], &row);
        if (row.usage.generations < GENERATIONS / 2)
            return false;
    }
    return true;
}

static bool at_time(struct world *w, void *until)
{
    return w->now_us >= *(uint64_t *)until;
}

static void note(struct world *w, void *what)
{
    (void)w;
    (void)what;
}

/* Three jobs to their end; prompts as one digest-free block, `*ret_during` requests while the
 * provider was away. */
static unsigned run(bool outage, struct rec_result *ret, uint64_t *ret_during)
{
    struct world *w = calloc(1, sizeof *w);
    int64_t ids[JOBS];
    unsigned completed = 0;
    uint64_t until;

    if (!w)
        abort();
    world_open(w, &(struct world_opts){.seed = 1, .concurrency = SLOTS, .max_running = JOBS});
    w->user = note;
    for (unsigned i = 0; i < JOBS; i++)
        ids[i] = scene_submit(
            w, &(struct scene_job){.seed = i + 1, .generations = GENERATIONS, .popsize = 6});
    world_start(w);
    if (outage && world_until(w, half_way, ids, 1000000)) {
        *ret_during = sent(w);
        until = w->now_us + HOURS_US;
        w->faults.net[NET_RESET] = 1.0;
        world_plan(w, HOURS_US, w); /* something happens at that time, whatever else does */
        (void)world_until(w, at_time, &until, 100000000);
        w->faults.net[NET_RESET] = 0.0;
        *ret_during = sent(w) - *ret_during;
    }
    (void)world_until(w, scene_quiet, NULL, 100000000);
    for (unsigned i = 0; i < JOBS; i++)
        completed += scene_result(w, ids[i], &ret[i]);
    world_stop(w, false);
    world_close(w);
    free(w);
    return completed;
}

int main(void)
{
    struct rec_result calm[JOBS] = {0}, rough[JOBS] = {0};
    uint64_t during = 0;
    unsigned completed;
    bool same = true;

    log_set_level(LOG_ERROR);
    if (run(false, calm, &during) != JOBS)
        return 1;
    completed = run(true, rough, &during);
    for (unsigned i = 0; i < JOBS; i++) {
        size_t bytes = calm[i].rows * calm[i].hidden * sizeof(float);

        same = same && rough[i].prompt && rough[i].rows == calm[i].rows &&
            memcmp(rough[i].prompt, calm[i].prompt, bytes) == 0;
        rec_result_fini(&calm[i]);
        rec_result_fini(&rough[i]);
    }
    (void)printf("{\"case\": \"virtual-refused\", \"jobs\": %u, \"completed\": %u, "
                 "\"identical\": %s, \"requests_during\": %llu, \"seconds\": %llu}\n",
        JOBS, completed, same ? "true" : "false", (unsigned long long)during,
        (unsigned long long)(HOURS_US / 1000000));
    return completed == JOBS && same ? 0 : 1;
}
