/* k_upkeep.c -- bbtctl server backup, check, vacuum. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "sheet.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* POST of an object (taken; NULL: nothing); the caller owns *ret. */
static int post(struct ctl *c, const char *path, json_t *body, json_t **ret)
{
    struct client_reply reply = {0};
    char *text = body ? json_print(body) : NULL;
    struct client_req q = {.method = "POST", .path = path, .slow = true};
    bool lost = body && !text;
    int code;

    json_decref(body);
    if (lost)
        return ctl_fail(c, CTL_FAIL, "no memory");
    q.body = text;
    q.len = text ? strlen(text) : 0;
    code = client_ask(c, &q, &reply);
    if (code == CTL_OK) {
        *ret = reply.json;
        reply.json = NULL;
    }
    client_fini(&reply);
    bbt_free(text);
    return code;
}

/* The daemon has another working folder than we have. */
static char *absolute(const char *file)
{
    char here[4096];

    if (file[0] == '/')
        return bbt_strdup(file);
    return getcwd(here, sizeof here) ? bbt_asprintf("%s/%s", here, file) : NULL;
}

int k_server_backup(struct ctl *c, const struct opt_args *a)
{
    char *file = absolute(a->pos[0]);
    json_t *v = NULL;
    int code;

    if (!file)
        return ctl_fail(c, CTL_FAIL, "the current folder cannot be told");
    code = post(c, "/v1/server:backup", json_pack("{s:s}", "file", file), &v);
    bbt_free(file);
    if (code != CTL_OK)
        return code;
    if (!sheet_json(c, v)) {
        (void)printf("%s: %lld bytes\n", json_get_str(v, "file", "?"),
            json_get_int(v, "bytes", 0));
        ctl_note(c, "to put it in place: stop bbtd, then bbtd --restore FILE");
    }
    json_decref(v);
    return CTL_OK;
}

int k_server_check(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL, *item;
    size_t i;
    int code = post(c, "/v1/server:check", NULL, &v);
    bool good;

    (void)a;
    if (code != CTL_OK)
        return code;
    good = json_is_true(json_object_get(v, "ok"));
    if (!sheet_json(c, v)) {
        json_array_foreach(json_object_get(v, "findings"), i, item)
            (void)printf("%s\n", json_string_value(item));
        if (good)
            (void)puts("good: the file is whole, ledger, counters and checkpoints agree");
    }
    json_decref(v);
    return good ? CTL_OK : CTL_FAIL;
}

int k_server_vacuum(struct ctl *c, const struct opt_args *a)
{
    json_t *v = NULL;
    int code = post(c, "/v1/server:vacuum", NULL, &v);

    (void)a;
    if (code != CTL_OK)
        return code;
    if (!sheet_json(c, v))
        (void)printf("%lld bytes given back; what is not kept went in %lld steps\n",
            json_get_int(v, "bytes", 0), json_get_int(v, "let_go", 0));
    json_decref(v);
    return CTL_OK;
}
