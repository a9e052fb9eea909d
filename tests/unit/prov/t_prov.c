/* The table of dialects and the constant request parameters. */
#include "base/json.h"
#include "prov/prov.h"
#include "unit.h"
#include "base/alloc.h"

static void dialects_are_found_by_name(void **state)
{
    (void)state;
    for (const char *const *name = prov_adapter_names(); *name; name++) {
        const struct prov_adapter *a = prov_adapter_find(*name);

        assert_non_null(a);
        assert_string_equal(a->name, *name);
        assert_true(a->probe_next && a->probe_take);
        assert_true(a->part_batch && a->part_prompt && a->encode);
        assert_true(!a->decode == !!a->read);
        assert_true(!a->embed_encode == !a->embed_decode);
    }
    assert_null(prov_adapter_find("kserve"));
    assert_null(prov_adapter_find(NULL));
    assert_true(prov_adapter_find("kserve2")->soft_prompt);
}

static void parameters_are_checked(void **state)
{
    static const struct {
        const char *json, *why;
    } t[] = {
        {"[]", "must be an object"},
        {"{\"a\":null}", "\"a\" must be"},
        {"{\"a\":{}}", "\"a\" must be"},
        {"{\"compose\":\"add\"}", "set by bbtd itself"},
        {"{\"binary_data_output\":true}", "set by bbtd itself"},
    };
    struct prov_model m;
    json_t *good = json_pack("{s:i, s:b}", "b", 1, "a", 1);

    (void)state;
    prov_model_init(&m);
    assert_int_equal(prov_model_params(&m, good, NULL), BBT_OK);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        json_t *v = json_loads(t[i].json, 0, NULL);
        struct bbt_err err = {0};

        assert_int_equal(prov_model_params(&m, v, &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, t[i].why));
        json_decref(v);
    }
    assert_string_equal(m.params, "{\"a\":true,\"b\":1}"); /* refusals changed nothing */
    bbt_alloc_fault(0, 1);
    assert_int_equal(prov_model_params(&m, good, NULL), BBT_NOMEM);
    bbt_alloc_fault(-1, 0);
    assert_string_equal(m.params, "{\"a\":true,\"b\":1}");
    assert_int_equal(prov_model_params(&m, NULL, NULL), BBT_OK);
    assert_null(m.params);
    json_decref(good);
    prov_model_fini(&m);
    prov_model_fini(NULL);
}

static void empty_things_can_be_freed(void **state)
{
    struct prov_answer a = {0};
    struct prov_embed e = {0};
    struct prov_http h = {0};
    struct prov_reply r = {0};

    (void)state;
    prov_answer_fini(NULL);
    prov_answer_fini(&a);
    prov_embed_fini(NULL);
    prov_embed_fini(&e);
    prov_http_fini(NULL);
    prov_http_fini(&h);
    assert_null(prov_reply_header(&r, "Date"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects_are_found_by_name),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(empty_things_can_be_freed),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
