/* Shared parts: made once, never taken from under a request, gone where memory asks for it. */
#include "bench.h"

#include "engine/parts.h"

#include "base/alloc.h"
#include "prov/chain.h"

static unsigned made;
static size_t part_bytes;
static enum bbt_rc make_rc;

static enum bbt_rc make(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    struct pen p;

    (void)m;
    (void)ask;
    made++;
    if (make_rc != BBT_OK)
        return bbt_fail(err, make_rc, "no");
    p = chain_part(ret, SIZE_MAX / 2);
    (void)pen_room(&p, part_bytes);
    return chain_part_end(&p, ret, err);
}

static int reset(void **state)
{
    (void)state;
    made = 0;
    part_bytes = 100;
    make_rc = BBT_OK;
    return 0;
}

static const struct prov_part *use(struct parts *p, size_t i, const struct prov_model *m)
{
    const struct prov_ask ask = {0};
    const struct prov_part *ret;

    assert_int_equal(parts_use(p, i, make, m, &ask, &ret, NULL), BBT_OK);
    return ret;
}

static void made_once_for_all(void **state)
{
    struct prov_model m = {0};
    struct parts p;

    (void)state;
    assert_int_equal(parts_init(&p, 3, NULL), BBT_OK);
    for (int i = 0; i < 9; i++)
        assert_non_null(use(&p, (size_t)i % 3, &m));
    assert_int_equal(made, 3);
    for (int i = 0; i < 9; i++)
        parts_drop(&p, (size_t)i % 3);
    assert_ptr_equal(use(&p, 1, &m), use(&p, 1, &m));
    assert_int_equal(made, 3);
    parts_drop(&p, 1);
    parts_drop(&p, 1);
    parts_fini(&p);
    parts_fini(&p);
}

/* The model was probed anew: what is on the wire keeps its part, what comes gets a new one. */
static void another_edition_is_another_part(void **state)
{
    struct prov_model m = {.edition = 1}, other = {.edition = 1};
    struct parts p;

    (void)state;
    assert_int_equal(parts_init(&p, 1, NULL), BBT_OK);
    assert_non_null(use(&p, 0, &m));
    m.edition = 2;
    assert_null(use(&p, 0, &m));
    assert_null(use(&p, 0, &other));
    parts_drop(&p, 0);
    assert_non_null(use(&p, 0, &m));
    assert_int_equal(made, 2);
    parts_drop(&p, 0);
    assert_non_null(use(&p, 0, &other));
    assert_int_equal(made, 3);
    parts_drop(&p, 0);
    parts_fini(&p);
}

static void too_many_bytes_do_not_stay(void **state)
{
    struct prov_model m = {0};
    struct parts p;

    (void)state;
    part_bytes = PARTS_KEEP_MAX / 2;
    assert_int_equal(parts_init(&p, 3, NULL), BBT_OK);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(use(&p, i, &m));
    assert_true(p.bytes > PARTS_KEEP_MAX);
    parts_drop(&p, 2); /* over: goes */
    parts_drop(&p, 1); /* still over, by a little: goes */
    parts_drop(&p, 0); /* stays */
    assert_true(p.bytes < PARTS_KEEP_MAX);
    assert_non_null(use(&p, 0, &m));
    assert_int_equal(made, 3);
    assert_non_null(use(&p, 2, &m));
    assert_int_equal(made, 4);
    parts_drop(&p, 0);
    parts_drop(&p, 2);
    parts_fini(&p);
}

static void forgotten_with_the_last_user(void **state)
{
    struct prov_model m = {0};
    struct parts p;

    (void)state;
    assert_int_equal(parts_init(&p, 2, NULL), BBT_OK);
    assert_non_null(use(&p, 0, &m));
    assert_non_null(use(&p, 1, &m));
    parts_drop(&p, 1);
    parts_forget(&p, 1);
    parts_forget(&p, 0);
    assert_true(p.bytes > 0);
    parts_drop(&p, 0);
    assert_int_equal(p.bytes, 0);
    assert_non_null(use(&p, 0, &m));
    assert_int_equal(made, 3);
    parts_drop(&p, 0);
    parts_fini(&p);
}

static void a_maker_that_fails_leaves_nothing(void **state)
{
    struct prov_model m = {0};
    const struct prov_ask ask = {0};
    const struct prov_part *ret;
    struct bbt_err err = {0};
    struct parts p;

    (void)state;
    bbt_alloc_fault(0, 0);
    assert_int_equal(parts_init(&p, 2, &err), BBT_NOMEM);
    bbt_alloc_fault(-1, 0);
    parts_fini(&p);
    assert_int_equal(parts_init(&p, 2, NULL), BBT_OK);
    make_rc = BBT_INVALID;
    assert_int_equal(parts_use(&p, 0, make, &m, &ask, &ret, &err), BBT_INVALID);
    assert_string_equal(err.msg, "no");
    make_rc = BBT_OK;
    assert_non_null(use(&p, 0, &m));
    parts_drop(&p, 0);
    parts_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(made_once_for_all, reset),
        cmocka_unit_test_setup(another_edition_is_another_part, reset),
        cmocka_unit_test_setup(too_many_bytes_do_not_stay, reset),
        cmocka_unit_test_setup(forgotten_with_the_last_user, reset),
        cmocka_unit_test_setup(a_maker_that_fails_leaves_nothing, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
