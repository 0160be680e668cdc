/* One incoming transfer: a zone, or what changed in it since our serial, from one primary by TCP (RFC 5936, RFC 1995).
 *
 * Here are the connection and its time-outs; what comes goes in buffers to jobs, one at a time, which make records of
 * it (sync/intake.h). What waits for them is bounded: then nothing more is read, and the primary has to wait. So no
 * turn of the loop takes longer than to read two mebibytes.
 *
 * Whether the zone is any good for serving, beyond what zone_build needs, and whether its serial is wanted is for
 * others to say. Nothing is tried twice, counted or logged.
 *
 * A fetch lives by itself: the pointer is good until `fn` is called or fetch_cancel is. Its memory goes when the job
 * that may run has ended, its handles with the next rounds of the loop, which may be closed when uv_run finds nothing
 * more to do. [loop] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/hash.h"
#include "dns/rr.h"
#include "dns/tsig_key.h"
#include "sync/plan.h"
#include "sync/refresh.h"
#include "zone/changeset.h"
#include "zone/records.h"

enum {
    FETCH_CONNECT_MS = 10 * 1000,
    FETCH_IDLE_MS = 30 * 1000,      /* between bytes, while we read */
    FETCH_BUFFER_BYTES = 1 << 20,   /* what waits at most while a job has as much */
};

/* Everything is copied, the key and what the pointers point to included, but for `hash`. */
struct fetch_request {
    const uint8_t *apex;
    const struct hash_key *hash; /* of the records; outlives them, and the loop */
    const struct rr *soa;        /* IXFR: ours; NULL: AXFR */
    const struct tsig_key *key;  /* NULL: nothing is signed */
    struct addr primary;         /* with its port */
    struct sync_sources sources;
    uint64_t connect_ms, idle_ms; /* 0: FETCH_… */
    uint64_t deadline_ms;         /* for all of it */
    uint64_t max_zone_bytes;      /* see intake_init */
};

enum fetch_outcome {
    FETCH_WHOLE,      /* whatever was asked (RFC 1995 4) */
    FETCH_CHANGES,
    FETCH_UP_TO_DATE, /* of an IXFR: the primary has nothing newer: its serial is ours, or older */
    FETCH_FAILED,
};

struct fetch_result {
    enum fetch_outcome outcome;
    bool has_serial;
    uint32_t serial; /* that the primary has, once it said so */
    /* The caller takes what it wants by setting it to NULL. */
    struct zone_records *records; /* FETCH_WHOLE: sorted, and zone_records_sound */
    struct changeset **changes;   /* FETCH_CHANGES: in their order, each sorted; an array from the heap */
    size_t change_cnt;
    /* FETCH_FAILED */
    enum refresh_failure failure;
    uint16_t rcode; /* of the answer; RCODE_NOERROR: that was not it */
    const char *why; /* a sentence */
    /* of any */
    const char *warning; /* what is sloppy about the primary's data; NULL: nothing */
    uint64_t message_cnt, record_cnt;
    uint64_t wire_bytes; /* that came by TCP */
    uint64_t took_ms;
};

/* Called once, from the loop, never from within fetch_start. The result is valid during the call; what is not taken of
 * it is freed. */
typedef void fetch_fn(void *arg, struct fetch_result *result);

struct fetch;
struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request, fetch_fn *fn, void *arg)
    ATTR_NONNULL(1, 2, 3) ATTR_RETURNS_NONNULL;
/* Without calling `fn`. Not from within it. */
void fetch_cancel(struct fetch *fetch) ATTR_NONNULL_ALL;
