/* vlist.h -- inside of src/spec: values that hold several others. */
#ifndef SPEC_VLIST_H
#define SPEC_VLIST_H

#include "spec/reader.h"

/* Read; on a problem *at keeps what it held, as a whole. */
void vlist_read_list(const struct reader *r, const json_t *v, struct key_list *at);
void vlist_read_pairs(const struct reader *r, const json_t *v, struct key_pairs *at);
void vlist_read_items(const struct reader *r, const json_t *v, struct key_items *at);

/* Free and zero. */
void vlist_fini_list(struct key_list *l);
void vlist_fini_pairs(struct key_pairs *p);
void vlist_fini_items(const struct key *k, struct key_items *items);

#endif
