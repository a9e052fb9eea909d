/* k_validate.c -- bbtctl validate: a job file and its data, without a daemon unless asked. */
#include "cmd.h"

#include "fmt.h"
#include "jobfile.h"
#include "safe.h"

#include <stdio.h>

static void tell(const struct ctl *c, const struct jobfile *j)
{
    const struct job_spec *s = j->spec;

    if (ctl_json(c))
        return;
    safe_printf(stdout,
        "%s: valid. %s: %zu labels, train %zu, dev %zu, test %zu rows, at most %llu "
        "evaluations",
        j->path, s->name, s->labels.nr, j->data[JOBFILE_TRAIN].rows, j->data[JOBFILE_DEV].rows,
        j->data[JOBFILE_TEST].rows, (unsigned long long)job_spec_evaluations_max(s));
    (void)putchar('\n');
}

/* What the daemon's configuration and the model's tokenizer say to it. */
static int check_online(struct ctl *c, struct jobfile *j)
{
    json_t *answer = NULL;
    int code = cmd_check_online(c, j, &answer);

    json_decref(answer);
    return code;
}

int k_validate(struct ctl *c, const struct opt_args *a)
{
    int worst = CTL_OK;
    size_t good = 0;

    for (size_t i = 0; i < a->pos_n; i++) {
        struct jobfile j;
        int code = jobfile_load(c, a->pos[i], a, &j);

        if (code == CTL_OK && opt_has(a, "online"))
            code = check_online(c, &j);
        if (code == CTL_OK) {
            tell(c, &j);
            good++;
        } else {
            worst = code;
        }
        jobfile_fini(&j);
    }
    if (ctl_json(c) && worst == CTL_OK)
        safe_json(stdout, json_pack("{s:s, s:s, s:b, s:I}", "apiVersion", "v1", "kind",
                              "Validation", "valid", 1, "files", (json_int_t)good));
    else if (worst == CTL_OK && a->pos_n == 1)
        ctl_note(c, "Next: bbtctl submit %s", a->pos[0]);
    return worst;
}
