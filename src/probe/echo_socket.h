/* Sockets for ICMP echo requests. Unprivileged ones where the system lets our groups have them (Linux's
 * net.ipv4.ping_group_range), else raw ones, which take CAP_NET_RAW. Of the unprivileged the kernel chooses the
 * identifier and hands over replies to it alone; raw ones get whatever comes from their peer. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Non-blocking, of a socket family; `has_header`: what it receives begins with IPv4's header. -1 and errno: EACCES or
 * EPERM when neither may be had. */
int echo_socket_open(int family, bool *has_header) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* How long that header is; all of it when there is nothing else. */
size_t echo_socket_header_len(const uint8_t *bytes, size_t len) ATTR_NONNULL_ALL ATTR_PURE;
