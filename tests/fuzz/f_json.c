/* What json_parse() takes must print, read back equal, and print the same bytes again. */
#include "base/alloc.h"
#include "base/json.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *v = NULL, *back = NULL;
    struct bbt_err err = {0};
    char *once, *twice;

    if (json_parse(data, size, "fuzz", &v, &err) != BBT_OK) {
        assert(err.rc != BBT_OK && err.msg[0]);
        return 0;
    }
    once = json_print(v);
    assert(once);
    assert(json_parse(once, strlen(once), "again", &back, &err) == BBT_OK);
    assert(json_equal(v, back));
    twice = json_print(back);
    assert(twice && strcmp(once, twice) == 0);
    bbt_free(once);
    bbt_free(twice);
    json_decref(v);
    json_decref(back);
    return 0;
}
