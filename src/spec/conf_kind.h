/* conf_kind.h -- inside of src/spec: what follows from a provider's kind. */
#ifndef SPEC_CONF_KIND_H
#define SPEC_CONF_KIND_H

#include "spec/conf.h"

/* By enum conf_kind; NULL-terminated. */
extern const char *const conf_kind_names[CONF_KIND_NR + 1];

/* Sets defaults that depend on the kind, and notes what a kind lacks or cannot do. */
void conf_kind_settle(struct conf *c, struct spec_problems *problems);

#endif
