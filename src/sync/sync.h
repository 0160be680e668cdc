/* Zones on their way to and from other nameservers: whom each zone's changes are announced to, where a secondary gets
 * its zone, who may have it from us. One unit a zone joins the machines that know when (notify.h, refresh.h) with the
 * I/O (ask.h, fetch.h) and the door of the store.
 *
 * How much is under way at a time is bounded, over all zones: SYNC_ASKS_MOST questions and NOTIFYs, SYNC_FETCHES_MOST
 * incoming transfers, SYNC_FETCHES_HOST of them from one primary, or SYNC_FETCHES_FAILING from one whose last
 * SILENCE_AFTER have all failed; what is more waits its turn.
 *
 * [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "answer/answer.h"
#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"
#include "io/io.h"
#include "store/store.h"
#include "sync/fault.h"
#include "sync/notify.h"
#include "sync/outgoing.h"
#include "sync/plan.h"

enum {
    SYNC_ASKS_MOST = 256, /* each has a socket */
    SYNC_FETCHES_MOST = 40,
    SYNC_FETCHES_HOST = 10,
    SYNC_FETCHES_FAILING = 2,
};

struct sync;

/* Ends what is under way, without telling, and waits for jobs (by running the loop). Workers are stopped, io is not
 * closed yet, and the store is there. Handles go with the loop's next rounds. NULL is nothing. */
void sync_free(struct sync *sync);
/* All are borrowed. Watches the store, and takes what io hands off. NULL when the system gives no descriptor, which is
 * logged. */
struct sync *sync_new(uv_loop_t *loop, struct store *store, struct io *io, const struct answer_shared *shared)
    ATTR_FREED_BY(sync_free) ATTR_MUST_USE ATTR_NONNULL_ALL;

/* From now on this holds (taken), in slices. `listen`: where we listen (none: everywhere), so that no NOTIFY goes to
 * ourselves; `resolvers`: who is asked for the addresses of NS records' names. */
void sync_set_plan(struct sync *sync, struct sync_plan **plan, const struct opt_list *listen,
                   const struct opt_list *resolvers) ATTR_NONNULL_ALL;
/* Asks and announces from now on: queries are answered. Until then zones only get what they need to be answered. */
void sync_begin(struct sync *sync) ATTR_NONNULL_ALL;

/* ---- for people */

/* Asks the zone's primaries now; `full`: fetches it whole, whatever its serial. ERR_NOT_FOUND: no such zone;
 * ERR_INVALID: it has no primaries. */
enum err sync_refresh(struct sync *sync, const uint8_t *apex, bool full) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Announces the zone's serial, whether or not that has been done. ERR_NOT_FOUND; ERR_CLOSED: it has no version. */
enum err sync_notify(struct sync *sync, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The last incoming transfer that ended. */
struct sync_transfer {
    uint64_t wall_ms; /* 0: there was none */
    struct addr primary;
    const char *kind; /* a literal: "AXFR", "IXFR", "up to date", "failed" */
    uint32_t serial;
    uint64_t wire_bytes, record_cnt, took_ms;
    char why[256];    /* it failed; else empty */
};

/* The last question to a primary that failed, since one of them confirmed the zone or gave us a newer one. */
struct sync_fault {
    uint64_t wall_ms;
    struct addr primary;
    char why[FAULT_MAX];
};

struct sync_view {
    const struct sync_zone *zone;
    const char *activity;         /* of a secondary, a literal: "waiting", "asking", "transferring" */
    uint64_t refresh_wall_ms;     /* the next round; 0: one runs, or it is no secondary */
    uint64_t expire_wall_ms;      /* 0: it does not expire, or it has */
    bool is_expired;
    const struct sync_transfer *last;
    const struct sync_fault *fault; /* NULL: none */
    uint32_t told_cnt, refused_cnt, target_cnt; /* of those that are told of changes: who has answered, and refused,
                                                   and all */
    const struct notify_target *targets;        /* as many */
};
/* False: there is no such zone. Valid during the turn. */
bool sync_get_view(const struct sync *sync, const uint8_t *apex, struct sync_view *view) ATTR_NONNULL_ALL;
/* Transfers that are under way to others. */
const struct outgoing *sync_outgoing(const struct sync *sync) ATTR_NONNULL_ALL;
