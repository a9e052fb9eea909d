#include "client.h"

#include "base/alloc.h"
#include "net/call.h"
#include "safe.h"
#include "spec/paths.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK_MS 30000u
#define SLOW_MS 3600000u
#define PAGE 1000
#define API_VERSION "v1"

void client_fini(struct client_reply *r)
{
    buf_fini(&r->body);
    json_decref(r->json);
    r->json = NULL;
}

/* ---- which socket ---- */

/* Who may not, and what would help. */
static void denied(const char *path, struct bbt_err *err)
{
    const struct passwd *me = getpwuid(getuid());
    const struct group *g = NULL;
    struct stat st;

    if (stat(path, &st) == 0)
        g = getgrgid(st.st_gid);
    if (g && (st.st_mode & S_IWGRP) && st.st_gid != 0)
        (void)bbt_fail(err, BBT_DENIED,
            "cannot reach bbtd at %s: permission denied. You are not in group \"%s\": sudo "
            "adduser %s %s, then log in again.",
            path, g->gr_name, me ? me->pw_name : "YOU", g->gr_name);
    else
        (void)bbt_fail(err, BBT_DENIED,
            "cannot reach bbtd at %s: permission denied. The socket belongs to somebody else: "
            "use --socket PATH, or ask the daemon's owner.",
            path);
}

static const char *absence(const char *path)
{
    return access(path, F_OK) == 0 ? "nobody listens there" : "no such socket";
}

static void absent(const char *one, const char *two, struct bbt_err *err)
{
    if (two)
        (void)bbt_fail(err, BBT_NOTFOUND,
            "cannot reach bbtd: %s at %s, and %s at %s. Is it running? Start it with "
            "\"systemctl start bbtd\" or \"bbtd --config FILE\", or name its socket with "
            "--socket PATH.",
            absence(one), one, absence(two), two);
    else
        (void)bbt_fail(err, BBT_NOTFOUND,
            "cannot reach bbtd at %s: %s. Is it running? Start it with \"systemctl start "
            "bbtd\" or \"bbtd --config FILE\".",
            one, absence(one));
}

static enum bbt_rc run_at(const struct ctl *c, const char *path, const struct client_req *q,
    struct client_reply *ret, struct bbt_err *err)
{
    char *url = bbt_asprintf("http://localhost%s", q->path);
    char *key = q->key ? bbt_asprintf("Idempotency-Key: %s", q->key) : NULL;
    const char *headers[] = {
        q->raw ? "Accept: */*" : "Accept: application/json", "Expect:", key, NULL};
    unsigned limit = q->slow ? SLOW_MS : QUICK_MS;
    struct call call = {.method = q->method ? q->method : "GET",
        .url = url,
        .unix_path = path,
        .headers = headers,
        .body = q->body,
        .body_len = q->len,
        .timeout_ms = limit};
    enum bbt_rc rc;

    if (c->timeout_us && c->timeout_us / 1000 < limit)
        call.timeout_ms = c->timeout_us < 1000 ? 1 : (unsigned)(c->timeout_us / 1000);
    if (!url || (q->key && !key))
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a request");
    else
        rc = call_run(&call, &ret->status, &ret->body, err);
    bbt_free(url);
    bbt_free(key);
    return rc;
}

/* The socket asked for; else the user's, else the system's, and from then on the same. */
static enum bbt_rc run_any(struct ctl *c, const struct client_req *q,
    struct client_reply *ret, struct bbt_err *err)
{
    const char *only = c->found ? c->found : c->socket;
    char *path[2] = {NULL, NULL};
    enum bbt_rc rc = BBT_NOTFOUND;
    size_t n = 0, i = 0;

    path[n++] = only ? bbt_strdup(only) : paths_socket();
    if (!only)
        path[n++] = paths_socket_system();
    if (n == 2 && path[0] && path[1] && strcmp(path[0], path[1]) == 0)
        n = 1;
    for (; i < n && rc == BBT_NOTFOUND; i++)
        rc = path[i] ? run_at(c, path[i], q, ret, err)
                     : bbt_fail(err, BBT_NOMEM, "no memory for a path");
    if (rc == BBT_DENIED)
        denied(path[i - 1], err);
    else if (rc == BBT_NOTFOUND)
        absent(path[0], n == 2 ? path[1] : NULL, err);
    else if (rc == BBT_OK && !c->found) {
        c->found = path[i - 1];
        path[i - 1] = NULL;
    }
    bbt_free(path[0]);
    bbt_free(path[1]);
    return rc;
}

enum bbt_rc client_send(struct ctl *c, const struct client_req *q,
    struct client_reply *ret, struct bbt_err *err)
{
    struct client_reply r = {0};
    enum bbt_rc rc;

    buf_init(&r.body, SIZE_MAX);
    rc = run_any(c, q, &r, err);
    if (rc != BBT_OK) {
        client_fini(&r);
        return rc;
    }
    if ((!q->raw || r.status >= 300) && r.body.len)
        if (json_parse(r.body.data, r.body.len, "answer", &r.json, NULL) != BBT_OK)
            r.json = NULL;
    *ret = r;
    return BBT_OK;
}

/* ---- what an answer means ---- */

int client_code(unsigned status)
{
    if (status >= 200 && status < 300)
        return CTL_OK;
    switch (status) {
    case 401:
    case 403:
        return CTL_DENIED;
    case 404:
        return CTL_NOTHING;
    case 409:
        return CTL_CONFLICT;
    case 413:
    case 429:
        return CTL_LIMIT;
    case 422:
        return CTL_SPEC;
    default:
        return CTL_FAIL;
    }
}

int client_unreachable(const struct ctl *c, const struct bbt_err *err)
{
    switch (err->rc) {
    case BBT_NOTFOUND:
    case BBT_DENIED:
        return ctl_fail(c, CTL_UNREACHABLE, "%s", err->msg);
    case BBT_AGAIN:
        return ctl_fail(c, CTL_UNREACHABLE, "bbtd at %s did not answer: %s",
            c->found    ? c->found
                : c->socket ? c->socket
                            : "its socket",
            err->msg);
    default:
        return ctl_fail_err(c, err);
    }
}

int client_refused(const struct ctl *c, const struct client_reply *r)
{
    const char *title = json_get_str(r->json, "title", ""),
               *detail = json_get_str(r->json, "detail", "");
    int code = client_code(r->status);

    if (!json_is_object(r->json))
        return ctl_fail(c, code, "bbtd answered with HTTP status %u", r->status);
    (void)fflush(stdout);
    ctl_fail(&(struct ctl){.form = FORM_TABLE}, code, "%s", *detail ? detail : title);
    if (ctl_json(c)) {
        json_t *v = json_deep_copy(r->json);

        if (v)
            (void)json_object_set_new(v, "exit", json_integer(code));
        safe_json(stdout, v);
    }
    return code;
}

/* A 2xx answer in the form that was asked for, of the API that we speak. */
static int check(const struct ctl *c, const struct client_req *q, const struct client_reply *r)
{
    const char *version;

    if (q->raw)
        return CTL_OK;
    if (!r->json)
        return ctl_fail(c, CTL_FAIL, "%s answers, but not in JSON: is this bbtd?", c->found);
    version = json_get_str(r->json, "apiVersion", API_VERSION);
    if (strncmp(version, "bbt/", 4) == 0)
        version += 4; /* a job file's own */
    if (strcmp(version, API_VERSION) == 0)
        return CTL_OK;
    return ctl_fail(c, CTL_VERSION,
        "the daemon at %s speaks API %s, this bbtctl (%s) speaks %s: install matching versions",
        c->found, version, BBT_VERSION, API_VERSION);
}

int client_ask(struct ctl *c, const struct client_req *q, struct client_reply *ret)
{
    struct client_reply r = {0};
    struct bbt_err err = {0};
    int code;

    if (client_send(c, q, &r, &err) != BBT_OK)
        return client_unreachable(c, &err);
    code = client_code(r.status) == CTL_OK ? check(c, q, &r) : client_refused(c, &r);
    if (code == CTL_OK)
        *ret = r;
    else
        client_fini(&r);
    return code;
}

int client_get(struct ctl *c, const char *path, json_t **ret)
{
    struct client_reply r = {0};
    int code = client_ask(c, &(struct client_req){.path = path}, &r);

    if (code != CTL_OK)
        return code;
    *ret = json_incref(r.json);
    client_fini(&r);
    return CTL_OK;
}

int client_jobs(struct ctl *c, const char *query, json_t **ret)
{
    json_t *all = json_array(), *page = NULL;
    char path[256], next[32] = "0";
    int code = CTL_OK;

    while (next[0] && code == CTL_OK) {
        (void)snprintf(path, sizeof path, "/v1/jobs?limit=%d&cursor=%s%s%s", PAGE, next,
            query ? "&" : "", query ? query : "");
        code = client_get(c, path, &page);
        if (code != CTL_OK)
            break;
        if (json_array_extend(all, json_object_get(page, "items")) != 0)
            code = ctl_fail(c, CTL_FAIL, "the daemon's list of jobs has no items");
        (void)snprintf(next, sizeof next, "%.31s", json_get_str(page, "next", ""));
        json_decref(page);
    }
    if (code == CTL_OK)
        *ret = all;
    else
        json_decref(all);
    return code;
}

char *client_escape(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, SIZE_MAX);
    rc = buf_puts(&b, "");
    for (; *text && rc == BBT_OK; text++)
        rc = strchr(plain, *text) ? buf_put(&b, text, 1)
                                  : buf_printf(&b, "%%%02X", (unsigned char)*text);
    if (rc == BBT_OK)
        return (char *)buf_take(&b, NULL);
    buf_fini(&b);
    return NULL;
}
