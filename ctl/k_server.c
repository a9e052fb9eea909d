/* k_server.c -- bbtctl server status and version. */
#include "cmd.h"

#include "client.h"
#include "fmt.h"
#include "sheet.h"

#include <stdio.h>

static void show_server(const struct ctl *c, const json_t *v)
{
    sheet_line("bbtd", "%s, pid %lld%s", json_get_str(v, "version", "?"),
        json_get_int(v, "pid", 0), json_get_bool(v, "draining", 0) ? ", stopping" : "");
    sheet_line("socket", "%s", c->found);
    sheet_line("state", "%s", json_get_str(v, "state_dir", ""));
    sheet_seconds("up", v, "uptime_seconds");
    sheet_count("running jobs", v, "running");
    sheet_count("on the wire", v, "in_flight");
    sheet_count("store queue", v, "store_queue");
    sheet_line("memory", "%.1f MB, at most %.1f MB", fmt_number(v, "rss_mb"),
        fmt_number(v, "rss_peak_mb"));
    sheet_line("loop turns", "%lld; p50 %.3f ms, p99 %.3f ms, longest %.1f ms",
        json_get_int(v, "loop_turns", 0), fmt_number(v, "loop_turn_p50_ms"),
        fmt_number(v, "loop_turn_p99_ms"), fmt_number(v, "loop_turn_max_ms"));
    sheet_line("until durable", "p50 %.3f ms, p99 %.3f ms, longest %.1f ms",
        fmt_number(v, "store_wait_p50_ms"), fmt_number(v, "store_wait_p99_ms"),
        fmt_number(v, "store_wait_max_ms"));
    sheet_line("linear algebra", "%s", json_get_str(v, "blas", ""));
}

int k_server_status(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL;
    int code = client_get(c, "/v1/server", &v);

    (void)a;
    if (code != CTL_OK)
        return code;
    if (!sheet_json(c, v))
        show_server(c, v);
    json_decref(v);
    return code;
}

int k_version(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL, *both;
    int code;

    (void)a;
    if (!ctl_json(c)) { /* ours can be told without a daemon */
        sheet_line("bbtctl", "%s", BBT_VERSION);
        (void)fflush(stdout);
    }
    code = client_get(c, "/v1/version", &v);
    if (code != CTL_OK)
        return code;
    both = json_pack("{s:s, s:s, s:s, s:O}", "apiVersion", "v1", "kind", "Version", "bbtctl",
        BBT_VERSION, "bbtd", v);
    if (!sheet_json(c, both))
        sheet_line("bbtd", "%s (API %s) at %s", json_get_str(v, "version", "?"),
            json_get_str(v, "apiVersion", "?"), c->found);
    json_decref(both);
    json_decref(v);
    return code;
}
