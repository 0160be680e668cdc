/* A balance between a made-up zone and a made-up prober: what the tests of balance/ share. The prober's functions are
 * those of fake_probe.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/balance.h"
#include "zone/version.h"

/* ---- plans: out of configuration text */

/* The rows of `zones` are example.com and example.org; `probes` and `zones` as in the file. NULL: refused. */
struct balance_plan *plan_of(const char *text, struct diag *diag);
/* The kept entries, each in a line "LINE: error: TEXT\n", in one string until the next call. */
const char *diag_text(const struct diag *diag);
void expect_said(const char *text, const char *part);

/* ---- the fake prober */

struct fake_target {
    uint32_t id;
    size_t ref_cnt;
    struct addr address; /* with port */
    char type;           /* 't' or 'h' */
    char host[256], path[256];
    struct health_timing timing;
    enum health_verdict verdict;
    bool unsettled, waits; /* has an event */
    bool asked, traced;    /* for a check now; that has ended */
    uint64_t since_wall_ms;
    char reason[PROBE_REASON_MAX];
    struct health_measure measure;
};
/* The target that checks "ADDRESS" or "ADDRESS@PORT"; NULL: none. */
struct fake_target *fake_find(const char *address);
/* What probe_remember got. */
const struct health_memory *fake_remembered(size_t *cnt);
/* The check that was asked for passes. */
void fake_end_asked(const char *address);
void fake_say(const char *address, enum health_verdict verdict, bool unsettled, const char *reason);
size_t fake_subscribed(void);    /* counts of all targets */
size_t fake_subscriptions(void); /* calls so far */
bool fake_runs(uint64_t *first_within_ms);
uint32_t fake_checks_max(void);

/* ---- the fake resolver */

const char *fake_resolvers(void); /* that are to be asked: "ADDRESS@PORT ADDRESS@PORT" */
size_t fake_asked(void);          /* questions so far */
bool fake_is_asked(const char *name, enum addr_family family); /* and not answered yet */
/* Answers a question that waits: with addresses as rig_zone's lines have them by these last bytes ("1 2 3"), or with a
 * failure. */
void fake_resolve(const char *name, enum addr_family family, uint32_t ttl_sec, const char *numbers);
void fake_resolve_fails(const char *name, enum addr_family family, bool is_denied);

/* ---- the rig */

struct rig {
    uv_loop_t loop;
    struct pool_directory directory;
    struct zone *zone;  /* example.com */
    struct zone *other; /* example.org */
    struct balance *balance;
    struct diag *diag;
    struct diag *load_diag; /* of the ends of loads that no test waits for */
    struct zone_version *retired[64]; /* put when the rig ends */
    size_t retired_cnt;
};

void rig_init(struct rig *rig, bool probing);
void rig_fini(struct rig *rig);
/* Only the plan: the zone is yet to be loaded. */
void rig_plan_later(struct rig *rig, const char *text);
/* The plan, and a load of the zone that found it unchanged. */
void rig_plan(struct rig *rig, const char *text);
/* Without a turn of the loop afterwards. */
void rig_plan_now(struct rig *rig, const char *text);
/* A whole new version, lines as in unit/zone/zone_help.h, SOA and NS put before; published. */
void rig_zone(struct rig *rig, const char *lines);
/* Without a turn of the loop afterwards, nor before if there is not much of it. */
void rig_zone_now(struct rig *rig, const char *lines);
/* The same in two steps: a version of the zone, and one call that may publish it. */
struct zone_version *rig_build(struct rig *rig, const char *lines);
bool rig_ready(struct rig *rig, struct zone_version *version);
/* The same of the other zone; names without a final dot are relative to example.com all the same. */
void rig_other(struct rig *rig, const char *lines);
void rig_other_now(struct rig *rig, const char *lines);
/* Lets the loop and grace periods go on until nothing is left to do. */
void rig_spin(struct rig *rig);
/* One turn of the loop. */
void rig_turn(struct rig *rig);
uint32_t rig_handle(const struct rig *rig, const char *owner);
struct pool_table *rig_table(const struct rig *rig, const char *owner, enum addr_family family);
/* What is answered: "whole" (no table), "nodata", "fail", or the last bytes of all addresses given and the TTL, "1 2 3
 * ttl 20". */
const char *rig_answer(const struct rig *rig, const char *owner, enum addr_family family);
#define expect_answer(rig, owner, text) assert_string_equal(rig_answer((rig), (owner), ADDR_V4), (text))

/* ---- what is logged */

void log_begin(void);
/* Since log_begin, which it ends. Valid until the next call. */
const char *log_end(void);
