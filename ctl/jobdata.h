/* jobdata.h -- the data files of a job, checked before anything is sent: columns, labels,
 * template, examples per label. */
#ifndef CTL_JOBDATA_H
#define CTL_JOBDATA_H

#include "jobfile.h"

#define JOBDATA_BYTES_MAX (64u << 20) /* what the daemon takes */

/* Reads the files that j->spec names into j->data and notes every problem in j->faults: the
 * first of each data file, and those of the template. */
void jobdata_check(struct jobfile *j);

#endif
