/* Who may have a TCP connection: the total and the share of each client, over all workers, and which of the
 * connection slots each gets. Takes a lock, at accept and close only. [any worker] */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"

struct gate;

enum gate_verdict { GATE_OPEN, GATE_FULL, GATE_CLIENT_FULL };

void gate_free(struct gate *gate);
/* Slots 0 .. max − 1 (max ≥ 1), at most `max_per_client` for one client: an IPv4 address, or a /64 of IPv6, any
 * address of which a single host can take. */
struct gate *gate_new(size_t max, size_t max_per_client) ATTR_FREED_BY(gate_free) ATTR_MUST_USE;
/* GATE_OPEN gives a slot, the one that was left last, whose memory is warm. A client that is full hears so even
 * when all is. */
enum gate_verdict gate_enter(struct gate *gate, const struct addr *client, uint32_t *slot)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Gives back what gate_enter gave to this client. */
void gate_leave(struct gate *gate, const struct addr *client, uint32_t slot) ATTR_NONNULL_ALL;
/* Connections inside. [any] */
size_t gate_cnt(const struct gate *gate) ATTR_NONNULL_ALL;
