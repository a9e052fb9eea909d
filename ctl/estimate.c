#include "estimate.h"

#include "fmt.h"
#include "safe.h"

#include <stdio.h>

static unsigned long long get(const json_t *v, const char *key)
{
    long long n = json_get_int(v, key, 0);

    return n > 0 ? (unsigned long long)n : 0;
}

/* Per generation: every candidate on the training set. In all also the dev set every
 * dev_every generations and after the last (the best candidate, and the mean where asked
 * for), and at the end the test set with and without the prompt, and the training set without
 * (label bias). */
void estimate_count(const struct job_spec *s, const json_t *answer, struct estimate *ret)
{
    unsigned long long pop = job_spec_popsize(s), gens = job_spec_generations_max(s),
                       checks = (gens + s->dev_every - 1) / s->dev_every * (s->dev_mean ? 2 : 1);
    bool test = get(answer, "test_examples") > 0;

    *ret = (struct estimate){.generations = gens, .popsize = pop};
    ret->evaluations[0] = pop;
    ret->examples[0] = pop * get(answer, "train_examples");
    ret->requests[0] = pop * get(answer, "train_requests");
    ret->tokens[0] = pop * get(answer, "tokens_per_evaluation");
    if (!gens)
        return;
    ret->evaluations[1] = gens * pop;
    ret->examples[1] = gens * ret->examples[0] + checks * get(answer, "dev_examples") +
        (test ? 2 * get(answer, "test_examples") + get(answer, "train_examples") : 0);
    ret->requests[1] = gens * ret->requests[0] + checks * get(answer, "dev_requests") +
        (test ? 2 * get(answer, "test_requests") + get(answer, "train_requests") : 0);
    ret->tokens[1] = gens * ret->tokens[0] + checks * get(answer, "dev_tokens") +
        (test ? 2 * get(answer, "test_tokens") + get(answer, "tokens_per_evaluation") : 0);
}

static void row(const char *name, const unsigned long long n[2])
{
    char one[FMT_MAX], all[FMT_MAX];

    fmt_count((long long)n[0], one);
    fmt_count((long long)n[1], all);
    (void)printf("%-16s %16s %16s\n", name, one, n[1] ? all : "open");
}

int estimate_show(const struct ctl *c, const struct job_spec *s, const json_t *answer)
{
    struct estimate e;

    if (ctl_json(c))
        return CTL_OK;
    estimate_count(s, answer, &e);
    safe_printf(stdout, "%s · %s/%s", s->name, s->provider, s->model);
    if (e.generations)
        (void)printf(" · %llu generations × %llu candidates × %llu examples\n", e.generations,
            e.popsize, get(answer, "train_examples"));
    else
        (void)printf(" · %llu candidates × %llu examples\n", e.popsize,
            get(answer, "train_examples"));
    (void)printf("%-16s %16s %16s\n", "", "per generation", "whole job");
    row("evaluations", e.evaluations);
    row("examples", e.examples);
    if (e.requests[0])
        row("requests", e.requests);
    row("tokens in", e.tokens);
    ctl_note(c, "Nothing was submitted.");
    return CTL_OK;
}
