/* netfs.c -- preloaded: every file system says that it is NFS. */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/vfs.h>

#define NFS 0x6969

int statfs64(const char *path, struct statfs64 *buf)
{
    int (*real)(const char *, struct statfs64 *) =
        (int (*)(const char *, struct statfs64 *))(size_t)dlsym(RTLD_NEXT, "statfs64");
    int rc = real ? real(path, buf) : -1;

    if (rc == 0)
        buf->f_type = NFS;
    return rc;
}
