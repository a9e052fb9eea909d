/* replay.c -- runs a fuzz target over its committed corpus, and over every prefix and some
 * bit flips of each file: what the fuzzer once found stays found without a fuzzer. */
#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact-size copy, so that a read past the end is seen by the sanitizer. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert(copy);
    memcpy(copy, bytes, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_variants(uint8_t *bytes, size_t len)
{
    size_t step = len / 64 + 1;

    run(bytes, len);
    for (size_t cut = 0; cut < len; cut += step)
        run(bytes, cut);
    for (size_t at = 0; at < len; at += step) {
        uint8_t bit = (uint8_t)(1u << (at % 8));

        bytes[at] ^= bit;
        run(bytes, len);
        bytes[at] ^= bit;
    }
}

int main(int argc, char **argv)
{
    static uint8_t bytes[FILE_MAX];
    unsigned files = 0;
    struct dirent *e;
    DIR *dir;

    dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: replay CORPUS-FOLDER\n");
        return 2;
    }
    while ((e = readdir(dir))) {
        char path[4096];
        FILE *f;
        size_t n;

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        f = fopen(path, "rb");
        assert(f);
        n = fread(bytes, 1, sizeof bytes, f);
        (void)fclose(f);
        run_variants(bytes, n);
        files++;
    }
    (void)closedir(dir);
    printf("%u files\n", files);
    return files ? 0 : 1; /* an empty corpus proves nothing */
}
