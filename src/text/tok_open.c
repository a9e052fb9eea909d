/* tok_open.c -- tok_open(): finds out from a model folder's files which tokenizer it has. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "text/tok.h"

#include <string.h>

#define CONFIG_MAX (4u << 20) /* bytes; tokenizer_config.json can list added tokens */

struct folder {
    const char *dir;
    json_t *config, *tokenizer, *special; /* NULL where there is no such file */
    struct tok_opts opts;
};

/* A missing file is BBT_NOTFOUND and leaves *ret alone. */
static enum bbt_rc read_file(const struct folder *f, const char *name, size_t max,
    struct bbt_buf *ret, struct bbt_err *err)
{
    char *path = bbt_asprintf("%s/%s", f->dir, name);
    enum bbt_rc rc;

    buf_init(ret, max);
    if (!path)
        return bbt_fail(err, BBT_NOMEM, "no memory");
    rc = file_read(path, ret, err);
    bbt_free(path);
    if (rc != BBT_OK)
        buf_fini(ret);
    return rc;
}

/* NULL in *ret where the file is not there. */
static enum bbt_rc read_json(
    const struct folder *f, const char *name, json_t **ret, struct bbt_err *err)
{
    struct bbt_buf text;
    enum bbt_rc rc = read_file(f, name, CONFIG_MAX, &text, err);
    json_t *v = NULL;

    if (rc == BBT_NOTFOUND)
        return BBT_OK;
    if (rc != BBT_OK)
        return rc;
    rc = json_parse(text.data, text.len, name, &v, err);
    buf_fini(&text);
    if (rc == BBT_OK && !json_is_object(v)) {
        json_decref(v);
        return bbt_fail(err, BBT_INVALID, "%s: not an object", name);
    }
    if (rc == BBT_OK)
        *ret = v;
    return rc;
}

/* A special token is a string, or an object with its text as "content". */
static const char *token_text(const json_t *file, const char *key)
{
    const json_t *v = json_object_get(file, key);

    return json_is_object(v) ? json_get_str(v, "content", NULL) : json_string_value(v);
}

static const char *token_name(const struct folder *f, const char *key)
{
    const char *name = token_text(f->tokenizer, key);

    return name ? name : token_text(f->special, key);
}

static void read_opts(struct folder *f)
{
    struct tok_opts *o = &f->opts;
    const json_t *file = f->tokenizer;

    tok_opts_default(o);
    o->lower = json_get_bool(file, "do_lower_case", o->lower);
    o->strip_accents = json_get_bool(file, "strip_accents", o->strip_accents);
    o->space_cjk = json_get_bool(file, "tokenize_chinese_chars", o->space_cjk);
    o->add_prefix_space = json_get_bool(file, "add_prefix_space", o->add_prefix_space);
    o->cls = token_name(f, "cls_token");
    o->sep = token_name(f, "sep_token");
    o->mask = token_name(f, "mask_token");
    o->pad = token_name(f, "pad_token");
    o->unk = token_name(f, "unk_token");
}

static enum bbt_rc open_wordpiece(
    const struct folder *f, struct tok **ret, struct bbt_err *err)
{
    struct bbt_buf vocab;
    enum bbt_rc rc = read_file(f, "vocab.txt", TOK_FILE_MAX, &vocab, err);

    if (rc == BBT_OK)
        rc = tok_new_wordpiece(vocab.data, vocab.len, &f->opts, ret, err);
    buf_fini(&vocab);
    return rc;
}

static enum bbt_rc open_bpe(const struct folder *f, struct tok **ret, struct bbt_err *err)
{
    struct bbt_buf vocab, merges;
    enum bbt_rc rc = read_file(f, "vocab.json", TOK_FILE_MAX, &vocab, err);

    buf_init(&merges, TOK_FILE_MAX);
    if (rc == BBT_OK)
        rc = read_file(f, "merges.txt", TOK_FILE_MAX, &merges, err);
    if (rc == BBT_OK)
        rc = tok_new_bpe(
            vocab.data, vocab.len, merges.data, merges.len, &f->opts, ret, err);
    buf_fini(&vocab);
    buf_fini(&merges);
    return rc;
}

/* Families with byte-level BPE, among those of config.json's model_type. */
static int is_bpe_family(const struct folder *f)
{
    const char *type = json_get_str(f->config, "model_type", "");

    return strcmp(type, "roberta") == 0 || strcmp(type, "gpt2") == 0;
}

static enum bbt_rc open_either(
    const struct folder *f, struct tok **ret, struct bbt_err *err)
{
    int bpe_first = is_bpe_family(f);
    enum bbt_rc rc = bpe_first ? open_bpe(f, ret, err) : open_wordpiece(f, ret, err);

    if (rc == BBT_NOTFOUND)
        rc = bpe_first ? open_wordpiece(f, ret, err) : open_bpe(f, ret, err);
    if (rc == BBT_NOTFOUND)
        return bbt_fail(err, rc, "no vocabulary (vocab.txt, or vocab.json and merges.txt)");
    return rc;
}

enum bbt_rc tok_open(const char *dir, struct tok **ret, struct bbt_err *err)
{
    struct folder f = {.dir = dir};
    struct bbt_err why = {0};
    struct tok *t = NULL;
    long long rows;
    enum bbt_rc rc;

    rc = read_json(&f, "config.json", &f.config, &why);
    if (rc == BBT_OK)
        rc = read_json(&f, "tokenizer_config.json", &f.tokenizer, &why);
    if (rc == BBT_OK)
        rc = read_json(&f, "special_tokens_map.json", &f.special, &why);
    if (rc != BBT_OK)
        goto out;
    read_opts(&f);
    rc = open_either(&f, &t, &why);
    if (rc != BBT_OK)
        goto out;
    rows = json_get_int(f.config, "vocab_size", (long long)tok_vocab_size(t));
    if (rows < 0 || (unsigned long long)rows < tok_vocab_size(t)) {
        rc = bbt_fail(&why, BBT_INVALID,
            "the vocabulary has %zu pieces, config.json says vocab_size %lld",
            tok_vocab_size(t), rows);
        goto out;
    }
    *ret = t;
    t = NULL; /* the caller's now */
out:
    tok_free(t);
    json_decref(f.config);
    json_decref(f.tokenizer);
    json_decref(f.special);
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "%s: %s", dir, why.msg);
}
