#include "place.h"

#include "base/json.h"
#include "engine/tune_end.h"
#include "engine/tune_gen.h"
#include "engine/tune_load.h"

#include <sys/wait.h>

static const struct scene_job small = {.generations = 4, .popsize = 4};

/* ---- a whole job ---- */

static void whole(struct world_opts o, struct scene_job j, const char *ended)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result r = {0};
    json_t *sheet = NULL;
    int64_t id;

    place_open(p, o);
    id = scene_submit(&p->w, &j);
    checks_batches(p->c, id, 2);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, ended);
    assert_true(scene_result(&p->w, id, &r));
    assert_int_equal(json_parse(r.json, strlen(r.json), "sheet", &sheet, NULL), BBT_OK);
    assert_string_equal(json_get_str(sheet, "ended", ""), ended);
    assert_int_equal(json_get_int(json_object_get(sheet, "usage"), "repeated", -1), 0);
    for (size_t i = 0; i < r.rows * r.hidden; i++)
        assert_true(isfinite(r.prompt[i]));
    json_decref(sheet);
    rec_result_fini(&r);
    place_close(p);
    free(p);
}

static void test_whole(void **state)
{
    (void)state;
    whole((struct world_opts){0}, small, "budget");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
