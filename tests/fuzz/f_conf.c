/* What conf_parse() takes prints as a document that it takes again and that prints the
 * same; what it refuses is a list of problems, each of which can be shown. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/yaml.h"
#include "spec/conf.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const struct conf *s)
{
    json_t *once = conf_print(s), *twice;
    struct spec_problems p;
    struct conf *back = NULL;

    assert(once);
    problem_init(&p);
    assert(conf_parse(once, &back, &p, NULL) == BBT_OK);
    twice = conf_print(back);
    assert(json_equal(once, twice));
    json_decref(once);
    json_decref(twice);
    conf_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_doc *d = NULL;
    struct spec_problems p;
    struct bbt_err err = {0};
    struct conf *s = NULL;

    if (yaml_parse(data, size, "fuzz", &d, NULL) != BBT_OK)
        return 0;
    problem_init(&p);
    if (conf_parse(yaml_tree(d), &s, &p, &err) == BBT_OK)
        check_good(s);
    else
        assert(err.rc == BBT_INVALID && p.nr > 0);
    for (size_t i = 0; i < p.nr; i++) {
        char *line = problem_print(&p.item[i], d, "fuzz");

        assert(line && strncmp(line, "fuzz:", 5) == 0);
        bbt_free(line);
    }
    conf_free(s);
    problem_fini(&p);
    yaml_close(d);
    return 0;
}
