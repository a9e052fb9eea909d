#include "place.h"
#include "sql.h"

#include "base/json.h"
#include "engine/tune.h"
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

/* Every wire form, every mode, loss and metric. */
static void test_whole(void **state)
{
    static const struct scene_job jobs[] = {
        {.generations = 4},
        {.mode = "concat", .init = "random_tokens"},
        {.loss = "hinge", .projection = "uniform"},
        {.loss = "negative_metric", .metric = "f1"},
        {.dev_mean = true, .dev_every = 1},
        {.no_test = true, .dev_every = 3},
        {.popsize = 6, .generations = TUNE_SNAPSHOT_EVERY + 5,
            .dev_every = 5}, /* beyond a snapshot */
    };

    (void)state;
    for (unsigned i = 0; i < 7 * 4; i++)
        whole((struct world_opts){.seed = i + 1, .json = i / 7 & 1, .vocab = i / 7 & 2,
                  .prompt_rank = 2 + i % 3},
            jobs[i % 7], "budget");
}

static void test_other_ends(void **state)
{
    struct scene_job j = {.generations = 300, .dev_every = 1, .popsize = 6};

    (void)state;
    j.stop = ",\"evaluations\":30";
    whole((struct world_opts){0}, j, "budget");
    j.stop = ",\"target\":{\"dev\":0.8}";
    whole((struct world_opts){0}, j, "target");
    j.stop = ",\"stall\":{\"generations\":5,\"tolerance\":0.5}";
    whole((struct world_opts){0}, j, "stall");
    j.stop = ",\"wall_time\":\"10s\"";
    whole((struct world_opts){0}, j, "time");
}

/* The planted optimum is there to be found: the search comes closer to it. */
static void test_gets_better(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++) {
        struct place *p = calloc(1, sizeof *p);
        struct rec_result r = {0};
        json_t *sheet = NULL;
        int64_t id;

        place_open(p, (struct world_opts){.seed = i});
        id = scene_submit(&p->w, &(struct scene_job){
            .seed = i, .popsize = 8, .generations = 25, .shots = 3, .mode = "concat"});
        world_start(&p->w);
        place_rest(p);
        assert_true(scene_result(&p->w, id, &r));
        assert_int_equal(json_parse(r.json, strlen(r.json), "sheet", &sheet, NULL), BBT_OK);
        assert_true(json_get_num(sheet, "tuned_test", -1) > 0.85);
        assert_true(json_get_num(sheet, "tuned_test", -1) >
            json_get_num(sheet, "manual_test", 2));
        json_decref(sheet);
        rec_result_fini(&r);
        place_close(p);
        free(p);
    }
}

/* ---- paused, killed: the same job ---- */

static const char *step_of(struct world *w, int64_t id)
{
    struct engine_live live;

    return engine_live(w->engine, id, &live) ? live.progress.step : "";
}

/* Paused as soon as it is in the state; taken up again; the prompt has the same bytes. */
static void paused(struct world_opts o, const struct scene_job *j, unsigned never)
{
    struct rec_result want = {0}, got = {0};

    place_reference(o, j, &want);
    for (enum tune_state s = TUNE_LOAD; s < TUNE_VERDICT; s++) {
        struct place *p;
        int64_t id;

        if (never >> s & 1)
            continue;
        if (s == TUNE_EMBED)
            assert_string_equal(tune_state_name(s), "embed");
        p = calloc(1, sizeof *p);
        place_open(p, o);
        id = scene_submit(&p->w, j);
        world_start(&p->w);
        while (strcmp(step_of(&p->w, id), tune_state_name(s)) != 0) {
            if (!world_step(&p->w) || scene_quiet(&p->w, NULL))
                fail_msg("never in state %s", tune_state_name(s));
        }
        assert_true(scene_move(&p->w, id, REC_PAUSED));
        place_rest(p);
        assert_job(p, id, REC_PAUSED, "user");
        assert_true(scene_move(&p->w, id, REC_QUEUED));
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
        free(p);
    }
    rec_result_fini(&want);
}

/* The server of a masked model gives embeddings and has no tokeniser; that of a language model
 * has one, and the job brings its own scale. */
static void test_paused_in_every_state(void **state)
{
    struct scene_job j = small;

    (void)state;
    j.more = ",\"baselines\":[\"manual\",{\"in_context\":{\"shots\":1,\"orders\":2}}]";
    paused((struct world_opts){0}, &j, 1u << TUNE_TOKENS | 1u << TUNE_PACK);
    paused((struct world_opts){.kind = "sglang-score"}, &j, 1u << TUNE_EMBED);
}

static json_t *sheet_of(struct place *p, int64_t id, struct rec_result *r)
{
    json_t *sheet = NULL;

    assert_true(scene_result(&p->w, id, r));
    assert_int_equal(json_parse(r->json, strlen(r->json), "sheet", &sheet, NULL), BBT_OK);
    return sheet;
}

/* The search works where the server tokenises, too. */
static void test_language_model(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        struct place *p = calloc(1, sizeof *p);
        struct rec_result r = {0};
        json_t *sheet;
        int64_t id;

        place_open(p, (struct world_opts){.seed = i, .kind = "sglang-score"});
        id = scene_submit(&p->w, &(struct scene_job){
            .seed = i, .popsize = 8, .generations = 25, .shots = 3});
        world_start(&p->w);
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        sheet = sheet_of(p, id, &r);
        assert_true(json_get_num(sheet, "tuned_test", -1) > 0.85);
        assert_true(json_get_num(sheet, "tuned_test", -1) >
            json_get_num(sheet, "manual_test", 2));
        json_decref(sheet);
        rec_result_fini(&r);
        place_close(p);
        free(p);
    }
}

/* What the tokeniser said is kept with the job: a restart does not ask again. */
static void test_tokens_are_kept(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    uint64_t asked;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){.kind = "sglang-score"});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    while (strcmp(step_of(&p->w, id), "tell") != 0)
        assert_true(world_step(&p->w));
    asked = p->w.lm.tokenised;
    assert_in_range(asked, 10, 40); /* each text once, labels in two forms */
    world_crash(&p->w);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_int_equal(p->w.lm.tokenised, asked + 2); /* the probe's trial texts */
    place_close(p);
    free(p);
}

/* Baselines alone, on a masked model, by ids and by text: no search, no prompt. */
static void test_no_search(void **state)
{
    static const char *const kinds[] = {NULL, "sglang-score", "openai"};
    struct scene_job j = {.no_search = true, .shots = 3,
        .more = ",\"baselines\":[{\"in_context\":{\"shots\":2,\"orders\":3}},\"manual\"]"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct place *p = calloc(1, sizeof *p);
        struct rec_result r = {0};
        const json_t *shown;
        json_t *sheet;
        int64_t id;

        place_open(p, (struct world_opts){.kind = kinds[i], .seed = 3});
        id = scene_submit(&p->w, &j);
        world_start(&p->w);
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "measured");
        sheet = sheet_of(p, id, &r);
        assert_null(r.prompt);
        assert_int_equal(json_get_int(json_object_get(sheet, "usage"), "evaluations", -1), 0);
        assert_true(json_is_null(json_object_get(sheet, "tuned_test")));
        assert_in_range(json_get_num(sheet, "manual_test", -1) * 100, 0, 100);
        assert_non_null(strstr(json_get_str(sheet, "verdict", ""), "no search"));
        shown = json_object_get(sheet, "in_context");
        assert_in_range(json_get_int(shown, "used", -1), 1, 2); /* within 64 tokens */
        assert_true(json_get_int(shown, "used", -1) == 2 ||
            strstr(json_get_str(shown, "note", ""), "context"));
        assert_int_equal(json_get_int(shown, "orders", -1), 3);
        assert_true(json_get_num(shown, "least", -1) <= json_get_num(shown, "test", -1));
        assert_true(json_get_num(shown, "test", -1) <= json_get_num(shown, "most", -1));
        json_decref(sheet);
        rec_result_fini(&r);
        place_close(p);
        free(p);
    }
}

/* A provider that cannot do what the job asks pauses it with the reason: the configuration may
 * have changed since the job was taken. */
static void test_unfit(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){.kind = "openai"});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    scene_job_row(&p->w, id, &row);
    assert_non_null(strstr(row.detail, "text only"));
    assert_int_equal(p->w.lm.asked, 0);
    place_close(p);
    free(p);
}

/* Valgrind makes this too slow for every single step. */
static unsigned stride(void)
{
    const char *pre = getenv("LD_PRELOAD");

    return pre && strstr(pre, "vgpreload") ? 23 : 1;
}

/* Killed after every number of steps, and with a second kill some steps later. What was
 * answered and kept is never asked again (the checkers see to that), what is asked again was
 * marked at the kill. */
static void killed(const char *kind, const struct scene_job *j, unsigned second)
{
    struct world_opts o = {.kind = kind};
    struct rec_result want = {0}, got = {0};
    bool late = false;

    place_reference(o, j, &want);
    for (unsigned k = 1; !late; k += stride()) {
        struct place *p = calloc(1, sizeof *p);
        struct rec_job row;
        int64_t id;

        place_open(p, o);
        id = scene_submit(&p->w, j);
        checks_batches(p->c, id, 2);
        world_start(&p->w);
        for (unsigned i = 0; i < k; i++)
            late = !world_step(&p->w);
        late |= scene_quiet(&p->w, NULL);
        world_crash(&p->w);
        world_start(&p->w);
        for (unsigned i = 0; second && i < k % second; i++)
            (void)world_step(&p->w);
        if (second) {
            world_crash(&p->w);
            world_start(&p->w);
        }
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        scene_job_row(&p->w, id, &row);
        assert_true(row.usage.repeated <= checks_allowed(p->c));
        assert_true(checks_allowed(p->c) <= 3u * p->w.crashes);
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
        free(p);
    }
    rec_result_fini(&want);
}

static void test_killed_after_every_step(void **state)
{
    (void)state;
    killed(NULL, &(struct scene_job){.generations = 2}, 0);
    killed("sglang-score", &(struct scene_job){.generations = 1, .dev_every = 1, .more =
               ",\"baselines\":[{\"in_context\":{\"shots\":1,\"orders\":2}}]"}, 0);
}

static void test_killed_twice(void **state)
{
    (void)state;
    killed(NULL, &(struct scene_job){.generations = 3, .dev_every = 1, .dev_mean = true,
        .mode = "concat", .init = "random_tokens"}, 41);
}

static bool two_closed(struct world *w, void *id)
{
    return sql_number(w->store, "SELECT generations FROM job WHERE id = ?",
               *(int64_t *)id) >= 2;
}

/* As on another processor: the state's digest is not the recorded one. The job goes on with
 * the stored candidates, and its events say so once, however often it is killed. */
static void test_drift_is_told(void **state)
{
    static const char told[] = "SELECT count(*) FROM event WHERE job = ? AND kind = 'drift'";
    struct rec_result want = {0}, got = {0};
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    assert_true(world_until(&p->w, two_closed, &id, STEPS_MAX));
    world_crash(&p->w);
    assert_int_equal(sql_number(p->w.store, told, id), 0);
    (void)sql_number(p->w.store,
        "UPDATE gen SET digest = digest + 1 WHERE job = ? AND loss IS NULL", id);
    world_start(&p->w);
    for (unsigned i = 0; i < 10; i++)
        (void)world_step(&p->w);
    world_crash(&p->w);
    world_start(&p->w);
    place_rest(p);
    assert_int_equal(sql_number(p->w.store, told, id), 1);
    (void)sql_number(p->w.store, /* the checkers know this machine only */
        "UPDATE event SET kind = 'told' WHERE job = ? AND kind = 'drift'", id);
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&want);
    rec_result_fini(&got);
    place_close(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_other_ends),
        cmocka_unit_test(test_gets_better),
        cmocka_unit_test(test_paused_in_every_state),
        cmocka_unit_test(test_language_model),
        cmocka_unit_test(test_tokens_are_kept),
        cmocka_unit_test(test_no_search),
        cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_killed_after_every_step),
        cmocka_unit_test(test_killed_twice),
        cmocka_unit_test(test_drift_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

