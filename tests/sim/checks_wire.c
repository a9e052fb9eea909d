/* checks_wire.c -- what is asked of the provider, held against marks, ledger and limits. */
#include "checks_model.h"
#include "engine/render.h"
#include "prov/verdict.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "j7-train-g3-c1-b0"; false for canaries and others without a place in the ledger. */
static bool parse_id(const char *id, struct rec_mark *ret)
{
    long long job;
    unsigned long long gen;
    unsigned cand, batch;
    char phase[16];

    if (sscanf(id, "j%lld-%15[a-z]-g%llu-c%u-b%u", &job, phase, &gen, &cand, &batch) != 5 ||
        job == 0)
        return false;
    *ret = (struct rec_mark){.job = job, .gen = gen, .cand = cand, .batch = batch};
    for (unsigned p = 0; p < REC_PHASE_NR; p++)
        if (strcmp(rec_phase_name((enum rec_phase)p), phase) == 0)
            ret->phase = (enum rec_phase)p;
    return true;
}

/* The id of a question: in the body, else in a header; "" where there is none. */
static void read_id(const struct port_http *x, char ret[64])
{
    struct bbt_buf body;

    wire_join(x, &body);
    ret[0] = '\0';
    if (body.len <= 70 || sscanf((const char *)body.data, "{\"id\":\"%63[^\"]\"", ret) != 1)
        (void)snprintf(ret, 64, "%.63s", wire_id(x));
    buf_fini(&body);
}

void checks_hours(struct checks *c, const struct checks_hours *h)
{
    assert(c->hours_nr < sizeof c->hours / sizeof c->hours[0]);
    c->hours[c->hours_nr++] = *h;
}

static bool is_inside(const struct checks_hours *h, int64_t wall_us)
{
    unsigned minute = (unsigned)((wall_us + h->ahead_us) / 60000000 % 1440);
    bool inside = h->windows == 0;

    for (size_t i = 0; i < h->windows; i++) {
        unsigned from = h->window[i].from, to = h->window[i].to;

        inside = inside ||
            (from < to ? minute >= from && minute < to : minute >= from || minute < to);
    }
    return inside && wall_us >= h->not_before_us;
}

static void check_hours(struct checks *c, const struct job *j, const char *id)
{
    int64_t wall_us = port_wall_us();

    for (size_t i = 0; i < c->hours_nr; i++)
        if (strcmp(c->hours[i].name, j->name) == 0 && !is_inside(&c->hours[i], wall_us))
            world_fail(c->w, "hours: %s is sent at minute %lld of the day", id,
                (long long)(wall_us / 60000000 % 1440));
}

static void check_question(struct checks *c, const char *id)
{
    struct rec_mark m;
    struct pair *p;
    struct job *j;
    uint32_t bits;

    if (!parse_id(id, &m) || m.phase == REC_PREDICT) /* of no job's search: in no ledger */
        return;
    p = checks_pair_of(c, &m);
    j = checks_job_of(c, m.job);
    p->sent++;
    check_hours(c, j, id);
    if (!p->mark)
        world_fail(c->w, "unmarked: %s is sent without its mark", id);
    bits = checks_bits(c, &m);
    if (p->answer || (bits && (j->rows[m.gen][m.cand] & bits) == bits))
        world_fail(c->w, "answered: %s is asked again", id);
    if (j->refused && m.batch / RENDER_PLACES >= j->refused && ++j->large > 4 * c->concurrency)
        world_fail(c->w, "size: %s is sent, %u rows at once were too many", id, j->refused);
    if ((m.phase == REC_TRAIN || m.phase == REC_DEV) && m.gen != j->gens)
        world_fail(c->w, "generation: %s is asked while %llu is open", id,
            (unsigned long long)j->gens);
    if (p->came > p->allowed)
        world_fail(c->w, "paid-twice: %s came already and is sent again", id);
}

void checks_sent(struct checks *c, const struct port_http *x, size_t in_flight)
{
    char id[64];

    if (in_flight > c->concurrency)
        world_fail(c->w, "concurrency: %zu requests on the wire, %u are allowed", in_flight,
            c->concurrency);
    if (c->w->now_us < c->hold_until && !wire_spare(x))
        world_fail(c->w, "hold: a request leaves %llu us too early",
            (unsigned long long)(c->hold_until - c->w->now_us));
    checks_rate_sent(c, x);
    read_id(x, id);
    check_question(c, id);
}

void checks_refused(struct checks *c, const struct port_http *x)
{
    struct rec_mark m;
    char id[64];
    struct job *j;
    unsigned per;

    read_id(x, id);
    if (!parse_id(id, &m) || m.phase == REC_PREDICT)
        return;
    j = checks_job_of(c, m.job);
    per = m.batch / RENDER_PLACES;
    if (per < 2 || (j->refused && per >= j->refused))
        return;
    j->refused = per;
    j->large = 0; /* the books are kept first: what has its turn may leave meanwhile */
}

void checks_reply(struct checks *c, const char *id, bool good, long wait_s)
{
    uint64_t until = c->w->now_us + (uint64_t)wait_s * 1000000u;
    struct rec_mark m;
    struct pair *p;

    if (wait_s > 0 && until > c->hold_until)
        c->hold_until = until;
    if (!good || !parse_id(id, &m) || m.phase == REC_PREDICT)
        return;
    p = checks_pair_of(c, &m);
    p->came++;
    if (fakelm_count(&c->w->lm, id)->served > p->sent)
        world_fail(c->w, "paid-twice: the server answered %s more often than it was sent", id);
}

void checks_release(struct checks *c)
{
    if (c->hold_until > c->w->now_us + VERDICT_HINT_MAX_US)
        c->hold_until = 0;
    c->bad_row = 0;
}
