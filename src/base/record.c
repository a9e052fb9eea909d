#include "base/record.h"

#include <string.h>

static const char *const states[REC_STATE_NR] = {
    "queued", "running", "paused", "completed", "failed", "cancelled"};

static const char *const phases[REC_PHASE_NR] = {
    "train", "dev", "test", "manual", "calibrate", "probe", "predict"};

const char *rec_state_name(enum rec_state s)
{
    return (unsigned)s < REC_STATE_NR ? states[s] : "unknown";
}

enum rec_state rec_state_parse(const char *name)
{
    for (unsigned i = 0; i < REC_STATE_NR; i++)
        if (strcmp(name, states[i]) == 0)
            return (enum rec_state)i;
    return REC_STATE_NR;
}

const char *rec_phase_name(enum rec_phase p)
{
    return (unsigned)p < REC_PHASE_NR ? phases[p] : "unknown";
}
