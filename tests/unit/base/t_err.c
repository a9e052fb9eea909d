/* Errors: the class survives, the sentence grows from the left and never overflows. */
#include "base/err.h"
#include "unit.h"

static void fail_fills_and_returns(void **state)
{
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(bbt_fail(&err, BBT_IO, "disk %d", 7), BBT_IO);
    assert_int_equal(err.rc, BBT_IO);
    assert_string_equal(err.msg, "disk 7");
    assert_int_equal(bbt_fail(NULL, BBT_CORRUPT, "nobody listens"), BBT_CORRUPT);
}

static void context_goes_in_front(void **state)
{
    struct bbt_err err = {0};

    (void)state;
    (void)bbt_fail(&err, BBT_AGAIN, "timeout");
    assert_int_equal(bbt_err_ctx(&err, "job %d", 3), BBT_AGAIN);
    assert_int_equal(bbt_err_ctx(&err, "queue"), BBT_AGAIN);
    assert_string_equal(err.msg, "queue: job 3: timeout");
    assert_int_equal(bbt_err_ctx(NULL, "queue"), BBT_INVALID);
}

static void long_sentences_lose_their_end(void **state)
{
    struct {
        struct bbt_err err;
        unsigned char fence[16];
    } box;
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(&box, 0x5a, sizeof box);
    (void)bbt_fail(&box.err, BBT_INVALID, "%s", text);
    assert_int_equal(strlen(box.err.msg), sizeof box.err.msg - 1);
    (void)bbt_err_ctx(&box.err, "front");
    assert_int_equal(strlen(box.err.msg), sizeof box.err.msg - 1);
    assert_memory_equal(box.err.msg, "front: xxx", 10);
    (void)bbt_err_ctx(&box.err, "%s", text); /* context alone fills it */
    assert_int_equal(strlen(box.err.msg), sizeof box.err.msg - 1);
    assert_memory_equal(box.err.msg, "xxxxxx", 6);
    for (size_t i = 0; i < sizeof box.fence; i++)
        assert_int_equal(box.fence[i], 0x5a);
}

static void every_class_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < BBT_RC_NR; a++) {
        assert_true(strlen(bbt_rc_name((enum bbt_rc)a)) > 0);
        assert_string_not_equal(bbt_rc_name((enum bbt_rc)a), "unknown");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(
                bbt_rc_name((enum bbt_rc)a), bbt_rc_name((enum bbt_rc)b));
    }
    assert_string_equal(bbt_rc_name(BBT_RC_NR), "unknown");
    assert_string_equal(bbt_rc_name((enum bbt_rc)-1), "unknown");
    assert_int_equal(BBT_OK, 0); /* `if (rc)` is written in places */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(long_sentences_lose_their_end),
        cmocka_unit_test(every_class_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
