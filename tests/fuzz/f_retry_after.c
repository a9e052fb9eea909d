/* f_retry_after.c -- headers that ask for a wait: three lines, Retry-After, retry-after-ms and
 * Date. The wait is never absurd, whatever they say. */
#include "prov/verdict.h"
#include "prov/wait.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header_of(const void *arg, const char *name)
{
    static const char *const names[] = {"Retry-After", "retry-after-ms", "Date"};
    const char *const *line = arg;

    for (int i = 0; i < 3; i++)
        if (!strcasecmp(name, names[i]))
            return line[i];
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line[3] = {NULL, NULL, NULL};
    struct prov_reply r = {.status = 429, .header = header_of, .arg = line};
    char *text = malloc(size + 1), *rest = text;
    struct verdict v;
    uint64_t us;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < 3 && rest; i++)
        line[i] = strsep(&rest, "\n");
    if (verdict_retry_after_us(&r, INT64_C(1763800000000000), &us) && us > WAIT_ABSURD_US)
        abort();
    (void)verdict_retry_after_us(&r, INT64_MAX, &us);
    (void)verdict_retry_after_us(&r, -5, &us);
    verdict_of(BBT_OK, NULL, &r, 0, &v);
    if ((v.class == VERDICT_RETRY) != (v.hint_us <= VERDICT_HINT_MAX_US))
        abort();
    free(text);
    return 0;
}
