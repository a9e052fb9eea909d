#include "ctl.h"

#include "base/alloc.h"
#include "safe.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool ctl_json(const struct ctl *c)
{
    return c->form == FORM_JSON || c->form == FORM_JSONL;
}

void ctl_note(const struct ctl *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (c->quiet)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    safe_print(stderr, text);
    (void)fputc('\n', stderr);
}

static const char *code_urn(int code)
{
    switch (code) {
    case CTL_USAGE:
        return "usage";
    case CTL_UNREACHABLE:
        return "unreachable";
    case CTL_NOTHING:
        return "not-found";
    case CTL_CONFLICT:
        return "conflict";
    case CTL_SPEC:
        return "spec";
    case CTL_DENIED:
        return "denied";
    case CTL_VERSION:
        return "api-version";
    case CTL_TIMEOUT:
        return "timeout";
    default:
        return "failed";
    }
}

int ctl_fail(const struct ctl *c, int code, const char *fmt, ...)
{
    char text[1024], type[64];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)fflush(stdout);
    (void)fputs("bbtctl: ", stderr);
    safe_print(stderr, text);
    (void)fputc('\n', stderr);
    if (ctl_json(c)) {
        (void)snprintf(type, sizeof type, "urn:bbtd:problem:%s", code_urn(code));
        safe_json(stdout, json_pack("{s:s, s:s, s:i}", "type", type, "detail", text, "exit",
                              code));
    }
    return code;
}

int ctl_fail_err(const struct ctl *c, const struct bbt_err *err)
{
    static const int by[BBT_RC_NR] = {
        [BBT_AGAIN] = CTL_UNREACHABLE,
        [BBT_INVALID] = CTL_FAIL,
        [BBT_NOTFOUND] = CTL_NOTHING,
        [BBT_CONFLICT] = CTL_CONFLICT,
        [BBT_DENIED] = CTL_DENIED,
    };
    int code = err->rc < BBT_RC_NR ? by[err->rc] : CTL_FAIL;

    return ctl_fail(c, code ? code : CTL_FAIL, "%s", err->msg);
}

int ctl_fail_lines(
    const struct ctl *c, const char *const *lines, size_t n, json_t *problem)
{
    (void)fflush(stdout);
    for (size_t i = 0; i < n; i++) {
        safe_print(stderr, lines[i]);
        (void)fputc('\n', stderr);
    }
    if (ctl_json(c))
        safe_json(stdout, problem);
    else
        json_decref(problem);
    return CTL_SPEC;
}

bool ctl_pause(unsigned ms)
{
    return poll(NULL, 0, (int)ms) == 0;
}

static const char *last_words;

static void on_interrupt(int sig)
{
    (void)sig;
    if (write(STDERR_FILENO, "\n", 1) == 1 && last_words)
        (void)!write(STDERR_FILENO, last_words, strlen(last_words));
    _exit(CTL_INTERRUPTED);
}

void ctl_on_interrupt(const char *last)
{
    struct sigaction sa = {.sa_handler = on_interrupt};

    last_words = last;
    (void)sigaction(SIGINT, &sa, NULL);
}
