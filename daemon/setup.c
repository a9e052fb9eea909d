#include "setup.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/yaml.h"
#include "keys.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: bbtd [--config FILE] [--state-dir DIR] [--socket PATH] [--log-level LEVEL]\n"
    "            [--check-config] [--restore FILE [--force]]\n"
    "\n"
    "The tuning daemon. Jobs are submitted and watched with bbtctl.\n"
    "\n"
    "  --config FILE      configuration (default: /etc/bbtd/bbtd.yaml, or the user's)\n"
    "  --state-dir DIR    database folder, over the configuration's state_dir\n"
    "  --socket PATH      control socket, over the configuration's listen.unix.path\n"
    "  --log-level LEVEL  error, warn, info or debug, over the configuration's log.level\n"
    "  --check-config     check the configuration and exit: 0 good, 78 bad\n"
    "  --restore FILE     put a backup (bbtctl server backup) in the database's place and exit\n"
    "  --force            with --restore: set the database that is there aside\n"
    "  --version, --help\n";

int setup_args(int argc, char **argv, struct setup *ret)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"state-dir", required_argument, NULL, 's'},
        {"socket", required_argument, NULL, 'S'},
        {"log-level", required_argument, NULL, 'l'},
        {"check-config", no_argument, NULL, 'k'},
        {"restore", required_argument, NULL, 'R'},
        {"force", no_argument, NULL, 'F'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *ret = (struct setup){0};
    while ((c = getopt_long(argc, argv, "c:s:h", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 's':
            ret->state_dir = optarg;
            break;
        case 'S':
            ret->socket = optarg;
            break;
        case 'l':
            ret->log_level = optarg;
            break;
        case 'k':
            ret->check_only = true;
            break;
        case 'R':
            ret->restore = optarg;
            break;
        case 'F':
            ret->force = true;
            break;
        case 'V':
            (void)puts("bbtd " BBT_VERSION);
            return SETUP_EXIT_OK;
        case 'h':
            (void)fputs(usage, stdout);
            return SETUP_EXIT_OK;
        default:
            (void)fputs(usage, stderr);
            return SETUP_EXIT_USAGE;
        }
    }
    if (optind < argc ||
        (ret->log_level && log_level_parse(ret->log_level) == LOG_LEVEL_NR)) {
        (void)fputs(usage, stderr);
        return SETUP_EXIT_USAGE;
    }
    return -1;
}

/* ---- configuration ---- */

static void print_problems(
    const struct spec_problems *p, const struct yaml_doc *doc, const char *path)
{
    for (size_t i = 0; i < p->nr; i++) {
        char *line = problem_print(&p->item[i], doc, path);

        (void)fprintf(stderr, "%s\n", line ? line : p->item[i].message);
        bbt_free(line);
    }
}

static bool settle_path(const char *conf_path, char **path)
{
    char *full = *path ? file_beside(conf_path, *path) : NULL;

    if (*path && !full)
        return false;
    bbt_free(*path);
    *path = full;
    return true;
}

/* Relative paths are meant from the configuration's own folder. */
static enum bbt_rc settle_paths(struct conf *c, const char *path, struct bbt_err *err)
{
    struct conf_provider *p = c->providers.item;
    bool ok = settle_path(path, &c->state_dir) && settle_path(path, &c->unix_socket.path) &&
        settle_path(path, &c->cache.dir);

    for (size_t i = 0; i < c->providers.nr; i++) {
        struct conf_model *m = p[i].models.item;

        for (size_t k = 0; k < p[i].models.nr; k++)
            ok = ok && settle_path(path, &m[k].tokenizer) &&
                 settle_path(path, &m[k].embeddings);
        ok = ok && settle_path(path, &p[i].key.file);
    }
    return ok ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for the configuration");
}

enum bbt_rc setup_conf(const char *path, struct conf **ret, struct bbt_err *err)
{
    struct spec_problems problems;
    struct yaml_doc *doc = NULL;
    struct conf *c = NULL;
    struct bbt_buf b;
    enum bbt_rc rc;

    problem_init(&problems);
    buf_init(&b, YAML_BYTES_MAX);
    rc = file_read(path, &b, err);
    if (rc == BBT_OK)
        rc = yaml_parse(b.data, b.len, path, &doc, err);
    if (rc == BBT_OK)
        rc = conf_parse(yaml_tree(doc), &c, &problems, err);
    if (rc != BBT_OK)
        print_problems(&problems, doc, path);
    if (rc == BBT_OK)
        rc = settle_paths(c, path, err);
    if (rc == BBT_OK) {
        *ret = c;
        c = NULL;
    }
    conf_free(c);
    yaml_close(doc);
    buf_fini(&b);
    problem_fini(&problems);
    return rc;
}

/* ---- reload ---- */

/* Takes over what may change while running, and makes `fresh` equal in it, so that what still
 * differs afterwards is what needs a restart. */
static void apply(struct daemon *d, struct conf *fresh)
{
    struct conf *now = d->conf;
    size_t n;
    struct endpoint *e = engine_endpoints(d->engine, &n);

    now->queue = fresh->queue;
    now->retention = fresh->retention;
    if (conf_priced(now)) /* prices themselves need a restart */
        now->caps = fresh->caps;
    now->log_level = fresh->log_level;
    if (!d->log_forced)
        log_set_level((enum log_level)now->log_level);
    for (size_t i = 0; i < n; i++) {
        const struct conf_provider *p = conf_provider(fresh, e[i].conf->name);
        struct conf_provider *mine = (struct conf_provider *)now->providers.item + i;

        if (!p)
            continue;
        mine->concurrency = p->concurrency;
        mine->timeout_us = p->timeout_us;
        mine->connect_timeout_us = p->connect_timeout_us;
        mine->retry = p->retry;
        mine->breaker = p->breaker;
    }
    for (size_t i = 0; i < now->quotas.nr; i++) {
        struct conf_quota *mine = (struct conf_quota *)now->quotas.item + i;
        const struct conf_quota *q = conf_quota(fresh, mine->name);
        char *name = mine->name;

        if (q)
            *mine = *q;
        mine->name = name; /* each keeps its own */
    }
    engine_reload(d->engine);
}

enum bbt_rc setup_reload(struct daemon *d, struct bbt_err *err)
{
    struct conf *fresh = NULL;
    struct keys *keys = NULL;
    json_t *a, *b;
    enum bbt_rc rc = setup_conf(d->conf_path, &fresh, err);

    if (rc == BBT_OK) /* from the places that they were read from at the start */
        rc = keys_load(d->conf, d->keys, &keys, err);
    if (rc != BBT_OK) {
        conf_free(fresh);
        return rc;
    }
    keys_free(d->keys_before);
    d->keys_before = d->keys;
    d->keys = keys;
    apply(d, fresh);
    a = conf_print(d->conf);
    b = conf_print(fresh);
    (void)json_object_del(a, "log");
    (void)json_object_del(b, "log");
    if (a && b && !json_equal(a, b))
        log_warn("reload-restart", "%s also changes what only a restart can apply",
            d->conf_path);
    json_decref(a);
    json_decref(b);
    conf_free(fresh);
    engine_poke(d->engine);
    return BBT_OK;
}
