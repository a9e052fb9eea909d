/* unit.h -- cmocka with what it wants included before it. */
#ifndef TEST_SCHED_UNIT_H
#define TEST_SCHED_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#endif
