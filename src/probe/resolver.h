/* Asks resolvers for the addresses of names outside our own zones: c-ares behind the loop's sockets and timers, and the
 * only user of it. A request is for one family, for c-ares 1.18 tells success for both when one failed; DNS only, no
 * /etc/hosts, no search domains; truncated answers are asked for again over TCP. Nothing here waits: a request's
 * function is called later, always.
 *
 * Bounds: RESOLVER_FLIGHT_MAX requests are under way at a time, others wait their turn. Servers are asked in the order
 * given, each for RESOLVER_TRY_MS, RESOLVER_TRIES times round, until one has an answer: that there is no such name is
 * one, SERVFAIL and REFUSED are none. What an answer holds is sifted (probe/resolution.h). [control] */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/opt.h"
#include "probe/resolution.h"

/* What the group `health` says of resolvers. */
struct resolver_options {
    struct opt_list resolvers; /* struct addr, with ports; none: those of /etc/resolv.conf */
};
extern const struct opt_table resolver_opt_table; /* "health" */

enum { RESOLVER_FLIGHT_MAX = 64, RESOLVER_TRY_MS = 1000, RESOLVER_TRIES = 2 };

struct resolver;
struct resolver_inquiry;
typedef void resolver_fn(void *arg, const struct resolution_answer *answer);

void resolver_free(struct resolver *resolver);
/* Opens nothing until the first request. */
struct resolver *resolver_new(uv_loop_t *loop) ATTR_FREED_BY(resolver_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* From now on these are asked, or those that /etc/resolv.conf names now. Requests under way begin anew. */
void resolver_use(struct resolver *resolver, const struct addr *servers, size_t cnt) ATTR_NONNULL(1);
/* `name` is wire form. */
struct resolver_inquiry *resolver_ask(struct resolver *resolver, const uint8_t *name, enum addr_family family,
                                      resolver_fn *fn, void *arg) ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
/* Its function will not be called. */
void resolver_forget(struct resolver_inquiry *inquiry) ATTR_NONNULL_ALL;
