/* Answers in pieces: server-sent events with clients that read, lag and vanish. */
#include "web/web.h"

#include "base/op.h"
#include "turn.h"
#include "wire.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <setjmp.h>
#include <cmocka.h>

#define STREAMS 200
#define ROOM 65536

static struct stream {
    struct web_req *r;
    struct op op;
    unsigned wakes;
} streams[STREAMS];

static unsigned started;
static struct loop *the_loop;

static void stream_step(struct op *op)
{
    bbt_container(op, struct stream, op)->wakes++;
}

static void on_events(struct web_req *r, void *arg)
{
    struct stream *s = &streams[started++];

    (void)arg;
    assert_true(started <= STREAMS);
    s->r = r;
    s->wakes = 0;
    op_init(&s->op, loop_turnq(the_loop), stream_step);
    web_reply_header(r, "Cache-Control", "no-store");
    web_stream_start(r, 200, "text/event-stream", ROOM, &s->op);
}

static const struct web_route routes[] = {
    {"GET", "/events", on_events, 0},
};

#define ASK "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"

static struct web *open_web(uint16_t *port)
{
    struct web *w;

    started = 0;
    assert_int_equal(loop_new(&the_loop, NULL), BBT_OK);
    assert_int_equal(web_new(the_loop, NULL, routes, 1, NULL, &w, NULL), BBT_OK);
    assert_int_equal(web_listen_tcp(w, "127.0.0.1", 0, port, NULL), BBT_OK);
    return w;
}

static void put(struct stream *s, const char *text)
{
    assert_int_equal(web_stream_put(s->r, text, strlen(text)), BBT_OK);
}

static void events_arrive_as_they_are_put(void **state)
{
    struct wire c;
    uint16_t port;
    struct web *w = open_web(&port);
    char text[32];

    (void)state;
    assert_true(wire_tcp(&c, port));
    assert_true(wire_say(&c, ASK));
    UNTIL(the_loop, wire_has(&c, "\r\n\r\n")); /* the head does not wait for an event */
    assert_true(wire_has(&c, "text/event-stream"));
    assert_true(wire_has(&c, "Cache-Control: no-store"));
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "data: %d\n\n", i);
        put(&streams[0], text);
        UNTIL(the_loop, wire_has(&c, text));
    }
    put(&streams[0], "data: a\n\n");
    put(&streams[0], "data: end\n\n");
    web_stream_end(streams[0].r);
    UNTIL(the_loop, wire_has(&c, "data: end") && wire_has(&c, "0\r\n\r\n"));
    /* the connection is as good as new */
    assert_true(wire_say(&c, ASK));
    UNTIL(the_loop, started == 2);
    web_stream_end(streams[1].r);
    UNTIL(the_loop, wire_count(&c, "0\r\n\r\n") == 2);
    wire_close(&c);
    web_free(w);
    loop_free(the_loop);
}

/* Nothing to do means nothing is done: 200 idle streams cost no turns. */
static void idle_streams_sleep(void **state)
{
    static struct wire c[STREAMS];
    struct loop_timer t;
    uint64_t before;
    uint16_t port;
    struct web *w = open_web(&port);

    (void)state;
    for (int i = 0; i < STREAMS; i++) {
        assert_true(wire_tcp(&c[i], port));
        assert_true(wire_say(&c[i], ASK));
        UNTIL(the_loop, wire_has(&c[i], "\r\n\r\n"));
    }
    timer_init(&t, the_loop, NULL);
    timer_start(&t, 300000);
    before = loop_turn_count(the_loop);
    while (!t.fired)
        loop_turn(the_loop);
    assert_true(loop_turn_count(the_loop) - before < 30);
    for (int i = 0; i < STREAMS; i++)
        put(&streams[i], "data: all\n\n");
    for (int i = 0; i < STREAMS; i++)
        UNTIL(the_loop, wire_has(&c[i], "data: all"));
    for (int i = 0; i < STREAMS; i++) {
        if (i % 2)
            wire_close(&c[i]);
        else
            web_stream_end(streams[i].r);
    }
    for (int i = 1; i < STREAMS; i += 2) {
        UNTIL(the_loop, streams[i].wakes > 0); /* told without any put */
        assert_true(web_gone(streams[i].r));
        assert_int_equal(web_stream_put(streams[i].r, "x", 1), BBT_CANCELED);
        web_stream_end(streams[i].r);
    }
    UNTIL(the_loop, web_busy(w) == 0);
    for (int i = 0; i < STREAMS; i += 2)
        wire_close(&c[i]);
    web_free(w);
    loop_free(the_loop);
}

/* A client that does not read fills its room and no more; it gets everything later. */
static void lagging_client(void **state)
{
    char block[4096];
    struct wire c;
    uint16_t port;
    struct web *w = open_web(&port);
    size_t puts = 0;
    enum bbt_rc rc;
    unsigned wakes;

    (void)state;
    memset(block, 'k', sizeof(block));
    assert_true(wire_tcp(&c, port));
    assert_true(wire_say(&c, ASK));
    UNTIL(the_loop, started == 1);
    assert_int_equal(web_stream_put(streams[0].r, block, ROOM + 1), BBT_INVALID);
    while ((rc = web_stream_put(streams[0].r, block, sizeof(block))) == BBT_OK ||
           puts < 100) {
        unsigned turns = 0;

        puts += rc == BBT_OK;
        UNTIL(the_loop, ++turns > 1);
        if (rc == BBT_AGAIN && turns > 1 && puts >= 100)
            break;
    }
    assert_int_equal(rc, BBT_AGAIN); /* kernel buffers are full, so is the room */
    wakes = streams[0].wakes;
    UNTIL(the_loop,
        (wire_has(&c, "\r\n\r\n"), streams[0].wakes > wakes)); /* room again */
    assert_false(web_gone(streams[0].r));
    web_stream_end(streams[0].r);
    UNTIL(the_loop, wire_has(&c, "\r\n0\r\n\r\n"));
    {
        size_t n = 0;

        for (size_t i = 0; i < c.in.len; i++)
            n += c.in.data[i] == 'k';
        assert_true(n >= puts * sizeof(block)); /* 'k' of "keep" or "OK" aside */
        assert_true(n < puts * sizeof(block) + 8);
    }
    wire_close(&c);
    web_free(w);
    loop_free(the_loop);
}

static void ended_by_web_free(void **state)
{
    struct wire c;
    uint16_t port;
    struct web *w = open_web(&port);

    (void)state;
    assert_true(wire_tcp(&c, port));
    assert_true(wire_say(&c, ASK));
    UNTIL(the_loop, wire_has(&c, "\r\n\r\n"));
    web_free(w);
    assert_true(web_gone(streams[0].r));
    assert_int_equal(web_stream_put(streams[0].r, "x", 1), BBT_CANCELED);
    web_stream_end(streams[0].r);
    assert_true(wire_ended(&c));
    wire_close(&c);
    op_fini(&streams[0].op);
    loop_free(the_loop);
}

/* HEAD of a stream, and a client that leaves between request and start. */
static void streams_without_reader(void **state)
{
    struct wire c;
    uint16_t port;
    struct web *w = open_web(&port);

    (void)state;
    assert_true(wire_tcp(&c, port));
    assert_true(wire_say(&c, "HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    UNTIL(the_loop, started == 1 && wire_has(&c, "\r\n\r\n"));
    UNTIL(the_loop, web_gone(streams[0].r));
    web_stream_end(streams[0].r);
    assert_true(wire_say(&c, ASK));
    wire_close(&c);
    UNTIL(the_loop, started == 2);
    UNTIL(the_loop, streams[1].wakes > 0 && web_gone(streams[1].r));
    web_stream_end(streams[1].r);
    UNTIL(the_loop, web_busy(w) == 0);
    web_free(w);
    loop_free(the_loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_as_they_are_put),
        cmocka_unit_test(idle_streams_sleep),
        cmocka_unit_test(lagging_client),
        cmocka_unit_test(ended_by_web_free),
        cmocka_unit_test(streams_without_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
