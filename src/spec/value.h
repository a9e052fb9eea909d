/* value.h -- inside of src/spec: one value of a table, by its type. */
#ifndef SPEC_VALUE_H
#define SPEC_VALUE_H

#include "spec/table.h"

/* Reads `v` (not null) into `at`; on a problem `at` keeps what it held. */
void value_read(const struct key *k, const json_t *v, const char *pointer, void *at,
    struct spec_problems *problems);

/* Frees what the value owns and zeroes it. */
void value_fini(const struct key *k, void *at);

/* A row's fallback as a value; NULL where it has none or without memory. */
json_t *value_fallback(const struct key *k);

#endif
