/* What answers an IXFR best: the changes as they were made, all of them as one (RFC 1995 5, condensation), or the whole
 * zone (RFC 1995 4). No I/O, no clock. [job] */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "store/history.h"
#include "zone/version.h"

enum outgoing_way {
    OUTGOING_WHOLE,
    OUTGOING_STEPS,
    OUTGOING_JOINED,
};

enum {
    /* Changes of so few bytes are sent whatever the size of the zone. They fit in what TCP sends before it waits for
     * the client (ten segments of 1,460 bytes, RFC 6928), so that they take no longer than any less would; and a
     * secondary that gets changes can pass them on as such, which it cannot when it gets the zone. */
    OUTGOING_FEW_BYTES = 14000,
    /* Records that a zone's size is told from. */
    OUTGOING_SAMPLE_RRS = 1000,
    /* Changes are read up to so many times the zone's size: more are rarely worth it once they are one, and take longer
     * to read and to sort than the zone to send. But some milliseconds' worth of them are read in any case. */
    OUTGOING_READ_TIMES = 4,
    OUTGOING_READ_LEAST = 256 * 1024,
};

/* The bytes that the version takes in a transfer, roughly: owners compressed, messages' heads left out. Told from some
 * of its names, which come in the order of their keyed hashes and so are a random choice, and its count of records;
 * exact, but for the messages' heads, when there are no more than those. Changes that have names in their rdata are
 * measured without compression (changeset_wire_bytes), so that where most have the whole zone wins too early. It costs
 * as many cache misses as it looks at names. */
size_t outgoing_zone_bytes(const struct zone_version *version) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The bytes of changes that are worth reading for a zone of that size. */
size_t outgoing_read_bytes(size_t zone_bytes);
/* What to send in place of the changes in `list`, of which there is at least one. Leaves in it what is to be sent, with
 * the bytes that it takes: what was there, the one changeset that those are together, or nothing. */
enum outgoing_way outgoing_choose(struct history_list *list, size_t zone_bytes) ATTR_NONNULL_ALL;
