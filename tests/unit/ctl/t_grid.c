/* Tables. */
#include "grid.h"

#include "base/alloc.h"
#include "safe.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void layout(void **state)
{
    static const char *const cells[] = {
        "ID", "NAME", "DEV", /**/
        "1", "\xe6\x97\xa5\xe6\x9c\xac", "0.5", /**/
        "200", "a", "-", /**/
    };
    static const bool right[] = {true, false, false};
    struct bbt_buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(grid_table(cells, right, 3, 3, 0, &b), BBT_OK);
    assert_string_equal((const char *)b.data, " ID  NAME  DEV\n"
                                              "  1  \xe6\x97\xa5\xe6\x9c\xac  0.5\n"
                                              "200  a     -\n");
    buf_fini(&b);
}

/* No line is wider than asked for; only the last column loses its end; nothing is cut where
 * no width is given. */
static void narrow(void **state)
{
    static const char *const cells[] = {"JOB", "VERDICT", "1",
        "tuning gained 13.8 points over the manual prompt", "22", "short"};
    static const bool right[] = {true, false};
    struct bbt_buf b;

    (void)state;
    for (size_t width = 14; width < 70; width++) {
        buf_init(&b, SIZE_MAX);
        assert_int_equal(grid_table(cells, right, 3, 2, width, &b), BBT_OK);
        for (char *p = (char *)b.data, *nl; *p; p = nl + 1) {
            nl = strchr(p, '\n');
            *nl = '\0';
            assert_true(safe_width(p) <= width);
        }
        buf_fini(&b);
    }
    buf_init(&b, SIZE_MAX);
    assert_int_equal(grid_table(cells, right, 3, 2, 0, &b), BBT_OK);
    assert_non_null(strstr((const char *)b.data, "manual prompt\n"));
    buf_fini(&b);
}

static enum bbt_rc cell_name(const struct ctl *c, const json_t *item, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(item, "name", ""));
}

static enum bbt_rc cell_n(const struct ctl *c, const json_t *item, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(item, "n", 0));
}

static const struct grid_col cols[] = {
    {"NAME", cell_name, false, false},
    {"N", cell_n, true, false},
    {"MORE", cell_n, true, true},
};

/* What grid_list() prints, from a pipe. */
static const char *printed(const struct ctl *c, int want)
{
    static char out[2048];
    json_t *items = json_pack("[{s:s, s:i}, {s:s, s:i}]", "name", "a,\"b\"\nc", "n", 1, "name",
        "\x1b[31m\ttab", "n", 20);
    int fd[2], saved = dup(STDOUT_FILENO);
    ssize_t n;

    assert_int_equal(pipe(fd), 0);
    (void)fflush(stdout);
    assert_true(dup2(fd[1], STDOUT_FILENO) >= 0);
    assert_int_equal(grid_list(c, "ThingList", cols, 3, items), want);
    (void)fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    (void)close(fd[1]);
    n = read(fd[0], out, sizeof out - 1);
    (void)close(fd[0]);
    out[n > 0 ? n : 0] = '\0';
    json_decref(items);
    return out;
}

static void forms(void **state)
{
    struct ctl c = {.form = FORM_CSV, .quiet = true};
    json_t *back = NULL;
    const char *text;

    (void)state;
    assert_string_equal(printed(&c, CTL_OK), "NAME,N,MORE\n\"a,\"\"b\"\"\\nc\",1,1\n"
                                             "\\x1b[31m\\ttab,20,20\n");
    c.form = FORM_PLAIN;
    assert_string_equal(printed(&c, CTL_OK), "a,\"b\"\\nc\t1\n\\x1b[31m\\ttab\t20\n");
    c.columns = "more,name";
    assert_string_equal(printed(&c, CTL_OK), "1\ta,\"b\"\\nc\n20\t\\x1b[31m\\ttab\n");
    c.columns = NULL;
    c.form = FORM_JSON;
    text = printed(&c, CTL_OK);
    assert_int_equal(json_parse(text, strlen(text), "out", &back, NULL), BBT_OK);
    assert_string_equal(json_get_str(back, "kind", ""), "ThingList");
    assert_string_equal(json_get_str(back, "apiVersion", ""), "v1");
    assert_int_equal(json_array_size(json_object_get(back, "items")), 2);
    json_decref(back);
    c.form = FORM_JSONL;
    text = printed(&c, CTL_OK);
    assert_int_equal(json_parse(text, strcspn(text, "\n"), "line", &back, NULL), BBT_OK);
    assert_int_equal(json_get_int(back, "n", 0), 1);
    json_decref(back);
}

static void unknown_column(void **state)
{
    struct ctl c = {.form = FORM_TABLE, .columns = "name,nmae", .quiet = true};

    (void)state;
    assert_string_equal(printed(&c, CTL_USAGE), "");
}

static void no_memory(void **state)
{
    static const char *const cells[] = {"A", "B", "1", "2"};
    static const bool right[] = {true, false};
    bool done = false;

    (void)state;
    for (long n = 0; !done && n < 50; n++) {
        struct bbt_buf b;

        buf_init(&b, SIZE_MAX);
        bbt_alloc_fault(n, 1);
        done = grid_table(cells, right, 2, 2, 0, &b) == BBT_OK;
        bbt_alloc_fault(-1, 0);
        buf_fini(&b);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(narrow),
        cmocka_unit_test(forms),
        cmocka_unit_test(unknown_column),
        cmocka_unit_test(no_memory),
    };

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 99;
    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
