/* api_server.c -- the daemon itself: alive, ready, version, figures. */
#include "api.h"

#include "loop/lane.h"
#include "loop/loop.h"
#include "num/blas.h"
#include "openapi.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void api_health_get(struct web_req *r, void *arg)
{
    (void)arg;
    api_reply(r, 200, json_pack("{s:s}", "status", "alive"));
}

static void run_ready(struct port_call *c, struct port_db *db)
{
    c->rc = store_touch((struct store *)db, &c->err);
}

static void ready_then(struct api *a)
{
    a->json = json_pack("{s:s}", "status", "ready");
}

void api_ready_get(struct web_req *r, void *arg)
{
    struct daemon *d = arg;
    struct api *a;

    if (d->draining || engine_ill(d->engine)) {
        api_problem(r, d->draining ? BBT_CANCELED : BBT_IO,
            d->draining ? "the daemon is stopping" : engine_ill(d->engine)->text);
        return;
    }
    a = api_new(r, arg, sizeof *a);
    if (!a)
        return;
    a->then = ready_then;
    api_db(a, run_ready);
}

void api_version_get(struct web_req *r, void *arg)
{
    (void)arg;
    api_reply(r, 200, json_pack("{s:s, s:s, s:s}", "version", BBT_VERSION, "apiVersion",
                          "v1", "program", "bbtd"));
}

/* Resident set in megabytes; 0 where /proc does not tell. */
static double rss_mb(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long size = 0, resident = 0;
    int n = f ? fscanf(f, "%ld %ld", &size, &resident) : 0;

    if (f)
        (void)fclose(f);
    return n == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6 : 0.0;
}

/* The largest it has ever been. */
static double rss_peak_mb(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    double kb = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf kB", &kb) == 1)
            break;
    if (f)
        (void)fclose(f);
    return kb * 1024.0 / 1e6;
}

void api_server_get(struct web_req *r, void *arg)
{
    struct daemon *d = arg;
    json_t *v = json_pack("{s:s, s:s, s:s, s:I, s:o, s:f, s:o, s:b, s:I, s:I, s:I}",
        "apiVersion", "v1", "kind", "Server", "version", BBT_VERSION, "pid",
        (json_int_t)getpid(), "started", api_time(d->started_us), "uptime_seconds",
        (double)(port_wall_us() - d->started_us) / 1e6, "state_dir", json_clean(d->state_dir),
        "draining", (int)d->draining, "running", (json_int_t)engine_running(d->engine),
        "in_flight", (json_int_t)engine_in_flight(d->engine), "store_queue",
        (json_int_t)lane_pending(d->lane));

    json_put(&v, "rss_mb", json_real(rss_mb()));
    json_put(&v, "rss_peak_mb", json_real(rss_peak_mb()));
    json_put(&v, "loop_turns", json_integer((json_int_t)loop_turn_count(d->loop)));
    json_put(&v, "loop_turn_p50_ms",
        json_real((double)loop_turn_quantile_us(d->loop, 0.5) / 1e3));
    json_put(&v, "loop_turn_p99_ms",
        json_real((double)loop_turn_quantile_us(d->loop, 0.99) / 1e3));
    json_put(&v, "loop_turn_max_ms", json_real((double)loop_turn_max_us(d->loop) / 1e3));
    json_put(&v, "store_wait_p50_ms",
        json_real((double)lane_wait_quantile_us(d->lane, 0.5) / 1e3));
    json_put(&v, "store_wait_p99_ms",
        json_real((double)lane_wait_quantile_us(d->lane, 0.99) / 1e3));
    json_put(&v, "store_wait_max_ms", json_real((double)lane_wait_max_us(d->lane) / 1e3));
    json_put(&v, "today", api_view_today(d->engine));
    json_put(&v, "blas", json_string(blas_name()));
    api_reply(r, 200, v);
}

void api_openapi_get(struct web_req *r, void *arg)
{
    (void)arg;
    web_reply(r, 200, "application/json", openapi_json, openapi_json_len);
}
