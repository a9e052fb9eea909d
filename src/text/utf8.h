/* utf8.h -- reading UTF-8 one code point at a time, broken bytes included. Pure. */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu

/* The code point at `at` (at < end) and in *ret_next where the following one starts. Bytes
 * that are no UTF-8 (overlong forms, surrogates, over U+10FFFF and cut-off sequences too)
 * give U+FFFD once for each maximal part, as the Unicode standard recommends (section 3.9)
 * and Python's and Rust's decoders do. *ret_valid (may be NULL) is 0 for those. */
uint32_t utf8_next(const uint8_t *at, const uint8_t *end, const uint8_t **ret_next,
    int *ret_valid);

/* Offset of the first byte that is no UTF-8; `len` where all is well. */
size_t utf8_first_bad(const void *bytes, size_t len);

/* The most bytes, at most `max`, that end at a character's end (of valid UTF-8). */
size_t utf8_cut(const void *bytes, size_t len, size_t max);

/* Writes the code point's bytes (at most 4); returns how many. */
size_t utf8_put(uint32_t cp, uint8_t *out);

#endif
