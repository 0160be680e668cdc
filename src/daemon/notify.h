/* What systemd is told of our life (sd_notify(3), without its library): one datagram to
 * the socket that NOTIFY_SOCKET names, if any. */
#pragma once

#include "base/attr.h"

/* "READY=1" and the like. Failures are of no consequence. */
void notify_send(const char *state) ATTR_NONNULL_ALL;
/* A reload begins: RELOADING=1 with the time that Type=notify-reload wants. */
void notify_reloading(void);
