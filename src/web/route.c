/* route.c -- from a request target to a route and its captures.
 *
 * Works on raw bytes first (so that an encoded '/' or ':' stays inside its segment) and
 * decodes each segment afterwards. */
#include "web/inside.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes in place; false for a broken escape or an encoded NUL. */
static bool decode(char *s, bool plus)
{
    char *to = s;

    for (; *s; s++) {
        if (*s == '%') {
            int hi = hex(s[1]), lo = hi < 0 ? -1 : hex(s[2]);

            if (lo < 0 || (hi == 0 && lo == 0))
                return false;
            *to++ = (char)(hi << 4 | lo);
            s += 2;
        } else {
            *to++ = plus && *s == '+' ? ' ' : *s;
        }
    }
    *to = '\0';
    return true;
}

struct seg {
    const char *p;
    size_t n;
};

/* The segment after the '/' at *at; moves *at to the next '/' or the end. */
static struct seg next_seg(const char **at)
{
    struct seg s = {.p = *at + 1};

    s.n = strcspn(s.p, "/");
    *at = s.p + s.n;
    return s;
}

static bool is_capture(struct seg s)
{
    return s.n > 0 && s.p[0] == '{';
}

/* "{name}:action" against "value:action"; "{name}" against a value without ':'. */
static bool match_capture(struct seg pat, struct seg have, struct seg *ret)
{
    const char *end = memchr(pat.p, '}', pat.n);
    size_t tail = (size_t)(pat.p + pat.n - (end + 1));
    struct seg value = {have.p, 0};

    if (have.n <= tail || memcmp(have.p + have.n - tail, end + 1, tail) != 0)
        return false;
    value.n = have.n - tail;
    if (memchr(value.p, ':', value.n))
        return false;
    *ret = value;
    return true;
}

/* A literal of a pattern against raw bytes, which may escape what needs no escape. */
static bool match_literal(struct seg pat, struct seg have)
{
    size_t at = 0;

    for (size_t i = 0; i < pat.n; i++, at++) {
        char c;

        if (at >= have.n)
            return false;
        c = have.p[at];
        if (c == '%' && have.n - at > 2) {
            int hi = hex(have.p[at + 1]), lo = hex(have.p[at + 2]);

            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi << 4 | lo);
            at += 2;
        }
        if (c != pat.p[i])
            return false;
    }
    return at == have.n;
}

/* Number of captures, or -1 where the path is another one. */
static int match(const char *pattern, const char *path, struct seg *parts)
{
    int n = 0;

    while (*pattern && *path) {
        struct seg pat = next_seg(&pattern), have = next_seg(&path);

        if (is_capture(pat) ? !match_capture(pat, have, &parts[n])
                            : !match_literal(pat, have))
            return -1;
        n += is_capture(pat);
    }
    return *pattern || *path ? -1 : n;
}

static bool serves(const struct web_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static enum bbt_rc allow_add(struct bbt_buf *allow, const char *method)
{
    const char *have = allow->len ? (const char *)allow->data : "";
    size_t n = strlen(method);

    for (const char *at = have; (at = strstr(at, method)); at += n)
        if ((at == have || at[-1] == ' ') && (at[n] == '\0' || at[n] == ','))
            return BBT_OK;
    return buf_printf(allow, "%s%s", *have ? ", " : "", method);
}

/* Copies the captures, NUL-terminated and decoded, into r->parts. */
static bool keep_parts(struct web_req *r, const struct seg *parts, size_t n)
{
    char *to = r->parts;

    for (size_t i = 0; i < n; i++) {
        memcpy(to, parts[i].p, parts[i].n);
        to[parts[i].n] = '\0';
        if (!decode(to, false))
            return false;
        r->part[i] = to;
        to += parts[i].n + 1; /* fits: captures are at least one '/' apart */
    }
    r->parts_n = n;
    return true;
}

/* "a=1&b" becomes name NUL value NUL ... NUL. A bare name grows by one NUL, which is
 * why the room for it is twice the target's. Nameless values are dropped. */
static bool split_query(struct web_req *r, const char *raw)
{
    char *to = r->query;

    while (*raw) {
        size_t n = strcspn(raw, "&"), name = strcspn(raw, "=&");

        if (name > 0) {
            memcpy(to, raw, n);
            to[n] = '\0';
            to[name] = '\0';
            if (!decode(to, true) || (name < n && !decode(to + name + 1, true)))
                return false;
            if (name < n)
                memmove(to + strlen(to) + 1, to + name + 1, strlen(to + name + 1) + 1);
            else
                to[strlen(to) + 1] = '\0'; /* bare name: empty value */
            to += strlen(to) + 1;
            to += strlen(to) + 1;
        }
        raw += n + (raw[n] == '&');
    }
    *to = '\0';
    return true;
}

static const char *origin_form(const char *uri)
{
    if (strncmp(uri, "http://", 7) == 0 || strncmp(uri, "https://", 8) == 0) {
        const char *host = strstr(uri, "://") + 3;

        uri = host + strcspn(host, "/?");
    }
    return *uri == '/' ? uri : "/";
}

unsigned route_find(struct web_req *r, struct bbt_buf *ret_allow)
{
    const char *at = origin_form(r->path);
    const struct web *w = r->w;
    size_t path_n = strcspn(at, "?");
    struct seg parts[WEB_PARTS_MAX], best[WEB_PARTS_MAX];
    int best_n = -1;
    unsigned refuse = 404;

    if (!split_query(r, at[path_n] ? at + path_n + 1 : ""))
        return 400;
    memmove(r->path, at, path_n);
    r->path[path_n] = '\0';
    for (size_t i = 0; i < w->routes_n; i++) {
        int n = match(w->routes[i].pattern, r->path, parts);

        if (n < 0)
            continue;
        refuse = 405;
        if (allow_add(ret_allow, w->routes[i].method) != BBT_OK)
            return 503;
        if (serves(&w->routes[i], r->method) && (best_n < 0 || n < best_n)) {
            best_n = n;
            r->route = &w->routes[i];
            memcpy(best, parts, sizeof(best));
        }
    }
    if (best_n < 0)
        return refuse;
    return keep_parts(r, best, (size_t)best_n) ? 0 : 400;
}

enum bbt_rc route_check(const struct web_route *route, struct bbt_err *err)
{
    const char *at = route->pattern;
    size_t captures = 0;
    bool ok = at[0] == '/' && route->handler && route->method[0] &&
              strlen(route->method) < WEB_METHOD_ROOM;

    while (ok && *at) {
        struct seg s = next_seg(&at);

        if (is_capture(s)) {
            const char *end = memchr(s.p, '}', s.n);

            captures++;
            ok = end && (end + 1 == s.p + s.n || end[1] == ':');
        }
    }
    if (!ok || captures > WEB_PARTS_MAX)
        return bbt_fail(err, BBT_INVALID, "route %s %s cannot be served", route->method,
            route->pattern);
    return BBT_OK;
}
