/* ports.h -- everything that the engine asks of the world.
 *
 * The daemon links real definitions (loop, store, network), a test or the simulator links its
 * own: the seam is the linker, nothing is indirect at run time. All functions are for the
 * loop thread unless they say otherwise, and none of them completes before it returns: what
 * was asked for is recorded in the caller's structure later and its operation is woken. */
#ifndef ENGINE_PORTS_H
#define ENGINE_PORTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/op.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- time ---- */

/* The turn's monotonic time, microseconds; the same for everybody within a turn. */
uint64_t port_now_us(void);

/* Microseconds since 1970, UTC: for records that people read, never for waiting. Any thread. */
int64_t port_wall_us(void);

/* The engine's only alarm: wakes `op` at `at_us` or soon after. A new call replaces the old;
 * PORT_NEVER takes it back. */
#define PORT_NEVER UINT64_MAX
void port_alarm(struct op *op, uint64_t at_us);

/* A rest: wakes the operation once, `after_us` from the turn's time. The memory is the port's
 * until it fired or was stopped; stopping twice, or a zeroed one, is fine. */
struct port_timer {
    struct op *wake; /* in */
    void *impl[12];
};
void port_timer_start(struct port_timer *t, uint64_t after_us);
void port_timer_stop(struct port_timer *t);
bool port_timer_fired(const struct port_timer *t); /* since the last start */

/* Random bits for back-off jitter: the one number that need not repeat on resume. */
uint64_t port_jitter(void);

/* ---- blocking work ---- */

struct port_db; /* the open store; exists only on the store's thread */

/* A call that runs elsewhere. The caller owns the memory until `done` is seen by its step. */
struct port_call {
    /* in */
    void (*run)(struct port_call *c, struct port_db *db); /* db is NULL on a worker */
    struct op *wake;
    /* facts */
    bool done;
    enum bbt_rc rc;
    struct bbt_err err;
    void *impl[16]; /* the port's own: asking must not be able to fail */
};

/* Runs c->run on the store's thread, calls in order of asking. `done` is delivered after the
 * commit that makes the call durable; c->rc then also carries that commit's failure. Several
 * calls may share one commit. */
void port_db_run(struct port_call *c);

/* Runs c->run on a worker thread (numerics, file reading), in any order. */
void port_work_run(struct port_call *c);

/* ---- the store, to be called inside c->run of port_db_run() ----
 *
 * Meanings, ownership and errors are those of the store's functions of the same name. */

BBT_NODISCARD enum bbt_rc port_db_next(struct port_db *db, unsigned states,
    const int64_t *live, size_t nlive, struct rec_job *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_job(struct port_db *db, int64_t id, struct rec_job *ret,
    char **ret_spec_json, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_state(struct port_db *db, int64_t id, unsigned from,
    enum rec_state to, const char *reason, const char *detail, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_blob(struct port_db *db, const char *sha256, void **ret,
    size_t *ret_len, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_setup_put(
    struct port_db *db, int64_t job, const void *bytes, size_t len, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_setup_get(
    struct port_db *db, int64_t job, void **ret, size_t *ret_len, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_resume(
    struct port_db *db, int64_t job, struct rec_resume *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_best(
    struct port_db *db, int64_t job, struct rec_best *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_turn(
    struct port_db *db, const struct rec_turn *t, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_answer_put(
    struct port_db *db, const struct rec_answer *row, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_answers(struct port_db *db, int64_t job,
    enum rec_phase phase, uint64_t gen, struct rec_answer **ret, size_t *ret_n,
    struct bbt_err *err);
/* Writes what is there already: fails where the disk takes no writes. */
BBT_NODISCARD enum bbt_rc port_db_touch(struct port_db *db, struct bbt_err *err);
/* Marks a request as about to be sent. A mark that outlives its daemon tells which request
 * may be paid twice; the answer of the same key takes it away. */
BBT_NODISCARD enum bbt_rc port_db_mark_put(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_mark_drop(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_marks(struct port_db *db, int64_t job,
    enum rec_phase phase, uint64_t gen, struct rec_mark **ret, size_t *ret_n,
    struct bbt_err *err);
/* Reservations of money, and sums of what was spent (engine/till.h). */
BBT_NODISCARD enum bbt_rc port_db_claim_put(struct port_db *db, const struct rec_claim *c,
    int64_t *ret_id, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_claim_end(struct port_db *db, const struct rec_claim *c,
    const struct rec_sum *charged, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_claims_charge(struct port_db *db, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_spend_days(
    struct port_db *db, struct rec_day **ret, size_t *ret_n, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_spend_job(
    struct port_db *db, int64_t job, struct rec_sum *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_usage(
    struct port_db *db, int64_t job, const struct rec_usage *add, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_result(struct port_db *db, const struct rec_result *r,
    const char *reason, const char *detail, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_result_get(
    struct port_db *db, int64_t job, struct rec_result *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_event(struct port_db *db, int64_t job, const char *kind,
    const char *text, struct bbt_err *err);

/* What is sent against a limit per minute, and what an earlier daemon sent since `since_us`,
 * oldest first (*ret is to be freed by bbt_free()). */
BBT_NODISCARD enum bbt_rc port_db_sent_put(
    struct port_db *db, const struct rec_sent *sent, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_sent_list(struct port_db *db, int64_t since_us,
    struct rec_sent **ret, size_t *ret_n, struct bbt_err *err);
/* Providers and limits that are left alone; a rest without reason is over. */
BBT_NODISCARD enum bbt_rc port_db_rest_put(
    struct port_db *db, const struct rec_rest *rest, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc port_db_rest_list(
    struct port_db *db, struct rec_rest **ret, size_t *ret_n, struct bbt_err *err);

/* ---- the response cache ---- */

/* Is there one? The loop's thread. */
bool port_cache(void);

/* Inside c->run of port_db_run(). The answer to the question of that key, if it has row->rows
 * and row->labels: row->logit and the token counts are set. False: it is not known, for
 * whatever reason. */
bool port_cache_get(struct port_db *db, const uint8_t *key, struct rec_answer *row);

/* The same place. Keeps an answer, if it can. */
void port_cache_put(struct port_db *db, const uint8_t *key, const struct rec_answer *row);

/* ---- the network ---- */

#define PORT_HEADERS_MAX 8

/* One HTTP exchange. The caller fills "in", keeps every pointer alive until `done`, then reads
 * the facts and calls port_http_fini(). */
struct port_http {
    /* in */
    const char *method;
    const char *base_url; /* http://..., https://..., or unix:/path */
    const char *path;     /* "/v2/..." */
    const char *provider; /* whose key goes along, as the port knows it; or NULL */
    struct {
        const char *name, *value;
    } header[PORT_HEADERS_MAX];
    size_t headers;
    const struct bbt_slice *body; /* in order; a body is never copied together */
    size_t slices;
    uint64_t timeout_us, connect_timeout_us;
    size_t response_max;
    /* Gets the body of a 2xx response as it comes, in place of `answer`; status and headers
     * are known. A first call with NULL says that one begins (anew: what came before is void).
     * At least once for a whole response. It records, and wakes nobody. NULL: none; with it,
     * other bodies are kept up to 64 KiB. */
    void (*take)(struct port_http *x, const void *bytes, size_t len);
    struct op *wake;
    /* facts */
    bool done;
    enum bbt_rc rc; /* OK: a whole response, of any status; AGAIN: transport failed;
                       INVALID: response over the cap or not HTTP; CANCELED: aborted */
    struct bbt_err err;
    bool sent; /* where rc is not OK: something of it left, the server may have acted */
    int status;
    const uint8_t *answer; /* lent until port_http_fini() */
    size_t answer_len;
    uint64_t total_us;
    void *impl;
};
void port_http_start(struct port_http *x);
void port_http_abort(struct port_http *x); /* still ends in `done` */
/* Value of a response header, or NULL; a name that ends in '*' stands for every name that
 * begins so. Lent until port_http_fini(). */
const char *port_http_header(const struct port_http *x, const char *name);
void port_http_fini(struct port_http *x);

/* ---- telling ---- */

/* Something that watchers may want to see has become durable for this job (0: for several, or
 * for a provider). Whoever has an event committed says so: nobody asks the store again. */
void port_changed(int64_t job);

#endif
