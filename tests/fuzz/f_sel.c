/* Selectors: what parses means a part of the jobs, in their order, and its negation means the
 * others; what does not says why. */
#include "base/alloc.h"
#include "sel.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define JOBS 12

static json_t *jobs(void)
{
    static const char *const states[] = {"queued", "running", "paused", "failed"};
    json_t *list = json_array();

    for (int i = 0; i < JOBS; i++)
        (void)json_array_append_new(list,
            json_pack("{s:i, s:s, s:s, s:s, s:[s]}", "id", i + 1, "name", i % 3 ? "a" : "b",
                "state", states[i % 4], "reason", "r", "tags", i % 2 ? "t" : "u"));
    return list;
}

/* The jobs that `words` mean as bits; false where they are no selector. */
static bool bits(const json_t *all, const char *text, unsigned *ret)
{
    struct bbt_err err = {0};
    struct sel *s = NULL;
    json_t *got;
    long long last = 0;

    if (sel_parse(&text, 1, &s, &err) != BBT_OK) {
        assert(err.rc == BBT_INVALID && err.msg[0] && !s);
        return false;
    }
    got = sel_apply(s, all);
    *ret = 0;
    for (size_t i = 0; i < json_array_size(got); i++) {
        long long id = json_get_int(json_array_get(got, i), "id", 0);

        assert(id > last && id <= JOBS);
        last = id;
        *ret |= 1u << id;
    }
    if (sel_single(s) > 0 && sel_single(s) <= JOBS)
        assert(*ret == 1u << sel_single(s));
    json_decref(got);
    sel_free(s);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = bbt_strndup((const char *)data, size);
    char *not = bbt_asprintf("!%s", text);
    json_t *all = jobs();
    unsigned yes = 0, no = 0;

    if (bits(all, text, &yes) && !strpbrk(text, " !") && bits(all, not, &no))
        assert((yes & no) == 0 && (yes | no) == ((1u << JOBS) - 1) << 1);
    json_decref(all);
    bbt_free(not);
    bbt_free(text);
    return 0;
}
