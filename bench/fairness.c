/* fairness.c -- one job of 200 000 evaluations, and nine small ones that come after it: how long
 * do the small ones take, in shares of what would be fair?
 *
 * The real engine in virtual time. The fair time of a job is that of an ideal server that is
 * divided equally, in tokens, among those that are at work at each moment, and has no pauses
 * between generations; worked out here, from the tokens that each job took. */
#include "base/log.h"
#include "engine/engine.h"
#include "scene.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S 1e6
#define SMALL 9u

struct job {
    int64_t id;
    double begun_us, took_us;
    double tokens;
};

static bool all_complete(struct world *w, void *arg)
{
    struct job *jobs = arg;
    unsigned done = 0;

    for (unsigned i = 0; i < SMALL; i++) {
        struct rec_job row;

        if (jobs[i].took_us > 0) {
            done++;
            continue;
        }
        scene_job_row(w, jobs[i].id, &row);
        if (row.state != REC_COMPLETED)
            continue;
        jobs[i].took_us = (double)w->now_us - jobs[i].begun_us;
        jobs[i].tokens = (double)row.usage.tokens_in;
        done++;
    }
    return done == SMALL;
}

/* When each would be through at `rate` tokens a second, shared equally; the large one never
 * ends. All began together. */
static void fair_times(const struct job *jobs, double rate, double *ret)
{
    double left[SMALL], now = 0;
    unsigned n = SMALL;

    for (unsigned i = 0; i < SMALL; i++)
        left[i] = jobs[i].tokens;
    while (n) {
        double least = 1e300, share = rate / (n + 1);

        for (unsigned i = 0; i < SMALL; i++)
            if (left[i] > 0 && left[i] < least)
                least = left[i];
        now += least / share;
        for (unsigned i = 0; i < SMALL; i++)
            if (left[i] > 0 && (left[i] -= least) <= 1e-9) {
                left[i] = 0;
                ret[i] = now;
                n--;
            }
    }
}

static uint64_t tokens_of(struct world *w, int64_t jobs)
{
    uint64_t sum = 0;

    for (int64_t id = 1; id <= jobs; id++) {
        struct rec_job row;

        scene_job_row(w, id, &row);
        sum += row.usage.tokens_in;
    }
    return sum;
}

/* `tokens_per_minute` 0: only the number of requests at once limits. */
static double run(const char *name, unsigned tokens_per_minute, unsigned slots)
{
    struct world *w = calloc(1, sizeof *w);
    struct job jobs[SMALL] = {0};
    double fair[SMALL], worst = 0, mean = 0, rate;
    uint64_t from, before;

    if (!w)
        abort();
    world_open(w, &(struct world_opts){.seed = 7, .concurrency = slots, .max_running = 16,
                      .batch = 8, .tokens_per_minute = tokens_per_minute});
    (void)scene_submit(w,
        &(struct scene_job){.name = "large", .seed = 99, .popsize = 100, .shots = 8,
            .generations = 1000000, .stop = ",\"evaluations\":200000"});
    world_start(w);
    while (w->now_us < 120000000) /* it has had everything for two minutes */
        if (!world_step(w))
            exit(1);
    before = tokens_of(w, 1);
    from = w->now_us;
    for (unsigned i = 0; i < SMALL; i++) {
        char label[16];

        (void)snprintf(label, sizeof label, "small-%u", i);
        jobs[i].id = scene_submit(w,
            &(struct scene_job){.name = label, .seed = i + 1, .popsize = 6 + 2 * (i % 3),
                .shots = 2 + 2 * (i % 3), .generations = 10 + 3 * i, .dev_every = 2});
        jobs[i].begun_us = (double)w->now_us;
    }
    if (!world_until(w, all_complete, jobs, 100000000))
        exit(1);
    rate = (double)(tokens_of(w, SMALL + 1) - before) / ((double)(w->now_us - from) / S);
    fair_times(jobs, rate, fair);
    for (unsigned i = 0; i < SMALL; i++) {
        double ratio = jobs[i].took_us / S / fair[i];

        mean += ratio / SMALL;
        worst = ratio > worst ? ratio : worst;
    }
    (void)printf("{\"case\": \"%s\", \"worst_small_ratio\": %.3f, \"mean_small_ratio\": %.3f, "
                 "\"tokens_per_s\": %.0f, \"virtual_seconds\": %.0f}\n",
        name, worst, mean, rate, (double)(w->now_us - from) / S);
    world_stop(w, true);
    world_close(w);
    free(w);
    return worst;
}

int main(void)
{
    double limited, slots;

    log_set_level(LOG_ERROR);
    limited = run("tokens-per-minute", 100000, 32);
    slots = run("requests-at-once", 0, 8);
    return limited <= 2 && slots <= 2 ? 0 : 1;
}
