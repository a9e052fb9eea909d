/* k_list.c -- bbtctl list: the jobs of a selector. */
#include "cmd.h"

#include "jobs.h"

int k_list(struct ctl *c, const struct opt_args *a)
{
    json_t *jobs = NULL;
    int code = jobs_select(c, a, 0, true, &jobs);

    if (code != CTL_OK)
        return code;
    code = grid_list(c, "JobList", jobs_cols, jobs_cols_n, jobs);
    if (json_array_size(jobs) == 0 && !ctl_json(c))
        ctl_note(c, "No jobs yet. The first: bbtctl submit FILE");
    json_decref(jobs);
    return code;
}
