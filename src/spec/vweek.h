/* vweek.h -- inside of src/spec: hours, days of the week, time zones and moments. */
#ifndef SPEC_VWEEK_H
#define SPEC_VWEEK_H

#include "spec/reader.h"

/* Reads a value of KEY_HOURS, KEY_DAYS, KEY_ZONE or KEY_MOMENT; on a problem `at` keeps what
 * it held. */
void vweek_read(const struct reader *r, const json_t *v, void *at);

/* Back into a document; NULL without memory. */
json_t *vweek_print(const struct key *k, const void *at);

#endif
