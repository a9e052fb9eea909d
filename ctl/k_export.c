/* k_export.c -- bbtctl export: the tuned prompt as a file. */
#include "cmd.h"

#include "client.h"
#include "jobs.h"
#include "outfile.h"

#include <stdio.h>
#include <string.h>

/* By --format, else by the end of the name; NULL: neither tells. */
static const char *format_of(const struct opt_args *a, const char *path)
{
    const char *named = opt_text(a, "format", NULL), *dot = strrchr(path, '.');

    if (!named && dot)
        named = dot + 1;
    if (!named && strcmp(path, "-") == 0)
        named = "safetensors";
    if (named && strcmp(named, "safetensors") != 0 && strcmp(named, "npy") != 0)
        return NULL;
    return named;
}

int k_export(struct ctl *c, const struct opt_args *a)
{
    const char *path = opt_text(a, "output", NULL), *format = path ? format_of(a, path) : NULL;
    json_t *job = NULL;
    struct client_reply r = {0};
    char url[96];
    int code;

    if (!path)
        return ctl_fail(c, CTL_USAGE, "export needs -o FILE.safetensors or -o FILE.npy");
    if (!format)
        return ctl_fail(c, CTL_USAGE,
            "-o %s: must end in .safetensors or .npy, or --format must be one of them", path);
    code = jobs_one(c, a->pos[0], &job);
    if (code != CTL_OK)
        return code;
    (void)snprintf(url, sizeof url, "/v1/jobs/%lld/prompt?format=%s",
        json_get_int(job, "id", 0), format);
    json_decref(job);
    code = client_ask(c, &(struct client_req){.path = url, .raw = true}, &r);
    if (code == CTL_OK)
        code = outfile_write(c, path, opt_has(a, "force"), r.body.data, r.body.len);
    client_fini(&r);
    return code;
}
