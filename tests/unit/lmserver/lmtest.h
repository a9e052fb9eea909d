/* lmtest.h -- cmocka and the folders of the golden models. */
#ifndef TEST_LMSERVER_LMTEST_H
#define TEST_LMSERVER_LMTEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#define LMTEST_COUNT(a) (sizeof(a) / sizeof(a)[0])

/* The path of a golden file or folder of this area; a static buffer. */
static inline const char *lmtest_path(const char *name)
{
    static char path[1024];
    const char *root = getenv("BBT_TESTS");

    (void)snprintf(path, sizeof path, "%s/golden/lmserver/%s", root ? root : "tests", name);
    return path;
}

/* `rc` and `text` as told: the sentence must hold the part. */
static inline void lmtest_refused(
    int rc, int want, const char *text, const char *part, const char *what)
{
    if (rc != want || !strstr(text, part))
        fail_msg("%s: class %d '%s', expected class %d and '%s'", what, rc, text, want, part);
}

#endif
