/* What yaml_parse() takes is a tree that JSON can say, within its limits, with a place
 * for every pointer; what it refuses has a sentence with a place. */
#include "base/json.h"
#include "base/yaml.h"
#include "base/alloc.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_doc *d = NULL;
    struct bbt_err err = {0};
    json_t *back = NULL;
    char *text;
    int line, col;

    if (yaml_parse(data, size, "fuzz", &d, &err) != BBT_OK) {
        assert(err.rc == BBT_INVALID && strncmp(err.msg, "fuzz:", 5) == 0);
        return 0;
    }
    text = json_print(yaml_tree(d));
    assert(text);
    assert(json_parse(text, strlen(text), "again", &back, &err) == BBT_OK);
    assert(json_equal(back, yaml_tree(d)));
    yaml_place(d, "/a/0/b", 0, &line, &col);
    assert(line >= 1 && col >= 1);
    yaml_place(d, "", 1, &line, &col);
    assert(line >= 1 && col >= 1);
    json_decref(back);
    bbt_free(text);
    yaml_close(d);
    return 0;
}
