/* A signal is a flag in the loop thread. */
#include "loop/sig.h"

#include "base/op.h"
#include "loop/loop.h"
#include "turn.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static unsigned steps;

static void step(struct op *op)
{
    (void)op;
    steps++;
}

static void sets_flag_and_wakes(void **state)
{
    struct op op;
    bool hup = false, usr = false;
    struct sig *a, *b;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    op_init(&op, loop_turnq(l), step);
    assert_int_equal(sig_new(l, SIGHUP, &hup, &op, &a, NULL), BBT_OK);
    assert_int_equal(sig_new(l, SIGUSR1, &usr, NULL, &b, NULL), BBT_OK);
    loop_run(l); /* signals alone do not keep it running */
    raise(SIGHUP);
    assert_int_equal(steps, 0);
    UNTIL(l, steps == 1);
    assert_true(hup);
    assert_false(usr);
    hup = false;
    raise(SIGUSR1);
    UNTIL(l, usr);
    assert_false(hup);
    sig_free(a);
    sig_free(b);
    loop_free(l);
}

static void impossible_signal(void **state)
{
    struct bbt_err err;
    struct sig *s = NULL;
    bool flag = false;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(sig_new(l, SIGKILL, &flag, NULL, &s, &err), BBT_INVALID);
    assert_null(s);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_flag_and_wakes),
        cmocka_unit_test(impossible_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
