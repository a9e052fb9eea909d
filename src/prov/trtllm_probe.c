/* trtllm_probe.c -- start-up of the trtllm dialect: is the deployment one that takes a prompt
 * table and gives logits, and trial questions. */
#include "prov/trtllm.h"

#include "base/json.h"
#include "prov/adapters.h"
#include "prov/canary.h"
#include "prov/decl.h"
#include "prov/dialog.h"
#include "prov/kserve2.h"
#include "prov/tensor.h"

#include <stdio.h>
#include <string.h>

/* The first ones are kserve2's own. */
enum step { STEP_SERVER, STEP_HEALTH, STEP_MODEL, STEP_READY, STEP_CANARY };

const struct trtllm_decl trtllm_inputs[TRTLLM_INPUTS] = {
    [TRTLLM_INPUT_LENGTHS] = {"input_lengths", "INT32", true},
    [TRTLLM_OUTPUT_LEN] = {"request_output_len", "INT32", true},
    [TRTLLM_WANT_LOGITS] = {"return_generation_logits", "BOOL", true},
    [TRTLLM_TABLE_ROWS] = {"prompt_vocab_size", "INT32", false},
    [TRTLLM_END_ID] = {"end_id", "INT32", false},
    [TRTLLM_PAD_ID] = {"pad_id", "INT32", false},
    [TRTLLM_BEAM_WIDTH] = {"beam_width", "INT32", false},
    [TRTLLM_TOP_K] = {"runtime_top_k", "INT32", false},
};

enum bbt_rc trtllm_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    if (step >= STEP_CANARY)
        return canary_next(&trtllm_adapter, m, step - STEP_CANARY, ret, err);
    return kserve2_probe_next(m, step, ret, err);
}

/* ---- the model's tensors ---- */

static size_t fixed(long long dim)
{
    return dim > 0 ? (size_t)dim : 0;
}

static enum bbt_rc take_inputs(
    struct prov_model *m, const struct decl_list *in, struct bbt_err *err)
{
    const struct decl *d;

    if (decl_pick(in, "input_ids", m->tensor.input_ids, "input_ids", &d, err) != BBT_OK)
        return BBT_INVALID;
    if (!d)
        return bbt_fail(err, BBT_INVALID, "the model declares no input \"input_ids\"");
    if (d->type != PROV_INT32 || d->rank != 2)
        return decl_refuse(d, "TensorRT-LLM's backend takes token ids as INT32 [1,tokens]", err);
    m->type_ids = d->type;
    m->inputs = 0;
    for (unsigned i = 0; i < TRTLLM_INPUTS; i++) {
        const struct trtllm_decl *want = &trtllm_inputs[i];

        d = decl_named(in, want->name);
        if (!d && want->needed)
            return bbt_fail(err, BBT_INVALID,
                "the model declares no input \"%s\": it is not TensorRT-LLM's backend, or one "
                "that gives no logits", want->name);
        if (d && (strcmp(d->type_name, want->type) != 0 || d->rank != 2))
            return decl_refuse(d, "INT32 [1,1] is due, or BOOL for a switch", err);
        m->inputs |= (uint32_t)(d != NULL) << i;
    }
    d = decl_named(in, TRTLLM_EXTRA_NAME);
    if (d && (strcmp(d->type_name, "UINT64") != 0 || d->rank != 2))
        return decl_refuse(d, "UINT64 [1,tokens] is due", err);
    m->inputs |= (uint32_t)(d != NULL) << TRTLLM_EXTRA_IDS;
    return BBT_OK;
}

static enum bbt_rc take_table(
    struct prov_model *m, const struct decl_list *in, struct bbt_err *err)
{
    const struct decl *d;
    size_t hidden;

    m->type_prompt = PROV_TYPE_NONE;
    if (decl_pick(in, "prompt_embedding", m->tensor.prompt_embedding,
            "prompt_embedding_table", &d, err) != BBT_OK)
        return BBT_INVALID;
    if (!d || !(m->inputs & 1u << TRTLLM_TABLE_ROWS))
        return BBT_OK; /* the baselines can be measured */
    if ((d->type != PROV_FP16 && d->type != PROV_BF16 && d->type != PROV_FP32) || d->rank != 3)
        return decl_refuse(d, "bbtd sends a table of FP16, BF16 or FP32 [1,rows,H]", err);
    hidden = fixed(d->shape[2]);
    if (m->hidden && hidden && m->hidden != hidden)
        return bbt_fail(err, BBT_INVALID,
            "the prompt is configured with %zu numbers per row, the model takes %zu",
            m->hidden, hidden);
    /* A width of 0 stays, where none is wanted: then no trial prompts are sent. */
    m->prompt_rows_fixed = fixed(d->shape[1]);
    m->type_prompt = d->type;
    return BBT_OK;
}

static enum bbt_rc take_logits(
    struct prov_model *m, const struct decl_list *out, struct bbt_err *err)
{
    const struct decl *d;

    if (decl_pick(out, "logits", m->tensor.logits, "generation_logits", &d, err) != BBT_OK)
        return BBT_INVALID;
    if (!d)
        return bbt_fail(err, BBT_INVALID,
            "the model declares no output \"generation_logits\" (build the engine with "
            "--gather_generation_logits)");
    if (d->type == PROV_TYPE_NONE || tensor_is_int(d->type) || d->rank != 4)
        return decl_refuse(d, "bbtd reads reals [1,beam,steps,vocabulary]", err);
    if (fixed(d->shape[3]) && fixed(d->shape[3]) < m->vocab)
        return bbt_fail(err, BBT_INVALID,
            "vocab_size is %zu in the configuration, the model's logits have %zu columns",
            m->vocab, fixed(d->shape[3]));
    m->type_logits = d->type;
    return BBT_OK;
}

static enum bbt_rc take_model(
    struct prov_model *m, const struct prov_reply *r, struct bbt_err *err)
{
    struct decl_list in = {0}, out = {0};
    json_t *root = NULL;
    enum bbt_rc rc;

    if (r->status != 200)
        return dialog_refused(r, "model metadata", err);
    if (m->vocab == 0)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\": the size of the vocabulary is not known (set vocab_size)", m->name);
    if (m->binary == PROV_BINARY_OFF)
        return bbt_fail(err, BBT_INVALID,
            "model \"%s\": a table of FP16 cannot travel as JSON (leave binary out)", m->name);
    m->use_binary = true; /* Triton can, whatever a proxy keeps of its description */
    rc = dialog_open(r, &root, err);
    if (rc == BBT_OK)
        rc = decl_read(root, "inputs", &in, err);
    if (rc == BBT_OK)
        rc = decl_read(root, "outputs", &out, err);
    if (rc == BBT_OK)
        rc = take_inputs(m, &in, err);
    if (rc == BBT_OK)
        rc = take_table(m, &in, err);
    if (rc == BBT_OK)
        rc = take_logits(m, &out, err);
    if (rc == BBT_OK)
        (void)snprintf(
            m->platform, sizeof m->platform, "%s", json_get_str(root, "platform", ""));
    json_decref(root);
    return rc;
}

enum bbt_rc trtllm_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    enum bbt_rc rc;

    m->probed = false;
    if (step >= STEP_CANARY)
        return canary_take(&trtllm_adapter, m, step - STEP_CANARY, r, err);
    if (step == STEP_MODEL)
        return take_model(m, r, err);
    rc = kserve2_probe_take(m, step, r, err);
    m->probed = rc == BBT_OK && step + 1 == STEP_CANARY && canary_steps(&trtllm_adapter, m) == 0;
    return rc;
}
