/* Answers to AXFR and IXFR (RFC 5936, RFC 1995) that workers have handed off. A transfer holds the version that is
 * served when it begins, and so sees that one whatever is published meanwhile; a worker makes its messages when the
 * client has room for them, and its deadline bounds how long the version is held.
 *
 *     AXFR                                        the whole zone
 *     IXFR, the client has what is served         one SOA; so when it has a later serial (RFC 1995 2)
 *     IXFR, the history since its serial is read  a job reads and condenses it; sent are the changes, or the whole zone
 *                                                 where those are larger, too many, not there or damaged (RFC 1995 4)
 *     the same by UDP                             the changes if they fit in a datagram, else one SOA
 *
 * The transfers of a live view leave what is below "_balance" out.
 *
 * Threads: all functions are of the control thread. A source's fill runs in a worker while control goes on. Of what is
 * here it reads and writes its own stream, the TSIG state of its hand-off, and a count of bytes; and it reads the held
 * version and the changesets that were read for it, which nobody changes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "io/io.h"
#include "store/store.h"

enum {
    /* Over TCP at a time, all in all. Each takes some 5 KiB, and CONN_OUT_LEN (128 KiB) in its connection when the
     * client is slow: 13 MiB. And each may hold another version: what was replaced since of that zone. */
    OUTGOING_STREAMS_MAX = 100,
    /* Of one client, so that four are needed to keep others out. Other servers ask for 2 to 10 at a time. */
    OUTGOING_CLIENT_MAX = 25,
    /* A client that hangs keeps its transfers from others for so long, and not for transfer_max. */
    OUTGOING_STALL_MS = 60 * 1000,
    /* Changes that are read for one IXFR, as bytes in the journal: half a million small records. */
    OUTGOING_HISTORY_BYTES = 16 * 1024 * 1024,
    /* Those that wait to be sent, all in all, as bytes to send; in memory they take some five times as much. When there
     * is no room the whole zone is sent, which takes none. */
    OUTGOING_HISTORY_ALL_BYTES = 4 * OUTGOING_HISTORY_BYTES,
};

#define OUTGOING_COUNTERS(X)                                                        \
    X(axfr, "AXFRs sent to their end")                                              \
    X(ixfr, "IXFRs answered with changes")                                          \
    X(ixfr_whole, "IXFRs answered with the whole zone")                             \
    X(ixfr_current, "IXFRs answered with one SOA: nothing newer, or ask by TCP")    \
    X(refused, "transfers not begun because too many were running")                 \
    X(unserved, "transfers not begun because the zone has no version that is served") \
    X(failed, "transfers broken off")

struct outgoing_counters {
#define X(name, help) uint64_t name;
    OUTGOING_COUNTERS(X)
#undef X
};
enum { OUTGOING_COUNTER_CNT = sizeof(struct outgoing_counters) / sizeof(uint64_t) };
extern const char *const outgoing_counter_names[OUTGOING_COUNTER_CNT];
extern const char *const outgoing_counter_help[OUTGOING_COUNTER_CNT];

struct outgoing;

/* Ends what waits, and waits for jobs (by running the loop). The workers are stopped, io is not closed yet, and store
 * is there. Its timer goes, and its memory with it, in the loop's next round. NULL is nothing. */
void outgoing_free(struct outgoing *outgoing);
/* All are borrowed. */
struct outgoing *outgoing_new(uv_loop_t *loop, struct store *store, struct io *io)
    ATTR_FREED_BY(outgoing_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Answers a hand-off of kind ANSWER_AXFR or ANSWER_IXFR, which becomes NULL. It is broken off when it is not sent
 * within transfer_max_ms, or the client takes nothing for OUTGOING_STALL_MS. Above the limits, and where nothing is
 * served, the answer is SERVFAIL: the client is to come again, as after any failure (REFUSED would say that it may
 * not). */
void outgoing_take(struct outgoing *outgoing, struct io_handoff **handoff, uint64_t transfer_max_ms) ATTR_NONNULL_ALL;

/* A transfer that is under way, for people. Valid during the call. */
struct outgoing_view {
    const uint8_t *zone; /* wire, lower-cased */
    const struct addr *client;
    const char *kind; /* a literal: "AXFR", "IXFR"; "IXFR, whole zone"; "IXFR, reading" while a job does */
    uint32_t serial;  /* of the version */
    uint64_t sent_bytes; /* that messages were made of, to within what the kernel and a connection have */
    uint64_t since_mono_ms;
};
typedef void outgoing_each_fn(void *arg, const struct outgoing_view *view);
/* In the order in which they began. */
void outgoing_each(const struct outgoing *outgoing, outgoing_each_fn *fn, void *arg) ATTR_NONNULL(1, 2);
/* Until outgoing_free. */
const struct outgoing_counters *outgoing_counters(const struct outgoing *outgoing)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
