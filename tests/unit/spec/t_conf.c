/* bbtd.yaml: every key, defaults, places, print and read back. */
#include "everykey.h"

#include "spec/conf_kind.h"
#include "spec/conf_price.h"

static const char plain[] = "apiVersion: bbt/v1\n"
                            "kind: Config\n"
                            "providers:\n"
                            "  - name: local\n"
                            "    url: http://127.0.0.1:8000\n"
                            "    models:\n"
                            "      - {name: bbt-mini, tokenizer: models/bbt-mini}\n";

static const char full[] =
    "state_dir: /var/lib/bbtd\n"
    "state_on_network: true\n"
    "listen: {unix: {path: /run/bbtd.sock, mode: \"0600\"}}\n"
    "queue: {max_running: 2, stop_grace: 1500ms, on_restart: hold}\n"
    "log: {level: debug}\n"
    "timezone: Europe/Berlin\n"
    "caps: {usd_per_day: 40.00, usd_per_day_per_user: \"0.000000001\"}\n"
    "worker_threads: 3\n"
    "blas_threads: 1\n"
    "quotas: [{name: org, requests_per_minute: 300, headroom: 2%}]\n"
    "providers:\n"
    "  - name: a\n"
    "    kind: kserve2\n"
    "    url: unix:/run/lm.sock\n"
    "    key: {file: key.txt}\n"
    "    key_header: X-Api-Key\n"
    "    concurrency: 7\n"
    "    http: {timeout: 30s, connect_timeout: 2s, max_response: 64K}\n"
    "    retry: {base: 10ms, cap: 1m, give_up_after: 0s}\n"
    "    quota: org\n"
    "    breaker: {window: 20s, failure_ratio: 25%}\n"
    "    maintenance: [{days: [sun], hours: \"02:00-04:00\", zone: UTC}]\n"
    "    windows: [{hours: \"22:00-08:00\"}]\n"
    "    models:\n"
    "      - name: m\n"
    "        version: '3'\n"
    "        tokenizer: tok\n"
    "        hidden: 128\n"
    "        batch: 16\n"
    "        max_length: 64\n"
    "        binary: 'off'\n"
    "        tensors: {input_ids: i1, attention_mask: i2, prompt_embedding: i3, "
    "mask_pos: i4,\n"
    "          label_ids: i5, logits: o1}\n"
    "        parameters: {zeta: 1, flag: true, text: yes}\n"
    "        price:\n"
    "          input_per_million: 0.10\n"
    "          output_per_million: 0.40\n"
    "          per_request: 0.0001\n"
    "          as_of: 2026-11-01\n"
    "          off_peak:\n"
    "            - {days: [sat, sun], hours: \"16:30-00:30\", zone: UTC, input_per_million: 0.05,\n"
    "               output_per_million: 0, per_request: 0}\n"
    "      - {name: n, tokenizer: tok, price: free}\n"
    "  - {name: b, url: 'https://x', models: [{name: m, tokenizer: t, price: free}]}\n";

static void *parse(const json_t *tree, struct spec_problems *p)
{
    struct conf *c = NULL;
    struct bbt_err err;
    enum bbt_rc rc = conf_parse(tree, &c, p, &err);

    assert_true((rc == BBT_OK) == (p->total == 0));
    assert_true(rc == BBT_OK || rc == BBT_INVALID);
    return c;
}

static struct conf *good(const char *yaml)
{
    json_t *tree = form_tree(yaml);
    struct spec_problems p;
    struct conf *c;

    problem_init(&p);
    c = parse(tree, &p);
    if (!c)
        fail_msg("%s (%s)", p.item[0].message, p.item[0].fix);
    problem_fini(&p);
    json_decref(tree);
    return c;
}

static void defaults(void **state)
{
    struct conf *c = good(plain);
    const struct conf_provider *p;
    const struct conf_model *m;

    (void)state;
    assert_null(c->state_dir);
    assert_false(c->network_state);
    assert_null(c->unix_socket.path);
    assert_int_equal(c->unix_socket.mode, 0660);
    assert_int_equal(c->queue.max_running, 4);
    assert_int_equal(c->queue.stop_grace_us, 60000000);
    assert_int_equal(c->queue.on_restart, CONF_RESUME);
    assert_int_equal(c->log_level, 2);
    assert_string_equal(c->timezone, "UTC");
    assert_int_equal(c->caps.day, MONEY_NONE);
    assert_int_equal(c->caps.user_day, MONEY_NONE);
    assert_int_equal(c->worker_threads, 0);
    assert_int_equal(c->providers.nr, 1);
    p = conf_provider(c, "local");
    assert_non_null(p);
    assert_null(conf_provider(c, "loca"));
    assert_int_equal(p->kind, CONF_KSERVE2);
    assert_int_equal(p->concurrency, 4);
    assert_int_equal(p->timeout_us, 120000000);
    assert_int_equal(p->connect_timeout_us, 10000000);
    assert_int_equal(p->response_max, 32 << 20);
    assert_int_equal(p->retry.base_us, 1000000);
    assert_int_equal(p->retry.cap_us, 300000000);
    assert_int_equal(p->retry.give_up_us, UINT64_C(43200000000));
    m = conf_model(p, "bbt-mini");
    assert_non_null(m);
    assert_null(conf_model(p, "other"));
    assert_string_equal(m->tokenizer, "models/bbt-mini");
    assert_null(m->version);
    assert_int_equal(m->hidden, 0);
    assert_int_equal(m->batch, 32);
    assert_int_equal(m->max_length, 0);
    assert_int_equal(m->binary, CONF_BINARY_AUTO);
    assert_null(m->tensors.logits);
    assert_int_equal(m->parameters.nr, 0);
    assert_false(conf_price_known(&m->price)); /* which is not the same as free */
    assert_int_equal(m->price.in, MONEY_NONE);
    conf_free(c);
    conf_free(good("{}")); /* a daemon without providers can still be asked */
}

static void every_value_lands(void **state)
{
    struct conf *c = good(full);
    const struct conf_provider *p = conf_provider(c, "a");
    const struct conf_model *m = conf_model(p, "m");

    (void)state;
    assert_string_equal(c->state_dir, "/var/lib/bbtd");
    assert_true(c->network_state);
    assert_string_equal(c->unix_socket.path, "/run/bbtd.sock");
    assert_int_equal(c->unix_socket.mode, 0600);
    assert_int_equal(c->queue.max_running, 2);
    assert_int_equal(c->queue.stop_grace_us, 1500000);
    assert_int_equal(c->queue.on_restart, CONF_HOLD);
    assert_int_equal(c->retention.trash_us, UINT64_C(2592000000000));
    assert_int_equal(c->log_level, 3);
    assert_int_equal(c->worker_threads, 3);
    assert_int_equal(c->blas_threads, 1);
    assert_int_equal(c->providers.nr, 2);
    assert_string_equal(p->url, "unix:/run/lm.sock");
    assert_string_equal(p->key.file, "key.txt");
    assert_null(p->key.env);
    assert_string_equal(p->key_header, "X-Api-Key");
    assert_int_equal(p->concurrency, 7);
    assert_int_equal(p->timeout_us, 30000000);
    assert_int_equal(p->connect_timeout_us, 2000000);
    assert_int_equal(p->response_max, 65536);
    assert_int_equal(p->retry.base_us, 10000);
    assert_int_equal(p->retry.cap_us, 60000000);
    assert_int_equal(p->retry.give_up_us, 0);
    assert_int_equal(p->models.nr, 2);
    assert_string_equal(m->version, "3");
    assert_int_equal(m->hidden, 128);
    assert_int_equal(m->batch, 16);
    assert_int_equal(m->max_length, 64);
    assert_int_equal(m->binary, CONF_BINARY_OFF);
    assert_string_equal(m->tensors.input_ids, "i1");
    assert_string_equal(m->tensors.attention_mask, "i2");
    assert_string_equal(m->tensors.prompt_embedding, "i3");
    assert_string_equal(m->tensors.mask_pos, "i4");
    assert_string_equal(m->tensors.label_ids, "i5");
    assert_string_equal(m->tensors.logits, "o1");
    assert_int_equal(m->parameters.nr, 3);
    assert_string_equal(c->timezone, "Europe/Berlin");
    assert_int_equal(c->caps.day, UINT64_C(40000000000));
    assert_int_equal(c->caps.user_day, 1);
    assert_false(m->price.free);
    assert_int_equal(m->price.in, 100000000);
    assert_int_equal(m->price.out, 400000000);
    assert_int_equal(m->price.request, 100000);
    assert_string_equal(m->price.as_of, "2026-11-01");
    assert_int_equal(m->price.off_peak.nr, 1);
    assert_int_equal(((struct conf_off_peak *)m->price.off_peak.item)->week.days, 0x60);
    assert_int_equal(((struct conf_off_peak *)m->price.off_peak.item)->in, 50000000);
    assert_int_equal(((struct conf_off_peak *)m->price.off_peak.item)->out, 0);
    assert_true(conf_model(p, "n")->price.free);
    assert_string_equal(m->parameters.item[0].value, "1");
    assert_string_equal(m->parameters.item[1].value, "true");
    assert_string_equal(m->parameters.item[2].value, "yes");
    conf_free(c);
}

/* One provider of each kind with the least that it needs. */
static const char kinds[] =
    "providers:\n"
    "  - {name: a, kind: openai, url: 'https://x', models: [{name: m}]}\n"
    "  - {name: b, kind: openai-chat, url: 'https://x', models: [{name: m, "
    "top_logprobs: 9}]}\n"
    "  - {name: c, kind: vllm, url: 'https://x', models: [{name: m, hidden: 64}]}\n"
    "  - {name: d, kind: vllm, mode: embeds, url: 'https://x', models: [{name: m,\n"
    "     embeddings: e, embeddings_tensor: wte, bos_id: 1}]}\n"
    "  - {name: e, kind: sglang-score, url: 'https://x', models: [{name: m, slot_id: 7}]}\n"
    "  - {name: f, kind: sglang-generate, url: 'https://x', models: [{name: m,\n"
    "     embeddings: e}]}\n"
    "  - {name: g, kind: llamacpp, url: 'https://x', models: [{name: m}]}\n"
    "  - {name: h, kind: trtllm, url: 'https://x/v1', models: [{name: m, tokenizer: t,\n"
    "     vocab_size: 32000, hidden: 64}]}\n";

static void every_kind(void **state)
{
    static const struct {
        const char *name;
        enum conf_kind kind;
        bool single, text_only;
    } want[CONF_KIND_NR] = {
        {"a", CONF_OPENAI, false, true},
        {"b", CONF_OPENAI_CHAT, true, true},
        {"c", CONF_VLLM, true, false},
        {"d", CONF_VLLM, false, false},
        {"e", CONF_SGLANG_SCORE, false, false},
        {"f", CONF_SGLANG_GENERATE, false, false},
        {"g", CONF_LLAMACPP, true, true},
        {"h", CONF_TRTLLM, true, false},
    };
    struct conf *c = good(kinds);
    const struct conf_model *m;

    (void)state;
    for (size_t i = 0; i < CONF_KIND_NR; i++) {
        const struct conf_provider *p = conf_provider(c, want[i].name);

        m = p->models.item;
        assert_int_equal(p->kind, want[i].kind);
        assert_int_equal(conf_single(p), want[i].single);
        assert_int_equal(conf_text_only(p), want[i].text_only);
        assert_int_equal(m->batch, want[i].single ? 1 : 32);
        assert_int_equal(m->tokenizer != NULL, want[i].kind == CONF_TRTLLM);
    }
    m = conf_provider(c, "h")->models.item;
    assert_int_equal(m->vocab_size, 32000);
    m = conf_provider(c, "b")->models.item;
    assert_int_equal(m->top, 9);
    m = conf_provider(c, "d")->models.item;
    assert_string_equal(m->embeddings, "e");
    assert_string_equal(m->tensor, "wte");
    assert_int_equal(m->bos_id, 1);
    assert_int_equal(m->slot_id, -1);
    assert_int_equal(conf_provider(c, "d")->mode, CONF_EMBEDS);
    m = conf_provider(c, "e")->models.item;
    assert_int_equal(m->slot_id, 7);
    assert_string_equal(conf_kind_name(CONF_SGLANG_GENERATE), "sglang-generate");
    assert_string_equal(conf_kind_name(CONF_KIND_NR), "unknown");
    assert_null(conf_kind_names[CONF_KIND_NR]);
    conf_free(c);
}

static void what_a_kind_lacks(void **state)
{
    (void)state;
    form_says("providers:\n"
              "  - {name: a, kind: vllm, mode: embeds, url: 'http://x', models: [{name: m}]}\n"
              "  - {name: b, kind: openai-chat, url: 'http://x/v1/', models: [{name: m, batch: "
              "2}]}\n"
              "  - {name: c, kind: trtllm, url: 'http://x', models: [{name: m}]}\n",
        parse,
        "f.yaml:2:67: providers[0].models[0]: \"embeddings\" is missing (the model's "
        "safetensors file or folder: this provider takes whole prompts as rows)\n"
        "f.yaml:3:39: providers[1].url: ends in /v1, which bbtd appends by "
        "itself (the address without /v1)\n"
        "f.yaml:3:64: providers[1].models[0]: this provider takes one example per request "
        "(leave batch out)\n"
        "f.yaml:4:55: providers[2].models[0]: \"tokenizer\" is missing (folder with the "
        "model's vocabulary: this protocol has no call to tokenise)\n"
        "f.yaml:4:55: providers[2].models[0]: \"vocab_size\" is missing (the model's own, from "
        "its config.json: prompt rows are numbered from there)\n");
}

static void print_reads_back(void **state)
{
    const char *const docs[] = {plain, full, kinds, "{}"};

    (void)state;
    for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++) {
        struct conf *a = good(docs[i]), *b;
        json_t *va = conf_print(a), *vb;
        char *once = json_print(va), *twice;

        b = good(once);
        vb = conf_print(b);
        twice = json_print(vb);
        assert_string_equal(once, twice);
        bbt_free(once);
        bbt_free(twice);
        json_decref(va);
        json_decref(vb);
        conf_free(a);
        conf_free(b);
    }
}

static void every_key(void **state)
{
    (void)state;
    form_every_key(&conf_table, "", plain, parse);
}

static void places(void **state)
{
    (void)state;
    form_says("queue: {max_runing: 2, stop_grace: soon}\n"
              "listen:\n"
              "  unix: {mode: 660}\n"
              "providers:\n"
              "  - name: a\n"
              "    url: localhost:8000\n"
              "    concurrency: 0\n"
              "    models:\n"
              "      - {name: m, tokenizer: t, bach: 3}\n"
              "      - {name: m}\n"
              "  - {name: a, url: 'http://x', models: []}\n"
              "  - 5\n",
        parse,
        "f.yaml:1:9: queue: unknown key \"max_runing\" (did you mean "
        "\"max_running\"?)\n"
        "f.yaml:1:36: queue.stop_grace: must be a duration, not the text \"soon\" "
        "(like "
        "500ms, 60s, 5m, 12h or 2d)\n"
        "f.yaml:3:16: listen.unix.mode: must be a file mode in quotes, like \"0660\", "
        "not "
        "660\n"
        "f.yaml:7:18: providers[0].concurrency: must be from 1 to 1024, not 0\n"
        "f.yaml:9:33: providers[0].models[0]: unknown key \"bach\" (did you mean "
        "\"batch\"?)\n"
        "f.yaml:11:40: providers[1].models: must have 1 to 256 items, not 0\n"
        "f.yaml:12:5: providers[2]: must be a section (it is lines of \"key: value\")\n"
        "f.yaml:6:10: providers[0].url: is no address "
        "(http://HOST:PORT, "
        "https://HOST or unix:/path)\n"
        "f.yaml:10:16: providers[0].models[1].name: a second model \"m\"\n"
        "f.yaml:11:12: providers[1].name: a second provider \"a\"\n"
        "f.yaml:10:9: providers[0].models[1]: \"tokenizer\" is missing (folder with "
        "the "
        "model's vocabulary: this protocol has no call to tokenise)\n");
}

/* A key that stands in the file itself is refused, and no message repeats it. */
static void keys_are_not_repeated(void **state)
{
    static const char *const lines[] = {"url: http://user:sk-canary@host", "key: sk-canary",
        "url: 'https://host/?k=sk-canary'", "url: sk-canary", "key_header: 'X: sk-canary'",
        "key: {file: a, env: B}", "key: {credential: ../a}", "url: 'https://h#sk-canary'"};
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        bool url = strncmp(lines[i], "url", 3) == 0;
        struct spec_problems p;
        json_t *tree;

        (void)snprintf(text, sizeof text,
            "providers:\n  - name: a\n%s    %s\n    models: [{name: m, tokenizer: t}]\n",
            url ? "" : "    url: http://x\n", lines[i]);
        tree = form_tree(text);
        problem_init(&p);
        assert_null(parse(tree, &p));
        assert_true(p.nr > 0);
        for (size_t k = 0; k < p.nr; k++) {
            assert_null(strstr(p.item[k].message, "sk-canary"));
            assert_null(strstr(p.item[k].fix, "sk-canary"));
        }
        problem_fini(&p);
        json_decref(tree);
    }
}

/* A cap in money needs to know what everything costs, and says how to tell it. */
static void prices(void **state)
{
    (void)state;
    form_says("caps: {usd_per_day: 1}\n"
              "providers:\n"
              "  - name: a\n"
              "    url: http://x\n"
              "    models:\n"
              "      - {name: m, tokenizer: t}\n"
              "      - {name: n, tokenizer: t, price: paid}\n"
              "      - {name: o, tokenizer: t, price: {input_per_million: 0, as_of: 2026-01-01}}\n"
              "      - {name: p, tokenizer: t, price: {input_per_million: 1}}\n"
              "      - {name: q, tokenizer: t, price: {input_per_million: 1, as_of: 2026-13-01}}\n"
              "      - {name: r, tokenizer: t, price: {off_peak: [{hours: '1:00-2:00'}]}}\n"
              "      - {name: s, tokenizer: t, price: free}\n",
        parse,
        "f.yaml:7:40: providers[0].models[1].price: must be free, or a section, not the text "
        "\"paid\"\n"
        "f.yaml:6:9: providers[0].models[0].price: is missing: caps limits money, and nobody "
        "knows what \"m\" costs (price: {...}, or price: free where it costs nothing)\n"
        "f.yaml:7:40: providers[0].models[1].price: is missing: caps limits money, and nobody "
        "knows what \"n\" costs (price: {...}, or price: free where it costs nothing)\n"
        "f.yaml:8:40: providers[0].models[2].price: every price is 0; say so in a word (price: "
        "free)\n"
        "f.yaml:9:40: providers[0].models[3].price: \"as_of\" is missing: prices change (as_of: "
        "2026-11-01, the day of the price list)\n"
        "f.yaml:10:70: providers[0].models[4].price.as_of: \"2026-13-01\" is no day (like "
        "2026-11-01)\n"
        "f.yaml:11:40: providers[0].models[5].price: off_peak needs the price of the other hours "
        "(input_per_million: ...)\n"
        "f.yaml:11:40: providers[0].models[5].price: is missing: caps limits money, and nobody "
        "knows what \"r\" costs (price: {...}, or price: free where it costs nothing)\n");
}

static void without_memory(void **state)
{
    json_t *tree = form_tree(full);
    unsigned failed = 0;

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        for (long k = 0;; k++) {
            struct conf *c = NULL;
            struct spec_problems p;
            struct bbt_err err;
            enum bbt_rc rc;
            unsigned long asked;

            problem_init(&p);
            (void)bbt_alloc_fault(k, sticky);
            rc = conf_parse(tree, &c, &p, &err);
            asked = bbt_alloc_fault(-1, 0);
            assert_true(rc == BBT_OK || rc == BBT_NOMEM);
            failed += rc != BBT_OK;
            conf_free(c);
            problem_fini(&p);
            if (asked <= (unsigned long)k)
                break;
        }
    assert_true(failed > 100);
    json_decref(tree);
}

static void page(void **state)
{
    (void)state;
    form_page(&conf_table, "conf.md");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_value_lands),
        cmocka_unit_test(every_kind),
        cmocka_unit_test(what_a_kind_lacks),
        cmocka_unit_test(print_reads_back),
        cmocka_unit_test(every_key),
        cmocka_unit_test(places),
        cmocka_unit_test(keys_are_not_repeated),
        cmocka_unit_test(prices),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(page),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
