/* What keeps a hostile server from holding the probe thread within OpenSSL, which goes on reading for as long as there
 * is something to read and asks nobody in between: whoever sends one handshake message after the other (requests to
 * begin anew, session tickets), or has a key agreed upon by numbers of ten thousand bits, is never back before his
 * deadline is long over. A guard looks at a connection's messages and records as they come, and cuts the connection
 * when there are too many; of Diffie and Hellman's numbers it takes none that are too long.
 *
 * Shared between the SSL_CTX it is set on and whoever has made it: the library may be done with the connection sooner
 * or later than its owner. [probe] */
#pragma once

#include "base/attr.h"

enum {
    /* A handshake has some ten messages, and a few tickets follow. */
    TLS_GUARD_MESSAGES_MAX = 64,
    /* Several times what certificates (100 KiB), head (16 KiB) and body (64 KiB) may have, as HTTP frames them. */
    TLS_GUARD_BYTES_MAX = 4 * 1024 * 1024,
    TLS_GUARD_DH_BITS_MAX = 4096,
};

struct ssl_ctx_st;
struct tls_guard;

void tls_guard_put(struct tls_guard *guard);
/* Sets one on a context that is for one connection, over the socket `fd`, which stays open as long as anything is read
 * there. */
struct tls_guard *tls_guard_new(struct ssl_ctx_st *context, int fd) ATTR_FREED_BY(tls_guard_put) ATTR_MUST_USE
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* What it has stopped the connection for, in words of a reason (static); NULL: nothing. */
const char *tls_guard_problem(const struct tls_guard *guard) ATTR_NONNULL_ALL;
