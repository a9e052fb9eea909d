#include "spec/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_MAX                                                                      \
    9007199254740992.0 /* 2^53: every whole number up to here is a double */

struct unit {
    const char *name;
    uint64_t size;
};

/* largest first */
static const struct unit times[] = {{"d", 86400000000u}, {"h", 3600000000u},
    {"m", 60000000u}, {"s", 1000000u}, {"ms", 1000u}, {"us", 1u}, {NULL, 0}};
static const struct unit counts[] = {{"G", 1000000000u}, {"M", 1000000u}, {"k", 1000u},
    {"", 1u}, {NULL, 0}};
static const struct unit sizes[] = {{"T", UINT64_C(1) << 40}, {"G", UINT64_C(1) << 30},
    {"M", UINT64_C(1) << 20}, {"K", UINT64_C(1) << 10}, {"", 1u}, {NULL, 0}};

static const struct unit *units(enum unit_kind kind)
{
    return kind == UNIT_TIME ? times : kind == UNIT_SIZE ? sizes : counts;
}

/* Digits with at most one point; the position behind them, or NULL. Not strtod(), which
 * knows the user's language, hexadecimal and infinity. */
static const char *decimal(const char *s, double *ret)
{
    double v = 0, scale = 1;
    size_t digits = 0;

    for (; *s >= '0' && *s <= '9'; s++, digits++)
        v = v * 10 + (*s - '0');
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, digits++) {
            v = v * 10 + (*s - '0');
            scale *= 10;
        }
    *ret = v / scale;
    return digits > 0 && digits < 20 ? s : NULL;
}

bool unit_parse(enum unit_kind kind, const char *text, uint64_t *ret)
{
    const struct unit *u = units(kind);
    double v;
    const char *name = decimal(text, &v);

    if (!name)
        return false;
    if (*name == '\0')
        name = kind == UNIT_TIME ? "s" : "";
    while (u->name && strcmp(u->name, name) != 0)
        u++;
    if (!u->name)
        return false;
    v *= (double)u->size;
    if (v > WHOLE_MAX || fabs(v - nearbyint(v)) > 1e-9 * fmax(1, v))
        return false;
    *ret = (uint64_t)nearbyint(v);
    return true;
}

void unit_print(enum unit_kind kind, uint64_t v, char *out, size_t room)
{
    const struct unit *u = units(kind);

    while (u->size > 1 && (v == 0 || v % u->size != 0))
        u++;
    if (v == 0)
        u = kind == UNIT_TIME ? &times[3] : &sizes[4]; /* "0s", "0" */
    (void)snprintf(out, room, "%llu%s", (unsigned long long)(v / u->size), u->name);
}
