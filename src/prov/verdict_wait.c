/* verdict_wait.c -- how long a response asks us to wait. */
#include "prov/verdict.h"

#include "base/date.h"
#include "prov/limits.h"
#include "prov/wait.h"

bool verdict_retry_after_us(const struct prov_reply *r, int64_t wall_us, uint64_t *ret)
{
    const char *ms = prov_reply_header(r, "retry-after-ms");
    const char *after = prov_reply_header(r, "Retry-After");
    int64_t until_s;

    if (ms && wait_decimal(ms, 1000, ret))
        return true;
    if (!after)
        return false;
    while (*after == ' ' || *after == '\t')
        after++;
    if (wait_decimal(after, 1000000, ret))
        return true;
    return date_http(after, wall_us / 1000000, &until_s) &&
           wait_until(after, wait_now_us(r, wall_us), ret);
}

uint64_t verdict_throttle_us(const struct prov_reply *r, int64_t wall_us, const char *said)
{
    struct limits l;
    uint64_t us = 0;

    if (verdict_retry_after_us(r, wall_us, &us))
        return us;
    limits_read(r, wall_us, &l);
    us = limits_wait_us(&l);
    if (us == 0)
        (void)wait_in_words(said, &us);
    return us;
}
