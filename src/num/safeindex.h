/* safeindex.h -- model.safetensors.index.json: which files a model is made of.
 *
 * Inside src/num; users take safetens.h. */
#ifndef NUM_SAFEINDEX_H
#define NUM_SAFEINDEX_H

#include "base/err.h"
#include "base/json.h"

/* The distinct files of the index' "weight_map": a new object, file name -> number from 0 in
 * the order of first mention. A name that could leave the folder is BBT_INVALID. `name` is
 * the index file's, for sentences. */
BBT_NODISCARD enum bbt_rc safeindex_files(
    const json_t *index, const char *name, json_t **ret, struct bbt_err *err);

#endif
