/* Tokens by the server's tokeniser: the table and its bytes, and who is asked how often. */
#include "bench.h"

#include "engine/lex.h"

static const char *const words[] = {"a", "film", " good", "", "a film", "\n"};
#define WORDS (sizeof words / sizeof words[0])

/* Made up: as many ids as the text has bytes, and one more. */
static struct prov_tokens ids_of(const char *text)
{
    struct prov_tokens t = {.n = strlen(text) + 1};

    t.id = bbt_alloc_array(t.n, sizeof *t.id);
    assert_non_null(t.id);
    for (size_t i = 0; i < t.n; i++)
        t.id[i] = (int32_t)(i * 7 + (unsigned char)text[0]);
    return t;
}

static struct lex filled(void)
{
    struct lex l = {0};

    for (size_t i = 0; i < WORDS; i++) {
        struct prov_tokens t = ids_of(words[i]);

        assert_null(lex_find(&l, words[i]));
        assert_int_equal(lex_add(&l, words[i], &t, NULL), BBT_OK);
        assert_null(t.id);
    }
    return l;
}

static void expect_all(const struct lex *l)
{
    assert_int_equal(l->n, WORDS);
    for (size_t i = 0; i < WORDS; i++) {
        const struct lex_item *it = lex_find(l, words[i]);
        struct prov_tokens t = ids_of(words[i]);

        assert_non_null(it);
        assert_int_equal(it->n, t.n);
        assert_memory_equal(it->id, t.id, t.n * sizeof *t.id);
        prov_tokens_fini(&t);
    }
    assert_null(lex_find(l, "films"));
}

static void table_and_bytes(void **state)
{
    struct lex l = filled(), back = {0};
    struct prov_tokens again = {.id = bbt_calloc(1, sizeof(int32_t)), .n = 1};
    struct bbt_buf b;

    (void)state;
    assert_int_equal(lex_add(&l, "film", &again, NULL), BBT_OK); /* the first word counts */
    expect_all(&l);
    buf_init(&b, 1u << 16);
    assert_int_equal(lex_save(&l, &b, NULL), BBT_OK);
    assert_int_equal(lex_load(b.data, b.len, &back, NULL), BBT_OK);
    expect_all(&back);
    lex_fini(&back);
    for (size_t cut = 0; cut < b.len; cut++)
        assert_int_equal(lex_load(b.data, cut, &back, NULL), BBT_CORRUPT);
    for (size_t at = 0; at < b.len; at++) { /* damaged: refused, or another table; never worse */
        b.data[at] ^= 0x41;
        if (lex_load(b.data, b.len, &back, NULL) == BBT_OK)
            lex_fini(&back);
        b.data[at] ^= 0x41;
    }
    buf_fini(&b);
    lex_fini(&l);
}

static void without_memory(void **state)
{
    enum bbt_rc rc = BBT_NOMEM;
    struct lex l = filled();
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 1u << 16);
    assert_int_equal(lex_save(&l, &b, NULL), BBT_OK);
    for (long k = 0; rc == BBT_NOMEM; k++) {
        struct lex back = {0};

        bbt_alloc_fault(k, 0);
        rc = lex_load(b.data, b.len, &back, NULL);
        bbt_alloc_fault(-1, 0);
        lex_fini(&back);
    }
    assert_int_equal(rc, BBT_OK);
    buf_fini(&b);
    lex_fini(&l);
}

static void wants(void **state)
{
    struct lex_wants w = {0};
    struct lex l = filled();

    (void)state;
    for (unsigned i = 0; i < 600; i++)
        assert_int_equal(lex_want(&w, i % 3 ? "film" : i % 2 ? "new" : "newer", NULL), BBT_OK);
    lex_missing(&l, &w);
    assert_int_equal(w.n, 2);
    assert_string_equal(w.text[0], "new");
    assert_string_equal(w.text[1], "newer");
    lex_wants_fini(&w);
    lex_missing(&l, &w);
    assert_int_equal(w.n, 0);
    lex_fini(&l);
}

static struct lexer *ask(struct bench *b, struct lex_wants *w, struct lex *l)
{
    struct lexer *x = calloc(1, sizeof *x);

    assert_non_null(x);
    *x = (struct lexer){.ep = &b->ep, .model = &b->ep.models[0].m, .flow = &b->flow,
        .wants = w, .lex = l, .wake = &b->seen};
    lexer_start(x, &b->p.w.q);
    return x;
}

/* Every text once, never more on the wire than the endpoint allows, in any weather. */
static void asking(void **state)
{
    enum { N = 60 };
    struct bench *b = bench_open(
        (struct world_opts){.kind = "sglang-score", .concurrency = 3, .seed = 4});
    struct lex_wants w = {0};
    struct lex l = {0};
    struct lexer *x;
    char text[N][16];

    (void)state;
    b->p.w.faults.net[NET_500] = 0.1;
    b->p.w.faults.net[NET_429] = 0.1;
    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "film good w%d", i);
        assert_int_equal(lex_want(&w, text[i], NULL), BBT_OK);
    }
    x = ask(b, &w, &l);
    bench_until(b, &x->done);
    assert_int_equal(x->rc, BBT_OK);
    assert_int_equal(l.n, N);
    assert_int_equal(b->p.w.lm.tokenised, N);
    assert_int_equal(lex_find(&l, "film good w7")->n, 4); /* what is unknown is two */
    assert_int_equal(lex_find(&l, "film good w7")->id[1], FAKELM_LABEL);
    lexer_fini(x);
    free(x);
    lex_wants_fini(&w);
    x = ask(b, &w, &l); /* nothing to ask */
    bench_until(b, &x->done);
    assert_int_equal(x->rc, BBT_OK);
    lexer_fini(x);
    free(x);
    lex_fini(&l);
    bench_close(b);
}

static void refused_and_dropped(void **state)
{
    static const enum world_net no[] = {NET_401};
    struct bench *b = bench_open((struct world_opts){.kind = "sglang-score"});
    struct lex_wants w = {0};
    struct lex l = {0};
    struct lexer *x;

    (void)state;
    for (size_t i = 0; i < WORDS; i++)
        assert_int_equal(lex_want(&w, words[i], NULL), BBT_OK);
    b->p.w.script = no;
    b->p.w.script_n = 1;
    x = ask(b, &w, &l);
    bench_until(b, &x->done);
    assert_int_equal(x->rc, BBT_DENIED);
    assert_string_equal(x->reason, "auth");
    lexer_fini(x);
    free(x);
    endpoint_resume(&b->ep);
    x = ask(b, &w, &l);
    world_turn(&b->p.w);
    lexer_drop(x);
    bench_until(b, &x->done);
    assert_int_equal(x->rc, BBT_CANCELED);
    lexer_drop(x); /* once more is fine */
    lexer_fini(x);
    free(x);
    lex_wants_fini(&w);
    lex_fini(&l);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_and_bytes),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(wants),
        cmocka_unit_test(asking),
        cmocka_unit_test(refused_and_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
