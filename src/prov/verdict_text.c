/* verdict_text.c -- the server's own words out of whatever it sent as an error. */
#include "prov/verdict.h"

#include "base/json.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BODY_LOOK_MAX (64u * 1024u) /* beyond this nobody writes an error message */

/* ---- cleaning ---- */

/* Length of the valid UTF-8 sequence at `s` (1 .. 4), or 0; *ret is its code point. */
static size_t utf8_at(const unsigned char *s, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = s[0];
    size_t n;

    if (c < 0x80) {
        *ret = c;
        return 1;
    }
    n = c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    if (c >= 0xf8 || !n || n > len)
        return 0;
    c &= 0xffu >> (n + 1);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    *ret = c;
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static bool is_blank(uint32_t c)
{
    return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029;
}

/* Marks that turn the direction of writing or print nothing. */
static bool is_mark(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* In the place of a key; left out where there is no room. Returns the new end. */
static size_t put_mark(char *out, size_t room, size_t at, bool gap)
{
    static const size_t len = sizeof SECRET_MARK - 1;

    if (len + gap > room - 1 - at)
        return at;
    if (gap)
        out[at++] = ' ';
    memcpy(out + at, SECRET_MARK, len);
    return at + len;
}

void verdict_clean(const char *s, size_t len, char *out, size_t room)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + len;
    size_t at = 0;
    bool gap = false;

    if (!room)
        return;
    while (p < end) {
        uint32_t c = '?';
        size_t n = secret_at((const char *)p, (size_t)(end - p)), need;

        if (n) { /* here, because a text that is cut later hides what a key's rest was */
            at = put_mark(out, room, at, gap && at);
            gap = false;
            p += n;
            continue;
        }
        n = utf8_at(p, (size_t)(end - p), &c);
        if (n && (is_blank(c) || is_mark(c))) {
            gap |= is_blank(c);
            p += n;
            continue;
        }
        need = (n ? n : 1) + (gap && at);
        if (need > room - 1 - at)
            break;
        if (gap && at)
            out[at++] = ' ';
        gap = false;
        if (n)
            memcpy(out + at, p, n);
        else
            out[at] = '?';
        at += n ? n : 1;
        p += n ? n : 1;
    }
    out[at] = '\0';
}

static void clean_str(const char *s, char *out, size_t room)
{
    verdict_clean(s ? s : "", s ? strlen(s) : 0, out, room);
}

/* ---- HTML ---- */

static const char *find_tag(const char *s, const char *end, const char *tag)
{
    size_t n = strlen(tag);

    for (; (size_t)(end - s) >= n; s++)
        if (!strncasecmp(s, tag, n))
            return s;
    return NULL;
}

static bool looks_html(const char *s, const char *end)
{
    while (s < end && is_blank((unsigned char)*s))
        s++;
    return s < end && *s == '<';
}

/* The title, which is where proxies put their message; else the text between all tags. */
static void html_text(const char *s, const char *end, char *out, size_t room)
{
    char text[VERDICT_TEXT_MAX];
    const char *title = find_tag(s, end, "<title>"), *stop;
    size_t at = 0;
    bool tag = false;

    stop = title ? find_tag(title, end, "</title>") : NULL;
    if (stop) {
        verdict_clean(title + 7, (size_t)(stop - title - 7), out, room);
        if (out[0])
            return;
    }
    for (; s < end && at < sizeof text - 1; s++) {
        if (*s == '<')
            tag = true;
        if (!tag || *s == '>')
            text[at++] = tag ? ' ' : *s;
        if (*s == '>')
            tag = false;
    }
    verdict_clean(text, at, out, room);
}

/* ---- JSON ---- */

/* First of the members that is a non-empty text. */
static const char *first_str(const json_t *obj, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *s = json_get_str(obj, *keys, "");

        if (s[0])
            return s;
    }
    return NULL;
}

/* A list of validation errors, as FastAPI writes them: the first one's place and words. */
static bool list_text(const json_t *list, char *out, size_t room)
{
    static const char *const words[] = {"msg", "message", "detail", NULL};
    const json_t *first = json_array_get(list, 0);
    const json_t *place = json_object_get(first, "loc");
    const char *msg = json_is_string(first) ? json_string_value(first)
                                            : first_str(first, words);
    char text[512] = "", *at = text;
    size_t i;
    json_t *v;

    if (!msg)
        return false;
    json_array_foreach (place, i, v) {
        if (at > text + 400)
            break;
        if (json_is_string(v))
            at += snprintf(at, 100, "%s%.90s", at > text ? "." : "", json_string_value(v));
        else if (json_is_integer(v))
            at += snprintf(at, 100, "%s%lld", at > text ? "." : "",
                (long long)json_integer_value(v));
    }
    (void)snprintf(
        at, (size_t)(text + sizeof text - at), "%s%s", at > text ? ": " : "", msg);
    clean_str(text, out, room);
    return true;
}

/* Words of one value: a text, a list of errors, or an object with the usual members. */
static bool value_text(const json_t *v, char *out, size_t room)
{
    static const char *const words[] = {
        "message", "detail", "msg", "error", "reason", "description", "title", NULL};
    const char *s = json_is_string(v) ? json_string_value(v) : first_str(v, words);

    if (s)
        clean_str(s, out, room);
    else if (json_is_array(v))
        return list_text(v, out, room);
    return s && out[0];
}

/* The first that says something: "error" does not, nor does a number, which repeats the
 * status. */
static void take_code(const json_t *obj, char *ret, size_t room)
{
    static const char *const codes[] = {"code", "error_type", "type"};

    for (size_t i = 0; room && !ret[0] && i < sizeof codes / sizeof codes[0]; i++) {
        const char *s = json_get_str(obj, codes[i], "");

        if (strcmp(s, "error") && s[strspn(s, "0123456789")])
            clean_str(s, ret, room);
    }
}

/* problem+json says the kind in "title" and the case in "detail": both are worth having. */
static bool problem_text(const json_t *root, char *out, size_t room)
{
    const char *title = json_get_str(root, "title", ""), *detail;
    char text[VERDICT_TEXT_MAX];

    detail = json_get_str(root, "detail", "");
    if (!title[0] || !detail[0])
        return false;
    (void)snprintf(text, sizeof text, "%s: %s", title, detail);
    clean_str(text, out, room);
    return true;
}

static void json_text(
    const json_t *root, char *out, size_t room, char *code, size_t code_room)
{
    static const char *const members[] = {"error", "detail", "errors", "message", NULL};

    if (json_is_array(json_object_get(root, "errors")) && !json_object_get(root, "error"))
        take_code(json_array_get(json_object_get(root, "errors"), 0), code, code_room);
    take_code(json_object_get(root, "error"), code, code_room);
    take_code(root, code, code_room);
    if (problem_text(root, out, room))
        return;
    for (size_t i = 0; members[i]; i++)
        if (value_text(json_object_get(root, members[i]), out, room))
            return;
    (void)value_text(root, out, room);
}

void verdict_error_text(const void *body, size_t len, char *out, size_t room,
    char *ret_code, size_t code_room)
{
    const char *s = body, *end;
    json_t *root = NULL;

    if (room)
        out[0] = '\0';
    if (ret_code && code_room)
        ret_code[0] = '\0';
    if (!room || !len)
        return;
    if (len <= BODY_LOOK_MAX && json_parse(body, len, "error", &root, NULL) == BBT_OK) {
        json_text(root, out, room, ret_code, ret_code ? code_room : 0);
        json_decref(root);
        if (out[0])
            return;
    }
    end = s + (len < BODY_LOOK_MAX ? len : BODY_LOOK_MAX);
    if (looks_html(s, end))
        html_text(s, end, out, room);
    else
        verdict_clean(s, (size_t)(end - s), out, room);
}
