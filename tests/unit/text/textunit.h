/* textunit.h -- what the text tests share: golden files, a generator, the test vocabularies. */
#ifndef TESTS_UNIT_TEXT_TEXTUNIT_H
#define TESTS_UNIT_TEXT_TEXTUNIT_H

#include "../base/unit.h"
#include "text/tok.h"

#include <stdio.h>
#include <stdlib.h>

/* Path of a committed golden file or folder; valid until the next call. */
static inline const char *golden_path(const char *name)
{
    static char path[1024];
    const char *root = getenv("BBT_TESTS");

    (void)snprintf(path, sizeof path, "%s/golden/text/%s", root ? root : "tests", name);
    return path;
}

static inline struct tok *golden_tok(const char *name)
{
    struct bbt_err err = {0};
    struct tok *t = NULL;

    if (tok_open(golden_path(name), &t, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return t;
}

/* splitmix64: random inputs that are the same on every machine. */
static inline uint64_t rnd(uint64_t *seed)
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Ids of `text` equal the n given ones. */
static inline void expect_ids(const struct tok *t, const char *text, size_t len, int space,
    const int32_t *want, size_t n)
{
    struct tok_ids ids = {0};
    struct bbt_err err = {0};

    assert_int_equal(tok_encode(t, text, len, space, &ids, &err), BBT_OK);
    assert_int_equal(ids.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids.id[i], want[i]);
    tok_ids_fini(&ids);
}

/* Pieces of `text`, each followed by a blank, equal `want`. */
static inline void expect_pieces(
    const struct tok *t, const char *text, int space, const char *want)
{
    struct tok_ids ids = {0};
    struct bbt_err err = {0};
    char got[4096] = "";
    size_t used = 0;

    assert_int_equal(tok_encode(t, text, strlen(text), space, &ids, &err), BBT_OK);
    for (size_t i = 0; i < ids.n; i++)
        used += (size_t)snprintf(
            got + used, sizeof got - used, "%s ", tok_piece(t, ids.id[i]));
    assert_true(used < sizeof got);
    assert_string_equal(got, want);
    tok_ids_fini(&ids);
}

#endif
