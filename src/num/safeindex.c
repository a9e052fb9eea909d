#include "num/safeindex.h"

#include "num/safetens.h"

#include <string.h>

enum bbt_rc safeindex_files(
    const json_t *index, const char *name, json_t **ret, struct bbt_err *err)
{
    json_t *map = json_object_get(index, "weight_map"), *files = json_object();
    enum bbt_rc rc = BBT_OK;
    const char *tensor;
    json_t *v;

    if (!files)
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
    if (json_object_size(map) == 0)
        rc = bbt_fail(err, BBT_INVALID, "%s: no 'weight_map' with tensors", name);
    json_object_foreach (map, tensor, v) {
        const char *file = json_string_value(v);

        /* a path could leave the model's folder */
        if (!file || !*file || strchr(file, '/') || file[0] == '.')
            rc = bbt_fail(err, BBT_INVALID,
                "%s: tensor '%.100s' names no file of this folder", name, tensor);
        else if (!json_object_get(files, file) &&
                 json_object_set_new(
                     files, file, json_integer((json_int_t)json_object_size(files))))
            rc = bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
        if (rc != BBT_OK)
            break;
    }
    if (rc == BBT_OK && json_object_size(files) > SAFETENS_SHARDS_MAX)
        rc = bbt_fail(err, BBT_INVALID, "%s: more than %u files", name, SAFETENS_SHARDS_MAX);
    if (rc != BBT_OK) {
        json_decref(files);
        return rc;
    }
    *ret = files;
    return BBT_OK;
}
