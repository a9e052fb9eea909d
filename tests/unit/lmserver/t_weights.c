/* Model folders that are not what they say: a sentence that names the tensor, never a crash. */
#include "lmtest.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "num/safetens.h"
#include "weights.h"

#include <math.h>

static char dir[64] = "/tmp/t-weights-XXXXXX";

/* What to do to one tensor of a good model while copying it. */
struct harm {
    const char *tensor; /* NULL: nothing */
    enum { LEAVE, DROP, TURN, SHORTEN, POISON, RENAME } how;
    float poison;
    const char *name; /* of RENAME */
};

static void put(const char *name, const void *bytes, size_t len)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write(path, bytes, len, 0600, NULL), BBT_OK);
}

/* Copies golden model `from` into the folder, with the harm done. */
static void copy(const char *from, const struct harm *harm)
{
    struct safetens_out out[64];
    struct safetens *st = NULL;
    struct bbt_buf buf;
    char path[1100];
    size_t n = 0;

    assert_int_equal(safetens_open_dir(lmtest_path(from), &st, NULL), BBT_OK);
    for (size_t i = 0; i < safetens_count(st); i++) {
        const struct safetens_item *it = safetens_at(st, i);
        struct safetens_out *o = &out[n];
        float *data = bbt_alloc_array(it->count, sizeof *data);
        int hit = harm->tensor && !strcmp(it->name, harm->tensor);

        assert_int_equal(safetens_floats(it, data, NULL), BBT_OK);
        *o = (struct safetens_out){it->name, data, it->rank, {it->shape[0], it->shape[1]}};
        if (hit && harm->how == TURN) {
            o->shape[0] = it->shape[1];
            o->shape[1] = it->shape[0];
        } else if (hit && harm->how == SHORTEN) {
            o->shape[0]--;
        } else if (hit && harm->how == POISON) {
            data[it->count / 2] = harm->poison;
        } else if (hit && harm->how == RENAME) {
            o->name = harm->name;
        }
        if (hit && harm->how == DROP)
            bbt_free(data);
        else
            n++;
    }
    buf_init(&buf, 1u << 24);
    assert_int_equal(safetens_write(out, n, NULL, &buf, NULL), BBT_OK);
    put("model.safetensors", buf.data, buf.len);
    buf.len = 0;
    (void)snprintf(path, sizeof path, "%s/config.json", lmtest_path(from));
    assert_int_equal(file_read(path, &buf, NULL), BBT_OK);
    put("config.json", buf.data, buf.len);
    buf_fini(&buf);
    for (size_t i = 0; i < n; i++)
        bbt_free((float *)(uintptr_t)out[i].data);
    safetens_free(st);
}

static void loads(const char *from, const struct harm *harm)
{
    struct weights *w = NULL;
    struct bbt_err err = {0};

    copy(from, harm);
    if (weights_load(dir, &w, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    weights_free(w);
}

static void refused(const char *from, const struct harm *harm, const char *part)
{
    struct weights *w = NULL;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    copy(from, harm);
    rc = weights_load(dir, &w, &err);
    lmtest_refused((int)rc, BBT_INVALID, err.msg, part, harm->tensor);
    if (!strstr(err.msg, harm->tensor) || w)
        fail_msg("'%s' does not name %s", err.msg, harm->tensor);
}

static void every_tensor_is_needed(void **state)
{
    static const char *const models[] = {"bert-f32", "roberta-f32"};
    (void)state;

    for (size_t m = 0; m < 2; m++) {
        struct safetens *st = NULL;

        assert_int_equal(safetens_open_dir(lmtest_path(models[m]), &st, NULL), BBT_OK);
        for (size_t i = 0; i < safetens_count(st); i++) {
            const char *name = safetens_at(st, i)->name;
            struct harm gone = {.tensor = name, .how = DROP};
            struct harm nan = {.tensor = name, .how = POISON, .poison = NAN};

            /* its other name is asked for last */
            if (!strcmp(name, "cls.predictions.bias") || !strcmp(name, "lm_head.bias"))
                continue;
            refused(models[m], &gone, "is missing");
            refused(models[m], &nan, "not finite");
        }
        safetens_free(st);
    }
}

static void wrong_shapes(void **state)
{
    static const struct harm harms[] = {
        {.tensor = "bert.embeddings.word_embeddings.weight", .how = SHORTEN},
        {.tensor = "bert.embeddings.word_embeddings.weight", .how = TURN},
        {.tensor = "bert.embeddings.position_embeddings.weight", .how = SHORTEN},
        {.tensor = "bert.encoder.layer.1.intermediate.dense.weight", .how = TURN},
        {.tensor = "bert.encoder.layer.0.attention.self.key.weight", .how = SHORTEN},
        {.tensor = "bert.encoder.layer.0.attention.self.value.bias", .how = SHORTEN},
        {.tensor = "cls.predictions.transform.LayerNorm.bias", .how = SHORTEN},
        {.tensor = "cls.predictions.bias", .how = SHORTEN},
    };
    const struct harm inf = {
        .tensor = "bert.encoder.layer.0.output.dense.bias", .how = POISON, .poison = INFINITY};
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(harms); i++)
        refused("bert-f32", &harms[i], "config.json asks for [");
    refused("bert-f32", &inf, "not finite (element 16)");
}

static void other_names(void **state)
{
    const struct harm none = {0};
    const struct harm gamma = {.tensor = "bert.embeddings.LayerNorm.weight", .how = RENAME,
        .name = "bert.embeddings.LayerNorm.gamma"};
    const struct harm bias = {.tensor = "cls.predictions.bias", .how = RENAME,
        .name = "cls.predictions.decoder.bias"};
    (void)state;

    loads("bert-f32", &none);
    loads("bert-f32", &gamma);
    loads("bert-f32", &bias);
    loads("roberta-bf16", &none);
}

static void moments(void **state)
{
    struct weights *w = NULL;
    double sum = 0, square = 0;
    size_t n = 120 * 32;
    (void)state;

    assert_int_equal(weights_load(lmtest_path("bert-f16"), &w, NULL), BBT_OK);
    for (size_t i = 0; i < n; i++) {
        sum += (double)w->words[i];
        square += (double)w->words[i] * (double)w->words[i];
    }
    assert_true(fabs(w->words_mean - sum / (double)n) < 1e-12);
    assert_true(fabs(w->words_std * w->words_std -
                     (square / (double)n - w->words_mean * w->words_mean)) < 1e-12);
    assert_true(w->words_std > 0.25 && w->words_std < 0.35); /* drawn with 0.3 */
    weights_free(w);
}

static void missing_files(void **state)
{
    struct weights *w = NULL;
    struct bbt_err err = {0};
    const struct harm none = {0};
    (void)state;

    assert_int_equal(weights_load("/nonexistent/model", &w, &err), BBT_NOTFOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/model/config.json"));
    copy("bert-f32", &none);
    put("model.safetensors", "\x08\0\0\0\0\0\0\0{}", 10);
    assert_int_equal(weights_load(dir, &w, &err), BBT_INVALID);
    put("model.safetensors", "", 0);
    assert_int_equal(weights_load(dir, &w, &err), BBT_INVALID);
    assert_null(w);
}

static void memory_runs_out(void **state)
{
    long k;
    (void)state;

    for (k = 0; k < 1000; k++) {
        struct weights *w = NULL;
        struct bbt_err err = {0};
        enum bbt_rc rc;

        (void)bbt_alloc_fault(k, 0);
        rc = weights_load(lmtest_path("bert-f16"), &w, &err);
        (void)bbt_alloc_fault(-1, 0);
        if (rc == BBT_OK) {
            weights_free(w);
            break;
        }
        assert_int_equal(rc, BBT_NOMEM);
        assert_null(w);
    }
    assert_true(k > 30 && k < 1000);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_needed),
        cmocka_unit_test(wrong_shapes),
        cmocka_unit_test(other_names),
        cmocka_unit_test(moments),
        cmocka_unit_test(missing_files),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, make_dir, NULL);
}
