/* task_data.h -- inside of a task: its data sets out of the files. */
#ifndef ENGINE_TASK_DATA_H
#define ENGINE_TASK_DATA_H

#include "engine/task.h"

/* Fills the task's sets, and its demonstrations where the job wants them; template, labels and
 * limits are there. On failure a part may be filled. BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc task_data(
    const struct task_input *in, struct task *t, struct bbt_err *err);

#endif
