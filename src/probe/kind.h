/* The kinds of check. Most are machines without I/O and clock of their own: a run states until when it may take, what
 * it waits for, and what is to be sent; it is fed what happened (a connection, bytes, the end of them, an error, the
 * deadline) until it is decided. Whoever drives it owns the socket: the prober's engine, or a test under virtual time.
 * Kinds whose protocol a library or another process speaks leave their I/O to a driver (probe/driver.h); deadline and
 * result are the same.
 *
 * To add a kind: a file kind_WHAT.c with a `struct kind`, a word in enum probe_type, a row in kind.c, and in options.c
 * rows for its keys and who may have them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/measure.h"
#include "probe/echo.h"
#include "probe/pattern.h"
#include "probe/question.h"
#include "probe/reason.h"
#include "probe/response.h"
#include "probe/target.h"

enum kind_state {
    KIND_RUNNING,
    KIND_PASSED,
    KIND_FAILED,
    KIND_IGNORED, /* it says nothing of the target; the reason is shown, and that is all */
};
enum kind_want {
    KIND_WANT_CONNECTED,
    KIND_WANT_WRITABLE, /* `out` is to be sent */
    KIND_WANT_READABLE
};
enum kind_transport {
    KIND_STREAM,   /* TCP; of a kind with a driver the connection alone is made, which then is the driver's */
    KIND_DATAGRAM, /* UDP: connected at once, `out` is one datagram, each that comes is received by itself */
    KIND_ECHO,     /* ICMP, likewise: `out` and what is received are messages of it, without IP's header */
    KIND_DRIVEN,   /* its driver's */
};

enum { KIND_HEAD_MAX = 32 };

/* One run of a check. */
struct kind_run {
    const struct kind *kind;
    const struct target *target; /* borrowed */
    uint64_t now_us;             /* set by who drives it, before it is told anything */
    uint64_t random;             /* set before the start, drawn anew for each: from the kernel for what isn't a stream,
                                    as nobody else may foresee it; no kind of streams looks at it */
    uint64_t deadline_us;
    uint64_t wake_us; /* when `wake` is to be called, before the deadline; 0: it need not. Set by `start`, `connected`
                         of what isn't a stream, and `wake` */
    enum kind_state state;
    enum kind_want want;
    struct reason reason;          /* once it does not run any more */
    char text[PROBE_REASON_MAX];   /* the words of REASON_TEXT */
    struct health_measure measure; /* at first what earlier runs found; response times are the prober's */
    bool resets;                   /* at first the kind's; struct kind has what it means */
    bool speaks_first;             /* at first what isn't reset does */
    uint32_t response_us;          /* what is taken for it in place of the run's whole time; 0: that */
    bool was_connected, was_answered; /* it has come so far */
    struct probe_steps steps;      /* of one that is traced: the prober takes the times, or the driver, who knows */
    const uint8_t *out;            /* with KIND_WANT_WRITABLE */
    size_t out_len;
    union {
        struct response response; /* http */
        struct {
            struct pattern_scan scan;
            uint32_t len; /* bytes received, of which the first are kept, to be shown */
            uint32_t head_len;
            char head[KIND_HEAD_MAX];
        } talk; /* tcp */
        struct question question; /* dns */
        struct echo echo;         /* ping */
        struct {
            char *line; /* owned */
            uint32_t len;
        } agent;
        uint8_t secure_phase;     /* https, tls: enum secure_phase */
    };
};

typedef void kind_say_fn(void *arg, const char *key, const char *text);

struct driver_type;

struct kind {
    const char *name; /* the configuration's word for it */
    enum kind_transport transport;
    uint16_t port;   /* the default; 0: there is none */
    bool has_port;   /* it is checked at a port, which must be said where there is no default */
    bool asks_host;  /* it asks for somebody: struct probe_spec's host */
    bool reports_load; /* its checks always bring a report of load */
    /* Its connections are reset instead of closed: nothing was said that could get lost, and no port of ours waits in
     * TIME_WAIT. */
    bool resets;
    /* It asks somebody about the server, who may be away: not to reach him, or to hear nothing of him, says nothing
     * (KIND_IGNORED), and a target of which nothing else is known is up. */
    bool advises;
    const struct driver_type *driver; /* KIND_DRIVEN, or a KIND_STREAM whose protocol it speaks; NULL: none */

    /* [any] What of a row's own keys is wrong for this kind; NULL: nothing can be. */
    void (*check_options)(const struct probe_options *options, kind_say_fn *say, void *arg);
    /* [control] What a run needs to know of its spec, as malloc'ed bytes without pointers and padding: the target's
     * detail, and part of its identity. NULL: nothing. */
    uint8_t *(*pack)(const struct probe_spec *spec, size_t *len);
    /* [control] The regular expression that the target is to have at this place; NULL: none. NULL: never any. */
    const char *(*pattern)(const struct probe_spec *spec, unsigned place);

    /* [probe] A machine's; a kind with a driver has `late`, that of a stream `connected`, and of the others what it
     * wants. */
    void (*start)(struct kind_run *run);
    void (*connected)(struct kind_run *run);
    void (*received)(struct kind_run *run, const uint8_t *bytes, size_t len);
    void (*closed)(struct kind_run *run); /* of streams */
    void (*wake)(struct kind_run *run);   /* NULL: it has no wake_us */
    struct reason (*late)(const struct kind_run *run, uint32_t timeout_ms);
    void (*fini)(struct kind_run *run); /* NULL: it holds nothing */
};
extern const struct kind kind_tcp, kind_http, kind_https, kind_tls, kind_exec, kind_dns, kind_ping, kind_agent;
extern const struct kind *const kinds[PROBE_TYPE_CNT];

/* Begins a run at `now_us`; all but `measure` and `random` is set. */
void kind_start(struct kind_run *run, const struct target *target, uint64_t now_us) ATTR_NONNULL_ALL;
/* What happened. Only while it runs, and only what it waits for, but: bytes, the end and an error may come while it
 * still sends. */
void kind_connected(struct kind_run *run) ATTR_NONNULL_ALL;
void kind_sent(struct kind_run *run, size_t len) ATTR_NONNULL_ALL;
void kind_received(struct kind_run *run, const uint8_t *bytes, size_t len) ATTR_NONNULL_ALL;
void kind_closed(struct kind_run *run) ATTR_NONNULL_ALL;
void kind_broken(struct kind_run *run, int system_error) ATTR_NONNULL_ALL;
/* wake_us has come. */
void kind_wake(struct kind_run *run) ATTR_NONNULL_ALL;
/* The deadline has passed. */
void kind_late(struct kind_run *run) ATTR_NONNULL_ALL;
/* What is to be done next by the clock: wake_us or deadline_us. */
static inline uint64_t kind_due_us(const struct kind_run *run)
{
    return run->wake_us && run->wake_us < run->deadline_us ? run->wake_us : run->deadline_us;
}
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
/* Whoever was to be asked can't be reached, or says nothing: failed, but of a kind that advises. */
void kind_end_unreached(struct kind_run *run, struct reason reason) ATTR_NONNULL_ALL;
/* In words, made clean (utf8_clean), of which what fits is taken. */
void kind_end_text(struct kind_run *run, enum kind_state state, const char *text, size_t len) ATTR_NONNULL_ALL;
/* The words alone: of a run that goes on, for its reason if it is late. */
void kind_set_text(struct kind_run *run, const char *text, size_t len) ATTR_NONNULL_ALL;
