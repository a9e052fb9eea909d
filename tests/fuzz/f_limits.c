/* f_limits.c -- rate-limit headers, "Name: value" line by line. Whatever they say, limits are
 * positive, nothing remains above them, waits are not absurd, and what is not known is 0. */
#include "prov/limits.h"
#include "prov/wait.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINES_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lines {
    char *line[LINES_MAX];
    size_t n;
};

static const char *header_of(const void *arg, const char *name)
{
    const struct lines *l = arg;
    size_t len = strlen(name);
    bool prefix = len > 0 && name[len - 1] == '*';

    len -= prefix;
    for (size_t i = 0; i < l->n; i++) {
        char *colon = strchr(l->line[i], ':');

        if (colon && !strncasecmp(l->line[i], name, len) &&
            (prefix || colon == l->line[i] + len))
            return colon + 1 + (colon[1] == ' ');
    }
    return NULL;
}

static void expect(bool law)
{
    if (!law)
        abort();
}

static void check(const struct limits_dim *d)
{
    expect(d->known == (d->limit_known || d->remaining_known));
    expect(d->limit_known ? d->limit > 0 : d->limit == 0);
    expect(d->remaining_known || d->remaining == 0);
    expect(!d->limit_known || d->remaining <= d->limit);
    expect(d->reset_known ? d->known && d->reset_us <= WAIT_ABSURD_US : d->reset_us == 0);
    expect(d->window_us <= WAIT_ABSURD_US);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t walls[] = {INT64_C(1763800000000000), 0, INT64_MIN, INT64_MAX};
    struct lines lines = {.n = 0};
    const struct prov_reply r = {.status = 429, .header = header_of, .arg = &lines};
    char *text = malloc(size + 1), *rest = text;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    while (rest && lines.n < LINES_MAX)
        lines.line[lines.n++] = strsep(&rest, "\n");
    for (int i = 0; i < 4; i++) {
        struct limits l;

        limits_read(&r, walls[i], &l);
        check(&l.requests);
        check(&l.tokens);
        expect(limits_wait_us(&l) <= WAIT_ABSURD_US);
    }
    free(text);
    return 0;
}
