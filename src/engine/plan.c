#include "engine/plan.h"

#include "engine/demo.h"

static void add(struct plan_sum *a, const struct plan_sum *b, uint64_t times)
{
    a->evaluations += times * b->evaluations;
    a->examples += times * b->examples;
    a->requests += times * b->requests;
    a->tokens_in += times * b->tokens_in;
    a->tokens_out += times * b->tokens_out;
}

/* One prompt on one set. `rows`: of a prompt that is put in front of every text. */
static struct plan_sum pass(const struct task_set *s, uint64_t rows, bool generates)
{
    return (struct plan_sum){0, s->n, s->batches, s->tokens + s->n * rows, generates ? s->n : 0};
}

/* Tokens that the demonstrations of one order take, at most. */
static uint64_t shown(const struct demo *d)
{
    uint64_t longest = 0;

    for (size_t i = 0; i < d->n; i++) {
        uint64_t len = d->ids && d->ids[i].n ? d->ids[i].n : render_guess(d->text[i]);

        longest = len > longest ? len : longest;
    }
    return longest * d->used * d->classes;
}

static void count_end(const struct job_spec *spec, const struct task *task, uint64_t rows,
    bool generates, struct plan_sum *ret)
{
    struct plan_sum test = pass(&task->test, rows, generates),
                    plain = pass(&task->test_plain, 0, generates),
                    few = pass(&task->train_plain, 0, generates);

    if (task->test.n == 0 && task->test_plain.n == 0)
        return;
    if (spec->prompt == JOB_SOFT)
        add(ret, &test, 1);
    if (job_spec_manual(spec)) {
        add(ret, &plain, 1);
        add(ret, &few, 1);
    }
    if (task->demo && task->demo->used) {
        plain.tokens_in += plain.examples * shown(task->demo);
        add(ret, &plain, task->demo->orders);
    }
}

void plan_count(const struct job_spec *spec, const struct task *task, bool generates,
    struct plan *ret)
{
    uint64_t every = spec->dev_every ? spec->dev_every : 1,
             rows = spec->prompt == JOB_SOFT && spec->mode == JOB_CONCAT ? spec->tokens : 0;
    struct plan_sum train = pass(&task->train, rows, generates),
                    dev = pass(&task->dev, rows, generates);

    *ret = (struct plan){.popsize = job_spec_popsize(spec),
        .train_examples = task->train.n,
        .search = spec->prompt == JOB_SOFT,
        .estimated = task->form == TASK_TEXT || task->rows_open};
    count_end(spec, task, rows, generates, &ret->end);
    add(&ret->whole, &ret->end, 1);
    if (!ret->search)
        return;
    ret->generations = job_spec_generations_max(spec);
    train.evaluations = 1;
    add(&ret->generation, &train, ret->popsize);
    add(&ret->check, &dev, spec->dev_mean ? 2 : 1);
    if (!ret->generations) {
        ret->whole = (struct plan_sum){0};
        return;
    }
    /* every so many generations, and after the last */
    ret->checks = (ret->generations + every - 1) / every;
    add(&ret->whole, &ret->generation, ret->generations);
    add(&ret->whole, &ret->check, ret->checks);
}

uint64_t plan_cost(const struct price_rate *rate, const struct plan_sum *sum)
{
    const struct price_rate tokens = {rate->in, rate->out, 0};
    unsigned __int128 requests = (unsigned __int128)rate->request * sum->requests,
                      all = requests + price_cost(&tokens, sum->tokens_in, sum->tokens_out);

    return all < UINT64_MAX - 1 ? (uint64_t)all : UINT64_MAX - 1;
}

/* How often `step` goes into what is left of a limit after `end`. */
static uint64_t times(uint64_t limit, uint64_t end, uint64_t step)
{
    return step == 0 ? UINT64_MAX : limit <= end ? 0 : (limit - end) / step;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t plan_fits(const struct plan *p, const struct job_spec *spec,
    const struct price_rate *dearest)
{
    uint64_t every = spec->dev_every ? spec->dev_every : 1, n = UINT64_MAX;
    struct plan_sum step = {0}; /* `every` generations and their check */

    add(&step, &p->generation, every);
    add(&step, &p->check, 1);
    if (spec->limits.requests)
        n = least(n, times(spec->limits.requests, p->end.requests, step.requests));
    if (spec->limits.tokens)
        n = least(n, times(spec->limits.tokens, p->end.tokens_in + p->end.tokens_out,
                         step.tokens_in + step.tokens_out));
    if (spec->limits.usd != MONEY_NONE)
        n = least(n,
            times(spec->limits.usd, plan_cost(dearest, &p->end), plan_cost(dearest, &step)));
    return n > UINT64_MAX / every ? UINT64_MAX : n * every;
}
