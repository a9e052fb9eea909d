/* The kth allocation is refused, once and for good, ours and curl's, over whole exchanges: each
 * ends at once as short of memory or as if nothing had been, nothing leaks (the leak checker
 * looks), and the client's next exchange works. */
#include "ask.h"
#include "net/call.h"
#include "net/watch.h"
#include "net/watch.h"

#define AT_ONCE 4

struct kind {
    const char *name; /* of the peer's scenario */
    const char *send; /* NULL = GET */
    const char *body; /* what comes back; NULL = anything */
    enum bbt_rc rc;   /* where nothing is refused */
    bool kept;        /* on a connection that is there already */
    bool take;        /* the body is read as it comes */
    unsigned n;       /* so many at once */
};

static const struct kind kinds[] = {
    {"ok", NULL, "ok\n", BBT_OK, false, false, 1},
    {"echo", "abc", "abc", BBT_OK, false, false, 1},
    {"ok", NULL, "ok\n", BBT_OK, true, false, 1},
    {"ok", "abc", "ok\n", BBT_OK, true, false, 1},
    {"lines", NULL, NULL, BBT_OK, false, true, 1},
    {"continue", "abc", "", BBT_OK, false, false, 1},
    {"bighead", NULL, NULL, BBT_INVALID, false, false, 1},
    {"reset", NULL, NULL, BBT_AGAIN, true, false, 1},
    {"echo", "abc", "abc", BBT_OK, false, false, AT_ONCE},
    {"ok", "abc", "ok\n", BBT_OK, true, false, AT_ONCE},
};

static struct bbt_buf taken;

static void on_take(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    bbt_alloc_spare(1); /* the reader's memory is not the client's */
    if (!bytes)
        taken.len = 0;
    else
        assert_int_equal(buf_put(&taken, bytes, len), BBT_OK);
    bbt_alloc_spare(0);
}

static void check_one(const struct kind *kind, struct ask *a, long k, bool refused)
{
    bool whole = a->r.rc == BBT_OK && (!kind->body ||
        (a->r.body.len == strlen(kind->body) &&
            memcmp(a->r.body.data ? a->r.body.data : (const uint8_t *)"", kind->body,
                a->r.body.len) == 0));

    if (a->r.rc != kind->rc && (a->r.rc != BBT_NOMEM || !refused))
        fail_msg("%s, allocation %ld: %s (%s)", kind->name, k, bbt_rc_name(a->r.rc),
            a->r.err.msg);
    assert_true(whole || a->r.rc != BBT_OK);
    assert_true(a->r.rc == BBT_OK || a->r.err.msg[0]);
    assert_true(a->r.total_us < 5000000); /* nobody waits for a timeout */
    if (kind->take && a->r.rc == BBT_OK)
        assert_memory_equal(taken.data, "one\r\ntw\no\n\nlast.", taken.len);
}

static bool all_done(const struct ask *a, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (a[i].steps == 0)
            return false;
    return true;
}

/* How many allocations the exchange asked for. */
static unsigned long exchange(const struct kind *kind, long k, int sticky)
{
    const struct bbt_slice send = {kind->send, kind->send ? strlen(kind->send) : 0};
    struct ask a[AT_ONCE], after;
    unsigned long asked;

    assert_int_equal(http_client_new(l, NULL, &c, NULL), BBT_OK);
    if (kind->kept) {
        get(&after, "ok");
        http_req_fini(&after.r);
    }
    for (unsigned i = 0; i < kind->n; i++) {
        prepare(&a[i], kind->name);
        a[i].r.method = kind->send ? "POST" : "GET";
        a[i].r.send = &send;
        a[i].r.send_nr = kind->send ? 1 : 0;
        a[i].r.take = kind->take ? on_take : NULL;
    }
    (void)bbt_alloc_fault(k, sticky);
    for (unsigned i = 0; i < kind->n; i++)
        http_start(c, &a[i].r, &a[i].op);
    UNTIL(l, all_done(a, kind->n));
    asked = bbt_alloc_fault(-1, 0);
    for (unsigned i = 0; i < kind->n; i++) {
        check_one(kind, &a[i], k, asked > (unsigned long)k);
        http_req_fini(&a[i].r);
    }
    get(&after, "ok");
    assert_int_equal(after.r.rc, BBT_OK);
    http_req_fini(&after.r);
    http_client_free(c);
    return asked;
}

static void exchanges(void **state)
{
    struct http_client *mine = c;
    unsigned long tries = 0;

    (void)state;
    buf_init(&taken, 1000);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int sticky = 0; sticky < 2; sticky++)
            for (long k = 0; exchange(&kinds[i], k, sticky) > (unsigned long)k; k++)
                tries++;
    }
    print_message("# %lu refusals\n", tries);
    assert_true(tries > 500);
    buf_fini(&taken);
    c = mine;
}

/* Runs `op` with every allocation refused in turn, until none was. */
static void refuse_all(enum bbt_rc (*op)(struct bbt_err *err))
{
    for (int sticky = 0; sticky < 2; sticky++) {
        unsigned long asked;
        long k = 0;

        do {
            struct bbt_err err = {0};
            enum bbt_rc rc;

            (void)bbt_alloc_fault(k, sticky);
            rc = op(&err);
            asked = bbt_alloc_fault(-1, 0);
            if (rc != BBT_OK && (rc != BBT_NOMEM || asked <= (unsigned long)k))
                fail_msg("allocation %ld: %s (%s)", k, bbt_rc_name(rc), err.msg);
            assert_int_equal(op(NULL), BBT_OK);
        } while ((unsigned long)k++ < asked);
        assert_true(k > 3);
    }
}

static enum bbt_rc new_client(struct bbt_err *err)
{
    const struct http_opts o = {.agent = "a", .proxy = "http://p", .ca_file = "/f"};
    struct http_client *fresh = NULL;
    enum bbt_rc rc = http_client_new(l, &o, &fresh, err);

    http_client_free(fresh);
    return rc;
}

static void clients(void **state)
{
    (void)state;
    refuse_all(new_client);
}

static enum bbt_rc start_and_stop(struct bbt_err *err)
{
    struct watch w;
    struct op op;
    bool started;

    (void)err;
    op_init(&op, loop_turnq(l), NULL);
    watch_init(&w, l, &op);
    w.connections_max = 1;
    started = watch_start(&w);
    assert_true(started == (w.multi != NULL));
    assert_true(!started || watch_start(&w));
    assert_false(watch_due(&w));
    watch_stop(&w);
    assert_null(w.multi);
    watch_stop(&w);
    op_fini(&op);
    return started ? BBT_OK : BBT_NOMEM;
}

static void watches(void **state)
{
    (void)state;
    refuse_all(start_and_stop);
}

static enum bbt_rc call_once(struct bbt_err *err)
{
    char url[96];
    const struct call call = {.method = "POST", .url = url, .timeout_ms = 20000, .body = "abc",
        .body_len = 3};
    struct bbt_buf body;
    unsigned status = 0;
    enum bbt_rc rc;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", hostile_port(host));
    buf_init(&body, 0);
    rc = call_run(&call, &status, &body, err);
    if (rc == BBT_OK)
        assert_true(status == 200 && body.len == 3 && memcmp(body.data, "ok\n", 3) == 0);
    buf_fini(&body);
    return rc;
}

static void calls(void **state)
{
    (void)state;
    refuse_all(call_once);
}

static enum bbt_rc begin_and_end(struct bbt_err *err)
{
    enum bbt_rc rc = http_global_init(err);

    if (rc == BBT_OK)
        http_global_fini();
    return rc;
}

/* Before anybody else has begun. */
static void beginnings(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        for (long k = 0;; k++) {
            unsigned long asked;
            enum bbt_rc rc;

            (void)bbt_alloc_fault(k, sticky);
            rc = begin_and_end(NULL);
            asked = bbt_alloc_fault(-1, 0);
            assert_true(rc == BBT_OK || rc == BBT_NOMEM);
            assert_int_equal(begin_and_end(NULL), BBT_OK);
            if (asked <= (unsigned long)k)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginnings),
        cmocka_unit_test_setup_teardown(exchanges, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(clients, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(watches, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(calls, ask_setup, ask_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
