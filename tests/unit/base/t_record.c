/* Names of states and phases: each has its own, and goes there and back. */
#include "base/record.h"
#include "unit.h"

static void states_go_there_and_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REC_STATE_NR; i++)
        assert_int_equal(rec_state_parse(rec_state_name((enum rec_state)i)), i);
    assert_string_equal(rec_state_name(REC_STATE_NR), "unknown");
    assert_string_equal(rec_state_name((enum rec_state)-1), "unknown");
    assert_int_equal(rec_state_parse("unknown"), REC_STATE_NR);
    assert_int_equal(rec_state_parse(""), REC_STATE_NR);
    assert_int_equal(rec_state_parse("Running"), REC_STATE_NR);
}

/* Stored in databases and printed by the control tool: the numbers and words are a promise. */
static void words_are_a_promise(void **state)
{
    (void)state;
    assert_string_equal(rec_state_name(REC_CANCELLED), "cancelled");
    assert_int_equal(REC_QUEUED, 0);
    assert_int_equal(REC_COMPLETED, 3);
    assert_int_equal(REC_CANCELLED, 5);
    assert_int_equal(REC_TRAIN, 0);
    assert_int_equal(REC_PREDICT, 6);
    assert_int_equal(REC_CONTEXT, 7);
}

static void phases_have_names_of_their_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < REC_PHASE_NR; a++) {
        assert_string_not_equal(rec_phase_name((enum rec_phase)a), "unknown");
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(
                rec_phase_name((enum rec_phase)a), rec_phase_name((enum rec_phase)b));
    }
    assert_string_equal(rec_phase_name(REC_PHASE_NR), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_go_there_and_back),
        cmocka_unit_test(words_are_a_promise),
        cmocka_unit_test(phases_have_names_of_their_own),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
