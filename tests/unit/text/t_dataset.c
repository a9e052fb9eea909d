/* Data files good and nasty: every format, the sentence of every refusal, a round trip of
 * random rows through each format's own writing rules. */
#include "textunit.h"

#include "base/buf.h"
#include "base/json.h"
#include "text/dataset.h"
#include "text/dsv.h"
#include "text/jsonl.h"
#include "text/rows.h"

static struct dataset *parse(const char *text, size_t len, enum dataset_format format,
    const struct dataset_columns *cols)
{
    struct bbt_err err = {0};
    struct dataset *d = NULL;

    if (dataset_parse(text, len, format, cols, "f", &d, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return d;
}

static void expect_row(const struct dataset *d, size_t i, const char *a, const char *b,
    const char *label, uint32_t line)
{
    const struct dataset_row *r = &d->rows[i];

    assert_true(i < d->n);
    assert_string_equal(r->text_a, a);
    assert_int_equal(!b, !r->text_b);
    if (b)
        assert_string_equal(r->text_b, b);
    assert_int_equal(!label, !r->label);
    if (label)
        assert_string_equal(r->label, label);
    assert_int_equal(r->line, line);
}

#define PARSE(s, format, cols) parse(s, sizeof(s) - 1, format, cols)

static void tsv(void **state)
{
    struct dataset *d = PARSE("\xEF\xBB\xBFlabel\tid\ttext\r\n"
                              "1\t7\ta \"quoted\" text, with comma\r\n"
                              "\r\n\n"
                              "\t8\t\n"
                              "0\t9\t \xC3\xA9 \r x", DATASET_TSV, NULL);

    (void)state;
    assert_int_equal(d->n, 3);
    expect_row(d, 0, "a \"quoted\" text, with comma", NULL, "1", 2);
    expect_row(d, 1, "", NULL, NULL, 5);
    expect_row(d, 2, " \xC3\xA9 \r x", NULL, "0", 6);
    assert_string_equal(d->name, "f");
    dataset_free(d);
}

static void csv(void **state)
{
    struct dataset *d = PARSE("text_a,\"text_b\",label\r\n"
                              "\"a \"\"b\"\", c\",plain,yes\r\n"
                              "\"two\r\nlines\n\",\"\",\"no\"\n"
                              "\n"
                              ",\"\"\"\",\"a,b\"\r\n"
                              "last,x,", DATASET_CSV, NULL);

    (void)state;
    assert_int_equal(d->n, 4);
    expect_row(d, 0, "a \"b\", c", "plain", "yes", 2);
    expect_row(d, 1, "two\r\nlines\n", "", "no", 3);
    expect_row(d, 2, "", "\"", "a,b", 7); /* two line ends lay inside the quotes */
    expect_row(d, 3, "last", "x", NULL, 8);
    dataset_free(d);
}

static void jsonl(void **state)
{
    struct dataset *d = PARSE("{\"text\": \"caf\\u00e9\\n\", \"label\": \"pos\", \"x\": [1]}\n"
                              "  \r\n"
                              "{\"label\":12,\"text\":\"b\",\"text_b\":\"c\"}\r\n"
                              "{\"text\":\"t\",\"label\":true}\n"
                              "{\"text_a\":\"only a\",\"label\":null,\"text_b\":null}",
        DATASET_JSONL, NULL);

    (void)state;
    assert_int_equal(d->n, 4);
    expect_row(d, 0, "caf\xC3\xA9\n", NULL, "pos", 1);
    expect_row(d, 1, "b", "c", "12", 3);
    expect_row(d, 2, "t", NULL, "true", 4);
    expect_row(d, 3, "only a", NULL, NULL, 5);
    dataset_free(d);
}

static void named_columns(void **state)
{
    const struct dataset_columns cols = {"premise", "hypothesis", "gold"};
    struct dataset *d;

    (void)state;
    d = PARSE("text\tgold\tlabel\thypothesis\tpremise\nx\tg\tl\th\tp\n", DATASET_TSV, &cols);
    expect_row(d, 0, "p", "h", "g", 2);
    dataset_free(d);
    d = PARSE("{\"premise\":\"p\",\"hypothesis\":\"h\",\"gold\":-1,\"text\":\"x\"}",
        DATASET_JSONL, &cols);
    expect_row(d, 0, "p", "h", "-1", 1);
    dataset_free(d);
}

struct refusal {
    enum dataset_format format;
    const struct dataset_columns *cols;
    const char *text;
    const char *why; /* the sentence starts so */
};

static const struct dataset_columns sentence = {.text_a = "sentence"};
static const struct dataset_columns second = {.text_b = "other"};
static const struct dataset_columns gold = {.label = "gold"};

static const struct refusal refusals[] = {
    {DATASET_TSV, NULL, "", "f:1: empty"},
    {DATASET_TSV, NULL, "\n\r\n", "f:1: empty"},
    {DATASET_TSV, NULL, "text\tlabel\n", "f: no rows"},
    {DATASET_TSV, NULL, "a\tb\n1\t2\n",
        "f:1: no column \"text\" (the header has: a, b; name the right one in "
        "data.columns.text)"},
    {DATASET_TSV, &sentence, "text\n1\n", "f:1: no column \"sentence\""},
    {DATASET_TSV, &second, "text\n1\n", "f:1: no column \"other\""},
    {DATASET_TSV, &gold, "\ntext\n1\n", "f:2: no column \"gold\""},
    {DATASET_TSV, NULL, "text\ttext\na\tb\n", "f:1: the column \"text\" is there twice"},
    {DATASET_TSV, NULL, "text\tlabel\na\tb\na\tb\tc\n", "f:3: 3 fields where the header has 2"},
    {DATASET_TSV, NULL, "text\tlabel\nonly\n", "f:2: 1 fields where the header has 2"},
    {DATASET_TSV, NULL, "text\na\n\xE9t\xE9\n", "f:3: byte 0xE9 is not UTF-8"},
    {DATASET_TSV, NULL, "text\na\xE2\x82\nb", "f:2: byte 0xE2 is not UTF-8"},
    {DATASET_CSV, NULL, "text,label\n\"a\nb\n,x\n", "f:2: a quoted field does not end"},
    {DATASET_CSV, NULL, "text,label\na\"b,x\n", "f:2: a quote in the middle"},
    {DATASET_CSV, NULL, "text,label\n\"a\" b,x\n", "f:2: a quote in the middle"},
    {DATASET_CSV, NULL, "text,label\n\"a\n\"\"b\nc\"d,x\n", "f:4: a quote in the middle"},
    {DATASET_CSV, NULL, "text,label\na,b,c\n",
        "f:2: 3 fields where the header has 2 (quote fields that hold commas)"},
    {DATASET_JSONL, NULL, "", "f: no rows"},
    {DATASET_JSONL, NULL, "{\"text\":\"a\"}\n[1]\n", "f:2: not an object"},
    {DATASET_JSONL, NULL, "{\"text\":\"a\"}\n\n{\"text\":\n", "f:3: column "},
    {DATASET_JSONL, NULL, "{\"text\":\"a\"} {\"text\":\"b\"}\n", "f:1: column "},
    {DATASET_JSONL, NULL, "{\"text\":\"a\\u0000\"}\n", "f:1: column "},
    {DATASET_JSONL, NULL, "{\"sentence\":\"a\"}\n", "f:1: no \"text\""},
    {DATASET_JSONL, &second, "{\"text\":\"a\"}\n", "f:1: no \"other\""},
    {DATASET_JSONL, &gold, "{\"text\":\"a\",\"label\":\"x\"}\n", "f:1: no \"gold\""},
    {DATASET_JSONL, NULL, "{\"text\":5}\n", "f:1: \"text\" is no string"},
    {DATASET_JSONL, NULL, "{\"text\":\"a\",\"text_b\":[]}\n", "f:1: \"text_b\" is no string"},
    {DATASET_JSONL, NULL, "{\"text\":\"a\",\"label\":1.5}\n", "f:1: \"label\" is neither"},
};

static void every_refusal_names_the_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct bbt_err err = {0};
        struct dataset *d = NULL;

        assert_int_equal(dataset_parse(r->text, strlen(r->text), r->format, r->cols, "f",
            &d, &err), BBT_INVALID);
        assert_null(d);
        if (strncmp(err.msg, r->why, strlen(r->why)) != 0)
            fail_msg("\"%s\" does not start \"%s\"", err.msg, r->why);
    }
}

static void binary_files(void **state)
{
    struct bbt_err err = {0};
    struct dataset *d = NULL;

    (void)state;
    assert_int_equal(
        dataset_parse("text\na\0b\n", 9, DATASET_TSV, NULL, "f", &d, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "f:2: a NUL byte"));
    assert_int_equal(dataset_parse(NULL, 0, DATASET_JSONL, NULL, "f", &d, &err),
        BBT_INVALID);
}

static void caps(void **state)
{
    size_t len = DATASET_FIELD_MAX + 8;
    char *text = bbt_alloc(len + 1);
    struct bbt_err err = {0};
    struct dataset *d = NULL;

    (void)state;
    assert_non_null(text);
    memcpy(text, "text\n", 5);
    memset(text + 5, 'x', len - 5);
    assert_int_equal(
        dataset_parse(text, len, DATASET_TSV, NULL, "f", &d, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "f:2: a field over"));
    d = parse(text, 5 + DATASET_FIELD_MAX, DATASET_TSV, NULL);
    assert_int_equal(strlen(d->rows[0].text_a), DATASET_FIELD_MAX);
    dataset_free(d);
    d = NULL;
    memset(text, '\t', DATASET_COLUMNS_MAX);
    assert_int_equal(dataset_parse(text, DATASET_COLUMNS_MAX, DATASET_TSV, NULL, "f", &d,
        &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "f:1: over 256 columns"));
    bbt_free(text);
}

/* Writers made from the formats' rules; the parser must give back what went in. */
static void put_csv(struct bbt_buf *b, const char *s)
{
    assert_int_equal(buf_puts(b, "\""), BBT_OK);
    for (; *s; s++)
        assert_int_equal(buf_put(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1), BBT_OK);
    assert_int_equal(buf_puts(b, "\""), BBT_OK);
}

static void put_json(struct bbt_buf *b, const char *s)
{
    for (; *s; s++)
        assert_int_equal(buf_printf(b, (uint8_t)*s < ' ' || *s == '"' || *s == '\\'
                ? "\\u%04x" : "%c", (unsigned)(uint8_t)*s), BBT_OK);
}

static void random_text(uint64_t *seed, int any, char *out)
{
    static const char *const bits[] = {"a", "b ", ",", "\"", "'", "\\", "\xC3\xA9", "{",
        "\xF0\x9F\x98\x80", "\n", "\r", "\t", "\r\n"};
    size_t n = rnd(seed) % 12, kinds = any ? 13 : 9;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const char *bit = bits[rnd(seed) % kinds];

        memcpy(out + strlen(out), bit, strlen(bit) + 1);
    }
}

static void write_row(struct bbt_buf *b, enum dataset_format f, char text[2][64])
{
    if (f == DATASET_TSV) {
        assert_int_equal(buf_printf(b, "%s\t%s\tL\n", text[0], text[1]), BBT_OK);
    } else if (f == DATASET_CSV) {
        put_csv(b, text[0]);
        assert_int_equal(buf_puts(b, ","), BBT_OK);
        put_csv(b, text[1]);
        assert_int_equal(buf_puts(b, ",L\r\n"), BBT_OK);
    } else {
        assert_int_equal(buf_puts(b, "{\"text\":\""), BBT_OK);
        put_json(b, text[0]);
        assert_int_equal(buf_puts(b, "\",\"text_b\":\""), BBT_OK);
        put_json(b, text[1]);
        assert_int_equal(buf_puts(b, "\",\"label\":\"L\"}\n"), BBT_OK);
    }
}

static void what_was_written_comes_back(void **state)
{
    static const char *const heads[] = {"text\ttext_b\tlabel\n", "text,text_b,label\n", ""};
    static char text[300][2][64];
    uint64_t seed = 7;

    (void)state;
    for (int f = 0; f < DATASET_FORMAT_NR; f++) {
        struct dataset *d;
        struct bbt_buf b;

        buf_init(&b, 1u << 20);
        assert_int_equal(buf_puts(&b, heads[f]), BBT_OK);
        for (size_t i = 0; i < 300; i++) {
            random_text(&seed, f != DATASET_TSV, text[i][0]);
            random_text(&seed, f != DATASET_TSV, text[i][1]);
            write_row(&b, (enum dataset_format)f, text[i]);
        }
        d = parse((char *)b.data, b.len, (enum dataset_format)f, NULL);
        assert_int_equal(d->n, 300);
        for (size_t i = 0; i < 300; i++)
            expect_row(d, i, text[i][0], text[i][1], "L", d->rows[i].line);
        dataset_free(d);
        buf_fini(&b);
    }
}

static void formats_by_name(void **state)
{
    (void)state;
    assert_int_equal(dataset_format_guess("a/b.c/train.TSV"), DATASET_TSV);
    assert_int_equal(dataset_format_guess("train.csv"), DATASET_CSV);
    assert_int_equal(dataset_format_guess("x.jsonl"), DATASET_JSONL);
    assert_int_equal(dataset_format_guess("x.ndjson"), DATASET_JSONL);
    assert_int_equal(dataset_format_guess("csv"), DATASET_FORMAT_NR);
    assert_int_equal(dataset_format_guess("dir.csv/file"), DATASET_FORMAT_NR);
    assert_int_equal(dataset_format_guess("x.parquet"), DATASET_FORMAT_NR);
    for (int f = 0; f < DATASET_FORMAT_NR; f++)
        assert_int_equal(
            dataset_format_parse(dataset_format_name((enum dataset_format)f)), f);
    assert_int_equal(dataset_format_parse("xml"), DATASET_FORMAT_NR);
}

static void digests_tell_texts_apart(void **state)
{
    const struct dataset_row a = {.text_a = "ab", .label = "x"}, same = {.text_a = "ab"};
    const struct dataset_row pair = {.text_a = "a", .text_b = "b"};
    const struct dataset_row swapped = {.text_a = "b", .text_b = "a"};
    const struct dataset_row empty = {.text_a = "ab", .text_b = ""};

    (void)state;
    assert_true(dataset_digest(&a) == dataset_digest(&same));
    assert_true(dataset_digest(&a) != dataset_digest(&pair));
    assert_true(dataset_digest(&pair) != dataset_digest(&swapped));
    assert_true(dataset_digest(&empty) != dataset_digest(&a));
}

/* The builder alone: offsets survive the block's moves. */
static void rows_survive_growth(void **state)
{
    struct rows rows;
    struct bbt_err err = {0};
    struct dataset *d = NULL;
    char text[16];

    (void)state;
    rows_init(&rows, "g");
    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof text, "t%u", i);

        assert_int_equal(rows_add(&rows, (struct rows_field){text, (size_t)n},
            (struct rows_field){0}, (struct rows_field){"", 0}, i + 1, &err), BBT_OK);
    }
    assert_int_equal(rows_take(&rows, &d, &err), BBT_OK);
    assert_int_equal(rows.n, 0);
    for (uint32_t i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "t%u", i);
        expect_row(d, i, text, NULL, NULL, i + 1);
    }
    dataset_free(d);
    rows_fini(&rows);
}

static enum bbt_rc once(const char *text, enum dataset_format format)
{
    struct bbt_err err = {0};
    struct dataset *d = NULL;
    enum bbt_rc rc = dataset_parse(text, strlen(text), format, NULL, "f", &d, &err);

    assert_int_equal(err.rc, rc);
    dataset_free(d);
    return rc;
}

static void without_memory(void **state)
{
    (void)state;
    unit_oom(once("text\tlabel\none\tx\ntwo\ty\n", DATASET_TSV));
    unit_oom(once("text,label\n\"o\"\"ne\",x\n", DATASET_CSV));
    unit_oom(once("{\"text\":\"one\",\"text_b\":\"two\",\"label\":3}\n", DATASET_JSONL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsv),
        cmocka_unit_test(csv),
        cmocka_unit_test(jsonl),
        cmocka_unit_test(named_columns),
        cmocka_unit_test(every_refusal_names_the_line),
        cmocka_unit_test(binary_files),
        cmocka_unit_test(caps),
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(formats_by_name),
        cmocka_unit_test(digests_tell_texts_apart),
        cmocka_unit_test(rows_survive_growth),
        cmocka_unit_test(without_memory),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
