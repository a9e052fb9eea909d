/* Hostile texts on their way to a terminal. */
#include "safe.h"

#include "base/alloc.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void escapes(void **state)
{
    static const struct {
        const char *text, *safe;
    } row[] = {
        {"plain text", "plain text"},
        {"", ""},
        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
        {"a\nb\tc\rd", "a\\nb\\tc\\x0dd"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
            "\\x9b31m"}, /* C1: CSI in one character */
        {"\xe2\x80\xae"
         "gnp.exe",
            "\\u202egnp.exe"}, /* right-to-left override */
        {"\xe2\x81\xa6x", "\\u2066x"},
        {"caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac", "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xe6\x97", "\\xe6\\x97"}, /* cut off */
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct bbt_buf b;

        buf_init(&b, SIZE_MAX);
        assert_int_equal(buf_puts(&b, ""), BBT_OK);
        assert_int_equal(safe_put(&b, row[i].text), BBT_OK);
        assert_string_equal((const char *)b.data, row[i].safe);
        buf_fini(&b);
    }
}

/* JSON: reads back as it was, and no byte of it can steer a terminal. */
static void json(void **state)
{
    static const char hostile[] = "\x1b[2J\x7f\xc2\x9b"
                                  "0m\xe2\x80\xae\xc3\xa9\n\"\\";
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    json_t *back = NULL;

    (void)state;
    assert_non_null(f);
    safe_json(f, json_pack("{s:s, s:[i, i]}", hostile, hostile, "list", 1, 2));
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < len; i++)
        assert_true(text[i] == '\n' || ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f));
    assert_null(memmem(text, len, "\xc2\x9b", 2));
    assert_null(memmem(text, len, "\xe2\x80\xae", 3));
    assert_int_equal(json_parse(text, len, "back", &back, NULL), BBT_OK);
    assert_string_equal(json_get_str(back, hostile, ""), hostile);
    json_decref(back);
    free(text);
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(safe_width("abc"), 3);
    assert_int_equal(safe_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide ones */
    assert_int_equal(safe_width("e\xcc\x81"), 1);                /* combining accent */
    assert_int_equal(safe_width(""), 0);
    assert_int_equal(safe_fit("abcdef", 3), 3);
    assert_int_equal(safe_fit("\xe6\x97\xa5\xe6\x9c\xac", 3), 3); /* one of the two */
    assert_int_equal(safe_fit("\xe6\x97\xa5", 1), 0);
    assert_int_equal(safe_fit("e\xcc\x81x", 1), 3); /* the accent stays with its letter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(json),
        cmocka_unit_test(widths),
    };

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 99;
    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
