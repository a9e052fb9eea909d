#include "play.h"

#include "base/json.h"
#include "checks.h"
#include "engine/tune_gen.h"
#include "hours.h"
#include "simdisk.h"
#include "user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORM_STEPS 6000  /* then the weather is good */
#define CALM_STEPS 200000 /* in which all must end */

struct play {
    struct world w;
    const struct play_references *refs;
    unsigned model;
    struct user user;
    double crash; /* chance per step */
    unsigned nerves; /* a user's action about every so many milliseconds */
    bool disk_trouble;
    char more[USER_JOBS][HOURS_TEXT + 40]; /* of the jobs' specs */
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

/* The last model is a causal one, whose server tokenises. */
static const char *kind_of(unsigned model)
{
    return model == PLAY_MODELS - 1 ? "sglang-score" : NULL;
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
            world_open(w, &(struct world_opts){
                .seed = 1, .lm_seed = 50 + m, .kind = kind_of(m), .disk = true});
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
        [NET_OVER] = .02, [NET_401] = .01, [NET_402] = .01, [NET_LONG] = .004, [NET_SLOW] = .03};

    for (int k = NET_GOOD + 1; k < NET_KINDS; k++)
        f->net[k] = most[k] > 0 ? some(w, most[k]) : 0;
    f->commit = some(w, .1);
    f->still = some(w, .01);
    f->burst = some(w, .001);
    f->lost = some(w, .3);
    f->slow = some(w, .2);
    if (world_chance(w, .2)) {
        f->full_from = w->now_us + world_draw(w, 20000000);
        f->full_until = f->full_from + world_draw(w, 20000000);
    }
    if (world_chance(w, .2)) {
        f->down_from = w->now_us + world_draw(w, 60000000);
        f->down_until = f->down_from + world_draw(w, 600000000);
    }
    p->crash = some(w, .004);
    f->die = some(w, .05);
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
    p->user.calm = true;
    p->crash = 0;
    p->disk_trouble = false;
    p->w.faults = (struct world_faults){0};
    simdisk_fail(0, 0, false);
    simdisk_room(-1);
    if (simdisk_is_dead())
        world_crash(&p->w);
    if (p->w.checks)
        checks_calm(p->w.checks);
    if (p->w.engine)
        engine_release(p->w.engine); /* whoever closed a provider has opened it again */
}

static void user(struct world *w, void *what)
{
    struct play *p = what;

    user_act(&p->user);
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
    const struct user *u = &p->user;
    struct rec_job row;

    for (size_t n = 0; n < u->jobs * USER_IDS; n++) {
        const struct user_job *j = &u->job[n / USER_IDS];

        if (n % USER_IDS >= j->ids || !scene_job_try(&p->w, j->id[n % USER_IDS], &row))
            continue;
        if (row.state == REC_FAILED ||
            (row.state == REC_PAUSED && !trouble_seen(&p->w, row.reason)))
            world_fail(&p->w, "ends: job %lld is %s (%s): %s", (long long)row.id,
                rec_state_name(row.state), row.reason, row.detail);
    }
}

static bool all_over(struct play *p)
{
    const struct user *u = &p->user;
    struct rec_job row;

    for (size_t n = 0; n < u->jobs * USER_IDS; n++) {
        const struct user_job *j = &u->job[n / USER_IDS];

        if (!j->ids)
            return false;
        if (n % USER_IDS >= j->ids)
            continue;
        if (checks_gone(p->w.checks, j->id[n % USER_IDS]))
            return false; /* it is to be submitted again */
        scene_job_row(&p->w, j->id[n % USER_IDS], &row);
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
static void check_result(struct play *p, const struct user_job *j, int64_t id)
{
    const struct play_reference *want = &p->refs->of[p->model][j->number];
    const struct rec_usage *u = &want->usage;
    struct rec_result got = {0};
    struct rec_job row;

    scene_job_row(&p->w, id, &row);
    if (row.state == REC_CANCELLED) {
        if (!j->cancelled)
            world_fail(&p->w, "acknowledged: job %lld was never cancelled", (long long)id);
        return;
    }
    if (!scene_result(&p->w, id, &got) || !got.prompt ||
        got.rows != want->result.rows || got.hidden != want->result.hidden ||
        memcmp(got.prompt, want->result.prompt,
            got.rows * got.hidden * sizeof *got.prompt) != 0 ||
        figure(got.json, "tuned_test") != figure(want->result.json, "tuned_test") ||
        figure(got.json, "manual_test") != figure(want->result.json, "manual_test") ||
        figure(got.json, "calibrated_test") != figure(want->result.json, "calibrated_test"))
        world_fail(&p->w, "result: job %lld ends otherwise than undisturbed", (long long)id);
    if (row.usage.evaluations != u->evaluations || row.usage.generations != u->generations ||
        (!p->w.lm.rows_max &&
            (row.usage.requests != u->requests || row.usage.tokens_in != u->tokens_in ||
                row.usage.examples != u->examples)))
        world_fail(&p->w, "counters: job %lld counts %llu requests, undisturbed %llu",
            (long long)id, (unsigned long long)row.usage.requests,
            (unsigned long long)u->requests);
    /* requests may be smaller, and more; what that costs is one example more than once where a
     * death came between */
    if (row.usage.requests < u->requests || row.usage.tokens_in < u->tokens_in ||
        row.usage.examples < u->examples)
        world_fail(&p->w, "counters: job %lld counts %llu examples, undisturbed %llu",
            (long long)id, (unsigned long long)row.usage.examples,
            (unsigned long long)u->examples);
    rec_result_fini(&got);
}

static void draw_job(struct play *p, size_t i)
{
    struct user_job *j = &p->user.job[i];
    struct world *w = &p->w;
    struct checks_hours hours;
    int len = 0;

    j->number = (unsigned)world_draw(w, PLAY_SPECS);
    spec_of(j->number, &j->spec);
    (void)snprintf(j->name, sizeof j->name, "job-%zu", i);
    if (world_draw(w, 3))
        (void)snprintf(j->key, sizeof j->key, "key-%zu", i);
    j->spec.name = j->name;
    j->spec.priority = (int)world_draw(w, 200) - 100;
    if (w->spare)
        len = snprintf(p->more[i], sizeof p->more[i], ",\"fallback\":[\"spare\"]");
    if (hours_in_seed(w->seed)) {
        hours_draw(w, j->name, &hours, p->more[i] + len);
        checks_hours(w->checks, &hours);
    }
    j->spec.more = p->more[i];
}

static void open_play(struct play *p, uint64_t seed, enum world_mutant mutant)
{
    static const unsigned running[] = {1, 2, 4};
    struct world_opts o = {.seed = seed, .mutant = mutant, .disk = true, .control = true};
    struct world *w = &p->w;
    unsigned limit;

    w->seed = seed; /* for the draws before it is open */
    p->model = (unsigned)world_draw(w, PLAY_MODELS);
    o.lm_seed = 50 + p->model;
    o.kind = kind_of(p->model);
    limit = 1 + (unsigned)world_draw(w, 6);
    o.concurrency = limit;
    o.max_running = running[world_draw(w, 3)];
    o.on_restart = world_draw(w, 4) ? "resume" : "hold";
    o.json = world_draw(w, 3) == 0;
    o.vocab = world_draw(w, 4) == 0;
    o.prompt_rank = 2 + (unsigned)world_draw(w, 3);
    if (world_draw(w, 3) == 0) {
        o.requests_per_minute = 20 + (unsigned)world_draw(w, 280);
        o.tokens_per_minute = 1000 + (unsigned)world_draw(w, 20000);
    }
    if (world_draw(w, 4) == 0)
        o.cap_cents = 100 + (unsigned)world_draw(w, 400);
    if (o.cap_cents && hours_in_seed(seed)) /* a probe costs less than a day, or never ends */
        o.cap_cents += 500;
    o.spare = !o.kind && world_draw(w, 3) == 0;
    o.stranger = o.spare && (mutant == MUTANT_IMPOSTOR || world_draw(w, 4) == 0);
    if (world_draw(w, 4) == 0)
        o.rows_max = 1 + (unsigned)world_draw(w, 3);
    world_open(w, &o);
    w->draws = 100;
    w->user = user;
    (void)checks_new(w, o.spare ? 2 * limit : limit);
    checks_limits(w->checks, o.requests_per_minute, o.tokens_per_minute);
    checks_price(w->checks, o.cap_cents * UINT64_C(10000000), SCENE_TOKEN_NANO,
        SCENE_REQUEST_NANO);
    checks_batches_of_all(w->checks, o.rows_max ? 0 : 2);
    checks_examples(w->checks, 6);
    user_init(&p->user, w);
    p->user.jobs = 2 + world_draw(w, USER_JOBS - 1);
    p->user.purger = world_draw(w, 2);
    for (size_t i = 0; i < p->user.jobs; i++)
        draw_job(p, i);
    draw_weather(p);
    if (o.cap_cents || hours_in_seed(seed)) /* days go by, and nobody acts every second of them */
        p->nerves = 300000 + 100 * p->nerves;
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

static const char *who_waits(struct play *p)
{
    return !all_over(p)            ? "ends: jobs are left"
        : !user_heard(&p->user) ? "events: a listener has not heard all"
                                : "reply: a request is not answered";
}

/* Until all jobs are over, all requests answered, and all listeners have heard everything. */
static void calm(struct play *p)
{
    struct world *w = &p->w;

    good_weather(p);
    for (unsigned n = 0; !w->failure[0]; n++) {
        if (!w->engine)
            world_start(w);
        if (n % 64 == 0) {
            check_pauses(p);
            p->user.content = all_over(p);
            if (p->user.content && user_quiet(&p->user) && user_heard(&p->user))
                break;
        }
        if (n > CALM_STEPS || !world_step(w))
            world_fail(w, "%s in good weather after %u steps", who_waits(p), n);
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
    for (size_t i = 0; i < p->user.jobs; i++)
        for (size_t k = 0; k < p->user.job[i].ids && !w->failure[0]; k++)
            check_result(p, &p->user.job[i], p->user.job[i].id[k]);
    (void)snprintf(ret, room, "%s", "");
    if (w->failure[0])
        (void)snprintf(ret, room, "step %llu: %s", (unsigned long long)w->steps, w->failure);
    if (w->engine)
        world_crash(w);
    user_fini(&p->user);
    checks_free(w->checks);
    world_close(w);
    free(p);
}
