/* listen.h -- inside of src/web: sockets that listen. */
#ifndef WEB_LISTEN_H
#define WEB_LISTEN_H

#include "base/err.h"

#include <stdint.h>

/* Bound, listening, non-blocking and close-on-exec; the caller closes *ret_fd. */
BBT_NODISCARD enum bbt_rc listen_unix(
    const char *path, unsigned mode, int *ret_fd, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc listen_tcp(const char *host, uint16_t port, int *ret_fd,
    uint16_t *ret_port, struct bbt_err *err);

#endif
