/* Listening sockets: what they are bound to and how they are set up. What cannot be had is told in `diag`, a line
 * each. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/diag.h"

enum listen_proto { LISTEN_UDP, LISTEN_TCP };

enum { LISTEN_DEFAULT_CNT = 2 };
/* The addresses when none are configured: all of IPv4 and of IPv6, port 53; returns how many. A machine without
 * IPv6 gets a warning. */
size_t listen_defaults(struct addr addrs[LISTEN_DEFAULT_CNT], struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* True for 0.0.0.0 and ::, where replies must be told their source address. */
bool listen_is_wildcard(const struct addr *addr) ATTR_NONNULL_ALL ATTR_PURE;

/* True when nobody else uses the address. To be asked for all addresses before the first of them is opened. */
bool listen_is_free(const struct addr *addr, enum listen_proto proto, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A bound socket with SO_REUSEPORT: UDP ones block, TCP ones listen and don't. -1 when it cannot be had. */
int listen_open(const struct addr *addr, enum listen_proto proto, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
