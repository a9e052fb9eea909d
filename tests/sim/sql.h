/* sql.h -- questions to the store's tables behind the product's back, for the checkers. */
#ifndef SIM_SQL_H
#define SIM_SQL_H

#include "base/record.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* First column of the first row of a query with one parameter; -1 where there is none,
 * or where the disk does not let it be read. */
int64_t sql_number(struct store *s, const char *sql, int64_t param);

/* The first `n` columns of that row; false as above. */
bool sql_row(struct store *s, const char *sql, int64_t param, int64_t *ret, int n);

/* Whether table `mark` or `answer` has a row of this key. */
bool sql_key(struct store *s, const char *table, const struct rec_mark *key);

#endif
