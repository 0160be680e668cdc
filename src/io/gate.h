/* Who may have a TCP connection: the total and the share of each client, over all workers, and which of the
 * connection slots each gets. Takes a lock, at accept and close only. [any worker] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"

struct gate;

/* True when both count as one client: an IPv4 address, or a /64 of IPv6, any address of which a single host can
 * take. */
bool gate_same_client(const struct addr *a, const struct addr *b) ATTR_NONNULL_ALL ATTR_PURE;

enum gate_verdict { GATE_OPEN, GATE_FULL, GATE_CLIENT_FULL };

void gate_free(struct gate *gate);
/* Slots 0 .. max − 1 (max ≥ 1), at most `max_per_client` for one client. */
struct gate *gate_new(size_t max, size_t max_per_client) ATTR_FREED_BY(gate_free) ATTR_MUST_USE;
/* GATE_OPEN gives a slot, the one that was left last, whose memory is warm. A client that is full hears so even
 * when all is. */
enum gate_verdict gate_enter(struct gate *gate, const struct addr *client, uint32_t *slot)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Gives back what gate_enter gave to this client. */
void gate_leave(struct gate *gate, const struct addr *client, uint32_t slot) ATTR_NONNULL_ALL;
/* Connections inside. [any] */
size_t gate_cnt(const struct gate *gate) ATTR_NONNULL_ALL;
/* True when fewer than an eighth of the slots are left. [any] */
bool gate_is_crowded(const struct gate *gate) ATTR_NONNULL_ALL;
