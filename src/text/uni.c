#include "text/uni.h"

#include "text/unitab.h"

enum uni_class uni_class(uint32_t cp)
{
    size_t low = 0, high = unitab_class_n;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (unitab_class[mid] >> 4 <= cp)
            low = mid;
        else
            high = mid;
    }
    return (enum uni_class)(unitab_class[low] & 15);
}

int uni_white(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == ' ' || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
        (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
        cp == 0x205F || cp == 0x3000;
}

static int in_ranges(const struct unitab_range *ranges, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (cp > ranges[mid].last)
            low = mid + 1;
        else if (cp < ranges[mid].first)
            high = mid;
        else
            return 1;
    }
    return 0;
}

int uni_cjk(uint32_t cp)
{
    static const struct unitab_range blocks[] = {{0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
        {0xF900, 0xFAFF}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
        {0x2B820, 0x2CEAF}, {0x2F800, 0x2FA1F}};

    return cp >= blocks[0].first &&
        in_ranges(blocks, sizeof blocks / sizeof blocks[0], cp);
}

size_t uni_lower(uint32_t cp, uint32_t *out)
{
    size_t low = 0, high = unitab_lower_n;

    out[0] = cp;
    if (cp == 0x130) { /* the one letter whose lower case is two code points */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct unitab_lower *run = &unitab_lower[mid];

        if (cp > run->last) {
            low = mid + 1;
        } else if (cp < run->first) {
            high = mid;
        } else {
            if ((cp - run->first) % run->step == 0)
                out[0] = (uint32_t)((int32_t)cp + run->delta);
            break;
        }
    }
    return 1;
}

int uni_cased(uint32_t cp)
{
    return in_ranges(unitab_cased, unitab_cased_n, cp);
}

int uni_ignorable(uint32_t cp)
{
    return in_ranges(unitab_ignorable, unitab_ignorable_n, cp);
}

static const struct unitab_pair *find_pair(
    const struct unitab_pair *pairs, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (cp > pairs[mid].cp)
            low = mid + 1;
        else if (cp < pairs[mid].cp)
            high = mid;
        else
            return &pairs[mid];
    }
    return NULL;
}

/* Hangul syllables decompose by arithmetic (Unicode standard, section 3.12). */
static size_t hangul(uint32_t cp, uint32_t *out)
{
    uint32_t s = cp - 0xAC00;

    out[0] = 0x1100 + s / 588;
    out[1] = 0x1161 + s % 588 / 28;
    if (s % 28 == 0)
        return 2;
    out[2] = 0x11A7 + s % 28;
    return 3;
}

size_t uni_bare(uint32_t cp, uint32_t *out)
{
    const struct unitab_pair *pair;
    size_t n;

    out[0] = cp;
    if (cp < 0xC0)
        return 1;
    if (cp >= 0xAC00 && cp < 0xAC00 + 11172)
        return hangul(cp, out);
    if (uni_class(cp) == UNI_MARK)
        return 0;
    pair = find_pair(unitab_decomp, unitab_decomp_n, cp);
    if (!pair)
        return 1;
    out[0] = pair->to;
    if (!(pair->to & UNITAB_SEQ))
        return 1;
    n = pair->to & 15;
    for (size_t i = 0; i < n && i < UNI_BARE_MAX; i++)
        out[i] = unitab_decomp_seq[(pair->to & ~UNITAB_SEQ) / 16 + i];
    return n;
}

unsigned uni_combining(uint32_t cp)
{
    const struct unitab_pair *pair =
        find_pair(unitab_combining, unitab_combining_n, cp);

    return pair ? pair->to : 0;
}

const char *uni_version(void)
{
    return unitab_version;
}
