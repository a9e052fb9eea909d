#include "text/utf8.h"

/* Length of the sequence that `lead` starts, and the range of its second byte (table 3-7 of
 * the Unicode standard). 0: no lead byte. */
static unsigned sequence(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *ret_low = 0xA0; /* overlong below */
        if (lead == 0xED)
            *ret_high = 0x9F; /* surrogates above */
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *ret_low = 0x90;
        if (lead == 0xF4)
            *ret_high = 0x8F;
        return 4;
    }
    return 0;
}

static uint32_t bad(const uint8_t *next, const uint8_t **ret_next, int *ret_valid)
{
    *ret_next = next;
    if (ret_valid)
        *ret_valid = 0;
    return UTF8_REPLACEMENT;
}

uint32_t utf8_next(
    const uint8_t *at, const uint8_t *end, const uint8_t **ret_next, int *ret_valid)
{
    uint8_t low, high;
    unsigned len;
    uint32_t cp;

    if (ret_valid)
        *ret_valid = 1;
    if (*at < 0x80) {
        *ret_next = at + 1;
        return *at;
    }
    len = sequence(*at, &low, &high);
    if (len == 0)
        return bad(at + 1, ret_next, ret_valid);
    cp = *at & (0x7Fu >> len);
    for (unsigned i = 1; i < len; i++) {
        if (at + i >= end || at[i] < low || at[i] > high)
            return bad(at + i, ret_next, ret_valid);
        cp = cp << 6 | (at[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *ret_next = at + len;
    return cp;
}

size_t utf8_first_bad(const void *bytes, size_t len)
{
    const uint8_t *at = bytes, *end = len ? at + len : at, *next;
    int valid;

    while (at < end) {
        (void)utf8_next(at, end, &next, &valid);
        if (!valid)
            break;
        at = next;
    }
    return (size_t)(at - (const uint8_t *)bytes);
}

size_t utf8_cut(const void *bytes, size_t len, size_t max)
{
    const uint8_t *b = bytes;

    if (len <= max)
        return len;
    while (max > 0 && (b[max] & 0xC0) == 0x80)
        max--;
    return max;
}

size_t utf8_put(uint32_t cp, uint8_t *out)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}
