/* Declared tensors: limits, the choice between configured and default names. */
#include "prov/decl.h"
#include "unit.h"

#include <stdio.h>

/* {"inputs": n tensors t0, t1, ... of `rank` dimensions} */
static json_t *many(int n, int rank)
{
    json_t *list = json_array();

    for (int i = 0; i < n; i++) {
        json_t *shape = json_array();
        char name[16];

        for (int k = 0; k < rank; k++)
            json_array_append_new(shape, json_integer(k ? 7 : -1));
        (void)snprintf(name, sizeof name, "t%d", i);
        json_array_append_new(list,
            json_pack("{s:s, s:s, s:o}", "name", name, "datatype", "FP32", "shape", shape));
    }
    return json_pack("{s:o}", "inputs", list);
}

static void limits(void **state)
{
    static const struct {
        int n, rank;
        enum bbt_rc rc;
    } t[] = {{0, 1, BBT_OK}, {128, 8, BBT_OK}, {129, 1, BBT_CORRUPT}, {1, 9, BBT_CORRUPT},
        {1, 0, BBT_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        static struct decl_list all;
        json_t *root = many(t[i].n, t[i].rank);

        memset(&all, 0, sizeof all);
        assert_int_equal(decl_read(root, "inputs", &all, NULL), t[i].rc);
        if (t[i].rc == BBT_OK) {
            assert_int_equal(all.n, t[i].n);
            for (size_t k = 0; k < all.n; k++) {
                assert_int_equal(all.t[k].rank, t[i].rank);
                assert_int_equal(all.t[k].type, PROV_FP32);
                assert_true(t[i].rank < 2 || (all.t[k].shape[0] == -1 &&
                                                 all.t[k].shape[t[i].rank - 1] == 7));
            }
        }
        json_decref(root);
    }
}

static void names_are_picked(void **state)
{
    json_t *root = many(3, 2);
    struct decl_list all = {0};
    const struct decl *d;
    char name[PROV_TENSOR_MAX] = "";
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(decl_read(root, "inputs", &all, NULL), BBT_OK);
    assert_int_equal(decl_pick(&all, "mask", name, "absent", &d, &err), BBT_OK);
    assert_null(d);
    assert_string_equal(name, "");
    assert_int_equal(decl_pick(&all, "mask", name, "t1", &d, &err), BBT_OK);
    assert_ptr_equal(d, decl_named(&all, "t1"));
    assert_string_equal(name, "t1"); /* filled in */
    assert_int_equal(decl_pick(&all, "mask", name, "t2", &d, &err), BBT_OK);
    assert_ptr_equal(d, decl_named(&all, "t1")); /* the configured one wins */
    memcpy(name, "other_name", 11);
    assert_int_equal(decl_pick(&all, "mask", name, "t2", &d, &err), BBT_INVALID);
    assert_string_equal(
        err.msg, "the model declares no tensor \"other_name\" (configured as mask)");
    assert_int_equal(decl_refuse(decl_named(&all, "t2"), "no.", &err), BBT_INVALID);
    assert_string_equal(err.msg, "tensor \"t2\" is declared as FP32 [-1,7], but no.");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(names_are_picked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
