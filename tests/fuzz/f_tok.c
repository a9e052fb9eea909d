/* Vocabularies and texts. First byte: 0 vocab.txt NUL text, 1 vocab.json NUL merges.txt NUL
 * text, else a text for two fixed vocabularies. What loads must encode any text into ids that
 * have a piece, the same ones twice. */
#include "base/alloc.h"
#include "text/tok.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char WORDS[] = "[UNK]\n[CLS]\n[SEP]\n[MASK]\n[PAD]\nthe\na\n##a\n##b\n,\nn\n";
static const char PAIRS[] =
    "{\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3,\"\\u0120\":4,\"\\u0120a\":5,\"\\u00c3\":6,"
    "\"\\u00a9\":7,\"\\u00c3\\u00a9\":8}";
static const char MERGES[] = "#version: 0.2\na b\n\xC4\xA0 a\n\xC3\x83 \xC2\xA9\n";

static void check(struct tok *t, const uint8_t *text, size_t len)
{
    struct tok_ids ids = {0}, again = {0};
    struct bbt_err err = {0};

    if (!t)
        return;
    assert(tok_encode(t, (const char *)text, len, 1, &ids, &err) == BBT_OK);
    assert(tok_encode(t, (const char *)text, len, 1, &again, &err) == BBT_OK);
    assert(ids.n == again.n && ids.n <= 3 * len + 1);
    for (size_t i = 0; i < ids.n; i++)
        assert(ids.id[i] == again.id[i] && tok_piece(t, ids.id[i]));
    tok_ids_fini(&ids);
    tok_ids_fini(&again);
    tok_free(t);
}

/* Cuts at the first NUL; the rest is what follows it. */
static size_t cut(const uint8_t **at, size_t *left)
{
    const uint8_t *nul = *left ? memchr(*at, 0, *left) : NULL;
    size_t n = nul ? (size_t)(nul - *at) : *left, used = nul ? n + 1 : n;

    *at += used;
    *left -= used;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t left = size ? size - 1 : 0, vocab_len, merges_len;
    const uint8_t *at = data + (size > 0), *vocab = at, *merges;
    struct tok_opts opts;
    struct bbt_err err = {0};
    struct tok *t = NULL;

    if (size == 0)
        return 0;
    tok_opts_default(&opts);
    if (data[0] == 0) {
        vocab_len = cut(&at, &left);
        if (tok_new_wordpiece(vocab, vocab_len, &opts, &t, &err) != BBT_OK)
            assert(err.rc == BBT_INVALID && strncmp(err.msg, "vocab.txt", 9) == 0);
        check(t, at, left);
    } else if (data[0] == 1) {
        vocab_len = cut(&at, &left);
        merges = at;
        merges_len = cut(&at, &left);
        if (tok_new_bpe(vocab, vocab_len, merges, merges_len, &opts, &t, &err) != BBT_OK)
            assert(err.rc == BBT_INVALID && err.msg[0]);
        check(t, at, left);
    } else {
        assert(tok_new_wordpiece(WORDS, sizeof WORDS - 1, &opts, &t, &err) == BBT_OK);
        check(t, at, left);
        assert(tok_new_bpe(PAIRS, sizeof PAIRS - 1, MERGES, sizeof MERGES - 1, &opts, &t,
                   &err) == BBT_OK);
        check(t, at, left);
    }
    return 0;
}
