#include "unit/balance/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "balance/marking.h"
#include "balance/private.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "conf/conf.h"
#include "unit/zone/zone_help.h"

/* ---- plans */

static const uint8_t example_org[] = "\7example\3org";

struct balance_plan *plan_of(const char *text, struct diag *diag)
{
    static const struct opt_table *const tables[] = {&probe_opt_table, &probe_health_opt_table,
                                                     &balance_zone_opt_table, &answer_site_opt_table};
    const uint8_t *apexes[] = {test_apex, example_org};
    struct conf *conf;
    struct balance_plan *plan = NULL;
    const size_t table_cnt = sizeof tables / sizeof *tables;
    enum err loaded = conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, table_cnt, diag);
    assert_non_null(conf);
    struct opt_list zones = conf_list(conf, &balance_zone_opt_table), probes = conf_list(conf, &probe_opt_table);
    struct opt_list rows = conf_list(conf, &answer_site_opt_table);
    struct answer_sites *sites;
    assert_true(zones.cnt <= 2);
    if (answer_sites_make(&sites, &rows, NULL, diag))
        loaded = ERR_INVALID;
    enum err e = balance_plan_make(&plan, &zones, apexes, &probes, sites, diag);
    assert_true((e == ERR_OK) == (plan != NULL));
    answer_sites_free(sites); /* the plan needs it no more either */
    if (plan)
        balance_plan_limit(plan, conf_group(conf, &probe_health_opt_table), &probes, diag);
    conf_free(conf); /* the plan needs it no more */
    if (!loaded)
        return plan;
    balance_plan_free(plan); /* daemon would not use it either */
    return NULL;
}

const char *diag_text(const struct diag *diag)
{
    static char text[16384];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; diag_at(diag, i) && len < sizeof text; i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%u: %s: %s\n", entry->line,
                                entry->level == DIAG_ERROR ? "error" : "warning", entry->text);
    }
    return text;
}

void expect_said(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* ---- the rig */

void rig_init(struct rig *rig, bool probing)
{
    memset(rig, 0, sizeof *rig);
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    pool_directory_init(&rig->directory);
    rig->zone = zone_new(test_apex, &test_key);
    rig->other = zone_new(example_org, &test_key);
    rig->balance = balance_new(&rig->loop, &rig->directory, probing);
    rig->diag = diag_new(100);
    rig->load_diag = diag_new(1);
}

void rig_fini(struct rig *rig)
{
    balance_free(rig->balance);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    /* Everything that was taken came back. */
    assert_int_equal(rig->directory.used, 1 + rig->directory.free_cnt);
    pool_directory_fini(&rig->directory);
    zone_free(rig->zone);
    zone_free(rig->other);
    diag_free(rig->diag);
    diag_free(rig->load_diag);
}

void rig_plan_later(struct rig *rig, const char *text)
{
    struct balance_plan *plan = plan_of(text, rig->diag);
    if (!plan)
        fail_msg("%s", diag_text(rig->diag));
    balance_set_plan(rig->balance, &plan);
    assert_null(plan);
}

void rig_plan_now(struct rig *rig, const char *text)
{
    rig_plan_later(rig, text);
    balance_zone_ready(rig->balance, rig->zone);
}

void rig_plan(struct rig *rig, const char *text)
{
    rig_plan_now(rig, text);
    rig_spin(rig);
}

/* `lines` as a whole new version of `zone`. */
static struct zone_version *build(struct rig *rig, struct zone *zone, const char *apex, const char *lines)
{
    static unsigned serial;
    static const struct balance_marked never = {false, 0}; /* what is built anew is marked anew */
    char *text = mem_printf("%s 3600 SOA %u 300\n%s 3600 NS ns.example.net.\n%s", apex, ++serial, apex, lines);
    struct zone_records *records = records_within(zone->name, text);
    struct balance_marking marking;
    balance_marking_init(&marking, balance_get_plan(rig->balance), zone, &never);
    marking.marks.diag = rig->diag;
    struct zone_version *version = zone_build(zone, records, marking.used);
    balance_marking_fini(&marking);
    zone_records_free(records);
    free(text);
    return version;
}

struct zone_version *rig_build(struct rig *rig, const char *lines) { return build(rig, rig->zone, "@", lines); }

bool rig_ready(struct rig *rig, struct zone_version *version)
{
    if (!balance_version_ready(rig->balance, version, rig->diag))
        return false;
    struct zone_version *was = zone_publish(version->zone, version);
    zone_version_forget_pools(version);
    if (was)
        zone_version_put(was); /* there are no readers */
    return true;
}

static void load_zone(struct rig *rig, struct zone *zone, const char *apex, const char *lines)
{
    struct zone_version *version = build(rig, zone, apex, lines);
    while (!rig_ready(rig, version))
        rig_turn(rig);
}

void rig_zone_now(struct rig *rig, const char *lines) { load_zone(rig, rig->zone, "@", lines); }

void rig_other_now(struct rig *rig, const char *lines) { load_zone(rig, rig->other, "example.org.", lines); }

void rig_other(struct rig *rig, const char *lines)
{
    rig_other_now(rig, lines);
    rig_spin(rig);
}

void rig_zone(struct rig *rig, const char *lines)
{
    rig_zone_now(rig, lines);
    rig_spin(rig);
}

void rig_turn(struct rig *rig) { uv_run(&rig->loop, UV_RUN_NOWAIT); }

static bool busy(const struct balance *balance)
{
    return balance->retire_cnt || balance->passing_cnt || balance->job_cnt || balance->slice_sent ||
           balance->settled_sent || balance->followed_sent || balance->wake_sent;
}

static void on_followed(void *arg) { (void)arg; }

void rig_spin(struct rig *rig)
{
    if (rig->balance->loading && !rig->balance->follower.fn)
        balance_when_followed(rig->balance, rig->load_diag, on_followed, NULL);
    for (unsigned i = 0; busy(rig->balance); i++) {
        assert_true(i < 10000);
        rcu_drain();
        rig_turn(rig);
        if (rig->balance->job_cnt)
            usleep(1000);
    }
}

static const struct zone_node *find(const struct rig *rig, const char *owner)
{
    uint8_t wire[NAME_MAX_LEN];
    put_wire(wire, owner);
    const struct zone_node *node = zone_version_find(rig->zone->current, wire);
    assert_non_null(node);
    return node;
}

uint32_t rig_handle(const struct rig *rig, const char *owner) { return find(rig, owner)->pool; }

struct pool_table *rig_table(const struct rig *rig, const char *owner, enum addr_family family)
{
    return rig->directory.entries[rig_handle(rig, owner)].tables[family == ADDR_V6];
}

const char *rig_answer(const struct rig *rig, const char *owner, enum addr_family family)
{
    static char text[8192];
    const struct pool_table *table = rig_table(rig, owner, family);
    bool given[256] = {false};
    size_t len = 0;
    if (!table)
        return "whole";
    if (table->outcome != POOL_ANSWER)
        return table->outcome == POOL_NODATA ? "nodata" : "fail";
    for (unsigned s = 0; s < table->set_cnt; s++)
        for (unsigned rr = 0; rr < table->sets[s].rr_cnt; rr++)
            given[table->bytes[table->sets[s].at + (rr + 1) * table->rr_len - 1]] = true;
    for (unsigned i = 0; i < 256; i++)
        if (given[i])
            len += (size_t)snprintf(text + len, sizeof text - len, "%u ", i);
    snprintf(text + len, sizeof text - len, "ttl %u", be32_get(table->bytes + 6));
    return text;
}

/* ---- the log */

static int log_file = -1, log_was;

void log_begin(void)
{
    log_file = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_file >= 0);
    fflush(stderr);
    log_was = dup(STDERR_FILENO);
    dup2(log_file, STDERR_FILENO);
}

/* The log decides once in a process whether lines begin with a time; here they never do. */
static void cut_stamps(char *text)
{
    enum { STAMP_LEN = sizeof "2000-01-01T00:00:00.000Z " - 1 };
    char *out = text;
    for (bool at_start = true; *text; at_start = *text++ == '\n') {
        if (at_start && *text == '2')
            text += STAMP_LEN;
        *out++ = *text;
    }
    *out = '\0';
}

const char *log_end(void)
{
    static char text[65536];
    dup2(log_was, STDERR_FILENO);
    close(log_was);
    ssize_t len = pread(log_file, text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    close(log_file);
    cut_stamps(text);
    return text;
}
