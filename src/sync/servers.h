/* The addresses of other nameservers, by the names that NS records give them: from the zones that are served here, else
 * from resolvers (probe/resolver.h), each name asked for once whoever wants it, and kept for its TTL. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "answer/answer.h"
#include "base/addr.h"
#include "base/attr.h"

enum {
    SERVERS_NAMES_MOST = 10000, /* what whoever writes zones could make us ask for; more are not looked for */
    SERVERS_FAILED_SEC = 60,    /* until a name is asked for again that has no addresses, or of which nobody can tell */
};

struct servers;

/* Nobody is told any more. Its memory goes with the loop's next rounds. NULL is nothing. */
void servers_free(struct servers *servers);
/* `fn` is called, from the loop, when everything that was asked for is known, or known not to be. */
struct servers *servers_new(uv_loop_t *loop, const struct answer_shared *shared, void (*fn)(void *arg), void *arg)
    ATTR_FREED_BY(servers_free) ATTR_MUST_USE ATTR_NONNULL(1, 2, 3);
/* These are asked from now on (with ports; none: those of /etc/resolv.conf). */
void servers_use(struct servers *servers, const struct addr *resolvers, size_t cnt) ATTR_NONNULL(1);

/* Calls `fn` with every address of `name` (wire form) that is known, their port NOTIFY_PORT. False: not all is known,
 * or what is known is old; a resolver is being asked. */
bool servers_each(struct servers *servers, const uint8_t *name, void (*fn)(void *arg, const struct addr *addr),
                  void *arg) ATTR_NONNULL(1, 2, 3);
