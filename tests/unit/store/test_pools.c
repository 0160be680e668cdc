/* Loads whose names are pools: marks by the plan in force, handles before a version is
 * seen, and what becomes of both at a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "balance/balance.h"
#include "balance/count.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/store.h"

enum { ZONES_MOST = 2 };

struct fixture {
    char dir[64];
    uv_loop_t loop;
    struct pool_directory pools;
    struct answer_shared shared;
    struct balance *balance;
    struct store *store;
    struct store_report report; /* of the last load */
    size_t warnings;
};

static const char *const zones[ZONES_MOST] = {"example.com", "example.org"};

static void write_zone(const struct fixture *f, const char *zone, unsigned serial, const char *more)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.zone", f->dir, zone);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "$TTL 300\n@ SOA ns1 hostmaster %u 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n%s", serial, more);
    assert_int_equal(fclose(out), 0);
}

/* Groups of the first zone: the first `name_cnt` names by name, and `below` (NULL: none). */
static void set_plan(struct fixture *f, const char *const *names, size_t name_cnt, const char *below)
{
    struct balance_group_options groups[8] = {0};
    size_t cnt = 0;
    for (; cnt < name_cnt; cnt++)
        groups[cnt].name = (char *)(uintptr_t)names[cnt];
    if (below)
        groups[cnt++].below = (char *)(uintptr_t)below;
    char *serve_all = (char *)(uintptr_t) "serve_all";
    for (size_t i = 0; i < cnt; i++) {
        groups[i].ttl_ms = 20000;
        groups[i].ttl_min_ms = 5000;
        groups[i].all_down = (struct opt_list){&serve_all, 1};
    }
    struct balance_zone_options rows[ZONES_MOST] = {{{groups, cnt}}, {{NULL, 0}}};
    const uint8_t *apexes[ZONES_MOST] = {(const uint8_t *)"\7example\3com", (const uint8_t *)"\7example\3org"};
    const struct opt_list list = {rows, ZONES_MOST}, probes = {NULL, 0};
    struct balance_plan *plan;
    struct diag *diag = diag_new(10);
    assert_int_equal(balance_plan_make(&plan, &list, apexes, &probes, NULL, diag), ERR_OK);
    diag_free(diag);
    balance_set_plan(f->balance, &plan);
}

static void on_report(void *arg, struct store_report *report)
{
    struct fixture *f = arg;
    f->report = *report;
    f->warnings = diag_cnt(report->diag, DIAG_WARNING);
}

static void load(struct fixture *f, size_t zone_cnt)
{
    struct store_zone_options rows[ZONES_MOST] = {0};
    for (size_t i = 0; i < zone_cnt; i++)
        rows[i].name = (char *)(uintptr_t)zones[i];
    const struct store_options server = {.zone_dir = f->dir};
    const struct opt_list list = {rows, zone_cnt}, templates = {NULL, 0};
    struct store_plan *plan;
    struct diag *diag = diag_new(10);
    assert_int_equal(store_plan_make(&plan, &server, &list, &templates, diag), ERR_OK);
    diag_free(diag);
    assert_int_equal(store_load(f->store, &plan, on_report, f), ERR_OK);
    while (store_loading(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
}

static const struct zone_version *current(const struct fixture *f)
{
    return catalogue_get(f->shared.catalogue, (const uint8_t *)"\7example\3com", &f->shared.key)->current;
}

static const struct zone_node *node_of(const struct fixture *f, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), (const uint8_t *)"\7example\3com"), ERR_OK);
    const struct zone_node *node = zone_version_find(current(f), wire);
    assert_non_null(node);
    return node;
}

static uint32_t handle_of(const struct fixture *f, const char *name) { return node_of(f, name)->pool; }

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/rondo-pools-XXXXXX");
    if (!mkdtemp(f->dir) || uv_loop_init(&f->loop))
        return -1;
    hash_key_random(&f->shared.key);
    pool_directory_init(&f->pools);
    f->shared.pools = &f->pools;
    f->balance = balance_new(&f->loop, &f->pools, false);
    f->store = store_new(&f->loop, &f->shared, f->balance);
    store_set_quiet(f->store);
    write_zone(f, zones[0], 1,
               "www A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.3\na.apps A 192.0.2.4\nb.apps A 192.0.2.5\n"
               "b.apps MX 10 b.apps\n");
    write_zone(f, zones[1], 1, "www A 192.0.2.1\n");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    balance_free(f->balance);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&f->loop);
    pool_directory_fini(&f->pools);
    char *command = mem_printf("rm -r '%s'", f->dir);
    err |= system(command);
    free(command);
    free(f);
    return err;
}

static void test_handles_by_the_plan(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"www"};
    set_plan(f, names, 1, "apps");
    load(f, 2);
    uint32_t www = handle_of(f, "www"), app = handle_of(f, "a.apps");
    assert_true(www && app && www != app);
    assert_int_equal(handle_of(f, "mail"), 0);
    assert_int_equal(handle_of(f, "b.apps"), 0); /* an MX record points to it */
    assert_int_equal(balance_pool_cnt(f->balance), 2);
    struct balance_counts counts;
    balance_count(&counts, f->balance);
    assert_int_equal(counts.pools[POOL_LIVE], 2);
    assert_int_equal(counts.members[HEALTH_UP], 3); /* no probe */
    assert_int_equal(counts.members[HEALTH_DOWN] + counts.members[HEALTH_UNKNOWN], 0);
    assert_non_null(f->pools.entries[www].tables[0]);
    assert_null(f->pools.entries[www].tables[1]);
    assert_int_equal(current(f)->fresh_pool_cnt, 0);
}

static void test_a_changed_zone_keeps_handles(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"www"};
    set_plan(f, names, 1, "apps");
    load(f, 2);
    uint32_t www = handle_of(f, "www");
    const struct zone_node *was = node_of(f, "www");
    write_zone(f, zones[0], 2, "www A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.9\nb.apps A 192.0.2.5\n");
    load(f, 2);
    assert_int_equal(f->report.loaded, 1);
    assert_int_equal(f->report.unchanged, 1);
    assert_ptr_not_equal(node_of(f, "www"), was);
    assert_int_equal(handle_of(f, "www"), www);
    assert_true(handle_of(f, "b.apps") != 0);
    assert_int_equal(balance_pool_cnt(f->balance), 2);
    const struct addr new_one = {.bytes = {192, 0, 2, 9}, .family = ADDR_V4};
    assert_int_equal(pool_table_share(f->pools.entries[www].tables[0], &new_one) * 3 + 0.5, 1);
}

/* Not a byte of the zone changed, nor its serial; only who is annotated. */
static void test_another_plan_marks_again(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"www", "mail"};
    set_plan(f, names, 1, NULL);
    load(f, 2);
    const struct zone_version *was = current(f);
    uint32_t www = handle_of(f, "www");
    set_plan(f, names, 1, NULL);
    load(f, 2);
    assert_ptr_equal(current(f), was); /* nothing changed at all */
    set_plan(f, names, 2, NULL);
    load(f, 2);
    assert_int_equal(f->report.unchanged, 2);
    assert_int_equal(handle_of(f, "www"), www);
    assert_true(handle_of(f, "mail") != 0);
    set_plan(f, names, 0, NULL);
    load(f, 2);
    assert_int_equal(f->report.unchanged, 2);
    assert_int_equal(handle_of(f, "www"), 0);
    assert_int_equal(handle_of(f, "mail"), 0);
    assert_int_equal(balance_pool_cnt(f->balance), 0);
}

static void test_a_broken_text_follows_the_plan_too(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"mail"};
    set_plan(f, names, 0, NULL);
    load(f, 2);
    write_zone(f, zones[0], 2, "www A broken\n");
    set_plan(f, names, 1, NULL);
    load(f, 2);
    assert_int_equal(f->report.failed, 1);
    assert_true(handle_of(f, "mail") != 0);
    assert_int_equal(current(f)->serial, 1);
}

static void test_warnings_reach_the_report(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"b.apps"};
    set_plan(f, names, 1, NULL);
    load(f, 1);
    assert_true(handle_of(f, "b.apps") != 0);
    assert_int_equal(f->warnings, 1); /* MX */
}

/* The other zone is never annotated; only what it points to matters. */
static void test_a_zone_that_points_to_another(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a.apps"};
    set_plan(f, names, 0, "apps");
    load(f, 2);
    uint32_t app = handle_of(f, "a.apps");
    assert_non_null(f->pools.entries[app].tables[0]);
    write_zone(f, zones[1], 2, "@ MX 10 a.apps.example.com.\n");
    load(f, 2);
    assert_int_equal(f->report.loaded, 1);
    assert_int_equal(handle_of(f, "a.apps"), app);
    assert_null(f->pools.entries[app].tables[0]); /* answered whole */
    assert_int_equal(f->warnings, 0);
    set_plan(f, names, 1, "apps");
    load(f, 2);
    assert_int_equal(f->report.unchanged, 2);
    assert_non_null(f->pools.entries[app].tables[0]);
    assert_int_equal(f->warnings, 1); /* that it is balanced all the same */
    set_plan(f, names, 0, NULL);
    load(f, 2);
    set_plan(f, names, 0, "apps"); /* the zone is unchanged, but what it points to matters again */
    load(f, 2);
    app = handle_of(f, "a.apps");
    assert_true(app && !f->pools.entries[app].tables[0]);
    load(f, 1);
    assert_non_null(f->pools.entries[app].tables[0]);
}

/* As often as the plan is loaded with the zone, whatever became of the zone. */
static void test_groups_for_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"gone", "www", "away"};
    set_plan(f, names, 3, "void");
    load(f, 2);
    assert_int_equal(f->warnings, 3);
    load(f, 2);
    assert_int_equal(f->report.unchanged, 2);
    assert_int_equal(f->warnings, 3);
    write_zone(f, zones[0], 2, "gone A 192.0.2.1\n");
    load(f, 2);
    assert_int_equal(f->warnings, 3); /* "www" in place of "gone" */
    write_zone(f, zones[0], 3, "gone A broken\n");
    load(f, 2);
    assert_int_equal(f->report.failed, 1);
    assert_int_equal(f->warnings, 3);
}

static void test_a_zone_that_goes(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"www"};
    set_plan(f, names, 1, NULL);
    load(f, 2);
    uint32_t www = handle_of(f, "www");
    load(f, 0);
    assert_int_equal(f->report.removed, 2);
    assert_int_equal(balance_pool_cnt(f->balance), 0);
    for (unsigned i = 0; f->pools.entries[www].tables[0]; i++) {
        assert_true(i < 10000); /* until readers are gone */
        usleep(2000);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    set_plan(f, names, 1, NULL);
    load(f, 1);
    assert_true(handle_of(f, "www") != 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_handles_by_the_plan),
        CASE(test_a_changed_zone_keeps_handles),
        CASE(test_another_plan_marks_again),
        CASE(test_a_broken_text_follows_the_plan_too),
        CASE(test_warnings_reach_the_report),
        CASE(test_a_zone_that_points_to_another),
        CASE(test_groups_for_nothing),
        CASE(test_a_zone_that_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
