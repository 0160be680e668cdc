/* The kinds of check: machines without I/O and clock of their own. A run states until when it may take, what it waits
 * for, and what is to be sent; it is fed what happened (a connection, bytes, the end of them, an error, the deadline)
 * until it has passed or failed. Whoever drives it owns the socket: the prober's engine, or a test under virtual time.
 *
 * To add a kind: a file kind_WHAT.c with a `struct kind`, a row in kind.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/reason.h"
#include "probe/response.h"
#include "probe/target.h"

enum kind_state { KIND_RUNNING, KIND_PASSED, KIND_FAILED };
enum kind_want {
    KIND_WANT_CONNECTED,
    KIND_WANT_WRITABLE, /* `out` is to be sent */
    KIND_WANT_READABLE
};

/* One run of a check. */
struct kind_run {
    const struct kind *kind;
    const struct target *target; /* borrowed */
    uint64_t deadline_us;
    enum kind_state state;
    enum kind_want want;
    struct reason reason; /* once it does not run any more */
    const uint8_t *out;   /* with KIND_WANT_WRITABLE */
    size_t out_len;
    struct response response; /* http's own */
};

struct kind {
    /* Its connections are reset instead of closed: nothing was said that could get lost, and no port of ours waits in
     * TIME_WAIT. */
    bool resets;
    void (*start)(struct kind_run *run);
    void (*connected)(struct kind_run *run);
    void (*received)(struct kind_run *run, const uint8_t *bytes, size_t len);
    void (*closed)(struct kind_run *run);
    struct reason (*late)(const struct kind_run *run, uint32_t timeout_ms);
    void (*fini)(struct kind_run *run);
};
extern const struct kind kind_tcp, kind_http;

/* Begins a run at `now_us`. */
void kind_start(struct kind_run *run, const struct target *target, uint64_t now_us) ATTR_NONNULL_ALL;
/* What happened. Only while it runs, and only what it waits for, but: bytes, the end and an error may come while it
 * still sends. */
void kind_connected(struct kind_run *run) ATTR_NONNULL_ALL;
void kind_sent(struct kind_run *run, size_t len) ATTR_NONNULL_ALL;
void kind_received(struct kind_run *run, const uint8_t *bytes, size_t len) ATTR_NONNULL_ALL;
void kind_closed(struct kind_run *run) ATTR_NONNULL_ALL;
void kind_broken(struct kind_run *run, int system_error) ATTR_NONNULL_ALL;
/* The deadline has passed. */
void kind_late(struct kind_run *run) ATTR_NONNULL_ALL;
/* Releases what it holds, whatever its state. */
void kind_fini(struct kind_run *run) ATTR_NONNULL_ALL;

/* For kinds: how a run ends. */
static inline void kind_pass(struct kind_run *run, enum reason_code code, uint32_t number)
{
    run->state = KIND_PASSED;
    run->reason = (struct reason){code, number};
}
static inline void kind_fail(struct kind_run *run, struct reason reason)
{
    run->state = KIND_FAILED;
    run->reason = reason;
}
