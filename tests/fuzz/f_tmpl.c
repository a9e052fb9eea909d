/* Templates: SLOTS ROOM PATTERN NUL text. What compiles either renders with
 * its mask in place and within the room, or says why not. */
#include "base/alloc.h"
#include "text/tmpl.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char WORDS[] = "[UNK]\n[CLS]\n[SEP]\n[MASK]\n[PAD]\nthe\na\n##a\n##b\n,\nn\n";
static const char PAIRS[] = "{\"<s>\":0,\"</s>\":1,\"<mask>\":2,\"<unk>\":3,\"a\":4,\"b\":5,"
                            "\"ab\":6,\"\\u0120\":7,\"\\u0120a\":8}";

static void check(const struct tmpl *t, struct tok *tok, const struct tmpl_input *in)
{
    struct tmpl_rendered r = {0};
    struct bbt_err err = {0};

    if (tmpl_render(t, tok, in, &r, &err) == BBT_OK) {
        assert(r.n <= in->max_len && r.mask_pos < r.n);
        assert(r.ids[r.mask_pos] == tok_special(tok)->mask);
        assert(r.ids[0] == tok_special(tok)->cls);
        assert(r.ids[r.n - 1] == tok_special(tok)->sep);
        assert((r.prompt_pos >= 0) == (tmpl_uses(t, TMPL_PROMPT) == 1));
        for (size_t i = 0; i < in->slots; i++)
            assert(r.ids[(size_t)r.prompt_pos + i] == in->prompt_ids[i]);
    } else {
        assert(err.rc == BBT_INVALID && err.msg[0] && !r.ids);
    }
    tmpl_rendered_fini(&r);
    tok_free(tok);
}

/* As plain text: whole with a word, or up to the mask where nothing stands behind it. */
static void check_text(const struct tmpl *t, const struct tmpl_input *in)
{
    struct bbt_err err = {0};
    struct bbt_buf whole, cut;

    buf_init(&whole, 1u << 16);
    buf_init(&cut, 1u << 16);
    if (tmpl_text(t, in->text_a, in->text_b, "word", &whole, &err) == BBT_OK) {
        assert(strstr((const char *)whole.data, "word"));
        if (tmpl_text(t, in->text_a, in->text_b, NULL, &cut, &err) == BBT_OK)
            assert(tmpl_mask_last(t) &&
                (cut.len == 0 || memcmp(whole.data, cut.data, cut.len) == 0));
        else
            assert(err.rc == BBT_INVALID);
    } else {
        assert(err.rc == BBT_INVALID && err.msg[0]);
    }
    buf_fini(&whole);
    buf_fini(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t prompt_ids[16];
    struct tmpl_input in = {.prompt_ids = prompt_ids};
    struct bbt_err err = {0};
    struct tok *tok = NULL;
    struct tmpl *t = NULL;
    struct tok_opts opts;
    const char *end;
    char *text;

    if (size < 2)
        return 0;
    in.slots = data[0] % 17;
    in.max_len = data[1];
    text = bbt_strndup((const char *)data + 2, size - 2); /* up to the first NUL */
    assert(text);
    end = memchr(data + 2, 0, size - 2);
    in.text_a = end ? bbt_strndup(end + 1, size - 2 - strlen(text) - 1) : bbt_strdup("");
    in.text_b = data[0] & 128 ? "a, b" : NULL;
    assert(in.text_a);
    if (tmpl_compile(text, &t, &err) == BBT_OK) {
        check_text(t, &in);
        tok_opts_default(&opts);
        assert(tok_new_wordpiece(WORDS, sizeof WORDS - 1, &opts, &tok, &err) == BBT_OK);
        check(t, tok, &in);
        assert(tok_new_bpe(PAIRS, sizeof PAIRS - 1, "a b", 3, &opts, &tok, &err) == BBT_OK);
        check(t, tok, &in);
    } else {
        assert(err.rc == BBT_INVALID && strncmp(err.msg, "column ", 7) == 0);
    }
    bbt_free((char *)(size_t)in.text_a);
    bbt_free(text);
    tmpl_free(t);
    return 0;
}
