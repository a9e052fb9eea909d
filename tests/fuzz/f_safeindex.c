/* f_safeindex.c -- the index of a model in several files: the files that it names stay within
 * the model's folder and are numbered without gaps. */
#include "base/json.h"
#include "num/safeindex.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool law)
{
    if (!law)
        abort();
}

static void check(json_t *files)
{
    size_t n = json_object_size(files);
    json_int_t sum = 0;
    const char *name;
    json_t *number;

    json_object_foreach (files, name, number) {
        expect(name[0] && !strchr(name, '/') && strcmp(name, "..") && strcmp(name, "."));
        expect(json_is_integer(number));
        expect(json_integer_value(number) >= 0 && (size_t)json_integer_value(number) < n);
        sum += json_integer_value(number);
    }
    expect(n > 0 && (size_t)sum == n * (n - 1) / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *index = NULL, *files = NULL;

    if (json_parse(data, size, "index", &index, NULL) != BBT_OK)
        return 0;
    if (safeindex_files(index, "index", &files, NULL) == BBT_OK)
        check(files);
    else
        expect(!files);
    json_decref(files);
    json_decref(index);
    return 0;
}
