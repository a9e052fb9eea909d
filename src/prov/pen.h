/* pen.h -- writes JSON into a buffer. The first failure sticks: callers look once, at the end. */
#ifndef PROV_PEN_H
#define PROV_PEN_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct pen {
    struct bbt_buf *b;
    enum bbt_rc rc; /* BBT_OK, BBT_NOMEM, or BBT_INVALID at the buffer's cap */
};

/* JSON as it stands, and with numbers in it (at most 255 bytes). */
void pen_raw(struct pen *p, const char *json);
void pen_format(struct pen *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lends room for `len` bytes at the end; NULL after a failure. */
void *pen_room(struct pen *p, size_t len);

/* "text": escaped where JSON asks for it; bytes beyond ASCII pass as they are. */
void pen_text(struct pen *p, const char *s);

/* Nine digits, so that every float comes back to the bit. pen_real() always with a point or an
 * exponent: SGLang takes a list for embeddings only where its first number is no integer. */
void pen_number(struct pen *p, float v);
void pen_real(struct pen *p, float v);

/* [1,2,3] and, row by row, [[0.5,1.0],[...]] without the outermost brackets. */
void pen_ids(struct pen *p, const int32_t *id, size_t n);
void pen_rows(struct pen *p, const float *v, size_t rows, size_t cols);

/* The members of a JSON object in text ("{...}", NULL: none), each after a comma. */
void pen_members(struct pen *p, const char *object);

#endif
