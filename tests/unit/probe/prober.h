/* A prober under test, with what waits for its events. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/probe.h"
#include "server.h"

struct fixture {
    struct probe *probe;
    int wake_fd;
    uint64_t woken_us; /* atomic */
};

void prober_on_wake(void *arg);
int prober_set_up(void **state);
int prober_tear_down(void **state);
void prober_begin(struct fixture *f, uint64_t first_within_ms);

/* Until what does not come is a failure: long, as a busy machine is none. */
enum { PATIENCE_MS = 20000 };
/* For main: a program that hangs is killed. */
enum { ALARM_SEC = 600 };

/* Every 200 ms, in doubt every 100 ms, rise 2, fall 3; no time-out that a busy machine would reach. */
enum { SPEC_TIMEOUT_MS = PATIENCE_MS };
struct probe_spec spec_of(enum probe_type type, const char *address, uint16_t port);
uint32_t subscribe_spec(struct fixture *f, const struct probe_spec *spec);
/* On 127.0.0.1. */
uint32_t subscribe(struct fixture *f, enum probe_type type, uint16_t port);
/* A thousand, on 127.1.x.y. */
enum { HERD = 1000 };
void subscribe_herd(struct fixture *f, enum probe_type type, uint16_t port, struct health_timing timing,
                    uint32_t *targets);
/* A port that nobody listens on. */
uint16_t dead_port(void);

/* The next event; false: none within `within_ms`. */
bool next_event(struct fixture *f, struct probe_event *event, int within_ms);
void expect_event(struct fixture *f, uint32_t target, enum health_verdict verdict, bool unsettled);
void expect_reason(struct fixture *f, uint32_t target, const char *reason);
/* Waits for it. */
void wait_reason(struct fixture *f, uint32_t target, const char *reason);
void wait_accepted(const struct server *server, uint32_t cnt);
