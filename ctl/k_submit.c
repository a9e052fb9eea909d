/* k_submit.c -- bbtctl submit: job files and their data to the daemon, once each. */
#include "cmd.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "client.h"
#include "estimate.h"
#include "jobfile.h"
#include "safe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define TRIES 8
#define WAIT_MS 500u

/* ---- what the daemon finds wrong ---- */

/* "task.labels: word ..." -> "/task/labels", where the sentence begins with a key that the
 * job file has. */
static bool pointer_of(const json_t *tree, const char *detail, char *out, size_t room)
{
    size_t len = strspn(detail, "abcdefghijklmnopqrstuvwxyz_."), top = strcspn(detail, ".:");
    char key[64];

    if (detail[len] != ':' || len + 2 > room || top >= sizeof key)
        return false;
    memcpy(key, detail, top);
    key[top] = '\0';
    if (!json_object_get(tree, key))
        return false;
    out[0] = '/';
    for (size_t i = 0; i < len; i++)
        out[i + 1] = detail[i] == '.' ? '/' : detail[i];
    out[len + 1] = '\0';
    return true;
}

static int refused(const struct ctl *c, struct jobfile *j, const struct client_reply *r)
{
    const json_t *list = json_object_get(r->json, "errors");
    const char *detail = json_get_str(r->json, "detail", "");
    char pointer[96];

    if (r->status != 422)
        return client_refused(c, r);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        struct spec_problem p = {.of_key = json_get_bool(e, "of_key", 0)};

        (void)snprintf(p.pointer, sizeof p.pointer, "%s", json_get_str(e, "pointer", ""));
        (void)snprintf(p.message, sizeof p.message, "%s", json_get_str(e, "message", ""));
        (void)snprintf(p.fix, sizeof p.fix, "%s", json_get_str(e, "fix", ""));
        faults_add(&j->faults, &p);
    }
    if (json_array_size(list) == 0 && pointer_of(j->tree, detail, pointer, sizeof pointer))
        faults_at(&j->faults, pointer, "%s", detail);
    else if (json_array_size(list) == 0) /* about a data file, or nothing in particular */
        faults_line(&j->faults, *detail ? detail : "the daemon refuses the job");
    return faults_tell(c, &j->faults);
}

/* ---- sending ---- */

/* Sends until an answer comes: every request here may safely be repeated. */
static int send_safely(struct ctl *c, const struct client_req *q, struct client_reply *ret)
{
    struct bbt_err err = {0};

    for (int i = 0;; i++) {
        enum bbt_rc rc = client_send(c, q, ret, &err);
        bool lost = rc != BBT_OK;

        /* gone in the middle of our talk: it may be on its way up again */
        if (lost && (i == TRIES || !c->found || (rc != BBT_AGAIN && rc != BBT_NOTFOUND)))
            return client_unreachable(c, &err);
        if (!lost && (ret->status != 503 || i == TRIES))
            return CTL_OK;
        if (!lost)
            client_fini(ret);
        (void)ctl_pause(WAIT_MS);
    }
}

static int upload(struct ctl *c, const struct jobfile_data *d)
{
    char path[96];
    struct client_req q = {.path = path};
    struct client_reply r = {0};
    int code;

    (void)snprintf(path, sizeof path, "/v1/blobs/%s", d->sha256);
    code = send_safely(c, &q, &r);
    if (code != CTL_OK)
        return code;
    if (r.status == 404) {
        client_fini(&r);
        q.method = "PUT";
        q.body = d->bytes.data ? (const void *)d->bytes.data : "";
        q.len = d->bytes.len;
        code = send_safely(c, &q, &r);
        if (code != CTL_OK)
            return code;
    }
    code = client_code(r.status) == CTL_OK ? CTL_OK : client_refused(c, &r);
    client_fini(&r);
    return code;
}

/* Nobody else's, and another one at the next call: the kernel's 16 random bytes of this
 * process, the moment, and the job itself. */
static bool fresh_key(const char *wire, char out[DIGEST_HEX])
{
    const unsigned char *seed = (const unsigned char *)(uintptr_t)getauxval(AT_RANDOM);
    uint8_t sum[DIGEST_LEN];
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, SIZE_MAX);
    rc = buf_printf(&b, "%d %" PRIu64 " %" PRId64 " ", (int)getpid(), clock_mono_us(),
        clock_wall_us());
    if (rc == BBT_OK && seed)
        rc = buf_put(&b, seed, 16);
    if (rc == BBT_OK)
        rc = buf_puts(&b, wire);
    if (rc == BBT_OK)
        rc = digest_sha256(b.data, b.len, sum);
    if (rc == BBT_OK)
        digest_hex(sum, out);
    buf_fini(&b);
    return rc == BBT_OK;
}

static int post(struct ctl *c, struct jobfile *j, const char *key, bool dry, json_t **ret)
{
    char *wire = jobfile_wire(j), own[DIGEST_HEX];
    struct client_req q = {.method = "POST", .path = dry ? "/v1/jobs:estimate" : "/v1/jobs",
        .body = wire, .len = wire ? strlen(wire) : 0, .key = dry ? NULL : key};
    struct client_reply r = {0};
    int code = wire ? CTL_OK : ctl_fail(c, CTL_FAIL, "no memory for the job");

    if (code == CTL_OK && !q.key && !dry) {
        if (!fresh_key(wire, own))
            code = ctl_fail(c, CTL_FAIL, "no memory for a key");
        q.key = own;
    }
    for (size_t i = 0; i < JOBFILE_PARTS && code == CTL_OK; i++)
        if (j->data[i].path)
            code = upload(c, &j->data[i]);
    if (code == CTL_OK)
        code = send_safely(c, &q, &r);
    if (code == CTL_OK && client_code(r.status) != CTL_OK)
        code = refused(c, j, &r);
    else if (code == CTL_OK && !r.json)
        code = ctl_fail(c, CTL_FAIL, "bbtd took the job but answered without JSON");
    else if (code == CTL_OK)
        *ret = json_incref(r.json);
    client_fini(&r);
    bbt_free(wire);
    return code;
}

int cmd_check_online(struct ctl *c, struct jobfile *j, json_t **ret)
{
    return post(c, j, NULL, true, ret);
}

/* ---- the command ---- */

static void tell(const struct ctl *c, const struct opt_args *a, const json_t *job)
{
    long long id = json_get_int(job, "id", 0);

    if (opt_has(a, "id-only")) {
        (void)printf("%lld\n", id);
    } else if (!ctl_json(c)) {
        safe_printf(stdout, "%s: job %lld %s",
            json_get_bool(job, "existed", 0) ? "known" : "queued", id,
            json_get_str(job, "name", ""));
        (void)putchar('\n');
        if (!opt_has(a, "watch") && !opt_has(a, "wait"))
            ctl_note(c, "Next: bbtctl watch %lld", id);
    }
    (void)fflush(stdout);
}

static int submit_one(struct ctl *c, const struct opt_args *a, const char *path, bool dry,
    json_t *jobs)
{
    struct jobfile j;
    json_t *answer = NULL;
    int code = jobfile_load(c, path, a, &j);

    if (code == CTL_OK)
        code = post(c, &j, opt_text(a, "key", NULL), dry, &answer);
    if (code == CTL_OK && dry)
        code = estimate_show(c, answer);
    else if (code == CTL_OK)
        tell(c, a, answer);
    if (code == CTL_OK)
        (void)json_array_append(jobs, answer);
    json_decref(answer);
    jobfile_fini(&j);
    return code;
}

/* wait or watch for what was submitted. */
static int then(struct ctl *c, const struct opt_args *a, const json_t *jobs)
{
    char ids[1024] = "";
    const char *word = ids;
    struct opt_args next = {.pos = &word, .pos_n = 1};
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(jobs) && at < sizeof ids - 24; i++)
        at += (size_t)snprintf(ids + at, sizeof ids - at, "%s%lld", i ? "," : "",
            json_get_int(json_array_get(jobs, i), "id", 0));
    return opt_has(a, "watch") && json_array_size(jobs) == 1 ? k_watch(c, &next)
                                                             : k_wait(c, &next);
}

static int submit(struct ctl *c, const struct opt_args *a, bool dry)
{
    json_t *jobs = json_array();
    int worst = CTL_OK;

    if (a->pos_n > 1 && opt_has(a, "key")) {
        json_decref(jobs);
        return ctl_fail(c, CTL_USAGE, "--key names one job, but there are %zu files", a->pos_n);
    }
    for (size_t i = 0; i < a->pos_n && worst != CTL_UNREACHABLE; i++) {
        int code = submit_one(c, a, a->pos[i], dry, jobs);

        worst = code ? code : worst;
    }
    if (worst != CTL_OK && json_array_size(jobs) > 0)
        worst = CTL_PARTIAL;
    if (ctl_json(c) && !opt_has(a, "id-only") && a->pos_n == 1 && worst == CTL_OK)
        safe_json(stdout, json_incref(json_array_get(jobs, 0)));
    else if (ctl_json(c) && !opt_has(a, "id-only") && json_array_size(jobs) > 0)
        safe_json(stdout, json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", "JobList",
                              "items", jobs));
    if (worst == CTL_OK && !dry && (opt_has(a, "wait") || opt_has(a, "watch")))
        worst = then(c, a, jobs);
    json_decref(jobs);
    return worst;
}

int k_submit(struct ctl *c, const struct opt_args *a)
{
    return submit(c, a, opt_has(a, "dry-run"));
}

int k_estimate(struct ctl *c, const struct opt_args *a)
{
    return submit(c, a, true);
}
