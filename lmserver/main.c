/* bbt-lm -- serves one masked language model over the Open Inference Protocol v2. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/op.h"
#include "loop/loop.h"
#include "loop/sig.h"
#include "loop/timer.h"
#include "num/blas.h"
#include "serve.h"
#include "split.h"
#include "weights.h"

#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *model, *listen, *name;
    unsigned threads;
};

/* After SIGTERM, a client that stopped sending in the middle of its request, or does not read
 * its answer, may hold the end up this long. */
#define GRACE_US 3000000u

/* SIGTERM, SIGINT: finish what is under way; a second one does not wait. */
struct guard {
    struct op op;
    struct loop_timer grace;
    struct loop *loop;
    struct serve *serve;
    bool term, interrupt, stopping;
};

static const char usage[] =
    "usage: bbt-lm --model DIR --listen HOST:PORT|unix:PATH [options]\n"
    "\n"
    "Serves the masked language model in DIR (Hugging Face layout: config.json and\n"
    "model.safetensors; BERT or RoBERTa family) over the Open Inference Protocol v2.\n"
    "\n"
    "  --model DIR       the model's folder\n"
    "  --listen ADDRESS  HOST:PORT (port 0: any free one, printed), or unix:PATH\n"
    "  --threads N       worker threads (default: one per processor)\n"
    "  --name NAME       the model's name in paths (default: the folder's name)\n"
    "  --help, --version\n";

static unsigned processors(void)
{
    cpu_set_t set;
    unsigned n = 1;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    return n < 1 ? 1 : n > SPLIT_THREADS_MAX ? SPLIT_THREADS_MAX : n;
}

/* Exit status, or -1 to go on. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"model", 1, NULL, 'm'}, {"listen", 1, NULL, 'l'},
        {"threads", 1, NULL, 't'}, {"name", 1, NULL, 'n'}, {"help", 0, NULL, 'h'},
        {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (c) {
        case 'm':
            o->model = optarg;
            break;
        case 'l':
            o->listen = optarg;
            break;
        case 'n':
            o->name = optarg;
            break;
        case 't':
            o->threads = (unsigned)strtoul(optarg, &end, 10);
            if (*end || o->threads < 1 || o->threads > SPLIT_THREADS_MAX) {
                (void)fprintf(stderr, "bbt-lm: --threads is 1 to %u\n", SPLIT_THREADS_MAX);
                return 2;
            }
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return 0;
        case 'v':
            printf("bbt-lm %s\n", BBT_VERSION);
            return 0;
        default:
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    if (!o->model || !o->listen || optind != argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    return -1;
}

static void guard_step(struct op *op)
{
    struct guard *g = bbt_container(op, struct guard, op);

    if (g->term || g->interrupt) {
        if (g->stopping)
            _exit(1);
        g->term = g->interrupt = false;
        g->stopping = true;
        timer_start(&g->grace, GRACE_US);
        serve_stop(g->serve, &g->op);
    }
    if (!g->stopping)
        return;
    if (serve_busy(g->serve) == 0 || (g->grace.fired && serve_tasks(g->serve) == 0))
        loop_stop(g->loop);
    else if (g->grace.fired)
        timer_start(&g->grace, GRACE_US); /* there is still work; look again */
}

/* The folder's own name, also of "." and "models/x/". To be freed; NULL if it has none. */
static char *folder_name(const char *dir)
{
    char *full = realpath(dir, NULL), *name = NULL;

    if (full)
        name = bbt_strdup(strrchr(full, '/') + 1);
    bbt_free(full);
    return name;
}

static enum bbt_rc serve_until_told(
    struct guard *g, const char *where, struct bbt_err *err)
{
    struct sig *term = NULL, *interrupt = NULL;
    char address[300];
    enum bbt_rc rc;

    op_init(&g->op, loop_turnq(g->loop), guard_step);
    timer_init(&g->grace, g->loop, &g->op);
    rc = sig_new(g->loop, SIGTERM, &g->term, &g->op, &term, err);
    if (rc == BBT_OK)
        rc = sig_new(g->loop, SIGINT, &g->interrupt, &g->op, &interrupt, err);
    if (rc == BBT_OK)
        rc = serve_listen(g->serve, where, address, sizeof address, err);
    if (rc == BBT_OK) {
        (void)fprintf(stderr, "listening on %s\n", address);
        loop_run(g->loop);
    }
    sig_free(term);
    sig_free(interrupt);
    timer_stop(&g->grace);
    op_fini(&g->op);
    return rc;
}

static enum bbt_rc run(const struct options *o, struct bbt_err *err)
{
    char *own = o->name ? NULL : folder_name(o->model);
    struct guard g = {0};
    struct weights *w = NULL;
    enum bbt_rc rc;

    rc = weights_load(o->model, &w, err);
    if (rc == BBT_OK)
        rc = loop_new(&g.loop, err);
    if (rc == BBT_OK)
        rc = serve_new(g.loop, w, o->name ? o->name : own ? own : "", o->threads, &g.serve,
            err);
    if (rc == BBT_OK) {
        log_info("model", "name=%s family=%s layers=%zu hidden=%zu vocab=%zu threads=%u",
            o->name ? o->name : own, lmconf_family_name(w->conf.family), w->conf.layers,
            w->conf.hidden, w->conf.vocab, o->threads);
        rc = serve_until_told(&g, o->listen, err);
    }
    serve_free(g.serve);
    loop_free(g.loop);
    weights_free(w);
    bbt_free(own);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.threads = processors()};
    struct bbt_err err;
    int status = read_options(argc, argv, &o);

    if (status >= 0)
        return status;
    json_use_alloc();
    /* rows are shared out to threads; a product inside one of them stays there */
    blas_threads(1);
    if (run(&o, &err) != BBT_OK) {
        (void)fprintf(stderr, "bbt-lm: %s\n", err.msg);
        return 1;
    }
    return 0;
}
