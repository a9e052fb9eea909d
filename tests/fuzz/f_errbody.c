/* f_errbody.c -- error bodies: whatever comes in, what goes out is short, printable UTF-8.
 *
 * Input: size of the output, size of the code, the body. */
#include "prov/verdict.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *s, size_t room)
{
    char again[VERDICT_TEXT_MAX];

    if (strlen(s) >= room)
        abort();
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            abort();
    /* Clean text stays as it is: it holds no broken characters and no runs of blanks. */
    verdict_clean(s, strlen(s), again, sizeof again);
    if (strcmp(s, again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[VERDICT_TEXT_MAX], code[256];
    size_t room, code_room;

    if (size < 2)
        return 0;
    room = 1 + data[0] * 8u;
    code_room = 1 + data[1] % 255u;
    verdict_error_text(data + 2, size - 2, out, room, code, code_room);
    check(out, room);
    check(code, code_room);
    return 0;
}
