/* bench.h -- parts of the engine on the table: an endpoint of the world's configuration, its
 * model probed, a task, without an engine around them. */
#ifndef TEST_ENGINE_BENCH_H
#define TEST_ENGINE_BENCH_H

#include "place.h"

#include "base/json.h"
#include "engine/endpoint.h"
#include "engine/probe.h"
#include "engine/task.h"

struct bench {
    struct place p;
    struct channel ch;
    struct endpoint ep;
    struct keep_ill ill;
    struct op alarm, seen;
    unsigned wakes;
    struct job_spec *spec;
    struct task *task;
    struct sched_flow flow;
    struct bbt_err err;
};

UNUSED static void bench_alarm(struct op *op)
{
    struct bench *b = bbt_container(op, struct bench, alarm);

    port_alarm(&b->alarm, channel_alarm(&b->ch, port_now_us()));
}

UNUSED static void bench_seen(struct op *op)
{
    bbt_container(op, struct bench, seen)->wakes++;
}

UNUSED static struct bench *bench_open(struct world_opts o)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    place_open(&b->p, o);
    op_init(&b->alarm, &b->p.w.q, bench_alarm);
    op_init(&b->seen, &b->p.w.q, bench_seen);
    channel_init(&b->ch, b->p.w.conf->quotas.item, b->p.w.conf->providers.item, 3,
        &b->p.w.q, &b->alarm);
    assert_int_equal(
        endpoint_init(&b->ep, b->p.w.conf->providers.item, &b->ch, NULL, &b->err),
        BBT_OK);
    b->ep.ill = &b->ill;
    endpoint_flow(&b->ep, &b->flow, 1);
    return b;
}

UNUSED static void bench_close(struct bench *b)
{
    assert_int_equal(b->ch.lane.inflight, 0);
    assert_int_equal(b->ep.gate.inflight, 0);
    assert_int_equal(b->ch.lane.queued, 0);
    for (size_t d = 0; d < SLIDE_DIMS; d++)
        assert_true(b->ch.lane.quota.pending[d] == 0);
    assert_int_equal(b->p.w.wires, 0);
    task_free(b->task);
    job_spec_free(b->spec);
    endpoint_fini(&b->ep);
    channel_fini(&b->ch);
    op_fini(&b->alarm);
    op_fini(&b->seen);
    place_close(&b->p);
    free(b);
}

UNUSED static bool bench_true(struct world *w, void *flag)
{
    (void)w;
    return *(bool *)flag;
}

/* Steps until the flag is set. */
UNUSED static void bench_until(struct bench *b, bool *flag)
{
    world_turn(&b->p.w);
    assert_true(world_until(&b->p.w, bench_true, flag, STEPS_MAX));
}

UNUSED static void bench_probe(struct bench *b, struct probe *p, const char *folder)
{
    *p = (struct probe){.ep = &b->ep, .model = &b->ep.models[0], .tokenizer = folder,
        .compose = PROV_ADD, .at = PROV_AT_HIDDEN, .wake = &b->seen};
    probe_start(p, &b->p.w.q);
    bench_until(b, &p->done);
}

UNUSED static struct job_spec *parse_spec(const char *text)
{
    struct spec_problems problems;
    struct job_spec *spec = NULL;
    struct bbt_err err = {0};
    json_t *tree = NULL;

    problem_init(&problems);
    assert_int_equal(json_parse(text, strlen(text), "spec", &tree, &err), BBT_OK);
    if (job_spec_parse(tree, JOB_WIRE, &spec, &problems, &err) != BBT_OK)
        print_error("%s\n", err.msg);
    assert_non_null(spec);
    json_decref(tree);
    problem_fini(&problems);
    return spec;
}

/* Builds the task of a job, with at most `per` examples in a request. */
UNUSED static void bench_build(struct bench *b, const struct scene_job *j, size_t per)
{
    char *text = scene_spec(&b->p.w, j), *train, *test, folder[128];
    struct task_input in = {.batch_max = per};

    task_free(b->task);
    job_spec_free(b->spec);
    b->task = NULL;
    b->spec = parse_spec(text);
    bbt_free(text);
    in.spec = b->spec;
    in.tokenizer = scene_tokenizer(&b->p.w, folder, sizeof folder);
    train = scene_data("train", 18);
    test = scene_data("unseen", 9);
    in.train = (struct task_file){train, strlen(train)};
    in.test = (struct task_file){test, strlen(test)};
    assert_int_equal(task_build(&in, &b->task, &b->err), BBT_OK);
    bbt_free(train);
    bbt_free(test);
}

/* The same, behind a model that is probed. */
UNUSED static void bench_task(struct bench *b, const struct scene_job *j)
{
    char folder[128];
    struct probe p;

    bench_build(b, j, 4);
    bench_probe(b, &p, scene_tokenizer(&b->p.w, folder, sizeof folder));
    assert_int_equal(p.rc, BBT_OK);
    probe_fini(&p);
}

#endif
