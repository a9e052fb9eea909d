#include "base/killpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void killpoint_pass(const char *name)
{
    static atomic_ulong passes;
    const char *armed = getenv("BBT_KILLPOINT");
    size_t len = strlen(name);

    if (!armed || strncmp(armed, name, len) != 0 || armed[len] != ':')
        return;
    if (atomic_fetch_add(&passes, 1) + 1 == strtoul(armed + len + 1, NULL, 10))
        (void)kill(getpid(), SIGKILL);
}
