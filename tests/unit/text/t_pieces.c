/* A vocabulary against a plain list. */
#include "textunit.h"

#include "text/pieces.h"

#define N 3000

static void finds_what_a_list_would_find(void **state)
{
    struct pieces p = {0};
    char piece[16];
    int len;

    (void)state;
    assert_int_equal(pieces_init(&p, N), BBT_OK);
    for (int32_t id = 0; id < N; id += 2) { /* odd ids stay without a piece */
        len = snprintf(piece, sizeof piece, "p%d", id);
        assert_int_equal(pieces_add(&p, id, piece, (size_t)len), BBT_OK);
    }
    for (int32_t id = 0; id < N; id++) {
        len = snprintf(piece, sizeof piece, "p%d", id);
        assert_int_equal(pieces_find(&p, piece, (size_t)len), id % 2 ? PIECES_NONE : id);
        if (id % 2)
            assert_null(pieces_at(&p, id));
        else
            assert_string_equal(pieces_at(&p, id), piece);
    }
    assert_int_equal(pieces_find(&p, "p22x", 3), 22); /* the length counts, not a NUL */
    assert_int_equal(pieces_find(&p, "", 0), PIECES_NONE);
    assert_int_equal(p.longest, 5);
    assert_null(pieces_at(&p, -1));
    assert_null(pieces_at(&p, N));
    pieces_fini(&p);
    assert_int_equal(pieces_find(&p, "p2", 2), PIECES_NONE);
}

static void refusals(void **state)
{
    struct pieces p = {0};

    (void)state;
    assert_int_equal(pieces_init(&p, 4), BBT_OK);
    assert_int_equal(pieces_add(&p, 4, "x", 1), BBT_INVALID);
    assert_int_equal(pieces_add(&p, -1, "x", 1), BBT_INVALID);
    assert_int_equal(pieces_add(&p, 0, "a\0b", 3), BBT_INVALID);
    assert_int_equal(pieces_add(&p, 0, "a", 1), BBT_OK);
    assert_int_equal(pieces_add(&p, 0, "b", 1), BBT_INVALID);
    assert_int_equal(pieces_add(&p, 3, "a", 1), BBT_OK); /* moves, as in a dictionary */
    assert_int_equal(pieces_find(&p, "a", 1), 3);
    assert_string_equal(pieces_at(&p, 0), "a");
    pieces_fini(&p);
}

static enum bbt_rc two_pieces(void)
{
    struct pieces p = {0};
    enum bbt_rc rc = pieces_init(&p, 2);

    if (rc == BBT_OK)
        rc = pieces_add(&p, 0, "one", 3);
    if (rc == BBT_OK)
        rc = pieces_add(&p, 1, "two", 3);
    pieces_fini(&p);
    return rc;
}

static void without_memory(void **state)
{
    (void)state;
    unit_oom(two_pieces());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_list_would_find),
        cmocka_unit_test(refusals),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
