/* sql.h -- questions to the store's tables behind the product's back, for the checkers. */
#ifndef SIM_SQL_H
#define SIM_SQL_H

#include <stdint.h>

struct store;

/* First column of the first row of a query with one parameter; -1 where there is none. */
int64_t sql_number(struct store *s, const char *sql, int64_t param);

#endif
