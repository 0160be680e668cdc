/* Loads zone files from a folder of its own, on a loop of its own; a reader
 * thread stands for the workers where it matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dns/name.h"
#include "store/store.h"

enum { ZONES_MOST = 3000 };

struct fixture {
    char dir[64];
    uv_loop_t loop;
    struct answer_shared shared;
    struct store *store;
    char *names[ZONES_MOST], *files[ZONES_MOST]; /* what the next plan has */
    size_t cnt;
    /* of the last report */
    struct store_report report;
    char first_failed[NAME_TEXT_MAX];
    size_t errors, warnings, reports;
};

/* ---- files and plans */

static char *file_path(const struct fixture *f, const char *file)
{
    return mem_printf("%s/%s", f->dir, file);
}

static void write_file(const struct fixture *f, const char *file, const char *text)
{
    char *path = file_path(f, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    free(path);
}

static void write_zone(const struct fixture *f, const char *file, unsigned serial, const char *more)
{
    char *text = mem_printf("$TTL 300\n@ SOA ns1 hostmaster %u 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n%s",
                            serial, more);
    write_file(f, file, text);
    free(text);
}

static void remove_file(const struct fixture *f, const char *file)
{
    char *path = file_path(f, file);
    unlink(path);
    free(path);
}

static void want(struct fixture *f, const char *name, const char *file)
{
    f->names[f->cnt] = mem_strdup(name);
    f->files[f->cnt++] = mem_strdup(file);
}

static void want_none(struct fixture *f)
{
    for (size_t i = 0; i < f->cnt; i++) {
        free(f->names[i]);
        free(f->files[i]);
    }
    f->cnt = 0;
}

static struct store_plan *make_plan(struct fixture *f)
{
    struct store_zone_options *rows = mem_zalloc(f->cnt, sizeof *rows);
    for (size_t i = 0; i < f->cnt; i++)
        rows[i] = (struct store_zone_options){.name = f->names[i], .file = f->files[i]};
    const struct store_options server = {.zone_dir = f->dir};
    const struct opt_list zones = {rows, f->cnt}, templates = {0};
    struct store_plan *plan;
    struct diag *diag = diag_new(10);
    assert_int_equal(store_plan_make(&plan, &server, &zones, &templates, diag), ERR_OK);
    diag_free(diag);
    free(rows);
    return plan;
}

static void on_report(void *arg, struct store_report *report)
{
    struct fixture *f = arg;
    f->report = *report;
    f->errors = diag_cnt(report->diag, DIAG_ERROR);
    f->warnings = diag_cnt(report->diag, DIAG_WARNING);
    f->first_failed[0] = 0;
    if (report->failed)
        snprintf(f->first_failed, sizeof f->first_failed, "%s", report->failed_names[0]);
    f->reports++;
}

static void begin(struct fixture *f)
{
    struct store_plan *plan = make_plan(f);
    assert_int_equal(store_load(f->store, &plan, on_report, f), ERR_OK);
    assert_null(plan);
}

static void end(struct fixture *f)
{
    size_t before = f->reports;
    while (store_loading(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->reports, before + 1);
}

static void load(struct fixture *f)
{
    begin(f);
    end(f);
}

/* ---- looking */

struct search {
    const char *name;
    struct store_zone_view view;
    char path[256], last_error[1024];
    bool found;
};

static void match_view(void *arg, const struct store_zone_view *view)
{
    struct search *search = arg;
    char name[NAME_TEXT_MAX];
    if (strcmp(name_to_text_bare(name, view->apex), search->name) != 0)
        return;
    search->found = true;
    search->view = *view;
    snprintf(search->path, sizeof search->path, "%s", view->path);
    snprintf(search->last_error, sizeof search->last_error, "%s", view->last_error ? view->last_error : "");
}

static struct search look(const struct fixture *f, const char *name)
{
    struct search search = {.name = name};
    store_each_zone(f->store, match_view, &search);
    return search;
}

static struct zone *served(const struct fixture *f, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    return catalogue_get(f->shared.catalogue, wire, &f->shared.key);
}

static bool has_name(const struct fixture *f, const char *zone, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    return zone_version_find(served(f, zone)->current, wire) != NULL;
}

static void expect_state(const struct fixture *f, const char *name, enum store_zone_state state, uint32_t serial)
{
    struct search s = look(f, name);
    assert_true(s.found);
    assert_int_equal(s.view.state, state);
    assert_int_equal(s.view.serial, serial);
}

static void expect_report(const struct fixture *f, size_t loaded, size_t unchanged, size_t failed)
{
    assert_int_equal(f->report.loaded, loaded);
    assert_int_equal(f->report.unchanged, unchanged);
    assert_int_equal(f->report.failed, failed);
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/rondo-store-XXXXXX");
    if (!mkdtemp(f->dir) || uv_loop_init(&f->loop))
        return -1;
    hash_key_random(&f->shared.key);
    f->store = store_new(&f->loop, &f->shared, NULL);
    store_set_quiet(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    want_none(f);
    store_free(f->store);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&f->loop);
    char *command = mem_printf("rm -r '%s'", f->dir);
    err |= system(command);
    free(command);
    free(f);
    return err;
}

/* ---- stories */

static void test_first_load(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "www A 192.0.2.1\nwww A 192.0.2.2\n");
    want(f, "example.com", "com");
    load(f);
    expect_report(f, 1, 0, 0);
    assert_int_equal(f->report.added, 1);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 5);
    struct search s = look(f, "example.com");
    assert_int_equal(s.view.name_cnt, 3);
    assert_int_equal(s.view.rr_cnt, 5);
    assert_true(s.view.memory_bytes > 0);
    assert_true(s.view.loaded_wall_ms > 0);
    assert_null(s.view.last_error);
    assert_int_equal(store_zone_cnt(f->store, STORE_ZONE_SERVED), 1);
    assert_true(has_name(f, "example.com", "www.example.com"));
}

static void test_no_zones(void **state)
{
    struct fixture *f = *state;
    load(f);
    expect_report(f, 0, 0, 0);
    assert_non_null(f->shared.catalogue);
}

static void test_unchanged_keeps_version(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "");
    want(f, "example.com", "com");
    load(f);
    const struct catalogue *catalogue = f->shared.catalogue;
    const struct zone_version *version = served(f, "example.com")->current;
    load(f);
    expect_report(f, 0, 1, 0);
    assert_ptr_equal(f->shared.catalogue, catalogue);
    assert_ptr_equal(served(f, "example.com")->current, version);
}

/* Other bytes, the same records: also with the serial that it had. */
static void test_comment_keeps_version(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "");
    want(f, "example.com", "com");
    load(f);
    const struct zone_version *version = served(f, "example.com")->current;
    write_zone(f, "com", 5, "; nothing new\n");
    load(f);
    expect_report(f, 0, 1, 0);
    assert_ptr_equal(served(f, "example.com")->current, version);
    load(f);
    expect_report(f, 0, 1, 0);
}

static void test_change(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "www A 192.0.2.1\n");
    want(f, "example.com", "com");
    load(f);
    write_zone(f, "com", 6, "mail A 192.0.2.2\n");
    load(f);
    expect_report(f, 1, 0, 0);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 6);
    assert_false(has_name(f, "example.com", "www.example.com"));
    assert_true(has_name(f, "example.com", "mail.example.com"));
}

/* RFC 1982: 1 is above 4294967295, and half the circle away is above nothing. */
static void test_serial_wraps(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", UINT32_MAX, "");
    want(f, "example.com", "com");
    load(f);
    write_zone(f, "com", 1, "www A 192.0.2.1\n");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 1);
    write_zone(f, "com", 0x80000001, "www A 192.0.2.2\n");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED_STALE, 1);
    write_zone(f, "com", 0x80000000, "www A 192.0.2.2\n");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 0x80000000);
}

static void test_serial_not_risen(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "www A 192.0.2.1\n");
    want(f, "example.com", "com");
    load(f);
    const struct zone_version *version = served(f, "example.com")->current;
    write_zone(f, "com", 4, "www A 192.0.2.2\n");
    load(f);
    expect_report(f, 0, 0, 1);
    assert_string_equal(f->first_failed, "example.com");
    expect_state(f, "example.com", STORE_ZONE_SERVED_STALE, 5);
    assert_int_equal(f->errors, 1);
    assert_int_equal(f->warnings, 0);
    /* The SOA stands in the second line. */
    expect_in(look(f, "example.com").last_error,
              "/com:2: zone \"example.com\": refused: the records changed, but serial 4 ");
    expect_in(look(f, "example.com").last_error, "5");
    assert_ptr_equal(served(f, "example.com")->current, version);
    load(f); /* said again, not forgotten */
    expect_report(f, 0, 0, 1);
    write_zone(f, "com", 5, "www A 192.0.2.1\n");
    load(f);
    expect_report(f, 0, 1, 0);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 5);
    assert_string_equal(look(f, "example.com").last_error, "");
}

static void test_broken_from_the_start(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "www A 192.0.2.256\n");
    write_zone(f, "net", 7, "");
    want(f, "example.com", "com");
    want(f, "example.net", "net");
    want(f, "example.org", "missing");
    load(f);
    expect_report(f, 1, 0, 2);
    expect_state(f, "example.com", STORE_ZONE_FAILED, 0);
    expect_in(look(f, "example.com").last_error, "com:5: ");
    expect_state(f, "example.net", STORE_ZONE_SERVED, 7);
    expect_state(f, "example.org", STORE_ZONE_FAILED, 0);
    assert_non_null(served(f, "example.com")); /* SERVFAIL, not REFUSED */
    assert_null(served(f, "example.com")->current);
    write_zone(f, "com", 5, "www A 192.0.2.255\n");
    load(f);
    expect_report(f, 1, 1, 1);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 5);
}

static void test_broken_later(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "com", 5, "");
    want(f, "example.com", "com");
    load(f);
    write_zone(f, "com", 6, "www A 192.0.2.1\nwww CNAME ns1\n");
    load(f);
    expect_report(f, 0, 0, 1);
    assert_true(f->errors > 0);
    expect_state(f, "example.com", STORE_ZONE_SERVED_STALE, 5);
    remove_file(f, "com");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED_STALE, 5);
    write_zone(f, "com", 7, "");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 7);
}

static void test_come_and_go(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "a", 1, "");
    write_zone(f, "b", 2, "");
    write_zone(f, "c", 3, "");
    want(f, "b.example", "b");
    want(f, "c.example", "c");
    load(f);
    want_none(f);
    want(f, "a.example", "a");
    want(f, "c.example", "c");
    load(f);
    assert_int_equal(f->report.added, 1);
    assert_int_equal(f->report.removed, 1);
    expect_report(f, 1, 1, 0);
    assert_false(look(f, "b.example").found);
    assert_null(served(f, "b.example"));
    assert_non_null(served(f, "a.example"));
    assert_int_equal(store_zone_cnt(f->store, STORE_ZONE_SERVED), 2);
    want_none(f);
    load(f);
    assert_int_equal(f->report.removed, 2);
    assert_int_equal(store_zone_cnt(f->store, STORE_ZONE_SERVED), 0);
    assert_null(served(f, "a.example"));
}

/* The new file decides, even when the old one has not changed and the new one is older. */
static void test_another_file(void **state)
{
    struct fixture *f = *state;
    write_zone(f, "one", 5, "");
    write_zone(f, "two", 6, "www A 192.0.2.1\n");
    write_zone(f, "three", 4, "mail A 192.0.2.1\n");
    want(f, "example.com", "one");
    load(f);
    want_none(f);
    want(f, "example.com", "two");
    load(f);
    expect_state(f, "example.com", STORE_ZONE_SERVED, 6);
    expect_in(look(f, "example.com").path, "/two");
    want_none(f);
    want(f, "example.com", "three");
    load(f);
    load(f);
    expect_report(f, 0, 0, 1);
    expect_state(f, "example.com", STORE_ZONE_SERVED_STALE, 6);
    expect_in(look(f, "example.com").path, "/three");
}

static void test_busy(void **state)
{
    struct fixture *f = *state;
    begin(f);
    struct store_plan *plan = make_plan(f);
    assert_int_equal(store_load(f->store, &plan, on_report, f), ERR_BUSY);
    assert_non_null(plan);
    store_plan_free(plan);
    end(f);
}

static void write_many(const struct fixture *f, unsigned serial, unsigned cnt, const char *prefix)
{
    char *path = file_path(f, "many");
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "$TTL 300\n@ SOA ns1 hostmaster %u 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n", serial);
    for (unsigned i = 0; i < cnt; i++)
        fprintf(out, "%s%u A 192.0.2.1\n", prefix, i);
    assert_int_equal(fclose(out), 0);
    free(path);
}

/* Every name replaced: more garbage than the control thread releases itself,
 * and the next load comes while a job does. */
static void test_all_names_replaced(void **state)
{
    struct fixture *f = *state;
    want(f, "example.com", "many");
    for (unsigned serial = 1; serial <= 6; serial++) {
        write_many(f, serial, 5000, serial & 1 ? "odd" : "even");
        load(f);
        expect_report(f, 1, 0, 0);
        assert_true(has_name(f, "example.com", serial & 1 ? "odd4999.example.com" : "even4999.example.com"));
        assert_false(has_name(f, "example.com", serial & 1 ? "even0.example.com" : "odd0.example.com"));
    }
    want_none(f);
    load(f);
}

/* ---- what is told while a load runs */

struct comparison {
    const struct fixture *fixture;
    size_t cnt;
};

static void compare_zone(void *arg, const struct store_zone_view *view)
{
    struct comparison *c = arg;
    const struct catalogue *catalogue = c->fixture->shared.catalogue;
    const struct zone *zone = catalogue ? catalogue_get(catalogue, view->apex, &c->fixture->shared.key) : NULL;
    assert_non_null(zone);
    bool has_version = view->state == STORE_ZONE_SERVED || view->state == STORE_ZONE_SERVED_STALE;
    assert_true(has_version == (zone->current != NULL));
    if (zone->current)
        assert_int_equal(zone->current->serial, view->serial);
    c->cnt++;
}

/* Each zone of the list is one that queries are answered from, as the list says, and the other way round. */
static void compare(const struct fixture *f)
{
    struct comparison c = {f, 0};
    store_each_zone(f->store, compare_zone, &c);
    size_t by_state = 0;
    for (int i = STORE_ZONE_LOADING; i <= STORE_ZONE_SERVED_STALE; i++)
        by_state += store_zone_cnt(f->store, (enum store_zone_state)i);
    assert_int_equal(by_state, c.cnt);
    assert_int_equal(f->shared.catalogue ? f->shared.catalogue->zone_cnt : 0, c.cnt);
}

/* Whatever a large zone takes, small ones are served before it, and one that goes stays until all others are there. */
static void test_list_and_catalogue_agree(void **state)
{
    struct fixture *f = *state;
    bool small_first = false, old_with_small = false;
    write_many(f, 1, 30000, "n");
    write_zone(f, "small", 2, "");
    write_zone(f, "broken", 2, "www A 1.2.3\n");
    want(f, "kept.example", "small");
    want(f, "old.example", "small");
    begin(f);
    while (store_loading(f->store)) {
        compare(f);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    compare(f);
    want_none(f);
    want(f, "aaa.example", "small");
    want(f, "big.example", "many");
    want(f, "broken.example", "broken");
    want(f, "kept.example", "small");
    begin(f);
    while (store_loading(f->store)) {
        compare(f);
        bool big = look(f, "big.example").view.state == STORE_ZONE_SERVED;
        bool small = look(f, "aaa.example").found && look(f, "aaa.example").view.state == STORE_ZONE_SERVED;
        small_first |= small && !big;
        old_with_small |= small && !big && look(f, "old.example").found;
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    compare(f);
    assert_true(small_first);
    assert_true(old_with_small);
    assert_false(look(f, "old.example").found);
    expect_report(f, 2, 1, 1);
    expect_state(f, "broken.example", STORE_ZONE_FAILED, 0);
}

static void test_no_descriptor_left(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int first_free = dup(0);
    assert_true(first_free >= 0);
    close(first_free);
    none = (struct rlimit){(rlim_t)first_free, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct store *store = store_new(&f->loop, &f->shared, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_null(store);
}

static void test_many_zones(void **state)
{
    struct fixture *f = *state;
    char name[64];
    write_zone(f, "z", 1, "");
    for (unsigned i = 0; i < ZONES_MOST; i++) {
        snprintf(name, sizeof name, "zone%u.example", i);
        want(f, name, "z");
    }
    load(f);
    expect_report(f, ZONES_MOST, 0, 0);
    load(f);
    expect_report(f, 0, ZONES_MOST, 0);
    write_zone(f, "z", 2, "www A 192.0.2.1\n");
    load(f);
    expect_report(f, ZONES_MOST, 0, 0);
    expect_state(f, "zone77.example", STORE_ZONE_SERVED, 2);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    char name[64];
    write_zone(f, "z", 1, "");
    for (unsigned i = 0; i < ZONES_MOST; i++) {
        snprintf(name, sizeof name, "zone%u.example", i);
        want(f, name, "z");
    }
    begin(f);
    store_cancel(f->store);
    end(f);
    assert_true(f->report.cancelled);
    assert_true(f->report.loaded < ZONES_MOST);
}

/* ---- with a reader */

struct reader_thread {
    pthread_t thread;
    const struct fixture *fixture;
    bool stop; /* atomic */
    uint64_t seen;
};

/* Reads every byte of the apex node, so that a sanitizer sees what was freed too early. */
static void look_once(struct reader_thread *r)
{
    const struct catalogue *catalogue = rcu_read(r->fixture->shared.catalogue);
    for (uint64_t i = 0; i <= catalogue->mask; i++) {
        struct zone *zone = catalogue->slots[i];
        const struct zone_version *version = zone ? rcu_read(zone->current) : NULL;
        const uint8_t *p = version ? (const uint8_t *)version->apex : NULL;
        for (uint32_t at = 0; p && at < version->apex->size; at++)
            r->seen += p[at];
    }
}

static void *read_on(void *arg)
{
    struct reader_thread *r = arg;
    rcu_reader_start();
    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        look_once(r);
        rcu_reader_quiescent();
    }
    rcu_reader_stop();
    return NULL;
}

static void test_reader_sees_whole_versions(void **state)
{
    struct fixture *f = *state;
    struct reader_thread r = {.fixture = f};
    write_zone(f, "a", 1, "");
    write_zone(f, "b", 1, "");
    want(f, "a.example", "a");
    want(f, "b.example", "b");
    load(f);
    assert_int_equal(pthread_create(&r.thread, NULL, read_on, &r), 0);
    for (unsigned serial = 2; serial < 60; serial++) {
        write_zone(f, "a", serial, serial & 1 ? "www A 192.0.2.1\n" : "@ TXT text\n");
        want_none(f);
        want(f, "a.example", "a");
        if (serial & 2)
            want(f, "b.example", "b");
        load(f);
        expect_state(f, "a.example", STORE_ZONE_SERVED, serial);
    }
    __atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_true(r.seen > 0);
}

#define story(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(test_first_load),
        story(test_no_zones),
        story(test_unchanged_keeps_version),
        story(test_comment_keeps_version),
        story(test_change),
        story(test_serial_wraps),
        story(test_serial_not_risen),
        story(test_broken_from_the_start),
        story(test_broken_later),
        story(test_come_and_go),
        story(test_another_file),
        story(test_busy),
        story(test_all_names_replaced),
        story(test_list_and_catalogue_agree),
        story(test_no_descriptor_left),
        story(test_many_zones),
        story(test_cancel),
        story(test_reader_sees_whole_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
