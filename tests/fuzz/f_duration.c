/* f_duration.c -- waits as headers and sentences write them. Whatever is taken is finite, not
 * absurd, and the same by every way that takes it. */
#include "base/date.h"
#include "prov/wait.h"

#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1763800000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool law)
{
    if (!law)
        abort();
}

static void ask(const char *text)
{
    uint64_t plain, duration, until, other;
    int64_t us = 0;

    if (wait_decimal(text, 1000000, &plain))
        expect(wait_duration(text, &duration) && duration == plain);
    if (wait_duration(text, &duration)) {
        expect(duration <= WAIT_ABSURD_US);
        expect(wait_until(text, NOW_US, &until) && until == duration);
    }
    if (wait_until(text, NOW_US, &until))
        expect(until <= WAIT_ABSURD_US);
    if (wait_in_words(text, &until))
        expect(until <= WAIT_ABSURD_US);
    if (date_rfc3339(text, &us) && wait_until(text, NOW_US, &until))
        expect(until == (us > NOW_US ? (uint64_t)(us - NOW_US) : 0));
    /* Waiting longer, there is less left to wait for. */
    if (wait_until(text, NOW_US, &until) && wait_until(text, NOW_US + 1000000, &other))
        expect(other <= until);
    (void)wait_until(text, INT64_MIN, &until);
    (void)wait_until(text, INT64_MAX, &until);
    (void)wait_decimal(text, 1, &until);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    ask(text);
    free(text);
    return 0;
}
