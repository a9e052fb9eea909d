/* loop.h -- the event loop: one thread that polls, wakes operations and steps them.
 *
 * The turn queue (base/op.h) is drained right before the loop would block, so that
 * callbacks only record facts and every decision is made from a shallow stack. Also the
 * one place that knows how long a turn took. Not thread-safe: loop thread only. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct turnq;
struct uv_loop_s;
struct loop_heap;

/* Also makes the process ignore SIGPIPE: a vanished peer is a fact, not a death. */
BBT_NODISCARD enum bbt_rc loop_new(struct loop **ret, struct bbt_err *err);

/* Runs the last close callbacks and asserts that nobody left a handle open. The turn
 * queue is not stepped any more. NULL is fine. */
void loop_free(struct loop *l);

/* For op_init(); lives as long as the loop. */
struct turnq *loop_turnq(struct loop *l);

/* For the doors (loop, net, web, daemon ports) only. */
struct uv_loop_s *loop_uv(struct loop *l);

/* The private heap of timers of this loop (timer.c). */
struct loop_heap *loop_timers(struct loop *l);

/* Microseconds of the monotonic clock, read once per turn: everybody in a turn sees the
 * same time. Never goes back. */
uint64_t loop_now_us(struct loop *l);

/* Runs turns until loop_stop(), or until nothing is left that could ever wake anybody
 * (no timer, no listening socket, no work in flight, empty queue). */
void loop_run(struct loop *l);

/* Runs one turn, waiting for something to happen. True while something is left. */
bool loop_turn(struct loop *l);

/* Ends loop_run() at the end of this turn. */
void loop_stop(struct loop *l);

/* How long turns took: from the return of one poll to the start of the next, time slept
 * in the poll not counted. The quantile (0..1) is the upper edge of a bucket at most
 * 12.5 % wide; 0 without any turn. */
uint64_t loop_turn_quantile_us(const struct loop *l, double q);
uint64_t loop_turn_max_us(const struct loop *l);
uint64_t loop_turn_count(const struct loop *l);
void loop_turn_reset(struct loop *l);

#endif
