/* sim.c -- plays seeds, each in a process of its own, and reports in one line of JSON.
 *
 *     sim FIRST COUNT      plays COUNT seeds from FIRST on
 *     sim --seed N [FAULT] plays one seed in this process, loudly
 *     sim --mutants        plants every fault of the list `mutants`, each must be seen */
#include "base/clock.h"
#include "base/log.h"
#include "play.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define MUTANT_SEEDS 60
#define CPU_SECONDS 60 /* of one seed: more is a loop */

static const struct {
    const char *name, *checker, *what;
} mutants[MUTANT_NR] = {
#define MUTANT(name_, checker_, what_) [MUTANT_##name_] = {#name_, checker_, what_},
#include "mutants"
#undef MUTANT
};

/* A child plays and writes its finding, if any, into a pipe. */
struct child {
    pid_t pid;
    int fd;
    uint64_t seed;
};

static const struct play_references *refs;

static void start(struct child *c, uint64_t seed, enum world_mutant mutant)
{
    struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
    char found[600];
    int fd[2];

    if (pipe(fd) != 0)
        abort();
    (void)fflush(NULL);
    *c = (struct child){.pid = fork(), .fd = fd[0], .seed = seed};
    if (c->pid < 0)
        abort();
    if (c->pid > 0) {
        (void)close(fd[1]);
        return;
    }
    (void)close(fd[0]);
    (void)setrlimit(RLIMIT_CPU, &cpu);
    if (mutant != MUTANT_NONE || !getenv("SIM_LOG")) { /* an assertion may be what sees it */
        int null = open("/dev/null", O_WRONLY);

        (void)dup2(null, 2);
    }
    play_seed(refs, seed, mutant, found, sizeof found);
    if (write(fd[1], found, strlen(found)) < 0)
        _exit(3);
    _exit(found[0] ? 1 : 0);
}

/* Waits for the child; its finding, or how it died. True where there is something. */
static bool finish(struct child *c, char *ret, size_t room)
{
    ssize_t got;
    size_t n = 0;
    int status;

    while (n + 1 < room && (got = read(c->fd, ret + n, room - n - 1)) > 0)
        n += (size_t)got;
    ret[n] = '\0';
    (void)close(c->fd);
    if (waitpid(c->pid, &status, 0) != c->pid)
        abort();
    if (WIFSIGNALED(status))
        (void)snprintf(ret, room, "step ?: %s: signal %d",
            WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? "time" : "assertion",
            WTERMSIG(status));
    else if (WEXITSTATUS(status) > 1)
        (void)snprintf(ret, room, "step ?: crash: exit %d", WEXITSTATUS(status));
    return ret[0] != '\0';
}

/* Seeds in a ring of children, as many at once as there are processors. */
static unsigned play_many(uint64_t first, uint64_t count)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t workers = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (uint64_t)cpus;
    struct child ring[WORKERS_MAX];
    unsigned failed = 0;
    char found[600];

    for (uint64_t n = 0; n < count + workers; n++) {
        if (n >= workers && n - workers < count &&
            finish(&ring[n % workers], found, sizeof found)) {
            failed++;
            (void)printf("seed %llu %s\n", (unsigned long long)ring[n % workers].seed, found);
        }
        if (n < count)
            start(&ring[n % workers], first + n, MUTANT_NONE);
    }
    return failed;
}

static bool seen_by(const char *found, const char *checker)
{
    const char *at = strstr(found, ": ");

    return at && strncmp(at + 2, checker, strlen(checker)) == 0 &&
        at[2 + strlen(checker)] == ':';
}

static enum world_mutant mutant_of(const char *name)
{
    for (unsigned m = 1; name && m < MUTANT_NR; m++)
        if (strcmp(mutants[m].name, name) == 0)
            return (enum world_mutant)m;
    return MUTANT_NONE;
}

static int play_mutants(void)
{
    unsigned caught = 0;

    for (unsigned m = 1; m < MUTANT_NR; m++) {
        char found[600] = "", first[600] = "not seen at all";
        bool seen = false;
        uint64_t seed = 0;

        while (!seen && ++seed <= MUTANT_SEEDS) {
            struct child c;

            start(&c, seed, (enum world_mutant)m);
            if (finish(&c, found, sizeof found)) {
                seen = seen_by(found, mutants[m].checker);
                (void)snprintf(first, sizeof first, "%s", found);
            }
        }
        caught += seen;
        (void)printf("%s %s -> %s: seed %llu %s\n", seen ? "caught" : "MISSED",
            mutants[m].name, mutants[m].checker, (unsigned long long)seed, first);
    }
    (void)printf("{\"mutants\": %d, \"caught\": %u}\n", MUTANT_NR - 1, caught);
    return caught == MUTANT_NR - 1 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct play_references *r = calloc(1, sizeof *r);
    uint64_t from = clock_mono_us(), count, first;
    char found[600];
    unsigned failed;

    if (!r || (argc != 3 && !(argc == 2 && strcmp(argv[1], "--mutants") == 0) &&
                  !(argc == 4 && strcmp(argv[1], "--seed") == 0))) {
        (void)fprintf(
            stderr, "usage: sim FIRST COUNT | sim --seed N [FAULT] | sim --mutants\n");
        return 64;
    }
    log_set_level(LOG_ERROR);
    play_rehearse(r);
    refs = r;
    if (argc == 2)
        return play_mutants();
    if (strcmp(argv[1], "--seed") == 0) {
        log_set_level(LOG_DEBUG);
        play_seed(r, strtoull(argv[2], NULL, 10), mutant_of(argv[3]), found, sizeof found);
        (void)printf("seed %s %s\n", argv[2], found[0] ? found : "good");
        return found[0] ? 1 : 0;
    }
    first = strtoull(argv[1], NULL, 10);
    count = strtoull(argv[2], NULL, 10);
    (void)printf("seeds %llu .. %llu\n", (unsigned long long)first,
        (unsigned long long)(first + count - 1));
    failed = play_many(first, count);
    (void)printf("{\"seeds\": %llu, \"failed\": %u, \"seconds\": %.1f}\n",
        (unsigned long long)count, failed, (double)(clock_mono_us() - from) / 1e6);
    return failed ? 1 : 0;
}
