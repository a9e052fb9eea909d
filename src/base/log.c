#include "base/log.h"

#include "base/clock.h"
#include "base/secret.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int level_now = LOG_INFO;

static const char *const names[LOG_LEVEL_NR] = {"error", "warn", "info", "debug"};
static const int journal_level[LOG_LEVEL_NR] = {3, 4, 6, 7};

void log_set_level(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

enum log_level log_level_parse(const char *name)
{
    for (unsigned i = 0; i < LOG_LEVEL_NR; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_NR;
}

/* A text from outside must not be able to forge a second line. */
static void flatten(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

void log_put(enum log_level level, const char *id, const char *fmt, ...)
{
    char text[1024], when[32], line[1200];
    va_list ap;
    int n;

    if ((int)level > atomic_load_explicit(&level_now, memory_order_relaxed))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    flatten(text);
    secret_redact(text);
    if (getenv("JOURNAL_STREAM")) {
        n = snprintf(line, sizeof line, "<%d>%s: %s\n", journal_level[level], id, text);
    } else {
        clock_rfc3339(clock_wall_us(), when, sizeof when);
        n = snprintf(line, sizeof line, "%s %s %s: %s\n", when, names[level], id, text);
    }
    if (n > (int)sizeof line - 1) {
        n = (int)sizeof line - 1;
        line[n - 1] = '\n';
    }
    /* one write per line: lines of several threads do not mix */
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nowhere left to complain */
}
