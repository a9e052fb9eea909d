/* caps-sim.c -- the engine in virtual time under a daily cap: several jobs that together cost many
 * days' money, trouble on the wire, and the engine dying now and then. Is any day charged more
 * than its cap by the server's own count, and do all jobs end?
 *
 * The last lines of bench/run caps. */
#include "base/log.h"
#include "checks_model.h"
#include "engine/engine.h"
#include "scene.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 4u
#define SLOTS 8u
#define CAP_CENTS 250u
#define CENT_NANO UINT64_C(10000000)

static void note(struct world *w, void *what)
{
    (void)w;
    (void)what;
}

static bool step(struct world *w, uint64_t n, bool deaths)
{
    if (!w->engine)
        world_start(w);
    if (deaths && n % 700 == 699)
        world_crash(w);
    return w->engine ? world_step(w) : true;
}

static int play(const char *name, uint64_t seed, bool trouble)
{
    struct world *w = calloc(1, sizeof *w);
    unsigned completed = 0, days = 0;
    uint64_t most = 0, n = 0;
    int64_t ids[JOBS];
    struct rec_result r;
    char failure[400];

    if (!w)
        abort();
    world_open(w, &(struct world_opts){
                      .seed = seed, .concurrency = SLOTS, .max_running = JOBS,
                      .cap_cents = CAP_CENTS});
    w->user = note;
    (void)checks_new(w, SLOTS);
    checks_price(w->checks, CAP_CENTS * CENT_NANO, SCENE_TOKEN_NANO, SCENE_REQUEST_NANO);
    for (unsigned i = 0; i < JOBS; i++) {
        char job[16];

        (void)snprintf(job, sizeof job, "job-%u", i);
        ids[i] = scene_submit(w, &(struct scene_job){
                                     .name = job, .seed = i + 1, .generations = 10, .popsize = 6});
    }
    if (trouble) {
        w->faults.net[NET_RESET] = w->faults.net[NET_LOST] = w->faults.net[NET_429] = 0.05;
        w->faults.net[NET_HANG] = 0.02;
    }
    while (!w->failure[0] && n < 3000000 && !(n % 64 == 0 && scene_quiet(w, NULL)))
        if (!step(w, n++, trouble))
            break;
    for (unsigned d = 0; d < MONEY_DAYS; d++) {
        days += w->checks->money.day[d] > 0;
        most = w->checks->money.day[d] > most ? w->checks->money.day[d] : most;
    }
    for (unsigned i = 0; i < JOBS; i++)
        if (scene_result(w, ids[i], &r)) {
            completed++;
            rec_result_fini(&r);
        }
    (void)snprintf(failure, sizeof failure, "%s", w->failure);
    (void)printf("{\"case\": \"%s\", \"cap_usd\": %.2f, \"spent_usd\": %.6f, \"days\": %u, "
                 "\"jobs\": %u, \"completed\": %u, \"deaths\": %u}\n",
        name, CAP_CENTS / 100.0, (double)most / 1e9, days, JOBS, completed, w->crashes);
    if (failure[0])
        (void)fprintf(stderr, "%s: %s\n", name, failure);
    if (w->engine)
        world_crash(w);
    checks_free(w->checks);
    world_close(w);
    free(w);
    return failure[0] || completed != JOBS || most > CAP_CENTS * CENT_NANO;
}

int main(void)
{
    log_set_level(LOG_ERROR);
    return play("midnight", 3, false) | play("midnight-deaths", 4, true);
}
