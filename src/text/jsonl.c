#include "text/jsonl.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define LABEL_ROOM 32 /* bytes of a whole number or a truth value */

/* The member `named`, or the first usual name that is there. NULL (and null): none. */
static const json_t *member(const json_t *row, const char *named, const char *usual,
    const char *other, const char **ret_name)
{
    const json_t *v;

    *ret_name = named ? named : usual;
    v = json_object_get(row, *ret_name);
    if (!v && !named && other) {
        v = json_object_get(row, other);
        if (v)
            *ret_name = other;
    }
    return json_is_null(v) ? NULL : v;
}

static enum bbt_rc read_text(struct rows *rows, uint32_t line, const json_t *v,
    const char *name, struct rows_field *ret, struct bbt_err *err)
{
    if (!json_is_string(v))
        return rows_fail(
            rows, line, err, "\"%s\" is no string (put the text in quotes)", name);
    *ret = (struct rows_field){json_string_value(v), json_string_length(v)};
    return BBT_OK;
}

/* `room` holds what is no string in the file. */
static enum bbt_rc read_label(struct rows *rows, uint32_t line, const json_t *v,
    const char *name, char room[LABEL_ROOM], struct rows_field *ret, struct bbt_err *err)
{
    if (json_is_string(v)) {
        *ret = (struct rows_field){json_string_value(v), json_string_length(v)};
        return BBT_OK;
    }
    if (json_is_integer(v))
        (void)snprintf(room, LABEL_ROOM, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_boolean(v))
        (void)snprintf(room, LABEL_ROOM, "%s", json_is_true(v) ? "true" : "false");
    else
        return rows_fail(rows, line, err,
            "\"%s\" is neither a string nor a whole number (put the label in quotes)", name);
    *ret = (struct rows_field){room, strlen(room)};
    return BBT_OK;
}

static enum bbt_rc add_object(struct rows *rows, uint32_t line, const json_t *row,
    const struct dataset_columns *cols, struct bbt_err *err)
{
    struct rows_field text_a = {0}, text_b = {0}, label = {0};
    const json_t *v;
    const char *name;
    char room[LABEL_ROOM];
    enum bbt_rc rc;

    if (!json_is_object(row))
        return rows_fail(rows, line, err, "not an object (one {...} per line)");
    v = member(row, cols->text_a, "text", "text_a", &name);
    if (!v)
        return rows_fail(rows, line, err,
            "no \"%s\" (name the right member in data.columns.text)", name);
    rc = read_text(rows, line, v, name, &text_a, err);
    if (rc != BBT_OK)
        return rc;
    v = member(row, cols->text_b, "text_b", NULL, &name);
    if (v)
        rc = read_text(rows, line, v, name, &text_b, err);
    else if (cols->text_b)
        rc = rows_fail(rows, line, err,
            "no \"%s\" (name the right member in data.columns.text_b)", name);
    if (rc != BBT_OK)
        return rc;
    v = member(row, cols->label, "label", NULL, &name);
    if (v)
        rc = read_label(rows, line, v, name, room, &label, err);
    else if (cols->label)
        rc = rows_fail(rows, line, err,
            "no \"%s\" (name the right member in data.columns.label)", name);
    return rc == BBT_OK ? rows_add(rows, text_a, text_b, label, line, err) : rc;
}

/* jansson's sentence is about a document of one line: keep the column and the reason. */
static enum bbt_rc not_json(
    struct rows *rows, uint32_t line, const char *msg, struct bbt_err *err)
{
    const char *why = strncmp(msg, "row:1:", 6) == 0 ? msg + 6 : msg;

    return rows_fail(rows, line, err, "%s%s", why == msg ? "" : "column ", why);
}

static enum bbt_rc read_line(struct rows *rows, uint32_t line, const char *at, size_t n,
    const struct dataset_columns *cols, struct bbt_err *err)
{
    struct bbt_err why = {0};
    json_t *row = NULL;
    enum bbt_rc rc;

    rc = json_parse(at, n, "row", &row, &why);
    if (rc == BBT_NOMEM)
        return rows_no_memory(rows, err);
    if (rc != BBT_OK)
        return not_json(rows, line, why.msg, err);
    rc = add_object(rows, line, row, cols, err);
    json_decref(row);
    return rc;
}

enum bbt_rc jsonl_parse(const char *text, size_t len, const struct dataset_columns *cols,
    struct rows *rows, struct bbt_err *err)
{
    const char *at = text, *end = len ? text + len : text;
    enum bbt_rc rc = BBT_OK;

    for (uint32_t line = 1; at < end && rc == BBT_OK; line++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((nl ? nl : end) - at), blank = 0;

        while (blank < n && strchr(" \t\r", at[blank]))
            blank++;
        if (blank < n)
            rc = read_line(rows, line, at, n, cols, err);
        at = nl ? nl + 1 : end;
    }
    return rc;
}
