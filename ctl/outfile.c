#include "outfile.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int outfile_write(
    const struct ctl *c, const char *path, bool force, const void *bytes, size_t len)
{
    struct bbt_err err = {0};

    if (strcmp(path, "-") == 0) {
        if (c->tty_out)
            return ctl_fail(c, CTL_USAGE, "-o -: bytes are not for a terminal; name a file");
        return fwrite(bytes, 1, len, stdout) == len
            ? CTL_OK
            : ctl_fail(c, CTL_FAIL, "cannot write to standard output");
    }
    if (!force && access(path, F_OK) == 0)
        return ctl_fail(c, CTL_CONFLICT, "%s exists; --force overwrites it", path);
    if (file_write(path, bytes, len, 0644, &err) != BBT_OK)
        return ctl_fail(c, err.rc == BBT_DENIED ? CTL_DENIED : CTL_FAIL, "%s", err.msg);
    ctl_note(c, "wrote %s, %zu bytes", path, len);
    return CTL_OK;
}
