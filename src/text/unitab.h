/* unitab.h -- layout of the generated tables in unitab.c; for uni.c only. All tables are
 * sorted by code point. */
#ifndef TEXT_UNITAB_H
#define TEXT_UNITAB_H

#include <stddef.h>
#include <stdint.h>

struct unitab_range {
    uint32_t first, last;
};

/* Code points first, first + step, ... last have their lower case `delta` further. */
struct unitab_lower {
    uint32_t first, last, step;
    int32_t delta;
};

/* unitab_decomp's `to`: a code point, or bit 28 | offset into the sequences << 4 | length. */
struct unitab_pair {
    uint32_t cp, to;
};
#define UNITAB_SEQ (1u << 28)

extern const char unitab_version[]; /* of the Unicode standard */
extern const uint32_t unitab_class[]; /* first code point << 4 | enum uni_class */
extern const size_t unitab_class_n;
extern const struct unitab_range unitab_cased[], unitab_ignorable[];
extern const size_t unitab_cased_n, unitab_ignorable_n;
extern const struct unitab_lower unitab_lower[];
extern const size_t unitab_lower_n;
extern const struct unitab_pair unitab_decomp[]; /* without Hangul syllables */
extern const size_t unitab_decomp_n;
extern const uint32_t unitab_decomp_seq[];
extern const size_t unitab_decomp_seq_n;
extern const struct unitab_pair unitab_combining[]; /* class of all but Mn characters */
extern const size_t unitab_combining_n;

#endif
