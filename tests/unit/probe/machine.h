/* What tests of machines share: a run of a target, under virtual time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/kind.h"
#include "probe/target.h"

enum { MACHINE_BEGIN_US = 5000000, MACHINE_TIMEOUT_MS = 1000 };
#define MACHINE_RANDOM UINT64_C(0x0123456789abcdef)

struct machine {
    struct target_table table;
    struct kind_run run;
    bool begun;
};

static inline void machine_begin(struct machine *m, const struct probe_options *options, const char *address)
{
    struct probe_spec spec = {
        .options = *options,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .rise = 2, .fall = 3},
    };
    spec.timing.timeout_ms = MACHINE_TIMEOUT_MS;
    struct health_measure measure = m->run.measure;
    bool is_new;
    assert_int_equal(addr_port_from_text(&spec.address, address, 1), ERR_OK);
    if (m->begun)
        kind_fini(&m->run);
    m->begun = true;
    memset(&m->run, 0xa5, sizeof m->run);
    m->run.measure = measure;
    m->run.random = MACHINE_RANDOM;
    kind_start(&m->run, target_table_at(&m->table, target_table_add(&m->table, &spec, &is_new)), MACHINE_BEGIN_US);
    assert_int_equal(m->run.deadline_us, MACHINE_BEGIN_US + MACHINE_TIMEOUT_MS * 1000);
}

static inline int machine_set_up(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    target_table_init(&m->table);
    *state = m;
    return 0;
}

static inline int machine_tear_down(void **state)
{
    struct machine *m = *state;
    if (m->begun)
        kind_fini(&m->run);
    target_table_fini(&m->table);
    free(m);
    return 0;
}

/* From a heap block of exactly its size. */
static inline void machine_hear(struct kind_run *run, const void *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    kind_received(run, exact, len);
    free(exact);
}

static inline void machine_expect(const struct kind_run *run, enum kind_state ended, const char *reason)
{
    char text[PROBE_REASON_MAX];
    reason_to_text(text, run->reason);
    assert_int_equal(run->state, ended);
    assert_string_equal(run->reason.code == REASON_TEXT ? run->text : text, reason);
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, machine_set_up, machine_tear_down)
