#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bbt_rc errno_rc(int e)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR:
        return BBT_NOTFOUND;
    case EACCES:
    case EPERM:
        return BBT_DENIED;
    case ENOMEM:
        return BBT_NOMEM;
    default:
        return BBT_IO;
    }
}

static enum bbt_rc fail_errno(struct bbt_err *err, const char *what, const char *path)
{
    int e = errno;

    return bbt_fail(err, errno_rc(e), "%s %s: %s", what, path, strerror(e));
}

enum bbt_rc file_read(const char *path, struct bbt_buf *ret, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;
    size_t before = ret->len;
    struct stat st;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "cannot open", path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = bbt_fail(err, BBT_INVALID, "%s is a folder, not a file", path);
        goto out;
    }
    for (;;) {
        uint8_t part[16384];
        ssize_t n = read(fd, part, sizeof part);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = fail_errno(err, "cannot read", path);
            goto out;
        }
        if (n == 0)
            goto out;
        rc = buf_put(ret, part, (size_t)n);
        if (rc == BBT_INVALID)
            rc = bbt_fail(err, rc, "%s is larger than %zu bytes", path, ret->max);
        else if (rc != BBT_OK)
            rc = bbt_fail(err, rc, "no memory for %s", path);
        if (rc != BBT_OK)
            goto out;
    }
out:
    (void)close(fd);
    if (rc != BBT_OK && ret->data) {
        ret->len = before;
        ret->data[before] = '\0';
    }
    return rc;
}

char *file_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    if (name[0] == '/' || !slash)
        return bbt_strdup(name);
    return bbt_asprintf("%.*s/%s", (int)(slash - path), path, name);
}

static enum bbt_rc write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return BBT_IO;
        bytes += n;
        len -= (size_t)n;
    }
    return BBT_OK;
}

static void sync_folder(const char *path)
{
    char *dir = file_beside(path, ".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    bbt_free(dir);
}

enum bbt_rc file_write(
    const char *path, const void *bytes, size_t len, unsigned mode, struct bbt_err *err)
{
    char *tmp = bbt_asprintf("%s.tmp", path);
    enum bbt_rc rc = BBT_OK;
    int fd = -1;

    if (!tmp)
        return bbt_fail(err, BBT_NOMEM, "no memory to write %s", path);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) {
        rc = fail_errno(err, "cannot create", tmp);
        goto out;
    }
    if (write_all(fd, bytes, len) != BBT_OK || fsync(fd) != 0) {
        rc = fail_errno(err, "cannot write", tmp);
        (void)unlink(tmp);
        goto out;
    }
    if (rename(tmp, path) != 0) {
        rc = fail_errno(err, "cannot rename to", path);
        (void)unlink(tmp);
        goto out;
    }
    sync_folder(path);
out:
    if (fd >= 0)
        (void)close(fd);
    bbt_free(tmp);
    return rc;
}
