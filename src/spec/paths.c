#include "spec/paths.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory variable counts only where it is an absolute path, as the XDG rules have
 * it. */
static const char *dir_env(const char *name)
{
    const char *v = getenv(name);

    return v && v[0] == '/' ? v : NULL;
}

char *paths_socket_system(void)
{
    return bbt_strdup("/run/bbtd/bbtd.sock");
}

char *paths_socket(void)
{
    const char *dir = dir_env("XDG_RUNTIME_DIR");

    return dir ? bbt_asprintf("%s/bbtd/bbtd.sock", dir) : paths_socket_system();
}

/* `xdg` wins; root uses `system`; everybody else `home` below the home folder. */
static char *choose(
    const char *xdg, const char *file, const char *home, const char *system)
{
    const char *dir = dir_env(xdg), *house = dir_env("HOME");

    if (dir)
        return bbt_asprintf("%s/%s", dir, file);
    if (getuid() == 0 || !house)
        return bbt_strdup(system);
    return bbt_asprintf("%s/%s/%s", house, home, file);
}

char *paths_state(void)
{
    const char *unit = dir_env("STATE_DIRECTORY");

    if (unit) /* a list; ours has one entry */
        return bbt_strndup(unit, strcspn(unit, ":"));
    return choose("XDG_STATE_HOME", "bbtd", ".local/state", "/var/lib/bbtd");
}

char *paths_config(void)
{
    return choose(
        "XDG_CONFIG_HOME", "bbtd/bbtd.yaml", ".config", "/etc/bbtd/bbtd.yaml");
}
