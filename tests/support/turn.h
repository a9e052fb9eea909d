/* turn.h -- tests turn the loop until something is true; a condition that never comes
 * fails the test instead of hanging it. */
#ifndef SUPPORT_TURN_H
#define SUPPORT_TURN_H

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define UNTIL(l, cond)                                                                 \
    do {                                                                               \
        uint64_t until_end_ = clock_mono_us() + 60000000u;                             \
        struct loop_timer until_tick_;                                                 \
        timer_init(&until_tick_, (l), NULL);                                           \
        while (!(cond)) {                                                              \
            assert_true(clock_mono_us() < until_end_);                                 \
            if (!until_tick_.running)                                                  \
                timer_start(&until_tick_, 1000);                                       \
            loop_turn(l);                                                              \
        }                                                                              \
        timer_stop(&until_tick_);                                                      \
    } while (0)

#endif
