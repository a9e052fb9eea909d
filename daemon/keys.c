#include "keys.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct key_of {
    char *provider, *header;
    char *env; /* variable that it came from, or NULL */
    struct secret *key;
};

struct keys {
    struct key_of *of;
    size_t nr;
};

/* Who can read the file can spend the money. */
static enum bbt_rc check_file(const char *path, const char *what, struct bbt_err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return bbt_fail(err, errno == EACCES ? BBT_DENIED : BBT_NOTFOUND,
            "%s: key file %s: %s", what, path, strerror(errno));
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return bbt_fail(err, BBT_DENIED,
            "%s: key file %s belongs to somebody else (chown it)", what, path);
    if (st.st_mode & 077)
        return bbt_fail(err, BBT_DENIED,
            "%s: key file %s can be read by others (chmod 600 it)", what, path);
    return BBT_OK;
}

static enum bbt_rc from_file(
    const char *path, const char *what, struct secret **ret, struct bbt_err *err)
{
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, SECRET_LEN_MAX + 64u);
    rc = file_read(path, &b, err);
    if (rc == BBT_OK)
        rc = secret_new(what, (const char *)b.data, b.len, ret, err);
    else
        (void)bbt_err_ctx(err, "%s: key file", what);
    if (b.data)
        secret_wipe(b.data, b.len);
    buf_fini(&b);
    return rc;
}

/* LoadCredential= of a file gives NAME, of a folder FOLDER_NAME: ours is `providers`. */
static enum bbt_rc from_credential(
    const char *name, const char *what, struct secret **ret, struct bbt_err *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    static const char *const before[] = {"providers_", ""};
    enum bbt_rc rc = BBT_NOTFOUND;

    if (!dir)
        return bbt_fail(err, BBT_NOTFOUND,
            "%s: no credentials were handed over (LoadCredential= of the unit; key.file works "
            "without systemd)",
            what);
    for (size_t i = 0; i < 2 && rc == BBT_NOTFOUND; i++) {
        char *path = bbt_asprintf("%s/%s%s", dir, before[i], name);

        rc = path ? from_file(path, what, ret, err)
                  : bbt_fail(err, BBT_NOMEM, "no memory for a key");
        bbt_free(path);
    }
    return rc;
}

/* The variable's bytes are what /proc/PID/environ shows: they go. */
static enum bbt_rc from_env(const char *name, const char *what, const struct keys *old,
    struct secret **ret, struct bbt_err *err)
{
    char *value = getenv(name);
    enum bbt_rc rc;

    for (size_t i = 0; !value && old && i < old->nr; i++)
        if (old->of[i].env && strcmp(old->of[i].env, name) == 0) {
            const char *was = secret_reveal(old->of[i].key);

            return secret_new(what, was, strlen(was), ret, err);
        }
    if (!value)
        return bbt_fail(
            err, BBT_NOTFOUND, "%s: environment variable %s is not set", what, name);
    rc = secret_new(what, value, strlen(value), ret, err);
    return rc;
}

static enum bbt_rc load_one(const struct conf_provider *p, const struct keys *old,
    struct key_of *to, struct bbt_err *err)
{
    char what[160];
    enum bbt_rc rc;

    (void)snprintf(what, sizeof what, "provider %.128s", p->name);
    to->provider = bbt_strdup(p->name);
    to->header = bbt_strdup(p->key_header);
    to->env = bbt_strdup(p->key.env);
    if (!to->provider || !to->header || (p->key.env && !to->env))
        return bbt_fail(err, BBT_NOMEM, "no memory for a key");
    if (p->key.env)
        return from_env(p->key.env, what, old, &to->key, err);
    if (p->key.credential)
        return from_credential(p->key.credential, what, &to->key, err);
    rc = check_file(p->key.file, what, err);
    return rc == BBT_OK ? from_file(p->key.file, what, &to->key, err) : rc;
}

static bool has_key(const struct conf_provider *p)
{
    return p->key.env || p->key.credential || p->key.file;
}

/* After all are read: several providers may name one variable. */
static void wipe_env(const struct keys *k)
{
    for (size_t i = 0; i < k->nr; i++) {
        char *value = k->of[i].env ? getenv(k->of[i].env) : NULL;

        if (value) {
            secret_wipe(value, strlen(value));
            (void)unsetenv(k->of[i].env);
        }
    }
}

/* No core file, and no /proc/PID/mem for others of the same user. */
static void go_dark(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

enum bbt_rc keys_load(
    const struct conf *conf, const struct keys *old, struct keys **ret, struct bbt_err *err)
{
    const struct conf_provider *p = conf->providers.item;
    struct keys *k = bbt_calloc(1, sizeof *k);
    enum bbt_rc rc = BBT_OK;

    if (k)
        k->of = bbt_calloc(conf->providers.nr, sizeof *k->of);
    if (!k || !k->of)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for keys");
    for (size_t i = 0; i < conf->providers.nr && rc == BBT_OK; i++)
        if (has_key(&p[i]))
            rc = load_one(&p[i], old, &k->of[k->nr++], err);
    if (rc == BBT_OK) {
        if (k->nr)
            go_dark();
        wipe_env(k);
        *ret = k;
        k = NULL;
    }
    keys_free(k);
    return rc;
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->nr; i++) {
        bbt_free(k->of[i].provider);
        bbt_free(k->of[i].header);
        bbt_free(k->of[i].env);
        secret_free(k->of[i].key);
    }
    bbt_free(k->of);
    bbt_free(k);
}

enum bbt_rc keys_header(const struct keys *k, const char *provider, char **ret)
{
    for (size_t i = 0; k && i < k->nr; i++) {
        const struct key_of *of = &k->of[i];
        bool bearer = strcasecmp(of->header, "authorization") == 0;

        if (strcmp(of->provider, provider) != 0)
            continue;
        *ret = bbt_asprintf("%s: %s%s", of->header, bearer ? "Bearer " : "",
            secret_reveal(of->key));
        return *ret ? BBT_OK : BBT_NOMEM;
    }
    return BBT_NOTFOUND;
}

void keys_header_free(char *header)
{
    if (header)
        secret_wipe(header, strlen(header));
    bbt_free(header);
}
