/* money.h -- amounts of money as whole nano-dollars, and as decimal texts at the edges.
 *
 * No amount is ever a floating-point number: sums are exact, whatever their order. */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#define MONEY_UNIT 1000000000u                /* nano-dollars of a dollar */
#define MONEY_MAX UINT64_C(1000000000000000000) /* a thousand million dollars */
#define MONEY_NONE UINT64_MAX                 /* nothing was said: no cap, no price */
#define MONEY_TEXT 32                         /* bytes of a printed amount */

/* "4", "0.10", "1.000000001": digits, at most one point, at most nine digits behind it that
 * are not zero. False for everything else (signs, exponents, spaces) and above MONEY_MAX. */
bool money_parse(const char *text, uint64_t *ret);

/* A number that was written with at most 15 significant digits, as YAML and JSON readers hand
 * it over: the decimal that was written, which a double of that many digits still tells apart
 * from every other. False where it has more digits, is negative or too large. */
bool money_real(double v, uint64_t *ret);

/* "0.00", "2.12", "0.0052": at least two digits behind the point, none that says nothing. */
void money_print(uint64_t nano, char out[MONEY_TEXT]);

/* a + b, not above UINT64_MAX - 1 (MONEY_NONE stays apart). */
uint64_t money_add(uint64_t a, uint64_t b);

#endif
