/* The prober: asks targets whether they live. One thread owns all I/O of checks, their schedule and the rise/fall
 * machines; only transitions and measurements leave it. Identical checks (kind and its settings, address, port, host,
 * timing) are one target, however many subscribe.
 *
 * Kinds of check are machines without I/O of their own (probe/kind.h): they state a deadline and what they wait for,
 * and are fed events.
 *
 * What is our own failure (no descriptor, memory or local port left) is never held against a target: the check is tried
 * again, told as the target's reason, and logged. No route to the target, no IPv6 at all, or a firewall of our own that
 * refuses is a failed check. Time in which the process was stopped does not count: nothing is overdue after it, and a
 * check that it went through fails nobody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/opt.h"
#include "health/bounds.h"
#include "health/health.h"
#include "health/measure.h"
#include "probe/tally.h"
#include "health/memory.h"

enum probe_type {
    PROBE_TCP,
    PROBE_HTTP,
    PROBE_HTTPS,
    PROBE_TLS,
    PROBE_EXEC,
    PROBE_DNS,
    PROBE_PING,
    PROBE_AGENT,
    PROBE_TYPE_CNT
};

/* Where a report of a server's load is read from (probe/load_report.h). */
enum probe_load { PROBE_LOAD_NONE, PROBE_LOAD_ORCA, PROBE_LOAD_WEIGHT, PROBE_LOAD_BODY };
enum { PROBE_CA_DIGEST_LEN = 16 };

enum probe_http_version { PROBE_HTTP_ANY, PROBE_HTTP_1_1, PROBE_HTTP_2 };

/* One row of the configuration's `probes`. */
struct probe_options {
    char *name;
    int type;     /* enum probe_type */
    int64_t port;           /* 0: the type's default */
    struct opt_list source; /* struct addr, at most one a family, without port: where checks come from */
    uint64_t interval_ms, fast_interval_ms, timeout_ms;
    int64_t rise, fall;
    /* tcp, agent */
    char *send; /* with escapes, see probe/escape.h; NULL: nothing */
    /* tcp */
    char *expect; /* POSIX extended regex; NULL: a connection is enough */
    /* http */
    char *method;                  /* "GET" */
    char *path;                    /* "/" */
    char *host;                    /* NULL: the owner name */
    struct opt_list headers;       /* char *, "Name: value" */
    struct opt_list expect_status; /* struct probe_status_range */
    char *expect_body;             /* POSIX extended regex; NULL: none */
    int load;                      /* enum probe_load */
    char *load_metric;             /* of PROBE_LOAD_ORCA; NULL: utilization */
    char *load_pattern;            /* of PROBE_LOAD_BODY: POSIX extended regex with one group */
    /* exec */
    struct opt_list command; /* char *: the program's path and its arguments, with words in braces */
    /* dns */
    char *query_name;
    uint16_t query_type;          /* 0: SOA */
    bool recursion;
    struct opt_list expect_rcode; /* int, an RCODE; empty: NOERROR */
    char *expect_answer;          /* an address, or a POSIX extended regex; NULL: any answer */
    /* ping */
    int64_t count;    /* 0: PING_COUNT */
    int64_t loss_max; /* percent */
    /* https and tls */
    int http_version; /* enum probe_http_version; https */
    char *ca_file;    /* NULL: the system's */
    uint8_t ca_digest[PROBE_CA_DIGEST_LEN]; /* of what it held when the row was checked */
    bool verify;
    int64_t min_days_left;
    struct opt_where where;
};
struct probe_status_range {
    uint16_t least, most;
};
extern const struct opt_table probe_opt_table; /* "probes", a list */

/* Whether any of these rows needs a raw socket where the system has no unprivileged ones for echo requests. */
bool probe_pings(const struct opt_list *rows) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* True when a check of this row has to name a host, and the row does not say which: the owner name is taken then, which
 * must not be a wildcard. */
bool probe_needs_host(const struct probe_options *options) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* True when checks of this row bring reports of load along, by the row's own `load` or as the type does anyway. */
bool probe_reports_load(const struct probe_options *options) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* What is checked where: a target's identity, but for what the row's name and place are. Strings and lists are borrowed
 * during calls, copied inside. */
struct probe_spec {
    struct probe_options options; /* the row; a copy that points into what it points to */
    struct addr address;          /* with port */
    struct health_timing timing;
    const char *host; /* whom to ask for, by kinds that ask for somebody; NULL: the address. A final dot is cut; what
                         the protocol can't hold becomes "?" */
    const char *pool; /* the owner name, for kinds that are told of it */
};

/* The spec of a member of pool `owner` at `address` (its port is not looked at) that a row of `probes` checks; `owner`
 * is the host where the row names none. Points into `options` and `owner`. */
void probe_spec_fill(struct probe_spec *spec, const struct probe_options *options, const struct addr *address,
                     const char *owner) ATTR_NONNULL(1, 2, 3);

enum { PROBE_REASON_MAX = 96 };
/* What leaves the probe thread: a verdict reached or (un)settled, and how the last check went. Several that wait for
 * the same target become one, the newest: no verdict is ever lost, only a passed one not told. */
struct probe_event {
    uint32_t target;
    enum health_verdict verdict;
    bool unsettled;
    bool is_remembered; /* probe_remember told it, and no check has said anything since */
    uint64_t since_wall_ms;
    uint32_t duration_us;          /* of the last check */
    char reason[PROBE_REASON_MAX]; /* "status 200", "connection refused", "no answer within 1s" */
    struct health_measure measure;
};

/* A check that somebody asked for, step by step: times since its start, 0 for what it did not come to. Of kinds that a
 * library speaks, what that tells. */
struct probe_steps {
    uint32_t connected_us, handshake_us, sent_us, first_byte_us, ended_us; /* handshake: of TLS, done */
};
enum probe_outcome {
    PROBE_PASSED,
    PROBE_FAILED,
    PROBE_IGNORED, /* it says nothing of the target */
    PROBE_NOT_DONE /* for a lack of ours */
};
struct probe_trace {
    uint32_t target;
    enum probe_outcome outcome;
    struct probe_steps steps;
    char reason[PROBE_REASON_MAX];
};

/* Commands of exec checks go by this channel of the spawn helper (loop/spawn.h), which stays the caller's, until all
 * probers have ended; -1, as at first: there is no helper. Before the first probe_start. [control] */
void probe_use_spawn(int fd);

struct probe;
/* `wake` is called on the probe thread whenever events wait after none did; it must be quick and thread safe
 * (uv_async_send). */
struct probe *probe_new(void (*wake)(void *arg), void *arg) ATTR_MUST_USE;
/* Ends the thread, closes everything. [control] */
void probe_free(struct probe *probe);
/* Starts the thread (ERR_IO, logged, when that can't be); the schedule begins. Targets may be subscribed before.
 * `first_within_ms`: a new target's first check starts within min(interval, this). [control] */
enum err probe_start(struct probe *probe, uint64_t first_within_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* At most so many checks are under way at a time; 0: as many as descriptors allow. [control] */
void probe_set_checks_max(struct probe *probe, uint32_t checks_max) ATTR_NONNULL_ALL;

/* Subscribes; the id (> 0) is the same for identical specs, counted. A new one begins unknown, or, when only its timing
 * sets it apart from another, as that other one is: with its verdict, and the results in a row that contradict it, as
 * probe_state tells. [control] */
uint32_t probe_subscribe(struct probe *probe, const struct probe_spec *spec) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The last unsubscribe ends its checks at once; no event of it comes from probe_next after this returns. [control] */
void probe_unsubscribe(struct probe *probe, uint32_t target) ATTR_NONNULL_ALL;
/* The next waiting event; false: none. [control] */
bool probe_next(struct probe *probe, struct probe_event *event) ATTR_NONNULL_ALL;
/* The latest known state of a target, of its last check even when that changed nothing. [control] */
void probe_state(const struct probe *probe, uint32_t target, struct probe_event *state) ATTR_NONNULL_ALL;
/* What has been done so far; zeros before the start. [control] */
void probe_tally(const struct probe *probe, struct tally_view *view) ATTR_NONNULL_ALL;
/* Targets subscribed. [control] */
size_t probe_target_cnt(const struct probe *probe) ATTR_NONNULL_ALL;

/* What a former process found (copied): a target that is subscribed and unknown begins with it, until it is forgotten.
 * [control] */
void probe_remember(struct probe *probe, const struct health_memory *memories, size_t cnt) ATTR_NONNULL(1);
void probe_forget(struct probe *probe) ATTR_NONNULL_ALL;
/* What the next process should know of a target; false: nothing is known, or there is no such target. [control] */
bool probe_recall(const struct probe *probe, uint32_t target, struct health_memory *memory)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Ids are below this. [control] */
uint32_t probe_target_end(const struct probe *probe) ATTR_NONNULL_ALL;

/* The target is checked as soon as may be, once more if it is being checked just now; that check counts as any other,
 * and comes from probe_next_trace besides, unless the target leaves. Several of these before it begins are one.
 * [control] */
void probe_check_now(struct probe *probe, uint32_t target) ATTR_NONNULL_ALL;
/* The next one that has ended; false: none waits. `wake` is called for these too. [control] */
bool probe_next_trace(struct probe *probe, struct probe_trace *trace) ATTR_NONNULL_ALL ATTR_MUST_USE;
