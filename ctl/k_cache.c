/* k_cache.c -- bbtctl cache stats, prune, clear, verify. */
#include "cmd.h"

#include "client.h"
#include "fmt.h"
#include "sheet.h"

#include <stdio.h>

static int show(struct ctl *c, const char *method, const char *path)
{
    struct client_reply reply = {0};
    struct client_req q = {.method = method, .path = path, .slow = true};
    int code = client_ask(c, &q, &reply);
    const json_t *v = reply.json;

    if (code == CTL_OK && !sheet_json(c, reply.json)) {
        sheet_count("entries", v, "entries");
        sheet_line("size", "%.1f MB", fmt_number(v, "bytes") / 1e6);
        sheet_time(c, "oldest", v, "oldest");
        sheet_count("hits", v, "hits");
        sheet_count("misses", v, "misses");
        sheet_count("kept", v, "puts");
        sheet_count("damaged", v, "damaged");
    }
    client_fini(&reply);
    return code;
}

int k_cache_stats(struct ctl *c, const struct opt_args *a)
{
    (void)a;
    return show(c, "GET", "/v1/cache");
}

int k_cache_prune(struct ctl *c, const struct opt_args *a)
{
    (void)a;
    return show(c, "POST", "/v1/cache:prune");
}

int k_cache_verify(struct ctl *c, const struct opt_args *a)
{
    (void)a;
    return show(c, "POST", "/v1/cache:verify");
}

/* The answers in it were paid for. */
int k_cache_clear(struct ctl *c, const struct opt_args *a)
{
    char line[16] = "";

    (void)a;
    if (!c->yes && (!c->tty_in || !c->tty_err))
        return ctl_fail(c, CTL_USAGE, "cache clear needs --yes");
    if (!c->yes) {
        (void)fputs("drop every cached answer? [y/N] ", stderr);
        if (!fgets(line, sizeof line, stdin) || (line[0] != 'y' && line[0] != 'Y'))
            return ctl_fail(c, CTL_USAGE, "nothing was done");
    }
    return show(c, "POST", "/v1/cache:clear");
}
