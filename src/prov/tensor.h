/* tensor.h -- numbers as the wire has them: little endian, of the types that prov_type names. */
#ifndef PROV_TENSOR_H
#define PROV_TENSOR_H

#include "prov/prov.h"

/* Bytes of one element; 0 for PROV_TYPE_NONE. */
size_t tensor_size(enum prov_type t);

/* KServe's name ("FP32"), "none" for PROV_TYPE_NONE; and back (PROV_TYPE_NONE: unknown). */
const char *tensor_type_name(enum prov_type t);
enum prov_type tensor_type_parse(const char *name);

/* One of the two kinds of integers. */
bool tensor_is_int(enum prov_type t);

/* Writes `n` copies of a whole number of type t (an integer type); returns the end. */
uint8_t *tensor_put_int(uint8_t *at, enum prov_type t, int32_t v, size_t n);

/* Writes `n` reals of type t (a real type), rounding to nearest even; returns the end. A
 * value too large for a half-precision type becomes an infinity. */
uint8_t *tensor_put_real(uint8_t *at, enum prov_type t, const float *v, size_t n);

/* The same in place, for types that are not wider than a float; returns the bytes. */
size_t tensor_pack(float *v, enum prov_type t, size_t n);

/* Reads one element of any type. */
double tensor_get(const uint8_t *at, enum prov_type t);

#endif
