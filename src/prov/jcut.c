#include "prov/jcut.h"

#include <string.h>

static enum bbt_rc fail(struct jcut *c, enum bbt_rc rc, const char *why, struct bbt_err *err)
{
    if (rc == BBT_NOMEM)
        return bbt_fail(err, rc, "%s: no memory to read it", c->name);
    return bbt_fail(err, BBT_CORRUPT, "%s %s", c->name, why);
}

static enum bbt_rc keep(struct jcut *c, const uint8_t *p, size_t n, struct bbt_err *err)
{
    char why[64];
    enum bbt_rc rc = buf_put(&c->rest, p, n);

    if (rc == BBT_OK)
        return rc;
    (void)snprintf(why, sizeof why, "is over %u bytes without its numbers", JCUT_REST_MAX);
    return fail(c, rc, why, err);
}

/* ---- arrays ---- */

/* What stands before the array in its object. */
static enum bbt_rc object_so_far(struct jcut *c, json_t **ret, struct bbt_err *err)
{
    struct bbt_buf text;
    enum bbt_rc rc;

    buf_init(&text, JCUT_REST_MAX + 64);
    rc = buf_put(&text, c->rest.data + c->object_at, c->rest.len - c->object_at);
    if (rc == BBT_OK)
        rc = buf_printf(&text, "%zu}", c->pieces);
    if (rc == BBT_OK)
        rc = json_parse(text.data, text.len, c->name, ret, err);
    else
        rc = fail(c, BBT_NOMEM, "", err);
    buf_fini(&text);
    if (rc == BBT_INVALID) {
        rc = BBT_CORRUPT;
        if (err)
            err->rc = rc;
    }
    return rc;
}

static enum bbt_rc open_array(struct jcut *c, struct bbt_err *err)
{
    char index[24];
    json_t *object = NULL;
    enum bbt_rc rc;
    int n;

    if (c->pieces == JCUT_PIECES_MAX)
        return fail(c, BBT_CORRUPT, "has more than 16 tensors", err);
    _Static_assert(JCUT_PIECES_MAX == 16, "the sentence above");
    rc = object_so_far(c, &object, err);
    if (rc != BBT_OK)
        return rc;
    c->list = NULL;
    rc = c->open(c->arg, object, c->pieces, &c->how, &c->list, err);
    json_decref(object);
    if (rc != BBT_OK)
        return rc;
    c->state = JCUT_ARRAY;
    c->open_lists = 0;
    c->quoted = c->escaped = false;
    c->piece[c->pieces].at = c->held.len;
    n = snprintf(index, sizeof index, "%zu", c->pieces++);
    return keep(c, (const uint8_t *)index, (size_t)n, err);
}

/* Bytes up to and with the bracket that closes the first one. What lies between is checked by
 * whoever reads it. */
static size_t array_end(struct jcut *c, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (c->escaped) {
            c->escaped = false;
        } else if (c->quoted) {
            c->escaped = p[i] == '\\';
            c->quoted = p[i] != '"';
        } else if (p[i] == '"') {
            c->quoted = true;
        } else if (p[i] == '[' || p[i] == '{') {
            c->open_lists++;
        } else if ((p[i] == ']' || p[i] == '}') && --c->open_lists == 0) {
            c->state = JCUT_TEXT;
            return i + 1;
        }
    }
    return len;
}

static enum bbt_rc feed_array(
    struct jcut *c, const uint8_t *p, size_t len, size_t *ret_used, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (c->how == JCUT_READ) {
        rc = numlist_feed(c->list, p, len, ret_used, err);
        if (c->list->done)
            c->state = JCUT_TEXT;
        return rc;
    }
    *ret_used = array_end(c, p, len);
    if (c->how == JCUT_HOLD)
        rc = buf_put(&c->held, p, *ret_used);
    c->piece[c->pieces - 1].len = c->held.len - c->piece[c->pieces - 1].at;
    if (rc != BBT_OK)
        return fail(c, rc, "has numbers before their name and shape, and too many to keep", err);
    return BBT_OK;
}

/* ---- the rest ---- */

static void track(struct jcut *c, uint8_t byte, size_t at)
{
    if (byte == '[' || byte == '{') {
        c->depth++;
        if (c->depth < 64) {
            c->arrays &= ~(UINT64_C(1) << c->depth);
            c->arrays |= (uint64_t)(byte == '[') << c->depth;
        }
        if (c->depth == 3)
            c->object_at = at;
    } else if ((byte == ']' || byte == '}') && c->depth) {
        c->depth--;
    }
}

/* Up to the next text. */
static enum bbt_rc feed_text(
    struct jcut *c, const uint8_t *p, size_t len, size_t *ret_used, struct bbt_err *err)
{
    size_t n = 0;

    for (; n < len && p[n] != '"'; n++)
        track(c, p[n], c->rest.len + n);
    if (n < len) {
        c->state = JCUT_STRING;
        c->string_at = c->rest.len + n++;
        c->escaped = false;
    }
    *ret_used = n;
    return keep(c, p, n, err);
}

/* Does the text that just ended stand where a tensor's "data" does? */
static bool is_data(const struct jcut *c)
{
    static const char key[] = "\"data\"";

    return c->depth == 3 && (c->arrays & 0xe) == 0x4 &&
           c->rest.len - c->string_at == sizeof key - 1 &&
           !memcmp(c->rest.data + c->string_at, key, sizeof key - 1);
}

static enum bbt_rc feed_string(
    struct jcut *c, const uint8_t *p, size_t len, size_t *ret_used, struct bbt_err *err)
{
    bool over = false;
    size_t n = 0;
    enum bbt_rc rc;

    for (; n < len && !over; n++) {
        over = !c->escaped && p[n] == '"';
        c->escaped = !c->escaped && p[n] == '\\';
    }
    *ret_used = n;
    rc = keep(c, p, n, err);
    if (rc == BBT_OK && over)
        c->state = is_data(c) ? JCUT_KEY : JCUT_TEXT;
    return rc;
}

/* Between "data" and its value. */
static enum bbt_rc feed_colon(struct jcut *c, uint8_t byte, size_t *ret_used,
    struct bbt_err *err)
{
    *ret_used = 1;
    if (byte == ':' && c->state == JCUT_KEY)
        c->state = JCUT_COLON;
    else if (byte == '[' && c->state == JCUT_COLON) {
        *ret_used = 0;
        return open_array(c, err);
    } else if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
        *ret_used = 0;
        c->state = JCUT_TEXT;
        return BBT_OK;
    }
    return keep(c, &byte, 1, err);
}

void jcut_init(struct jcut *c, const char *name, jcut_open_fn *open, void *arg)
{
    *c = (struct jcut){.name = name, .open = open, .arg = arg};
    buf_init(&c->rest, JCUT_REST_MAX);
    buf_init(&c->held, JCUT_HELD_MAX);
}

enum bbt_rc jcut_feed(struct jcut *c, const void *bytes, size_t len, struct bbt_err *err)
{
    const uint8_t *p = bytes;
    enum bbt_rc rc = BBT_OK;

    while (rc == BBT_OK && len) {
        size_t used = 0;

        switch (c->state) {
        case JCUT_TEXT:
            rc = feed_text(c, p, len, &used, err);
            break;
        case JCUT_STRING:
            rc = feed_string(c, p, len, &used, err);
            break;
        case JCUT_ARRAY:
            rc = feed_array(c, p, len, &used, err);
            break;
        default:
            rc = feed_colon(c, *p, &used, err);
        }
        p += used;
        len -= used;
    }
    return rc;
}

enum bbt_rc jcut_end(struct jcut *c, json_t **ret_root, struct bbt_err *err)
{
    const uint8_t *text = c->rest.data ? c->rest.data : (const uint8_t *)"";
    enum bbt_rc rc;

    if (c->state == JCUT_STRING)
        return fail(c, BBT_CORRUPT, "ends within a text", err);
    if (c->state == JCUT_ARRAY)
        return fail(c, BBT_CORRUPT, "ends within an array of numbers", err);
    rc = json_parse(text, c->rest.len, c->name, ret_root, err);
    if (rc == BBT_INVALID) {
        rc = BBT_CORRUPT;
        if (err)
            err->rc = rc;
    }
    return rc;
}

void jcut_fini(struct jcut *c)
{
    if (!c)
        return;
    buf_fini(&c->rest);
    buf_fini(&c->held);
    *c = (struct jcut){0};
}
