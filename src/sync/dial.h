/* Sockets to other nameservers, for what we ask them: each is a new one, with a port that the system draws (what keeps
 * forged datagrams out is that port and the ID, RFC 5452), from the source address of the peer's family where one is
 * configured, and connected, so that an ICMP error ends the exchange at once. [loop] */
#pragma once

#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "sync/plan.h"

/* Both initialise the handle, which is to be closed whatever they return: 0 or libuv's error. */
int dial_udp(uv_loop_t *loop, uv_udp_t *udp, const struct addr *peer, const struct sync_sources *sources)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* `fn` is called unless there is an error now. */
int dial_tcp(uv_loop_t *loop, uv_tcp_t *tcp, uv_connect_t *request, const struct addr *peer,
             const struct sync_sources *sources, uv_connect_cb fn) ATTR_NONNULL_ALL ATTR_MUST_USE;
