/* hostile.h -- an HTTP server that misbehaves on demand, on threads of its own.
 *
 * The scenario is the last segment of the request's path ("/v1/half"), or the one set
 * for all paths. Names: scenario.c's table. */
#ifndef SUPPORT_HOSTILE_H
#define SUPPORT_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

struct hostile;

/* Listens on 127.0.0.1:`port` (0: any), or on `unix_path` where that is not NULL. */
struct hostile *hostile_start(uint16_t port, const char *unix_path);
uint16_t hostile_port(const struct hostile *h);

/* Cuts every connection, ends the threads. */
void hostile_stop(struct hostile *h);

/* One scenario for every path; NULL: by path again. False for an unknown name. */
bool hostile_set(struct hostile *h, const char *scenario);

unsigned hostile_connections(const struct hostile *h);    /* accepted so far */
unsigned hostile_requests(const struct hostile *h);       /* completely read so far */
unsigned long long hostile_sent(const struct hostile *h); /* bytes written so far */

#endif
