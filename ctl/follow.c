#include "follow.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define EVERY_MS 500u
#define FIRST_US 10000000u /* patience with a daemon that was never there */

void follow_init(struct follow *f, struct ctl *c)
{
    *f = (struct follow){.c = c, .every_ms = EVERY_MS};
    if (c->timeout_us)
        f->end_us = clock_mono_us() + c->timeout_us;
}

static int timed_out(const struct follow *f)
{
    return ctl_fail(f->c, CTL_TIMEOUT, "--timeout: %" PRIu64 " s have passed",
        f->c->timeout_us / 1000000);
}

/* Sleeps, but not past the end. */
static int rest(struct follow *f)
{
    uint64_t now = clock_mono_us();
    unsigned ms = f->every_ms;

    if (f->end_us && now >= f->end_us)
        return timed_out(f);
    if (f->end_us && (f->end_us - now) / 1000 < ms)
        ms = (unsigned)((f->end_us - now) / 1000) + 1;
    (void)ctl_pause(ms);
    return CTL_OK;
}

/* Nobody answers: wait on, or give up? */
static int lost(struct follow *f, const struct bbt_err *err)
{
    uint64_t now = clock_mono_us();

    if (err->rc == BBT_DENIED || err->rc == BBT_NOMEM)
        return client_unreachable(f->c, err);
    if (!f->lost_us) {
        f->lost_us = now;
        ctl_note(f->c, "bbtctl: %s Waiting for it ...", err->msg);
    }
    if (!f->reached && !f->end_us && now - f->lost_us > FIRST_US)
        return client_unreachable(f->c, err);
    return rest(f);
}

/* An answer came, and not one that only says "not now". */
static bool usable(struct follow *f, const struct client_reply *r)
{
    if (r->status == 503)
        return false;
    f->reached = true;
    if (f->lost_us)
        ctl_note(f->c, "bbtctl: bbtd answers again");
    f->lost_us = 0;
    return true;
}

int follow_get(struct follow *f, const char *path, json_t **ret)
{
    struct client_req q = {.path = path};
    struct client_reply r = {0};
    struct bbt_err err = {0};
    int code = f->looked ? rest(f) : CTL_OK;

    f->looked = true;
    while (code == CTL_OK) {
        if (client_send(f->c, &q, &r, &err) != BBT_OK) {
            code = lost(f, &err);
            continue;
        }
        if (!usable(f, &r)) {
            client_fini(&r);
            code = rest(f);
            continue;
        }
        if (client_code(r.status) != CTL_OK)
            code = client_refused(f->c, &r);
        else if (!r.json)
            code = ctl_fail(f->c, CTL_FAIL, "bbtd's answer is no JSON");
        else
            *ret = json_incref(r.json);
        client_fini(&r);
        return code;
    }
    return code;
}

int follow_reach(struct follow *f)
{
    json_t *v = NULL;
    int code = follow_get(f, "/v1/version", &v);

    f->looked = false;
    json_decref(v);
    return code;
}

int follow_next(struct follow *f, long long id, json_t **ret)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld", id);
    return follow_get(f, path, ret);
}
