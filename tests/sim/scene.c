#include "scene.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/json.h"
#include "checks.h"
#include "fakedial.h"
#include "store/st_blob.h"
#include "store/st_job.h"
#include "store/store.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what, const struct bbt_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err->msg);
    abort();
}

/* ---- folder and configuration ---- */

const char *scene_tokenizer(const struct world *w, char *ret, size_t room)
{
    (void)snprintf(ret, room, "%s", w->dir);
    *strrchr(ret, '/') = '\0';
    return ret;
}

static void read_conf(struct world *w, const char *text)
{
    struct spec_problems problems;
    struct bbt_err err = {0};
    json_t *tree = NULL;

    problem_init(&problems);
    if (json_parse(text, strlen(text), "conf", &tree, &err) != BBT_OK ||
        conf_parse(tree, &w->conf, &problems, &err) != BBT_OK)
        die("configuration", &err);
    json_decref(tree);
    problem_fini(&problems);
}

void scene_open(struct world *w, const struct world_opts *o)
{
    char folder[64], text[4096], model[96], quota[200] = "", caps[64] = "", price[160] = "",
         spare[600] = "";
    unsigned more = w->mutant == MUTANT_MORE_RATE ? 3 : 1;

    (void)snprintf(folder, sizeof folder, "%s/bbt-sim-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        abort();
    fakelm_folder(folder);
    (void)snprintf(w->dir, sizeof w->dir, "%s/state", folder);
    if (o->requests_per_minute || o->tokens_per_minute)
        (void)snprintf(quota, sizeof quota,
            ",\"quotas\":[{\"name\":\"shared\",\"requests_per_minute\":%u,"
            "\"tokens_per_minute\":%u}]",
            o->requests_per_minute ? more * o->requests_per_minute : 1000000,
            o->tokens_per_minute ? more * o->tokens_per_minute : 1000000000);
    if (o->cap_cents) {
        (void)snprintf(caps, sizeof caps, ",\"caps\":{\"usd_per_day\":\"%u.%02u\"}",
            o->cap_cents / 100, o->cap_cents % 100);
        (void)snprintf(price, sizeof price,
            ",\"price\":{\"input_per_million\":%u,\"per_request\":\"%u.%02u\",\"as_of\":"
            "\"2026-01-01\"}",
            SCENE_TOKEN_NANO / 1000, SCENE_REQUEST_NANO / 1000000000u,
            SCENE_REQUEST_NANO / 10000000u % 100);
    }
    if (o->kind) /* what language models' servers tokenise, they tokenise themselves */
        (void)snprintf(model, sizeof model, "\"hidden\":%d,\"slot_id\":%d", FAKELM_HIDDEN,
            FAKEDIAL_SLOT);
    else
        (void)snprintf(model, sizeof model, "\"tokenizer\":\"%s\"", folder);
    if (o->spare)
        (void)snprintf(spare, sizeof spare,
            ",{\"name\":\"spare\",\"kind\":\"kserve2\",%s\"url\":\"http://spare\","
            "\"concurrency\":%u,\"models\":[{\"name\":\"sim\",%s,\"batch\":%u%s}]}",
            quota[0] ? "\"quota\":\"shared\"," : "", o->concurrency ? o->concurrency : 3, model,
            o->batch ? o->batch : 4, price);
    (void)snprintf(text, sizeof text,
        "{\"apiVersion\":\"bbt/v1\",\"kind\":\"Config\",\"queue\":{\"max_running\":%u,"
        "\"on_restart\":\"%s\"}%s%s,\"providers\":[{\"name\":\"fake\",\"kind\":\"%s\",%s%s"
        "\"url\":\"http://fake\",\"concurrency\":%u,\"http\":{\"timeout\":\"20s\"},"
        "\"retry\":{\"give_up_after\":\"%s\"},\"models\":[{\"name\":\"sim\","
        "%s,\"batch\":%u%s}]}%s]}",
        o->max_running ? o->max_running : 4, o->on_restart ? o->on_restart : "resume", quota,
        caps,
        o->kind ? o->kind : "kserve2", quota[0] ? "\"quota\":\"shared\"," : "",
        w->mutant == MUTANT_NO_BREAKER ? "\"breaker\":{\"min_requests\":1000000}," : "",
        (o->concurrency ? o->concurrency : 3) + (w->mutant == MUTANT_CROWD),
        o->give_up ? o->give_up : "12h", model, o->batch ? o->batch : 4, price,
        spare);
    read_conf(w, text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void scene_close(struct world *w)
{
    char folder[128];

    (void)scene_tokenizer(w, folder, sizeof folder);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    conf_free(w->conf);
    w->conf = NULL;
}

/* ---- data and specs ---- */

/* Texts with words of their class, and some of no class. The part's name keeps them apart. */
char *scene_data(const char *part, size_t rows)
{
    static const char *const label[] = {"g", "b", "f"};
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, 1u << 20);
    rc = buf_puts(&b, "text\tlabel\n");
    for (size_t i = 0; rc == BBT_OK && i < rows; i++) {
        size_t c = i % FAKELM_CLASSES, k = i / FAKELM_CLASSES + (size_t)part[0] * 7;
        const char *word[4];

        for (size_t n = 0; n < 4; n++)
            word[n] = fakelm_piece(FAKELM_WORDS + 8 * c + (k * (2 * n + 1) + n) % 8);
        rc = buf_printf(&b, "the %s film was %s and %s %s %s %s\t%s\n", word[0], word[1],
            word[2], word[3], i % 2 ? "very" : "a", fakelm_piece(32 + (k + i) % 10), label[c]);
    }
    assert(rc == BBT_OK);
    return (char *)buf_take(&b, NULL);
}

static bool is_ill(enum bbt_rc rc, const char *what, const struct bbt_err *err)
{
    if (rc != BBT_OK && rc != BBT_IO)
        die(what, err);
    return rc == BBT_IO;
}

static void name_blob(const char *bytes, char *hex)
{
    uint8_t d[DIGEST_LEN];

    if (digest_sha256(bytes, strlen(bytes), d) != BBT_OK)
        abort();
    digest_hex(d, hex);
}

static const char *or_else(const char *s, const char *fallback)
{
    return s ? s : fallback;
}

static unsigned or_n(unsigned n, unsigned fallback)
{
    return n ? n : fallback;
}

char *scene_file(const struct scene_job *j, enum scene_part part, char *hex)
{
    char *bytes = part == SCENE_TRAIN
        ? scene_data("train", (size_t)or_n(j->shots, 2) * 2 * FAKELM_CLASSES + 6)
        : scene_data("unseen", 9);

    name_blob(bytes, hex);
    return bytes;
}

char *scene_text(const struct scene_job *j)
{
    char train[DIGEST_HEX], test[DIGEST_HEX], *spec, held[200] = "";
    bool talks = world_now()->lm.talks;
    const char *mode = talks ? "concat" : or_else(j->mode, "add");
    bool concat = strcmp(mode, "concat") == 0;
    unsigned shots = or_n(j->shots, 2);

    bbt_free(scene_file(j, SCENE_TRAIN, train));
    bbt_free(scene_file(j, SCENE_TEST, test));
    if (!j->no_test)
        (void)snprintf(held, sizeof held, ",\"test\":{\"file\":\"test.tsv\",\"blob\":\"%s\"}",
            test);
    spec = bbt_asprintf(
        "{\"apiVersion\":\"bbt/v1\",\"kind\":\"TuningJob\",\"name\":\"%s\",\"priority\":%d,"
        "\"provider\":\"fake\",\"model\":\"%s\",\"data\":{\"train\":{\"file\":\"train.tsv\","
        "\"blob\":\"%s\",\"shots\":%u}%s,\"columns\":{\"text\":\"text\",\"label\":\"label\"}},"
        "\"task\":{\"template\":\"%s{text} it was {mask}%s\",\"labels\":{\"g\":\"good\","
        "\"b\":\"bad\",\"f\":\"fair\"},\"metric\":\"%s\"},\"prompt\":{\"kind\":\"%s\","
        "\"tokens\":%u,\"intrinsic_dim\":%u,\"mode\":\"%s\",\"init\":\"%s\"%s,"
        "\"projection\":{"
        "\"distribution\":\"%s\"%s}},\"optimizer\":{\"popsize\":%u,\"seed\":%u},\"objective\":{"
        "\"loss\":\"%s\"},\"dev_every\":%u,\"dev_mean\":%s,\"stop\":{\"generations\":%u%s}%s}",
        or_else(j->name, "job"), j->priority, or_else(j->model, "sim"), train, shots, held,
        concat ? "" : "{prompt} ", talks ? "" : " .", or_else(j->metric, "accuracy"),
        j->no_search ? "none" : "soft", or_n(j->tokens, 2), or_n(j->dim, 6), mode,
        talks ? "zero" : or_else(j->init, "zero"), talks ? ",\"at\":\"embedding\"" : "",
        or_else(j->projection, "normal"), talks ? ",\"scale\":0.5" : "",
        or_n(j->popsize, 4), or_n(j->seed, 1),
        or_else(j->loss, "cross_entropy"), or_n(j->dev_every, 2),
        j->dev_mean ? "true" : "false", or_n(j->generations, 4), or_else(j->stop, ""),
        or_else(j->more, ""));
    assert(spec);
    return spec;
}

char *scene_spec(struct world *w, const struct scene_job *j)
{
    for (enum scene_part part = SCENE_TRAIN; part <= SCENE_TEST; part++) {
        struct bbt_err err = {0};
        char hex[DIGEST_HEX], *bytes = scene_file(j, part, hex);

        (void)is_ill(store_blob_put(w->store, hex, bytes, strlen(bytes), &err), "blob", &err);
        bbt_free(bytes);
    }
    return scene_text(j);
}

/* ---- the user ---- */

int64_t scene_submit(struct world *w, const struct scene_job *j)
{
    struct rec_job job = {.priority = j->priority, .created_us = port_wall_us()};
    struct bbt_err err = {0};
    int64_t id = 0;
    char *spec;
    bool existed;
    enum bbt_rc rc = store_begin(w->store, &err); /* its data and the job, or neither */

    if (is_ill(rc, "submit", &err))
        return 0;
    spec = scene_spec(w, j);
    (void)snprintf(job.name, sizeof job.name, "%s", or_else(j->name, "job"));
    rc = store_job_add(w->store, &job, spec, j->name, &id, &existed, &err);
    bbt_free(spec);
    if (rc != BBT_OK)
        store_rollback(w->store);
    else
        rc = store_commit(w->store, &err);
    if (is_ill(rc, "submit", &err)) {
        if (w->checks)
            checks_commit(w->checks, false);
        return 0;
    }
    if (w->checks)
        checks_commit(w->checks, true);
    if (w->engine)
        engine_poke(w->engine);
    return id;
}

bool scene_move(struct world *w, int64_t job, enum rec_state to)
{
    static const unsigned from[REC_STATE_NR] = {
        [REC_QUEUED] = 1u << REC_PAUSED,
        [REC_PAUSED] = 1u << REC_QUEUED | 1u << REC_RUNNING,
        [REC_CANCELLED] = 1u << REC_QUEUED | 1u << REC_RUNNING | 1u << REC_PAUSED,
    };
    struct store_move m = {job, from[to], to, "user", "", port_wall_us()};
    struct bbt_err err = {0};
    enum bbt_rc rc = store_job_state(w->store, &m, &err);

    if (rc == BBT_CONFLICT)
        return false;
    if (w->checks)
        checks_commit(w->checks, rc == BBT_OK);
    if (is_ill(rc, "move", &err))
        return false;
    if (w->engine && to == REC_QUEUED)
        engine_release(w->engine);
    else if (w->engine)
        engine_halt(w->engine, job);
    return true;
}

bool scene_job_try(struct world *w, int64_t job, struct rec_job *ret)
{
    struct bbt_err err = {0};

    enum bbt_rc rc = store_job_get(w->store, job, ret, NULL, &err);

    return rc != BBT_NOTFOUND && !is_ill(rc, "job", &err);
}

void scene_job_row(struct world *w, int64_t job, struct rec_job *ret)
{
    if (!scene_job_try(w, job, ret))
        abort(); /* asked for in good weather only */
}

bool scene_result(struct world *w, int64_t job, struct rec_result *ret)
{
    struct bbt_err err = {0};
    enum bbt_rc rc = store_result_get(w->store, job, ret, &err);

    if (rc != BBT_OK && rc != BBT_NOTFOUND)
        die("result", &err);
    return rc == BBT_OK;
}

bool scene_quiet(struct world *w, void *unused)
{
    struct rec_job job;
    struct bbt_err err = {0};

    (void)unused;
    if (!w->engine || engine_running(w->engine))
        return false;
    return store_job_next(w->store, 1u << REC_QUEUED | 1u << REC_RUNNING, NULL, 0, &job,
               &err) == BBT_NOTFOUND;
}
