/* --set: what is taken stands in the tree where its key says; what is not changes no value
 * that was there. */
#include "base/alloc.h"
#include "jobfile.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = bbt_strndup((const char *)data, size);
    json_t *tree = json_pack("{s:{s:i}, s:s}", "a", "b", 1, "c", "text"), *at = tree;
    struct bbt_err err = {0};

    if (jobfile_set(tree, text, &err) == BBT_OK) {
        char *key = bbt_strndup(text, strcspn(text, "="));

        for (char *p = key, *dot; p; p = dot ? dot + 1 : NULL) {
            dot = strchr(p, '.');
            if (dot)
                *dot = '\0';
            at = json_object_get(at, p);
            assert(at);
        }
        bbt_free(key);
    } else {
        assert(err.rc == BBT_INVALID && err.msg[0]);
        assert(json_get_int(json_object_get(tree, "a"), "b", 0) == 1);
        assert(strcmp(json_get_str(tree, "c", ""), "text") == 0);
    }
    json_decref(tree);
    bbt_free(text);
    return 0;
}
