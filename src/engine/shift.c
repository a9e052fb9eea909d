#include "engine/shift.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum bbt_rc shift_init(struct shift *s, const struct job_spec *spec, const char *zone,
    struct bbt_err *err)
{
    enum bbt_rc rc;

    *s = (struct shift){.not_before_us = spec->schedule.not_before_us};
    rc = agenda_init(&s->agenda, NULL, &spec->schedule.windows, zone, err);
    if (rc == BBT_OK)
        return BBT_OK;
    shift_fini(s);
    (void)bbt_err_ctx(err, "schedule.windows");
    return rc == BBT_NOTFOUND || rc == BBT_CORRUPT ? BBT_INVALID : rc;
}

void shift_fini(struct shift *s)
{
    agenda_fini(&s->agenda);
    s->not_before_us = 0;
}

bool shift_any(const struct shift *s)
{
    return s->not_before_us > 0 || s->agenda.windows > 0;
}

static int64_t after(int64_t wall_us, uint64_t wait_us)
{
    return wait_us == AGENDA_NEVER ? SHIFT_NEVER : wall_us + (int64_t)wait_us;
}

void shift_look(const struct shift *s, int64_t wall_us, struct shift_now *ret)
{
    uint64_t closed = agenda_closed_us(&s->agenda, wall_us);

    if (wall_us < s->not_before_us)
        *ret = (struct shift_now){"start_time", s->not_before_us};
    else if (closed)
        *ret = (struct shift_now){"window", after(wall_us, closed)};
    else
        *ret = (struct shift_now){NULL, after(wall_us, agenda_open_us(&s->agenda, wall_us))};
}

void shift_text(const struct shift_now *now, char *out, size_t room)
{
    bool start = now->why && strcmp(now->why, "start_time") == 0;
    char when[32] = "";

    if (now->until_us != SHIFT_NEVER)
        clock_rfc3339(now->until_us, when, sizeof when);
    (void)snprintf(out, room, "%s%s%s", start ? "not before " : "outside of its hours",
        *when && !start ? " until " : "", when);
}

enum bbt_rc shift_check(const struct job_spec *spec, const char *zone,
    const struct agenda *provider, int64_t wall_us, struct bbt_err *err)
{
    struct shift s;
    enum bbt_rc rc = shift_init(&s, spec, zone, err);

    if (rc != BBT_OK)
        return rc;
    if (s.agenda.windows && !agenda_meets(&s.agenda, provider,
            wall_us > s.not_before_us ? wall_us : s.not_before_us))
        rc = bbt_fail(err, BBT_INVALID,
            "schedule.windows: provider \"%s\" is never open in these hours (its own are "
            "`windows` and `maintenance` of the daemon's configuration)",
            spec->provider);
    shift_fini(&s);
    return rc;
}
