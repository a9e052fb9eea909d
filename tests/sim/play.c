#include "play.h"

#include "base/json.h"
#include "checks.h"
#include "engine/tune_gen.h"
#include "simdisk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 4
#define STORM_STEPS 6000  /* then the weather is good */
#define CALM_STEPS 200000 /* in which all must end */

struct played {
    int64_t id; /* 0 = not in the store yet */
    unsigned spec;
    int priority;
    char name[32];
    bool cancelled;
};

struct play {
    struct world w;
    const struct play_references *refs;
    unsigned model;
    struct played job[JOBS];
    size_t jobs;
    bool calm;
    unsigned cancels;
    double crash; /* chance per step */
    unsigned nerves; /* a user's action about every so many milliseconds */
    bool disk_trouble;
};

/* ---- the jobs ---- */

static void spec_of(unsigned n, struct scene_job *ret)
{
    static const char *const loss[] = {"cross_entropy", "hinge", "negative_metric"};

    *ret = (struct scene_job){
        .seed = 1 + n * 7,
        .popsize = 4 + n % 3,
        .generations = 2 + n % 4,
        .dim = 4 + n % 5,
        .tokens = 1 + n % 3,
        .dev_every = 1 + n % 2,
        .loss = loss[n % 3],
        .metric = n % 4 == 1 ? "f1" : "accuracy",
        .mode = n % 2 ? "concat" : "add",
        .init = n % 4 == 3 ? "random_tokens" : "zero",
        .projection = n % 5 == 2 ? "uniform" : "normal",
        .dev_mean = n % 6 == 4,
        .no_test = n % 8 == 7,
    };
    if (n == 11) /* one that outlives a snapshot */
        ret->generations = TUNE_SNAPSHOT_EVERY + 3;
}

void play_rehearse(struct play_references *refs)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        abort();
    for (unsigned m = 0; m < PLAY_MODELS; m++)
        for (unsigned n = 0; n < PLAY_SPECS; n++) {
            struct play_reference *r = &refs->of[m][n];
            struct scene_job spec;
            struct rec_job row;
            int64_t id;

            spec_of(n, &spec);
            world_open(w, &(struct world_opts){.seed = 1, .lm_seed = 50 + m, .disk = true});
            id = scene_submit(w, &spec);
            world_start(w);
            if (!world_until(w, scene_quiet, NULL, CALM_STEPS) ||
                !scene_result(w, id, &r->result)) {
                (void)fprintf(stderr, "job %u does not complete in a good world\n", n);
                exit(2);
            }
            scene_job_row(w, id, &row);
            r->usage = row.usage;
            world_stop(w, false);
            world_close(w);
        }
    free(w);
}

/* ---- the weather ---- */

static double some(struct world *w, double most)
{
    return world_chance(w, 0.35) ? most * (double)(1 + world_draw(w, 100)) / 100 : 0;
}

static void draw_weather(struct play *p)
{
    struct world *w = &p->w;
    struct world_faults *f = &w->faults;
    static const double most[NET_KINDS] = {[NET_429] = .1, [NET_429_AFTER] = .08,
        [NET_500] = .05, [NET_503_AFTER] = .05, [NET_RESET] = .1, [NET_LOST] = .05,
        [NET_HALF] = .05, [NET_HTML] = .04, [NET_NAN] = .03, [NET_HANG] = .03,
        [NET_OVER] = .02, [NET_401] = .01, [NET_402] = .01, [NET_LONG] = .004};

    for (int k = NET_GOOD + 1; k < NET_KINDS; k++)
        f->net[k] = some(w, most[k]);
    f->commit = some(w, .1);
    f->still = some(w, .01);
    f->burst = some(w, .001);
    if (world_chance(w, .2)) {
        f->full_from = w->now_us + world_draw(w, 20000000);
        f->full_until = f->full_from + world_draw(w, 20000000);
    }
    p->crash = some(w, .004);
    p->disk_trouble = world_chance(w, .3);
    p->nerves = 200 + (unsigned)world_draw(w, 8000);
}

/* Something new about the disk: a failing call, no room, the power. */
static void disk_weather(struct play *p)
{
    struct world *w = &p->w;
    unsigned ops = 1u << world_draw(w, 6);

    switch (world_draw(w, 6)) {
    case 0:
        simdisk_fail(ops, (long)world_draw(w, 40), false);
        return;
    case 1:
        simdisk_fail(SIMDISK_WRITE | SIMDISK_SYNC, (long)world_draw(w, 40), true);
        return;
    case 2:
        simdisk_room((int64_t)world_draw(w, 30000));
        return;
    case 3:
        simdisk_die(ops, (long)world_draw(w, 40));
        return;
    default:
        simdisk_fail(0, 0, false);
        simdisk_room(-1);
    }
}

static void good_weather(struct play *p)
{
    p->calm = true;
    p->crash = 0;
    p->disk_trouble = false;
    p->w.faults = (struct world_faults){0};
    simdisk_fail(0, 0, false);
    simdisk_room(-1);
    if (simdisk_is_dead())
        world_crash(&p->w);
}

/* ---- the user ---- */

static void submit(struct play *p, struct played *j)
{
    struct scene_job spec;

    spec_of(j->spec, &spec);
    spec.name = j->name;
    spec.priority = j->priority;
    j->id = scene_submit(&p->w, &spec);
    if (j->id)
        checks_batches(p->w.checks, j->id, 2);
}

/* Refused by an ill disk it may still have happened, which a crash then shows. */
static void cancel(struct play *p, struct played *j)
{
    j->cancelled = true;
    p->cancels++; /* one: a patient user would cancel whatever hangs */
    (void)scene_move(&p->w, j->id, REC_CANCELLED);
}

static void act(struct play *p, struct played *j)
{
    uint64_t what = world_draw(&p->w, 20);

    if (!j->id)
        submit(p, j);
    else if (what < 7 && !p->calm)
        (void)scene_move(&p->w, j->id, REC_PAUSED);
    else if (what < 8 && !p->calm && !p->cancels && world_draw(&p->w, 6) == 0)
        cancel(p, j);
    else
        (void)scene_move(&p->w, j->id, REC_QUEUED);
}

static void user(struct world *w, void *what)
{
    struct play *p = what;

    act(p, &p->job[world_draw(w, p->jobs)]);
    if (p->disk_trouble)
        disk_weather(p);
    world_plan(w, 1000 * (1 + world_draw(w, p->nerves)), p);
}

/* ---- one seed ---- */

static bool trouble_seen(const struct world *w, const char *reason)
{
    const double *net = w->weather;

    if (strcmp(reason, "auth") == 0)
        return net[NET_401] > 0;
    if (strcmp(reason, "quota") == 0)
        return net[NET_402] > 0;
    if (strcmp(reason, "provider") == 0)
        return net[NET_500] + net[NET_HALF] + net[NET_HTML] + net[NET_NAN] + net[NET_OVER] +
            net[NET_LONG] > 0;
    return strcmp(reason, "user") == 0 || strcmp(reason, "restart_hold") == 0;
}

static void check_pauses(struct play *p)
{
    struct rec_job row;

    for (size_t i = 0; i < p->jobs; i++) {
        if (!p->job[i].id || !scene_job_try(&p->w, p->job[i].id, &row))
            continue;
        if (row.state == REC_FAILED ||
            (row.state == REC_PAUSED && !trouble_seen(&p->w, row.reason)))
            world_fail(&p->w, "ends: job %lld is %s (%s): %s", (long long)row.id,
                rec_state_name(row.state), row.reason, row.detail);
    }
}

static bool all_over(struct play *p)
{
    for (size_t i = 0; i < p->jobs; i++) {
        struct rec_job row;

        if (!p->job[i].id)
            return false;
        scene_job_row(&p->w, p->job[i].id, &row);
        if (row.state != REC_COMPLETED && row.state != REC_CANCELLED)
            return false;
    }
    return true;
}

static double figure(const char *sheet, const char *name)
{
    json_t *v = NULL;
    double x = -1;

    if (json_parse(sheet, strlen(sheet), "sheet", &v, NULL) == BBT_OK)
        x = json_get_num(v, name, -1);
    json_decref(v);
    return x;
}

/* Prompt to the bit, figures, counters: as in the undisturbed run. */
static void check_result(struct play *p, const struct played *j)
{
    const struct play_reference *want = &p->refs->of[p->model][j->spec];
    const struct rec_usage *u = &want->usage;
    struct rec_result got = {0};
    struct rec_job row;

    scene_job_row(&p->w, j->id, &row);
    if (row.state == REC_CANCELLED) {
        if (!j->cancelled)
            world_fail(&p->w, "acknowledged: job %lld was never cancelled", (long long)j->id);
        return;
    }
    if (!scene_result(&p->w, j->id, &got) || !got.prompt ||
        got.rows != want->result.rows || got.hidden != want->result.hidden ||
        memcmp(got.prompt, want->result.prompt,
            got.rows * got.hidden * sizeof *got.prompt) != 0 ||
        figure(got.json, "tuned_test") != figure(want->result.json, "tuned_test") ||
        figure(got.json, "manual_test") != figure(want->result.json, "manual_test") ||
        figure(got.json, "calibrated_test") != figure(want->result.json, "calibrated_test"))
        world_fail(&p->w, "result: job %lld ends otherwise than undisturbed", (long long)j->id);
    if (row.usage.requests != u->requests || row.usage.tokens_in != u->tokens_in ||
        row.usage.evaluations != u->evaluations || row.usage.generations != u->generations ||
        row.usage.examples != u->examples)
        world_fail(&p->w, "counters: job %lld counts %llu requests, undisturbed %llu",
            (long long)j->id, (unsigned long long)row.usage.requests,
            (unsigned long long)u->requests);
    rec_result_fini(&got);
}

static void open_play(struct play *p, uint64_t seed, enum world_mutant mutant)
{
    static const unsigned running[] = {1, 2, 4};
    struct world_opts o = {.seed = seed, .mutant = mutant, .disk = true};
    struct world *w = &p->w;
    unsigned limit;

    w->seed = seed; /* for the draws before it is open */
    p->model = (unsigned)world_draw(w, PLAY_MODELS);
    o.lm_seed = 50 + p->model;
    limit = 1 + (unsigned)world_draw(w, 6);
    o.concurrency = limit;
    o.max_running = running[world_draw(w, 3)];
    o.on_restart = world_draw(w, 4) ? "resume" : "hold";
    o.json = world_draw(w, 3) == 0;
    o.vocab = world_draw(w, 4) == 0;
    o.prompt_rank = 2 + (unsigned)world_draw(w, 3);
    world_open(w, &o);
    w->draws = 100;
    w->user = user;
    (void)checks_new(w, limit);
    p->jobs = 2 + world_draw(w, JOBS - 1);
    for (size_t i = 0; i < p->jobs; i++) {
        p->job[i].spec = (unsigned)world_draw(w, PLAY_SPECS);
        p->job[i].priority = (int)world_draw(w, 200) - 100;
        (void)snprintf(p->job[i].name, sizeof p->job[i].name, "job-%zu", i);
    }
    submit(p, &p->job[0]);
    draw_weather(p);
    memcpy(w->weather, w->faults.net, sizeof w->weather);
    world_plan(w, 1000, p);
}

static void storm(struct play *p)
{
    struct world *w = &p->w;

    for (unsigned n = 0; n < STORM_STEPS && !w->failure[0]; n++) {
        if (!w->engine)
            world_start(w);
        if (!world_step(w))
            world_fail(w, "ends: nothing is left to happen");
        if (w->engine && world_chance(w, p->crash)) {
            if (world_draw(w, 4))
                world_crash(w);
            else if (!p->disk_trouble)
                world_stop(w, world_draw(w, 2));
        }
        if (n % 256 == 0 && !p->disk_trouble) {
            check_pauses(p);
            if (all_over(p))
                return;
        }
    }
}

static void calm(struct play *p)
{
    struct world *w = &p->w;

    good_weather(p);
    for (unsigned n = 0; !w->failure[0]; n++) {
        if (!w->engine)
            world_start(w);
        if (n % 64 == 0) {
            check_pauses(p);
            if (all_over(p))
                break;
        }
        if (n > CALM_STEPS || !world_step(w))
            world_fail(w, "ends: jobs are left in good weather after %u steps", n);
    }
}

void play_seed(const struct play_references *refs, uint64_t seed, enum world_mutant mutant,
    char *ret, size_t room)
{
    struct play *p = calloc(1, sizeof *p);
    struct world *w;

    if (!p)
        abort();
    w = &p->w;
    p->refs = refs;
    open_play(p, seed, mutant);
    storm(p);
    if (!w->failure[0])
        calm(p);
    if (!w->failure[0])
        world_crash(w); /* what was told is there for the next daemon, too */
    for (size_t i = 0; i < p->jobs && !w->failure[0]; i++)
        check_result(p, &p->job[i]);
    (void)snprintf(ret, room, "%s", "");
    if (w->failure[0])
        (void)snprintf(ret, room, "step %llu: %s", (unsigned long long)w->steps, w->failure);
    if (w->engine)
        world_crash(w);
    checks_free(w->checks);
    world_close(w);
    free(p);
}
