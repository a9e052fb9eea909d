#include "engine/tariff.h"

#include "base/alloc.h"
#include "base/zone.h"

static uint64_t said(uint64_t nano, uint64_t otherwise)
{
    return nano == MONEY_NONE ? otherwise : nano;
}

static void dearer(struct price_rate *a, const struct price_rate *b)
{
    a->in = b->in > a->in ? b->in : a->in;
    a->out = b->out > a->out ? b->out : a->out;
    a->request = b->request > a->request ? b->request : a->request;
}

static enum bbt_rc init_hours(struct tariff *t, struct tariff_hours *h,
    const struct conf_off_peak *o, const struct zone *zone, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    h->rate = (struct price_rate){
        said(o->in, t->usual.in), said(o->out, t->usual.out), said(o->request, t->usual.request)};
    h->window = (struct calendar_window){o->week, zone};
    dearer(&t->worst, &h->rate);
    if (!o->zone)
        return BBT_OK;
    rc = zone_load(NULL, o->zone, &h->own, err);
    h->window.zone = h->own;
    return rc == BBT_NOTFOUND || rc == BBT_CORRUPT ? BBT_INVALID : rc;
}

enum bbt_rc tariff_init(struct tariff *t, const struct conf_price *price,
    const struct zone *zone, struct bbt_err *err)
{
    const struct conf_off_peak *o = price->off_peak.item;
    size_t n = price->off_peak.nr;
    enum bbt_rc rc = BBT_OK;

    *t = (struct tariff){.known = conf_price_known(price)};
    t->usual = (struct price_rate){
        said(price->in, 0), said(price->out, 0), said(price->request, 0)};
    t->worst = t->usual;
    if (n == 0)
        return BBT_OK;
    t->hours = bbt_calloc(n, sizeof *t->hours);
    if (!t->hours)
        return bbt_fail(err, BBT_NOMEM, "no memory for a price list");
    for (; t->hours_nr < n && rc == BBT_OK; t->hours_nr++)
        rc = init_hours(t, &t->hours[t->hours_nr], &o[t->hours_nr], zone, err);
    if (rc != BBT_OK)
        tariff_fini(t);
    return rc;
}

void tariff_fini(struct tariff *t)
{
    for (size_t i = 0; i < t->hours_nr; i++)
        zone_free(t->hours[i].own);
    bbt_free(t->hours);
    *t = (struct tariff){0};
}

void tariff_rate(const struct tariff *t, int64_t wall_us, struct price_rate *ret)
{
    bool any = false;

    *ret = t->usual;
    for (size_t i = 0; i < t->hours_nr; i++) {
        if (!calendar_open(&t->hours[i].window, 1, wall_us))
            continue;
        if (any)
            dearer(ret, &t->hours[i].rate);
        else
            *ret = t->hours[i].rate;
        any = true;
    }
}
