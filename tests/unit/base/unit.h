/* unit.h -- cmocka with what it needs, and the loop that makes each allocation fail once. */
#ifndef TESTS_UNIT_BASE_UNIT_H
#define TESTS_UNIT_BASE_UNIT_H

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Runs `expr` (an enum bbt_rc) with allocation 0, 1, 2... failing, alone and with all later
 * ones, until it succeeds; every failure must be BBT_NOMEM. At least one must have been
 * provoked, else the loop proves nothing. */
#define unit_oom(expr)                                                                       \
    do {                                                                                     \
        for (int sticky_ = 0; sticky_ < 2; sticky_++) {                                      \
            enum bbt_rc rc_ = BBT_NOMEM;                                                     \
            long n_ = 0;                                                                     \
                                                                                             \
            for (; n_ < 10000; n_++) {                                                       \
                (void)bbt_alloc_fault(n_, sticky_);                                          \
                rc_ = (expr);                                                                \
                (void)bbt_alloc_fault(-1, 0);                                                \
                if (rc_ == BBT_OK)                                                           \
                    break;                                                                   \
                assert_int_equal(rc_, BBT_NOMEM);                                            \
            }                                                                                \
            assert_int_equal(rc_, BBT_OK);                                                   \
            assert_true(n_ > 0);                                                             \
        }                                                                                    \
    } while (0)

#endif
