/* The job file: every key, every cross-check, places, defaults, print and read back. */
#include "everykey.h"

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

#define PLAIN \
    "apiVersion: bbt/v1\n" \
    "kind: TuningJob\n" \
    "name: sst2\n" \
    "provider: local\n" \
    "model: bbt-mini\n" \
    "data:\n" \
    "  train: {file: train.tsv, shots: 16}\n" \
    "  test: {file: test.tsv}\n" \
    "task:\n" \
    "  template: '{prompt} {text} It was {mask}.'\n" \
    "  labels: {positive: great, negative: terrible}\n" \
    "stop: {evaluations: 8000}\n"
static const char plain[] = PLAIN;
static const char listed[] = PLAIN "baselines: [{manual: true}]\n" /* one of each list */
                                   "schedule: {windows: [{}]}\n";

/* Every key, each with a value that is not its default. */
static const char full[] =
    "apiVersion: bbt/v1\n"
    "kind: TuningJob\n"
    "name: full\n"
    "description: |\n  two\n  lines\n"
    "tags: [a, paper]\n"
    "priority: -7\n"
    "schedule:\n"
    "  not_before: 2026-11-01T22:00:00.25+01:00\n"
    "  windows: [22:00-8:00, {days: [sat], hours: 12:00-13:30, zone: Europe/Berlin}]\n"
    "provider: p\n"
    "model: m\n"
    "data:\n"
    "  train: {file: a.csv, shots: 4, format: csv, blob: " SHA "}\n"
    "  dev: {file: b, shots: 5, format: tsv, blob: " SHA "}\n"
    "  test: {file: c, shots: 6, format: jsonl, blob: " SHA "}\n"
    "  seed: 11\n"
    "  columns: {text_a: s1, text_b: s2, label: gold}\n"
    "task:\n"
    "  type: classification\n"
    "  template: '{text_a} {mask} {text_b}'\n"
    "  labels: [{z: 'no'}, {a: 'yes'}, {m: maybe}]\n"
    "  metric: f1\n"
    "  positive: m\n"
    "prompt:\n"
    "  kind: soft\n"
    "  tokens: 7\n"
    "  intrinsic_dim: 30\n"
    "  mode: concat\n"
    "  at: embedding\n"
    "  projection: {distribution: uniform, scale: 0.25, alpha: 0.5, seed: 12}\n"
    "  init: random_tokens\n"
    "  init_seed: 13\n"
    "optimizer: {algorithm: cma-es, popsize: 8, sigma: 0.125, seed: 14, step_rule: "
    "tpa}\n"
    "objective: {loss: hinge, margin: 1.5}\n"
    "cache: read\n"
    "dev_every: 3\n"
    "dev_mean: true\n"
    "dev_select: loss\n"
    "baselines: [manual, {in_context: {shots: 3, orders: 5}}]\n"
    "stop:\n"
    "  evaluations: 80\n"
    "  generations: 9\n"
    "  target: {dev: 0.75}\n"
    "  stall: {generations: 4, tolerance: 0.5}\n"
    "  wall_time: 90m\n"
    "limits: {requests: 12000, tokens: 30M, usd: 4.10, on_limit: finish}\n";

static void *parse_file(const json_t *tree, struct spec_problems *p)
{
    struct job_spec *s = NULL;
    struct bbt_err err;
    enum bbt_rc rc = job_spec_parse(tree, JOB_FILE, &s, p, &err);

    assert_true((rc == BBT_OK) == (p->total == 0));
    assert_true(rc == BBT_OK || rc == BBT_INVALID);
    return s;
}

static void *parse_wire(const json_t *tree, struct spec_problems *p)
{
    struct job_spec *s = NULL;
    struct bbt_err err;

    (void)!job_spec_parse(tree, JOB_WIRE, &s, p, &err);
    return s;
}

static struct job_spec *good(const char *yaml)
{
    json_t *tree = form_tree(yaml);
    struct spec_problems p;
    struct job_spec *s;

    problem_init(&p);
    s = parse_file(tree, &p);
    if (!s)
        fail_msg("%s (%s)", p.item[0].message, p.item[0].fix);
    problem_fini(&p);
    json_decref(tree);
    return s;
}

static void defaults(void **state)
{
    struct job_spec *s = good(plain);

    (void)state;
    assert_string_equal(s->name, "sst2");
    assert_null(s->description);
    assert_int_equal(s->tags.nr, 0);
    assert_int_equal(s->priority, 0);
    assert_string_equal(s->train.file, "train.tsv");
    assert_int_equal(s->train.shots, 16);
    assert_int_equal(s->train.format, JOB_FORMAT_AUTO);
    assert_null(s->dev.file);
    assert_int_equal(s->dev.shots, 16); /* split off train: as many */
    assert_int_equal(s->test.shots, 0);
    assert_string_equal(s->col_text, "text");
    assert_string_equal(s->col_label, "label");
    assert_int_equal(s->labels.nr, 2);
    assert_string_equal(s->labels.item[0].name, "positive");
    assert_string_equal(s->labels.item[1].value, "terrible");
    assert_int_equal(s->metric, JOB_ACCURACY);
    assert_int_equal(s->tokens, 50);
    assert_int_equal(s->intrinsic_dim, 500);
    assert_int_equal(s->mode, JOB_ADD);
    assert_int_equal(s->at, JOB_AT_HIDDEN);
    assert_int_equal(s->projection, JOB_PROJ_NORMAL);
    assert_true(isnan(s->scale));
    assert_true(s->alpha == 1);
    assert_int_equal(s->init, JOB_INIT_ZERO);
    assert_int_equal(s->popsize, 20);
    assert_true(s->sigma == 1);
    assert_int_equal(s->seed, 42);
    /* one seed is enough for all */
    assert_int_equal(s->split_seed, 42);
    assert_int_equal(s->projection_seed, 42);
    assert_int_equal(s->init_seed, 42);
    assert_int_equal(s->loss, JOB_CROSS_ENTROPY);
    assert_true(s->margin == 2);
    assert_int_equal(s->dev_every, 5);
    assert_false(s->dev_mean);
    assert_int_equal(s->prompt, JOB_SOFT);
    assert_true(job_spec_manual(s)); /* as long as nobody says otherwise */
    assert_null(job_spec_in_context(s));
    assert_int_equal(s->stop_evaluations, 8000);
    assert_int_equal(s->stop_generations, 0);
    assert_true(isnan(s->stop_dev));
    assert_int_equal(s->stall_generations, 0);
    assert_true(s->stall_tolerance == 0.0001);
    assert_int_equal(s->stop_time_us, 0);
    assert_int_equal(s->limits.requests, 0);
    assert_int_equal(s->limits.usd, MONEY_NONE);
    assert_int_equal(s->limits.on_limit, JOB_LIMIT_PAUSE);
    assert_int_equal(s->cache, JOB_CACHE_BOTH);
    assert_int_equal(job_spec_generations_max(s), 400);
    assert_int_equal(job_spec_evaluations_max(s), 8000);
    job_spec_free(s);
}

static void every_value_lands(void **state)
{
    struct job_spec *s = good(full);

    (void)state;
    assert_string_equal(s->description, "two\nlines\n");
    assert_int_equal(s->tags.nr, 2);
    assert_string_equal(s->tags.item[1], "paper");
    assert_int_equal(s->priority, -7);
    assert_string_equal(s->provider, "p");
    assert_string_equal(s->model, "m");
    assert_string_equal(s->train.blob, SHA);
    assert_int_equal(s->train.format, JOB_CSV);
    assert_int_equal(s->dev.format, JOB_TSV);
    assert_int_equal(s->dev.shots, 5);
    assert_int_equal(s->test.format, JOB_JSONL);
    assert_int_equal(s->test.shots, 6);
    assert_int_equal(s->split_seed, 11);
    assert_null(s->col_text); /* two texts instead */
    assert_string_equal(s->col_text_a, "s1");
    assert_string_equal(s->col_text_b, "s2");
    assert_string_equal(s->col_label, "gold");
    assert_int_equal(s->labels.nr, 3);
    assert_string_equal(s->labels.item[0].name, "z"); /* the author's order */
    assert_string_equal(s->labels.item[2].value, "maybe");
    assert_int_equal(s->metric, JOB_F1);
    assert_string_equal(s->positive, "m");
    assert_int_equal(s->tokens, 7);
    assert_int_equal(s->intrinsic_dim, 30);
    assert_int_equal(s->mode, JOB_CONCAT);
    assert_int_equal(s->at, JOB_AT_EMBEDDING);
    assert_int_equal(s->projection, JOB_PROJ_UNIFORM);
    assert_true(s->scale == 0.25 && s->alpha == 0.5);
    assert_int_equal(s->projection_seed, 12);
    assert_int_equal(s->init, JOB_INIT_RANDOM_TOKENS);
    assert_int_equal(s->init_seed, 13);
    assert_int_equal(s->popsize, 8);
    assert_true(s->sigma == 0.125);
    assert_int_equal(s->seed, 14);
    assert_int_equal(s->step_rule, JOB_STEP_TPA);
    assert_int_equal(s->dev_select, JOB_BY_LOSS);
    assert_int_equal(s->loss, JOB_HINGE);
    assert_true(s->margin == 1.5);
    assert_int_equal(s->dev_every, 3);
    assert_true(s->dev_mean);
    assert_true(job_spec_manual(s));
    assert_int_equal(job_spec_in_context(s)->shots, 3);
    assert_int_equal(job_spec_in_context(s)->orders, 5);
    assert_int_equal(s->stop_evaluations, 80);
    assert_int_equal(s->stop_generations, 9);
    assert_true(s->stop_dev == 0.75);
    assert_int_equal(s->stall_generations, 4);
    assert_true(s->stall_tolerance == 0.5);
    assert_int_equal(s->stop_time_us, UINT64_C(5400000000));
    assert_int_equal(s->limits.requests, 12000);
    assert_int_equal(s->limits.tokens, 30000000);
    assert_int_equal(s->limits.usd, UINT64_C(4100000000));
    assert_int_equal(s->limits.on_limit, JOB_LIMIT_FINISH);
    assert_int_equal(s->cache, JOB_CACHE_READ);
    assert_int_equal(job_spec_generations_max(s), 9); /* the narrower of the two */
    assert_int_equal(job_spec_evaluations_max(s), 72);
    job_spec_free(s);
}

static char *printed(const struct job_spec *s)
{
    json_t *v = job_spec_print(s);
    char *text = json_print(v);

    json_decref(v);
    assert_non_null(text);
    return text;
}

static void check_print(const char *yaml)
{
    struct job_spec *a = good(yaml), *b;
    char *once = printed(a), *twice;

    b = good(once);
    twice = printed(b);
    assert_string_equal(once, twice);
    bbt_free(once);
    bbt_free(twice);
    job_spec_free(a);
    job_spec_free(b);
}

static void print_reads_back(void **state)
{
    (void)state;
    check_print(plain);
    check_print(full);
    check_print(listed);
}

/* The stored text is a promise to later versions and to other programs. */
static void print_is_canonical(void **state)
{
    struct job_spec *s = good(plain);
    char *text = printed(s);

    (void)state;
    assert_string_equal(text,
        "{\"apiVersion\":\"bbt/"
        "v1\",\"cache\":\"readwrite\",\"data\":{\"columns\":{\"label\":\"label\",\"text\":"
        "\"text\"},\"dev\":{\"format\":\"auto\",\"shots\":16},\"seed\":42,\"test\":{"
        "\"file\":"
        "\"test.tsv\",\"format\":\"auto\"},\"train\":{\"file\":\"train.tsv\","
        "\"format\":"
        "\"auto\",\"shots\":16}},\"dev_every\":5,\"dev_mean\":false,"
        "\"dev_select\":\"metric\",\"kind\":"
        "\"TuningJob\",\"limits\":{\"on_limit\":\"pause\"},"
        "\"model\":\"bbt-mini\",\"name\":\"sst2\",\"objective\":{\"loss\":\"cross_"
        "entropy\","
        "\"margin\":2.0},\"optimizer\":{\"algorithm\":\"cma-es\",\"popsize\":20,"
        "\"seed\":42,"
        "\"sigma\":1.0,\"step_rule\":\"csa\"},\"priority\":0,\"prompt\":{\"at\":"
        "\"hidden\","
        "\"init\":\"zero\",\"init_seed\":42,\"intrinsic_dim\":500,\"kind\":\"soft\","
        "\"mode\":"
        "\"add\",\"projection\":{\"alpha\":1.0,\"distribution\":\"normal\",\"scale\":"
        "\"auto\","
        "\"seed\":42},\"tokens\":50},\"provider\":\"local\",\"stop\":{\"evaluations\":"
        "8000,"
        "\"stall\":{\"tolerance\":0.0001}},\"task\":{\"labels\":[{\"positive\":"
        "\"great\"},"
        "{\"negative\":\"terrible\"}],\"metric\":\"accuracy\",\"template\":\"{prompt} "
        "{text} "
        "It was {mask}.\",\"type\":\"classification\"}}");
    bbt_free(text);
    job_spec_free(s);
}

static void every_key(void **state)
{
    (void)state;
    form_every_key(&job_table, "", listed, parse_file);
}

static void places(void **state)
{
    (void)state;
    form_says("apiVersion: bbt/v2\n"
              "kind: TuningJob\n"
              "nmae: x\n"
              "provider: local\n"
              "model: 7\n"
              "data:\n"
              "  train: {file: t.tsv, shots: many}\n"
              "  dev: d.tsv\n"
              "task:\n"
              "  template: t\n"
              "  labels: {a: x}\n"
              "  metric: acuracy\n"
              "stop: {usdd: 4, wall_time: 1y}\n"
              "prompt:\n"
              "  qwertyuiop: 1\n",
        parse_file,
        "f.yaml:1:13: apiVersion: must be \"bbt/v1\", not the text \"bbt/v2\"\n"
        "f.yaml:3:1: job file: unknown key \"nmae\" (did you mean \"name\"?)\n"
        "f.yaml:5:8: model: must be a text, not 7 (put it in quotes)\n"
        "f.yaml:7:31: data.train.shots: must be a whole number, not the text \"many\"\n"
        "f.yaml:8:8: data.dev: must be a section of \"key: value\" (there are "
        "file shots format blob)\n"
        "f.yaml:11:11: task.labels: must have 2 to 256 pairs, not 1\n"
        "f.yaml:12:11: task.metric: must be one of accuracy, f1, not the text "
        "\"acuracy\" "
        "(did you mean \"accuracy\"?)\n"
        "f.yaml:13:8: stop: unknown key \"usdd\" (there are evaluations generations "
        "target "
        "stall wall_time)\n"
        "f.yaml:13:28: stop.wall_time: must be a duration, not the text \"1y\" (like "
        "500ms, "
        "60s, 5m, 12h or 2d)\n"
        "f.yaml:15:3: prompt: unknown key \"qwertyuiop\" (there are kind tokens "
        "intrinsic_dim mode at projection init init_seed)\n"
        "f.yaml:1:1: job file: \"name\" is missing (how people call the job)\n");
}

/* What one key alone cannot tell: what to set, where it is said, and a word of the
 * reason. */
static void cross_checks(void **state)
{
    static const struct {
        const char *path, *json, *pointer, *word;
    } bad[] = {
        {"data.train", "{\"shots\": 5}", "/data/train", "missing"},
        {"data.train", "{\"file\": \"x\"}", "/data/dev", "nothing is left"},
        {"data.columns", "{\"text\": \"t\", \"text_a\": \"a\", \"text_b\": \"b\"}",
            "/data/columns/text", "does not go with"},
        {"data.columns", "{\"text_b\": \"b\"}", "/data/columns", "need each other"},
        {"task.labels", "{\"a\": \"x\", \"b\": \"x\"}", "/task/labels", "same word"},
        {"task.labels", "{\"a\": \"x\", \"b\": \" \"}", "/task/labels", "empty"},
        {"task.labels", "{\"a\": \"x\", \"b\": null}", "/task/labels/b", "a text"},
        {"task.labels", "[{\"a\": \"x\"}, {\"a\": \"y\"}]", "/task/labels", "twice"},
        {"task.labels", "[{\"a\": \"x\"}, {}]", "/task/labels", "name: text"},
        {"task.labels", "[{\"a\": \"x\", \"b\": \"y\"}]", "/task/labels", "name: text"},
        {"task.labels", "[{\"a\": \"x\"}, {\"b\": []}]", "/task/labels/1/b", "a text"},
        {"task",
            "{\"template\": \"t\", \"labels\": {\"a\": \"x\", \"b\": \"y\"}, "
            "\"metric\": \"f1\", \"positive\": \"c\"}",
            "/task/positive", "not a label"},
        {"task.positive", "\"positive\"", "/task/positive", "only f1"},
        {"stop", "{\"stall\": {\"generations\": 5}}", "/stop", "nothing ends"},
        {"stop.evaluations", "19", "/stop/evaluations", "less than one generation"},
        {"tags", "[\"a\", 5]", "/tags/1", "a text"},
        {"fallback", "[\"b\", \"b\"]", "/fallback", "named already"},
        {"fallback", "[\"local\"]", "/fallback", "named already"},
        {"fallback", "\"b\"", "/fallback", "list"},
        {"baselines", "[{}]", "/baselines", "manual, or in_context"},
        {"baselines", "[{\"manual\": true, \"in_context\": {\"shots\": 2}}]", "/baselines",
            "manual, or in_context"},
        {"baselines", "[{\"in_context\": {\"orders\": 2}}]", "/baselines", "with shots"},
        {"baselines", "[\"manual\", \"manual\"]", "/baselines", "one of each"},
        {"baselines", "[\"random\"]", "/baselines/0/random", "unknown key"},
        {"baselines", "[5]", "/baselines/0", "section"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *tree = form_tree(plain);
        const struct spec_problem *found;
        struct spec_problems p;

        form_set(tree, bad[i].path, json_loads(bad[i].json, JSON_DECODE_ANY, NULL));
        problem_init(&p);
        assert_null(parse_file(tree, &p));
        found = form_find(&p, bad[i].pointer);
        if (!found || !strstr(found->message, bad[i].word))
            fail_msg("%s = %s: says \"%s\" at %s", bad[i].path, bad[i].json,
                p.item[0].message, p.item[0].pointer);
        problem_fini(&p);
        json_decref(tree);
    }
}

/* A job without a search: nothing has to end it, something has to be measured. */
static void no_search(void **state)
{
    json_t *tree = form_tree(plain);
    struct spec_problems p;
    struct job_spec *s;

    (void)state;
    form_set(tree, "prompt.kind", json_string("none"));
    form_set(tree, "stop", json_null());
    form_set(tree, "baselines", json_loads("[{\"in_context\": {\"shots\": 2}}]", 0, NULL));
    problem_init(&p);
    s = parse_file(tree, &p);
    assert_non_null(s);
    assert_int_equal(s->prompt, JOB_NONE);
    assert_false(job_spec_manual(s));
    assert_int_equal(job_spec_in_context(s)->orders, 4);
    assert_int_equal(job_spec_generations_max(s), 0);
    assert_int_equal(job_spec_evaluations_max(s), 0);
    job_spec_free(s);
    form_set(tree, "data.test", json_null());
    assert_null(parse_file(tree, &p));
    assert_non_null(strstr(p.item[0].message, "nothing to measure"));
    problem_fini(&p);
    json_decref(tree);
}

/* Words that YAML takes for numbers and truth values are words here. */
static void label_words(void **state)
{
    json_t *tree = form_tree(plain);
    struct spec_problems p;
    struct job_spec *s;

    (void)state;
    form_set(tree, "task.labels", json_loads("{\"0\": 5, \"1\": true}", 0, NULL));
    problem_init(&p);
    s = parse_file(tree, &p);
    assert_non_null(s);
    assert_string_equal(s->labels.item[0].name, "0");
    assert_string_equal(s->labels.item[0].value, "5");
    assert_string_equal(s->labels.item[1].value, "true");
    job_spec_free(s);
    problem_fini(&p);
    json_decref(tree);
}

/* A null is as good as no line at all, except where a value is needed. */
static void nulls(void **state)
{
    json_t *tree = form_tree(plain);
    struct spec_problems p;
    struct job_spec *s;

    (void)state;
    form_set(tree, "stop.generations", json_null());
    form_set(tree, "optimizer", json_null());
    form_set(tree, "prompt.tokens", json_null());
    problem_init(&p);
    s = parse_file(tree, &p);
    assert_non_null(s);
    assert_int_equal(s->tokens, 50);
    job_spec_free(s);
    form_set(tree, "name", json_null());
    assert_null(parse_file(tree, &p));
    assert_non_null(strstr(p.item[0].message, "\"name\" is missing"));
    problem_fini(&p);
    json_decref(tree);
}

/* The daemon needs contents, not paths; the author's file does not have them yet. */
static void wire_form(void **state)
{
    json_t *tree = form_tree(plain);
    struct spec_problems p;
    struct job_spec *s;

    (void)state;
    problem_init(&p);
    assert_null(parse_wire(tree, &p));
    assert_non_null(form_find(&p, "/data/train"));
    assert_non_null(form_find(&p, "/data/test"));
    assert_null(form_find(&p, "/data/dev")); /* split off train */
    problem_fini(&p);
    form_set(tree, "data.train.blob", json_string(SHA));
    form_set(tree, "data.test.blob", json_string(SHA));
    s = parse_wire(tree, &p);
    assert_non_null(s);
    job_spec_free(s);
    problem_fini(&p);
    json_decref(tree);
}

static void odd_documents(void **state)
{
    static const char *const odd[] = {"[]", "\"x\"", "5", "null", "{}",
        "{\"data\": []}", "{\"a.b\": 1, \"data.train\": 2, \"\": 3, \"/~\": 4}"};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        json_t *tree = json_loads(odd[i], JSON_DECODE_ANY, NULL);
        struct spec_problems p;

        problem_init(&p);
        assert_null(parse_file(tree, &p));
        problem_fini(&p);
        json_decref(tree);
    }
}

/* Thousands of mistakes are counted, not kept. */
static void problems_have_a_limit(void **state)
{
    json_t *tree = form_tree(plain);
    struct spec_problems p;
    struct bbt_err err;

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "mistake%u", i);
        form_set(tree, key, json_null());
    }
    problem_init(&p);
    assert_null(parse_file(tree, &p));
    assert_int_equal(p.nr, PROBLEM_MAX);
    assert_int_equal(p.total, 5000);
    assert_int_equal(problem_verdict(&p, "job file", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "4999 more problems"));
    problem_fini(&p);
    json_decref(tree);
}

static void without_memory(void **state)
{
    json_t *tree = form_tree(full);

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        unsigned failed = 0;

        for (long k = 0;; k++) {
            struct job_spec *s = NULL;
            struct spec_problems p;
            struct bbt_err err;
            enum bbt_rc rc;
            unsigned long asked;

            problem_init(&p);
            (void)bbt_alloc_fault(k, sticky);
            rc = job_spec_parse(tree, JOB_FILE, &s, &p, &err);
            asked = bbt_alloc_fault(-1, 0);
            assert_true(rc == BBT_OK || rc == BBT_NOMEM);
            failed += rc != BBT_OK;
            problem_fini(&p);
            if (rc == BBT_OK) {
                char *text;
                json_t *v;

                (void)bbt_alloc_fault(k, sticky);
                v = job_spec_print(s); /* NULL or whole, never half */
                (void)bbt_alloc_fault(-1, 0);
                text = v ? json_print(v) : NULL;
                assert_true(!v || strstr(text, "wall_time"));
                bbt_free(text);
                json_decref(v);
                job_spec_free(s);
            }
            if (asked <= (unsigned long)k)
                break;
        }
        assert_true(failed > 20);
    }
    json_decref(tree);
}

static void print_without_memory(void **state)
{
    struct job_spec *s = good(full);
    unsigned failed = 0;

    (void)state;
    for (long k = 0;; k++) {
        json_t *v;
        unsigned long asked;

        (void)bbt_alloc_fault(k, 0);
        v = job_spec_print(s);
        asked = bbt_alloc_fault(-1, 0);
        failed += !v;
        json_decref(v);
        if (asked <= (unsigned long)k) {
            assert_non_null(v);
            break;
        }
    }
    assert_true(failed > 20);
    job_spec_free(s);
}

static void page(void **state)
{
    (void)state;
    form_page(&job_table, "job.md");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_value_lands),
        cmocka_unit_test(print_reads_back),
        cmocka_unit_test(print_is_canonical),
        cmocka_unit_test(every_key),
        cmocka_unit_test(places),
        cmocka_unit_test(cross_checks),
        cmocka_unit_test(no_search),
        cmocka_unit_test(label_words),
        cmocka_unit_test(nulls),
        cmocka_unit_test(wire_form),
        cmocka_unit_test(odd_documents),
        cmocka_unit_test(problems_have_a_limit),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(print_without_memory),
        cmocka_unit_test(page),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
