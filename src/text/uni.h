/* uni.h -- what the tokenizers ask about a code point: class, lower case, bare letter.
 *
 * The tables are those of one Unicode version (uni_version()), so that the same text gives
 * the same tokens on every machine. */
#ifndef TEXT_UNI_H
#define TEXT_UNI_H

#include <stddef.h>
#include <stdint.h>

/* General categories, grouped. Order as in tools/gen_unicode.py. */
enum uni_class {
    UNI_OTHER,     /* S*, Mc, Me */
    UNI_CONTROL,   /* C*: control, format, surrogate, private use, unassigned */
    UNI_SEPARATOR, /* Z* */
    UNI_LETTER,    /* L* */
    UNI_NUMBER,    /* N* */
    UNI_PUNCT,     /* P* */
    UNI_MARK,      /* Mn that combines: combining class not 0 */
    UNI_MARK_START /* Mn of combining class 0 */
};

/* UNI_CONTROL over U+10FFFF. */
enum uni_class uni_class(uint32_t cp);

/* The property White_Space. */
int uni_white(uint32_t cp);

/* Blocks of Chinese characters that BERT sets apart. */
int uni_cjk(uint32_t cp);

#define UNI_LOWER_MAX 2
#define UNI_BARE_MAX 8

/* Lower case of one code point without context; writes at most UNI_LOWER_MAX, returns how
 * many. */
size_t uni_lower(uint32_t cp, uint32_t *out);

/* For the context rule of the final sigma: cased letters, and what is skipped beside them. */
int uni_cased(uint32_t cp);
int uni_ignorable(uint32_t cp);

/* Canonical decomposition (NFD) without combining marks (Mn of a class other than 0); at
 * most UNI_BARE_MAX, may be none. */
size_t uni_bare(uint32_t cp, uint32_t *out);

/* Canonical combining class; not for class UNI_MARK, whose members give 0 here. */
unsigned uni_combining(uint32_t cp);

/* "14.0.0": of the Unicode standard whose tables these are. */
const char *uni_version(void);

#endif
