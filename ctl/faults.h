/* faults.h -- everything that is wrong with a job file and its data, told at once: a line
 * each for people, a list for programs. */
#ifndef CTL_FAULTS_H
#define CTL_FAULTS_H

#include "base/yaml.h"
#include "ctl.h"
#include "spec/problem.h"

#define FAULTS_MAX 100

struct faults {
    const char *file;            /* as the user named it; lent */
    const struct yaml_doc *doc;  /* NULL: not read yet; lent */
    const char *const *set;      /* --set arguments, "a.b=value"; lent */
    size_t set_n;
    char *line[FAULTS_MAX];
    size_t n;
    json_t *list;
};

/* Empty. `file` and what is set later are lent for its life. */
void faults_init(struct faults *f, const char *file);
void faults_fini(struct faults *f);

/* One at a value (or key) of the job file. Where --set put it, the line says so. */
void faults_add(struct faults *f, const struct spec_problem *p);
void faults_at(struct faults *f, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One whose sentence already names its place ("dev.tsv:88: ..."). */
void faults_line(struct faults *f, const char *text);

/* Tells them all. CTL_SPEC, or CTL_OK where there are none. */
int faults_tell(const struct ctl *c, const struct faults *f);

#endif
