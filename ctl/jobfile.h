/* jobfile.h -- a job file as the user has it: read, changed by --set, checked together with
 * its data, made ready for the wire. */
#ifndef CTL_JOBFILE_H
#define CTL_JOBFILE_H

#include "base/buf.h"
#include "ctl.h"
#include "faults.h"
#include "opt.h"
#include "spec/job.h"

enum jobfile_part { JOBFILE_TRAIN, JOBFILE_DEV, JOBFILE_TEST, JOBFILE_PARTS };

/* One data file. */
struct jobfile_data {
    char *path; /* NULL: the job has no such file */
    struct bbt_buf bytes;
    char sha256[65];
    size_t rows;
};

struct jobfile {
    const char *path; /* as named on the command line; lent */
    const char **set;
    char *own[2]; /* of these, what --window and --at stand for */
    struct yaml_doc *doc;
    json_t *tree; /* with the changes of the command line */
    struct job_spec *spec;
    struct jobfile_data data[JOBFILE_PARTS];
    struct faults faults;
};

/* Reads and checks; with `a`: --set, --name, --tag, --priority, --max-*, --window, --at.
 * CTL_OK, or it has been told (CTL_SPEC with every problem). To be ended with jobfile_fini() in
 * any case. */
int jobfile_load(
    const struct ctl *c, const char *path, const struct opt_args *a, struct jobfile *ret);
void jobfile_fini(struct jobfile *j);

/* The JSON that the daemon takes, data files named by content; freed by bbt_free(). NULL
 * without memory. */
char *jobfile_wire(struct jobfile *j);

/* Puts "a.b.c=value" into a tree of objects; the value is read as YAML, else it is a text.
 * BBT_INVALID where a step leads through something that is no section. */
BBT_NODISCARD enum bbt_rc jobfile_set(json_t *tree, const char *text, struct bbt_err *err);

#endif
