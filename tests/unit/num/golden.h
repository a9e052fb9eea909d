/* golden.h -- opens a committed golden file of this area. */
#ifndef TEST_NUM_GOLDEN_H
#define TEST_NUM_GOLDEN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static inline FILE *golden_open(const char *name)
{
    const char *root = getenv("BBT_TESTS");
    char path[1024];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/golden/num/%s", root ? root : "tests", name);
    f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

#endif
