/* Bodies that go to a reader as they come. */
#include "ask.h"

struct taker {
    struct ask a;
    struct bbt_buf got;
    unsigned begins;
    unsigned status; /* as known when the body began */
    char who[32];
    size_t pieces;
};

static void take(void *arg, const void *bytes, size_t len)
{
    struct taker *t = arg;
    const char *who = http_header(&t->a.r, "X-Who");

    if (!bytes) {
        t->begins++;
        t->status = t->a.r.status;
        (void)snprintf(t->who, sizeof t->who, "%s", who ? who : "");
        t->got.len = 0;
        return;
    }
    assert_true(t->begins > 0 && !t->a.r.done);
    t->pieces++;
    assert_int_equal(buf_put(&t->got, bytes, len), BBT_OK);
}

static void take_from(struct taker *t, const char *name, const void *body, size_t len)
{
    const struct bbt_slice send = {body, len};

    *t = (struct taker){.begins = 0};
    buf_init(&t->got, 1u << 20);
    prepare(&t->a, name);
    t->a.r.method = body ? "POST" : "GET";
    t->a.r.send = &send;
    t->a.r.send_nr = body != NULL;
    t->a.r.response_max = 400000;
    t->a.r.take = take;
    t->a.r.take_arg = t;
    finish(&t->a);
}

static void taker_fini(struct taker *t)
{
    buf_fini(&t->got);
    http_req_fini(&t->a.r);
}

static void in_pieces_with_its_head_before_it(void **state)
{
    static char big[300000];
    struct taker t;

    (void)state;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i % 251);
    take_from(&t, "echo", big, sizeof big);
    assert_int_equal(t.a.r.rc, BBT_OK);
    assert_int_equal(t.begins, 1);
    assert_int_equal(t.status, 200);
    assert_true(t.pieces > 1);
    assert_int_equal(t.got.len, sizeof big);
    assert_memory_equal(t.got.data, big, sizeof big);
    assert_int_equal(t.a.r.body.len, 0); /* not kept twice */
    taker_fini(&t);
    take_from(&t, "ok", NULL, 0);
    assert_string_equal(t.who, "hostile");
    assert_string_equal(t.got.data, "ok\n");
    taker_fini(&t);
    take_from(&t, "continue", NULL, 0); /* an empty body begins, too */
    assert_int_equal(t.a.r.rc, BBT_OK);
    assert_int_equal(t.begins, 1);
    assert_int_equal(t.got.len, 0);
    taker_fini(&t);
}

/* A request that is sent once more on a fresh connection is read once. */
static void sent_again_read_once(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct taker t;

        take_from(&t, i % 2 ? "echo" : "keepclose", "again", 5);
        assert_int_equal(t.a.r.rc, BBT_OK);
        assert_int_equal(t.begins, 1);
        assert_string_equal(t.got.data, i % 2 ? "again" : "ok\n");
        taker_fini(&t);
    }
}

static void errors_are_kept_for_their_words(void **state)
{
    struct taker t;

    (void)state;
    take_from(&t, "429", NULL, 0);
    assert_int_equal(t.a.r.rc, BBT_OK);
    assert_int_equal(t.begins, 0);
    assert_true(said(&t.a, "slow down"));
    taker_fini(&t);
    take_from(&t, "bigerror", NULL, 0); /* 200 000 bytes of it */
    assert_int_equal(t.a.r.rc, BBT_OK);
    assert_int_equal(t.a.r.status, 502);
    assert_int_equal(t.begins, 0);
    assert_int_equal(t.a.r.body.len, 65536);
    assert_memory_equal(t.a.r.body.data, "xxxx", 4);
    taker_fini(&t);
}

static void caps_and_failures_are_as_ever(void **state)
{
    static const struct {
        const char *name;
        enum bbt_rc rc;
    } t[] = {{"huge", BBT_INVALID}, {"endless", BBT_INVALID}, {"half", BBT_AGAIN},
        {"reset", BBT_AGAIN}, {"badchunk", BBT_AGAIN}, {"badstatus", BBT_INVALID}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct taker x;

        take_from(&x, t[i].name, NULL, 0);
        if (x.a.r.rc != t[i].rc)
            fail_msg("%s: %s", t[i].name, x.a.r.err.msg);
        assert_true(x.got.len <= 400000);
        if (i == 1)
            assert_non_null(strstr(x.a.r.err.msg, "larger than 400000 bytes"));
        taker_fini(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces_with_its_head_before_it),
        cmocka_unit_test(sent_again_read_once),
        cmocka_unit_test(errors_are_kept_for_their_words),
        cmocka_unit_test(caps_and_failures_are_as_ever),
    };

    return cmocka_run_group_tests(tests, ask_setup, ask_teardown);
}
