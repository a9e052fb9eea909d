/* reader.h -- inside of src/spec: the value being read, and sentences about it. */
#ifndef SPEC_READER_H
#define SPEC_READER_H

#include "spec/table.h"

struct reader {
    const struct key *k;
    const char *pointer;
    struct spec_problems *problems;
};

/* Appends one step to a JSON pointer, escaped. */
void reader_join(const char *pointer, const char *step, char *out, size_t room);

/* "queue.max_running" or "providers[0].url" from a JSON pointer; "" for the whole. */
void reader_section(const char *pointer, char *out, size_t room);

/* Notes 'SECTION: must be MUST, not the text "..."'. `fix` may be NULL. */
void reader_wrong(
    const struct reader *r, const char *must, const json_t *v, const char *fix);

/* Is `got` within the row's min and max? Notes the problem otherwise. */
bool reader_in_range(
    const struct reader *r, double got, const char *unit, const json_t *v);

/* Replaces *at by a copy of a text that fits the row; else notes the problem. */
void reader_text(const struct reader *r, const json_t *v, char **at);
void reader_put(const struct reader *r, const char *s, char **at);

#endif
