/* upkeep.h -- what the daemon does for its database by itself: once an hour it lets go of
 * what the configuration does not keep. */
#ifndef DAEMON_UPKEEP_H
#define DAEMON_UPKEEP_H

#include "daemon.h"
#include "store/st_upkeep.h"

struct upkeep;

/* Starts the clock. */
BBT_NODISCARD enum bbt_rc upkeep_new(
    struct daemon *d, struct upkeep **ret, struct bbt_err *err);

/* Something is left to be let go of: looks now. NULL is fine. */
void upkeep_poke(struct upkeep *u);

/* Before the loop ends; when the lane has nothing of it any more. NULL is fine. */
void upkeep_free(struct upkeep *u);

/* What goes at this moment; loop thread (a reload changes the configuration there). */
struct store_retain upkeep_limits(const struct conf *conf);

#endif
