#include "prober.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

void prober_on_wake(void *arg)
{
    struct fixture *f = arg;
    uint64_t one = 1;
    __atomic_store_n(&f->woken_us, now_us(), __ATOMIC_RELEASE);
    if (write(f->wake_fd, &one, sizeof one) != sizeof one)
        abort();
}

int prober_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->probe = probe_new(prober_on_wake, f);
    *state = f;
    return 0;
}

int prober_tear_down(void **state)
{
    struct fixture *f = *state;
    probe_free(f->probe);
    close(f->wake_fd);
    free(f);
    return 0;
}

void prober_begin(struct fixture *f, uint64_t first_within_ms)
{
    assert_int_equal(probe_start(f->probe, first_within_ms), ERR_OK);
}

/* ---- targets ---- */

struct probe_spec spec_of(enum probe_type type, const char *address, uint16_t port)
{
    struct probe_spec spec = {
        .options.type = type,
        .timing = {.interval_ms = 200, .fast_interval_ms = 100, .timeout_ms = SPEC_TIMEOUT_MS, .rise = 2, .fall = 3},
    };
    assert_int_equal(addr_port_from_text(&spec.address, address, port), ERR_OK);
    return spec;
}

uint32_t subscribe_spec(struct fixture *f, const struct probe_spec *spec)
{
    uint32_t target = probe_subscribe(f->probe, spec);
    assert_true(target > 0);
    return target;
}

uint32_t subscribe(struct fixture *f, enum probe_type type, uint16_t port)
{
    struct probe_spec spec = spec_of(type, "127.0.0.1", port);
    return subscribe_spec(f, &spec);
}

/* A port that nobody listens on. */
uint16_t dead_port(void)
{
    struct server server;
    server_start(&server, 0, SERVER_ANSWERS);
    server_stop(&server);
    return server.port;
}

/* ---- events ---- */

bool next_event(struct fixture *f, struct probe_event *event, int within_ms)
{
    uint64_t until = now_us() + (uint64_t)within_ms * 1000, cnt;
    for (;;) {
        if (probe_next(f->probe, event))
            return true;
        uint64_t now = now_us();
        if (now >= until)
            return false;
        struct pollfd wake = {.fd = f->wake_fd, .events = POLLIN};
        poll(&wake, 1, (int)((until - now + 999) / 1000));
        if (read(f->wake_fd, &cnt, sizeof cnt) < 0)
            assert_int_equal(errno, EAGAIN);
    }
}

void expect_event(struct fixture *f, uint32_t target, enum health_verdict verdict, bool unsettled)
{
    struct probe_event event;
    if (!next_event(f, &event, PATIENCE_MS))
        fail_msg("no event, expected %s%s", health_verdict_name(verdict), unsettled ? ", unsettled" : "");
    assert_int_equal(event.target, target);
    if (event.verdict != verdict || event.unsettled != unsettled)
        fail_msg("expected %s%s, got %s%s: %s", health_verdict_name(verdict), unsettled ? ", unsettled" : "",
                 health_verdict_name(event.verdict), event.unsettled ? ", unsettled" : "", event.reason);
    assert_true(event.since_wall_ms > 1600000000000);
}

void expect_reason(struct fixture *f, uint32_t target, const char *reason)
{
    struct probe_event state;
    probe_state(f->probe, target, &state);
    assert_string_equal(state.reason, reason);
}

void wait_reason(struct fixture *f, uint32_t target, const char *reason)
{
    struct probe_event state;
    for (unsigned i = 0; i < PATIENCE_MS; i++) {
        probe_state(f->probe, target, &state);
        if (!strcmp(state.reason, reason))
            return;
        sleep_ms(1);
    }
    fail_msg("\"%s\", expected \"%s\"", state.reason, reason);
}

void wait_accepted(const struct server *server, uint32_t cnt)
{
    for (unsigned i = 0; i < PATIENCE_MS && server_accepted(server) < cnt; i++)
        sleep_ms(1);
    assert_true(server_accepted(server) >= cnt);
}

void subscribe_herd(struct fixture *f, enum probe_type type, uint16_t port, struct health_timing timing,
                           uint32_t *targets)
{
    for (unsigned i = 0; i < HERD; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.1.%u.%u", i / 250, 1 + i % 250);
        struct probe_spec spec = spec_of(type, address, port);
        spec.timing = timing;
        targets[i] = probe_subscribe(f->probe, &spec);
    }
}
