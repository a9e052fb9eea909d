#include "spec/conf_price.h"

#include "spec/row.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MOST 1e6 /* dollars for a million tokens */

#define OF conf_off_peak
static const struct key off_peak_keys[] = {
    ROW("days", KEY_DAYS, week.days, 0, 0, NULL,
        "mon to sun, on which it begins; absent: every day"),
    {.path = "hours",
        .type = KEY_HOURS,
        .at = offsetof(struct conf_off_peak, week.hours),
        .needed = true,
        .help = "like \"16:30-00:30\", by the clock of the zone"},
    ROW("zone", KEY_ZONE, zone, 0, 0, NULL,
        "like Europe/Berlin; absent: the daemon's `timezone`"),
    ROW("input_per_million", KEY_MONEY, in, 0, MOST, NULL, "absent: as at other hours"),
    ROW("output_per_million", KEY_MONEY, out, 0, MOST, NULL, "the same"),
    ROW("per_request", KEY_MONEY, request, 0, MOST, NULL, "the same"),
};
const struct key_table conf_off_peak_table = {"price", off_peak_keys,
    sizeof off_peak_keys / sizeof off_peak_keys[0], sizeof(struct conf_off_peak)};

static bool said(uint64_t nano)
{
    return nano != MONEY_NONE;
}

static bool any_rate(const struct conf_price *p)
{
    return said(p->in) || said(p->out) || said(p->request);
}

static bool costs(uint64_t nano)
{
    return said(nano) && nano > 0;
}

bool conf_price_known(const struct conf_price *p)
{
    return p->free || any_rate(p);
}

/* "2026-11-01": digits in their places, a month and a day that there are. */
static bool is_day(const char *s)
{
    static const char form[] = "dddd-dd-dd";
    int month, day;

    if (strlen(s) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    month = (s[5] - '0') * 10 + s[6] - '0';
    day = (s[8] - '0') * 10 + s[9] - '0';
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static void check_off_peak(const struct conf_price *p, const char *pointer,
    const char *where, struct spec_problems *problems)
{
    const struct conf_off_peak *o = p->off_peak.item;
    char below[160];

    for (size_t i = 0; i < p->off_peak.nr; i++) {
        (void)snprintf(below, sizeof below, "%s/off_peak/%zu", pointer, i);
        if (!said(o[i].in) && !said(o[i].out) && !said(o[i].request))
            problem_add(problems, below, false, "input_per_million: ...",
                "%s.off_peak[%zu]: what is cheaper then? No price is there", where, i);
    }
}

void conf_price_check(const struct conf_price *p, const char *pointer, const char *where,
    struct spec_problems *problems)
{
    char at[160];

    if (p->off_peak.nr && !any_rate(p))
        problem_add(problems, pointer, false, "input_per_million: ...",
            "%s: off_peak needs the price of the other hours", where);
    if (!any_rate(p))
        return;
    if (!costs(p->in) && !costs(p->out) && !costs(p->request))
        problem_add(problems, pointer, false, "price: free",
            "%s: every price is 0; say so in a word", where);
    if (!p->as_of)
        problem_add(problems, pointer, false, "as_of: 2026-11-01, the day of the price list",
            "%s: \"as_of\" is missing: prices change", where);
    else if (!is_day(p->as_of)) {
        (void)snprintf(at, sizeof at, "%s/as_of", pointer);
        problem_add(problems, at, false, "like 2026-11-01", "%s.as_of: \"%.20s\" is no day",
            where, p->as_of);
    }
    check_off_peak(p, pointer, where, problems);
}
