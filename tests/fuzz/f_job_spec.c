/* What job_spec_parse() takes prints as a document that it takes again and that prints
 * the same; what it refuses is a list of problems, each of which can be shown. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/yaml.h"
#include "spec/job.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const struct job_spec *s)
{
    json_t *once = job_spec_print(s), *twice;
    struct spec_problems p;
    struct job_spec *back = NULL;

    assert(once);
    problem_init(&p);
    assert(job_spec_parse(once, JOB_FILE, &back, &p, NULL) == BBT_OK);
    twice = job_spec_print(back);
    assert(json_equal(once, twice));
    json_decref(once);
    json_decref(twice);
    job_spec_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_doc *d = NULL;
    struct spec_problems p;
    struct bbt_err err = {0};
    struct job_spec *s = NULL;

    if (yaml_parse(data, size, "fuzz", &d, NULL) != BBT_OK)
        return 0;
    problem_init(&p);
    if (job_spec_parse(yaml_tree(d), JOB_FILE, &s, &p, &err) == BBT_OK)
        check_good(s);
    else
        assert(err.rc == BBT_INVALID && p.nr > 0);
    for (size_t i = 0; i < p.nr; i++) {
        char *line = problem_print(&p.item[i], d, "fuzz");

        assert(line && strncmp(line, "fuzz:", 5) == 0);
        bbt_free(line);
    }
    job_spec_free(s);
    problem_fini(&p);
    yaml_close(d);
    return 0;
}
