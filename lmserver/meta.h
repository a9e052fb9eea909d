/* meta.h -- what the server and its models say about themselves. */
#ifndef LMSERVER_META_H
#define LMSERVER_META_H

#include "base/json.h"
#include "lmconf.h"

/* Each gives a new JSON document, NULL without memory. -1 in a shape: any size. */
json_t *meta_server(void);
json_t *meta_model(const char *name, const struct lmconf *conf);
json_t *meta_embedding(const char *name, const struct lmconf *conf);

#endif
