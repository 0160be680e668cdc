/* A listening unix socket on the file system: takes over the path of a dead process, never that of a live one, and
 * removes its own file at the end. [control], blocking only for local file operations. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"

struct unix_socket {
    int fd; /* non-blocking, listening */
    char *path;
    dev_t dev; /* of the file, to know it again: while the socket is open, no other file gets its inode */
    ino_t ino;
    bool made_dir; /* its folder was made here */
};

/* Listens at `path` with `mode` (never anything more open, not even for a moment); makes its folder (mode 0755, the
 * last component only) when missing. Errors to `diag`: ERR_EXISTS (a live process listens there), ERR_INVALID (over 107
 * bytes, or no socket is what stands there), ERR_IO. */
enum err unix_socket_open(struct unix_socket *sock, const char *path, mode_t mode, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Makes the file (and the folder made here) belong to another user. ERR_IO. */
enum err unix_socket_give_to(const struct unix_socket *sock, uid_t uid, gid_t gid, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Stops listening, removes the file unless another one stands there by now. */
void unix_socket_close(struct unix_socket *sock) ATTR_NONNULL_ALL;
