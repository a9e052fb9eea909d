/* f_secret.c -- texts that may hold a key, as a server echoes them: after they were looked
 * through it is nowhere in them, and other bytes stayed. Input: how the key is planted, text. */
#include "base/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY "sk-Zk/9+aZk/9+bQQ"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool law)
{
    if (!law)
        abort();
}

/* The text with the key in its middle, or without. The caller's. */
static char *plant(const uint8_t *bytes, size_t len, size_t at, bool planted)
{
    size_t key = planted ? sizeof KEY - 1 : 0;
    char *text = malloc(len + key + 1);

    expect(text);
    memcpy(text, bytes, at);
    memcpy(text + at, KEY, key);
    memcpy(text + at + key, bytes + at, len - at);
    text[len + key] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret *key;
    char *text, *copy;

    if (size == 0)
        return 0;
    if (!key)
        expect(secret_new("key", KEY, sizeof KEY - 1, &key, NULL) == BBT_OK);
    text = plant(data + 1, size - 1, (size_t)data[0] % size, data[0] & 1);
    copy = strdup(text);
    expect(copy);
    secret_redact(text);
    expect(strlen(text) <= strlen(copy) && !strstr(text, KEY));
    if (!strcasestr(copy, "sk-"))
        expect(!strcmp(text, copy)); /* nothing in it could be one */
    free(text);
    free(copy);
    return 0;
}
