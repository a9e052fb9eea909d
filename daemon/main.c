/* main.c -- bbtd: start the parts in order, run, stop them in reverse.
 *
 * Threads: the loop (everything that decides), the store's lane (SQLite), the workers
 * (numerics, files). First SIGTERM or SIGINT: nothing new is sent, what is on the wire comes
 * in (up to queue.stop_grace), all is committed, exit 0. Second: the wire is cut. */
#include "daemon.h"

#include "api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "events.h"
#include "keys.h"
#include "loop/lane.h"
#include "loop/loop.h"
#include "loop/sig.h"
#include "loop/work.h"
#include "net/http.h"
#include "notify.h"
#include "num/blas.h"
#include "setup.h"
#include "spec/paths.h"
#include "store/cache.h"
#include "store/st_backup.h"
#include "store/store.h"
#include "upkeep.h"
#include "web/web.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_MAX 64 /* store calls that share one commit */
#define GROUP_US 10000u /* and no call begins in a group that is older */
#define STATUS_US 2000000u

struct run {
    struct daemon d;
    struct op op; /* signals, the end of work, the grace's end */
    struct sig *sig[3];
    bool term, intr, hup;
    struct loop_timer grace, watchdog, status;
    struct op beat, tell;
    unsigned asked; /* how often we were told to stop */
};

/* ---- stopping ---- */

static void stop(struct run *r)
{
    bool hard = ++r->asked > 1;

    r->d.draining = true;
    if (!hard) {
        notify_stopping();
        notify_extend(r->d.conf->queue.stop_grace_us + 10000000u);
        log_info("stopping", "waiting for %zu requests on the wire",
            engine_in_flight(r->d.engine));
        events_close(r->d.events);
        web_quiesce(r->d.web, &r->op);
        timer_start(&r->grace, r->d.conf->queue.stop_grace_us);
    }
    if (hard)
        api_drop_all(&r->d);
    engine_stop(r->d.engine, &r->op, hard);
}

static void reload(struct run *r)
{
    struct bbt_err err = {0};

    notify_reloading(clock_mono_us());
    if (setup_reload(&r->d, &err) == BBT_OK)
        log_info("reloaded", "%s", r->d.conf_path);
    else
        log_error("reload-refused", "nothing was changed: %s", err.msg);
    notify_ready("running");
}

static void run_step(struct op *op)
{
    struct run *r = bbt_container(op, struct run, op);
    bool told = r->term || r->intr || (r->grace.fired && r->asked == 1);

    r->term = r->intr = r->grace.fired = false;
    if (told)
        stop(r);
    if (r->hup && !r->d.draining) {
        r->hup = false;
        reload(r);
    }
    if (r->d.draining && engine_idle(r->d.engine) && lane_pending(r->d.lane) == 0 &&
        !r->d.stories && (web_busy(r->d.web) == 0 || r->asked > 1))
        loop_stop(r->d.loop);
}

static void beat_step(struct op *op)
{
    struct run *r = bbt_container(op, struct run, beat);

    notify_watchdog();
    timer_start(&r->watchdog, notify_watchdog_us());
}

static void tell_step(struct op *op)
{
    struct run *r = bbt_container(op, struct run, tell);
    char line[96];

    (void)snprintf(line, sizeof line, "%zu running, %zu requests on the wire",
        engine_running(r->d.engine), engine_in_flight(r->d.engine));
    notify_status(line);
    if (r->d.draining)
        op_wake(&r->op); /* the store's queue has no other way to say that it is empty */
    timer_start(&r->status, r->d.draining ? 20000u : STATUS_US);
}

/* ---- starting ---- */

static enum bbt_rc make_parent(const char *path, struct bbt_err *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash && slash != path ? bbt_strndup(path, (size_t)(slash - path)) : NULL;
    enum bbt_rc rc = BBT_OK;

    if (dir && mkdir(dir, 0755) != 0 && errno != EEXIST)
        rc = bbt_fail(err, errno == EACCES ? BBT_DENIED : BBT_IO, "cannot create %s: %s",
            dir, strerror(errno));
    bbt_free(dir);
    return rc;
}

static enum bbt_rc listen_control(struct daemon *d, struct bbt_err *err)
{
    int fd = -1;
    enum bbt_rc rc = notify_listen_fd("control", &fd, err);

    if (rc != BBT_OK)
        return rc;
    if (fd >= 0)
        return web_listen_fd(d->web, fd, err);
    rc = make_parent(d->socket_path, err);
    if (rc == BBT_OK)
        rc = web_listen_unix(d->web, d->socket_path, d->conf->unix_socket.mode, err);
    return rc;
}

static enum bbt_rc open_store(struct daemon *d, struct bbt_err *err)
{
    const struct lane_opts lane = {.name = "store",
        .batch_max = GROUP_MAX,
        .batch_us = GROUP_US,
        .begin = ports_begin,
        .end = ports_commit,
        .arg = d};
    enum bbt_rc rc = store_open(
        d->state_dir, d->conf->network_state ? STORE_NETWORK_OK : 0, &d->store, err);

    return rc == BBT_OK ? lane_new(d->loop, &lane, &d->lane, err) : rc;
}

/* Without it everything is only dearer, so nothing about it stops the daemon. */
static void open_cache(struct daemon *d)
{
    struct bbt_err err = {0};
    bool anew = false;
    const char *dir = d->conf->cache.dir;

    if (!dir)
        return;
    if (cache_open(dir, &d->cache, &anew, &err) != BBT_OK)
        log_warn("cache", "none: %s", err.msg);
    else if (anew)
        log_warn("cache", "%s was no cache of ours: set aside, begun anew", dir);
}

static enum bbt_rc start_parts(struct daemon *d, struct bbt_err *err)
{
    unsigned workers = d->conf->worker_threads ? (unsigned)d->conf->worker_threads : 1;
    struct web_opts opts = {.server = "bbtd/" BBT_VERSION};
    size_t n;
    const struct web_route *routes = api_routes(&n);
    enum bbt_rc rc;

    blas_threads(d->conf->blas_threads ? (int)d->conf->blas_threads : 1);
    rc = loop_new(&d->loop, err);
    if (rc == BBT_OK)
        rc = open_store(d, err);
    if (rc == BBT_OK)
        open_cache(d);
    if (rc == BBT_OK)
        rc = work_pool_new(d->loop, workers, &d->pool, err);
    if (rc == BBT_OK)
        rc = http_client_new(d->loop, NULL, &d->http, err);
    if (rc != BBT_OK)
        return rc;
    ports_bind(d);
    rc = engine_new(d->conf, loop_turnq(d->loop), &d->engine, err);
    if (rc == BBT_OK)
        rc = events_new(d, &d->events, err);
    if (rc == BBT_OK)
        rc = upkeep_new(d, &d->upkeep, err);
    if (rc == BBT_OK)
        rc = web_new(d->loop, &opts, routes, n, d, &d->web, err);
    if (rc == BBT_OK)
        rc = listen_control(d, err);
    return rc;
}

/* Order: whoever can still be called is freed after its callers. */
static void stop_parts(struct daemon *d)
{
    web_free(d->web);
    http_client_free(d->http);
    work_pool_free(d->pool);
    lane_free(d->lane);
    upkeep_free(d->upkeep);
    events_free(d->events);
    d->events = NULL;
    if (d->engine && engine_idle(d->engine))
        engine_free(d->engine);
    if (d->loop)
        ports_unbind();
    loop_free(d->loop);
    cache_close(d->cache);
    store_close(d->store);
}

static enum bbt_rc watch_signals(struct run *r, struct bbt_err *err)
{
    const struct {
        int number;
        bool *flag;
    } all[3] = {{SIGTERM, &r->term}, {SIGINT, &r->intr}, {SIGHUP, &r->hup}};
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < 3 && rc == BBT_OK; i++)
        rc = sig_new(r->d.loop, all[i].number, all[i].flag, &r->op, &r->sig[i], err);
    return rc;
}

static void start_timers(struct run *r)
{
    struct turnq *q = loop_turnq(r->d.loop);

    op_init(&r->op, q, run_step);
    op_init(&r->beat, q, beat_step);
    op_init(&r->tell, q, tell_step);
    timer_init(&r->grace, r->d.loop, &r->op);
    timer_init(&r->watchdog, r->d.loop, &r->beat);
    timer_init(&r->status, r->d.loop, &r->tell);
    if (notify_watchdog_us())
        timer_start(&r->watchdog, notify_watchdog_us());
    timer_start(&r->status, STATUS_US);
}

static void stop_timers(struct run *r)
{
    for (size_t i = 0; i < 3; i++)
        sig_free(r->sig[i]);
    timer_stop(&r->grace);
    timer_stop(&r->watchdog);
    timer_stop(&r->status);
    op_fini(&r->op);
    op_fini(&r->beat);
    op_fini(&r->tell);
}

static int exit_code(enum bbt_rc rc)
{
    switch (rc) {
    case BBT_OK:
        return SETUP_EXIT_OK;
    case BBT_CONFLICT:
        return SETUP_EXIT_HELD;
    case BBT_DENIED:
        return SETUP_EXIT_DENIED;
    case BBT_INVALID:
        return SETUP_EXIT_CONFIG;
    default:
        return SETUP_EXIT_FAILURE;
    }
}

static int serve(struct run *r)
{
    struct bbt_err err = {0};
    enum bbt_rc rc = start_parts(&r->d, &err);

    if (rc == BBT_OK) {
        start_timers(r);
        rc = watch_signals(r, &err);
    }
    if (rc == BBT_OK) {
        r->d.started_us = clock_wall_us();
        engine_start(r->d.engine);
        BBT_KILLPOINT("started");
        log_info("started", "bbtd %s state=%s socket=%s blas=%s", BBT_VERSION,
            r->d.state_dir, r->d.socket_path, blas_name());
        notify_ready("running");
        loop_run(r->d.loop);
        log_info("stopped", "all work is committed");
    } else {
        log_error("start", "%s", err.msg);
    }
    if (r->op.q)
        stop_timers(r);
    stop_parts(&r->d);
    return exit_code(rc);
}

/* --restore: what is there afterwards, and where the old one went. */
static int restore(struct run *r, const struct setup *s)
{
    struct bbt_err err = {0};
    char *kept = NULL;
    enum bbt_rc rc = store_restore(s->restore, r->d.state_dir, s->force, &kept, &err);

    if (rc != BBT_OK)
        log_error("restore", "%s", err.msg);
    else
        log_info("restored", "%s is in place in %s", s->restore, r->d.state_dir);
    if (kept)
        log_info("restored", "the database that was there is %s", kept);
    bbt_free(kept);
    return rc == BBT_OK || rc == BBT_CONFLICT || rc == BBT_DENIED ? exit_code(rc)
                                                                  : SETUP_EXIT_FAILURE;
}

static enum bbt_rc settle(struct run *r, const struct setup *s, struct bbt_err *err)
{
    struct daemon *d = &r->d;

    d->state_dir = s->state_dir ? bbt_strdup(s->state_dir)
        : d->conf->state_dir    ? bbt_strdup(d->conf->state_dir)
                                : paths_state();
    d->socket_path = s->socket       ? bbt_strdup(s->socket)
        : d->conf->unix_socket.path ? bbt_strdup(d->conf->unix_socket.path)
                                    : paths_socket();
    d->log_forced = s->log_level != NULL;
    log_set_level(s->log_level ? log_level_parse(s->log_level)
                               : (enum log_level)d->conf->log_level);
    if (!d->state_dir || !d->socket_path)
        return bbt_fail(err, BBT_NOMEM, "no memory to start");
    return BBT_OK;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct setup s;
    struct bbt_err err = {0};
    char *found = NULL;
    int code = setup_args(argc, argv, &s);

    if (code >= 0)
        return code;
    (void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is a failed write, no death */
    json_use_alloc();
    found = s.config ? bbt_strdup(s.config) : paths_config();
    if (!found || setup_conf(found, &r.d.conf, &err) != BBT_OK) {
        log_error("config", "%s", found ? err.msg : "no memory");
        code = SETUP_EXIT_CONFIG;
    } else if (keys_load(r.d.conf, NULL, &r.d.keys, &err) != BBT_OK) {
        log_error("config", "%s", err.msg);
        code = err.rc == BBT_DENIED ? SETUP_EXIT_DENIED : SETUP_EXIT_CONFIG;
    } else if (s.check_only) {
        (void)printf("%s: good\n", found);
        code = SETUP_EXIT_OK;
    } else {
        r.d.conf_path = found;
        code = SETUP_EXIT_FAILURE;
        if (settle(&r, &s, &err) != BBT_OK || http_global_init(&err) != BBT_OK ||
            store_use_alloc(&err) != BBT_OK) {
            log_error("start", "%s", err.msg);
        } else {
            code = s.restore ? restore(&r, &s) : serve(&r);
            http_global_fini();
        }
    }
    bbt_free(r.d.state_dir);
    bbt_free(r.d.socket_path);
    conf_free(r.d.conf);
    keys_free(r.d.keys);
    keys_free(r.d.keys_before);
    bbt_free(found);
    return code;
}
