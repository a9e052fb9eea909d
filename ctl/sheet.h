/* sheet.h -- "name  value" lines about one thing, and a JSON document instead with --json. */
#ifndef CTL_SHEET_H
#define CTL_SHEET_H

#include "ctl.h"

/* Where the form is JSON: prints `v` (lent) and returns true. */
bool sheet_json(const struct ctl *c, json_t *v);

/* One line; the value is shown safely. Nothing for an empty value. */
void sheet_line(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A counter with thousands apart, seconds, a time, a score of the member `key`. */
void sheet_count(const char *name, const json_t *obj, const char *key);
void sheet_seconds(const char *name, const json_t *obj, const char *key);
void sheet_time(const struct ctl *c, const char *name, const json_t *obj, const char *key);
void sheet_score(const char *name, const json_t *obj, const char *key, int digits);

/* An amount; nothing where it is 0 or absent. */
void sheet_money(const char *name, const json_t *obj, const char *key);

#endif
