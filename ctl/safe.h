/* safe.h -- texts from outside on their way to a terminal: what could steer it is shown
 * escaped, and columns are counted as they will be seen. */
#ifndef CTL_SAFE_H
#define CTL_SAFE_H

#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>

/* Appends `text` with control characters, direction overrides and broken bytes escaped
 * ("\x1b", "\u202e", "\xff"); line breaks too. */
BBT_NODISCARD enum bbt_rc safe_put(struct bbt_buf *b, const char *text);

/* The same to a stream; without memory prints nothing. */
void safe_print(FILE *f, const char *text);

/* printf of texts from outside: the whole result is made safe, so a line's end is the
 * caller's. Texts over 2 KiB lose their end. */
void safe_printf(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The JSON value, indented, with a line's end; `v` is taken, NULL says that memory is out.
 * Every control character and direction override inside strings is escaped. */
void safe_json(FILE *f, json_t *v);

/* The same on one line. */
void safe_json_line(FILE *f, json_t *v);

/* Columns that the (safe) text takes in a terminal. */
size_t safe_width(const char *text);

/* Bytes of the longest beginning of the (safe) text that fits into `columns`. */
size_t safe_fit(const char *text, size_t columns);

#endif
