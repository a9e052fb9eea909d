#include "base/money.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMALS 9

bool money_parse(const char *text, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned after = 0, digits = 0;
    bool point = false;

    for (; *text; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9')
            return false;
        digits++;
        if (after == DECIMALS) { /* finer than a nano-dollar: only nothing may be said there */
            if (*text != '0')
                return false;
            continue;
        }
        after += point;
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > MONEY_MAX)
            return false;
    }
    for (; after < DECIMALS; after++) {
        v *= 10;
        if (v > MONEY_MAX)
            return false;
    }
    if (digits == 0)
        return false;
    *ret = v;
    return true;
}

/* d.dddddddddddddde+xx: 15 digits and the power of ten of the first. */
bool money_real(double v, uint64_t *ret)
{
    char text[48];
    uint64_t n = 0;
    char *p = text;
    long shift;

    if (!(v >= 0) || v > (double)(MONEY_MAX / MONEY_UNIT))
        return false;
    (void)snprintf(text, sizeof text, "%.14e", v);
    if (strtod(text, NULL) < v || strtod(text, NULL) > v)
        return false;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            n = n * 10 + (uint64_t)(*p - '0');
    shift = *p ? strtol(p + 1, NULL, 10) - 14 + DECIMALS : 0;
    for (; shift < 0 && n % 10 == 0; shift++)
        n /= 10;
    if (shift < 0 && n)
        return false; /* finer than a nano-dollar */
    for (; shift > 0; shift--) {
        n *= 10;
        if (n > MONEY_MAX)
            return false;
    }
    if (n > MONEY_MAX)
        return false;
    *ret = n;
    return true;
}

void money_print(uint64_t nano, char out[MONEY_TEXT])
{
    size_t len;

    (void)snprintf(out, MONEY_TEXT, "%llu.%09llu", (unsigned long long)(nano / MONEY_UNIT),
        (unsigned long long)(nano % MONEY_UNIT));
    len = strlen(out);
    for (unsigned i = 0; i < DECIMALS - 2 && out[len - 1] == '0'; i++)
        out[--len] = '\0';
}

uint64_t money_add(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - 1 - b ? a + b : UINT64_MAX - 1;
}
