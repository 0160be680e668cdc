/* What zones have comes to files and to descriptors: a store with a journal, in a folder of its own, that may be
 * stopped and started again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/change.h"
#include "store/export.h"
#include "store/write.h"
#include "store/zone_text.h"

static const uint8_t apex[] = "\1z", other[] = "\1a", broken[] = "\1b", nobody[] = "\1n";

struct fixture {
    char dir[64];
    uv_loop_t loop;
    struct answer_shared shared;
    struct journal *journal;
    struct store *store;
    /* of the last report, the last change, the last file */
    size_t loaded, unchanged, failed;
    bool is_done;
    enum err err;
    char why[HISTORY_WHY_MAX];
    struct store_written written;
    struct store_exported exported;
    bool closes; /* what is exported */
};

/* ---- files */

#define TEXT(serial) "$TTL 300\n@ SOA ns1 hostmaster " #serial " 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"

static void write_file(const struct fixture *f, const char *file, const char *text)
{
    char *path = mem_printf("%s/%s.zone", f->dir, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    free(path);
}

static bool file_has(const struct fixture *f, const char *file, const char *part)
{
    char *path = mem_printf("%s/%s.zone", f->dir, file), text[2000];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    free(path);
    return strstr(text, part) != NULL;
}

static void remove_file(const struct fixture *f, const char *file)
{
    char *path = mem_printf("%s/%s.zone", f->dir, file);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* ---- life */

static void on_report(void *arg, struct store_report *report)
{
    struct fixture *f = arg;
    f->loaded = report->loaded;
    f->unchanged = report->unchanged;
    f->failed = report->failed;
}

static void load(struct fixture *f)
{
    static char names[][2] = {"z", "a", "b"};
    struct store_zone_options rows[] = {{.name = names[0]}, {.name = names[1]}, {.name = names[2]}};
    const struct store_options server = {.zone_dir = f->dir};
    const struct opt_list zones = {rows, 3}, templates = {0};
    struct store_plan *plan;
    struct diag *diag = diag_new(10);
    assert_int_equal(store_plan_make(&plan, &server, &zones, &templates, diag), ERR_OK);
    diag_free(diag);
    assert_int_equal(store_load(f->store, &plan, on_report, f), ERR_OK);
    while (store_loading(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void start(struct fixture *f, bool keeps)
{
    char *path = mem_printf("%s/journal", f->dir), why[LMDB_WHY_MAX];
    struct lmdb *lmdb;
    struct diag *diag = diag_new(10);
    f->store = store_new(&f->loop, &f->shared, NULL);
    store_set_quiet(f->store);
    if (keeps) {
        assert_int_equal(lmdb_open(&lmdb, path, why), ERR_OK);
        assert_int_equal(journal_open(&f->journal, &f->loop, &lmdb), ERR_OK);
        assert_int_equal(store_keep(f->store, f->journal, f->dir, diag), ERR_OK);
    }
    diag_free(diag);
    free(path);
    load(f);
}

static void stop(struct fixture *f)
{
    while (store_busy(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
    store_stop_keeping(f->store);
    journal_close(f->journal);
    f->journal = NULL;
    store_free(f->store);
    uv_run(&f->loop, UV_RUN_DEFAULT);
}

static int setup_any(void **state, bool keeps)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->dir, sizeof f->dir, "/tmp/rondo-write-XXXXXX");
    if (!mkdtemp(f->dir) || uv_loop_init(&f->loop))
        return -1;
    hash_key_random(&f->shared.key);
    write_file(f, "z", TEXT(1));
    write_file(f, "a", TEXT(1));
    write_file(f, "b", "no zone\n");
    start(f, keeps);
    *state = f;
    return 0;
}

static int setup(void **state) { return setup_any(state, true); }

static int setup_without_journal(void **state) { return setup_any(state, false); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    stop(f);
    int err = uv_loop_close(&f->loop);
    char *command = mem_printf("rm -r '%s'", f->dir);
    err |= system(command);
    free(command);
    free(f);
    return err;
}

/* ---- what is asked of the store */

static void wait(struct fixture *f)
{
    while (!f->is_done || store_busy(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
    f->is_done = false;
}

static void note(struct fixture *f, enum err err, const char *why)
{
    f->is_done = true;
    f->err = err;
    snprintf(f->why, sizeof f->why, "%s", why ? why : "");
}

static void on_written(void *arg, enum err err, const char *why, const struct store_written *written)
{
    struct fixture *f = arg;
    note(f, err, why);
    f->written = *written;
}

typedef void order_fn(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg);

static void expect(struct fixture *f, order_fn *order, const uint8_t *name, bool is_written, uint32_t serial)
{
    order(f->store, name, on_written, f);
    wait(f);
    if (f->err)
        fail_msg("%s", f->why);
    assert_int_equal(f->written.is_written, is_written);
    assert_int_equal(f->written.serial, serial);
}

static void expect_refused(struct fixture *f, order_fn *order, const uint8_t *name, enum err err, const char *why)
{
    order(f->store, name, on_written, f);
    wait(f);
    assert_int_equal(f->err, err);
    if (!strstr(f->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, f->why);
}

static struct store_zone_view look(const struct fixture *f, const uint8_t *name)
{
    struct store_zone_view view;
    assert_true(store_get_zone(f->store, name, &view));
    return view;
}

/* An update, as it will come to be: the zone has these records from now on, and its file lacks them. */
struct update {
    struct store_change change;
    struct fixture *f;
    const char *text;
};

static bool add_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    (void)file;
    zone_records_add(arg, rr, NULL, line);
    return true;
}

static enum err make_update(struct store_change *change, struct store_making *making)
{
    struct update *update = (struct update *)change;
    struct keeping *k = &making->keeping;
    struct diag *diag = diag_new(5);
    if (making->is_frozen)
        return ERR_DENIED;
    struct zone_records *records = zone_records_new(apex, making->zone->key);
    assert_int_equal(zonefile_read_text("t", update->text, strlen(update->text), apex, add_record, records, diag), 0);
    assert_int_equal(zone_records_check(records, diag), ERR_OK);
    struct changeset *changes = changeset_diff(making->base, records);
    assert_int_equal(zone_apply(&making->version, making->base, changes, making->marks), ERR_OK);
    assert_int_equal(keeping_changes(k, making->base, making->version, &changes, 1, making->why), ERR_OK);
    keeping_set_flags(k, apex, k->entry.flags | HISTORY_HAS_UPDATES);
    changeset_free(changes);
    zone_records_free(records);
    diag_free(diag);
    return ERR_OK;
}

static enum err make_refused(struct store_change *change, struct store_making *making)
{
    (void)change;
    return making->is_frozen ? ERR_DENIED : ERR_OK;
}

static void on_updated(struct store_change *change, enum err err, const char *why)
{
    note(((struct update *)change)->f, err, why);
}

static enum err update(struct fixture *f, const char *text)
{
    struct update update = {.change = {.make = text ? make_update : make_refused, .done = on_updated}, f, text};
    store_change(f->store, apex, &update.change);
    wait(f);
    return f->err;
}

/* ---- stories: files */

static void updates_come_to_the_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(update(f, TEXT(2) "new A 192.0.2.7\n"), ERR_OK);
    struct store_zone_view view = look(f, apex);
    assert_true(view.has_updates && view.has_history && view.is_measured);
    assert_int_equal(view.change_cnt, 1);
    assert_int_equal(view.oldest_serial, 1);
    assert_int_equal(view.checkpoint_serial, 1);
    assert_true(view.change_bytes > 0);
    assert_false(file_has(f, "z", "new"));
    expect(f, store_write, apex, true, 2);
    assert_true(file_has(f, "z", "new") && file_has(f, "z", "; zone z, written by rondod\n"));
    assert_false(look(f, apex).has_updates);
    expect(f, store_write, apex, false, 2);
    load(f);
    assert_int_equal(f->unchanged, 2);
    assert_int_equal(f->failed, 1);
    stop(f);
    start(f, true);
    view = look(f, apex);
    assert_int_equal(view.state, STORE_ZONE_SERVED);
    assert_int_equal(view.serial, 2);
    assert_int_equal(view.rr_cnt, 4);
    assert_int_equal(view.change_cnt, 1);
    write_file(f, "z", TEXT(3));
    load(f);
    assert_int_equal(look(f, apex).serial, 3);
}

static void the_span_is_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(update(f, TEXT(2) "new A 192.0.2.7\n"), ERR_OK);
    assert_int_equal(update(f, TEXT(3)), ERR_OK);
    struct store_zone_view before = look(f, apex);
    stop(f);
    start(f, true);
    while (store_busy(f->store))
        uv_run(&f->loop, UV_RUN_ONCE);
    struct store_zone_view view = look(f, apex);
    assert_true(view.is_measured);
    assert_int_equal(view.oldest_serial, 1);
    assert_int_equal(view.change_cnt, 2);
    assert_int_equal(view.change_bytes, before.change_bytes);
}

static void a_file_that_somebody_changed_is_left_alone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(update(f, TEXT(2) "new A 192.0.2.7\n"), ERR_OK);
    write_file(f, "z", TEXT(1) "; mine\n");
    expect_refused(f, store_write, apex, ERR_EXISTS, "has changed since it was read");
    expect_refused(f, store_freeze, apex, ERR_EXISTS, "has changed since it was read");
    assert_false(store_is_frozen(f->store, apex));
    assert_true(file_has(f, "z", "; mine"));
    load(f);
    assert_int_equal(look(f, apex).state, STORE_ZONE_SERVED_STALE);
    expect_refused(f, store_write, apex, ERR_EXISTS, "has changed since it was read");
    remove_file(f, "z");
    expect(f, store_write, apex, true, 2);
    assert_int_equal(look(f, apex).state, STORE_ZONE_SERVED);
    assert_true(file_has(f, "z", "new"));
}

static void a_refused_text_that_is_gone_is_forgotten(void **state)
{
    struct fixture *f = *state;
    write_file(f, "z", "what\n");
    load(f);
    assert_int_equal(look(f, apex).state, STORE_ZONE_SERVED_STALE);
    remove_file(f, "z");
    expect(f, store_write, apex, true, 1);
    assert_int_equal(look(f, apex).state, STORE_ZONE_SERVED);
    assert_null(look(f, apex).last_error);
}

static void what_cannot_be_written_says_why(void **state)
{
    struct fixture *f = *state;
    expect_refused(f, store_write, nobody, ERR_NOT_FOUND, "no such zone");
    expect_refused(f, store_write, broken, ERR_CLOSED, "no version");
    remove_file(f, "z");
    char *path = mem_printf("%s/z.zone", f->dir);
    assert_int_equal(symlink("/nowhere/at/all/../z", path), 0);
    expect(f, store_write, apex, true, 1); /* a link that leads nowhere is replaced itself */
    assert_int_equal(unlink(path), 0);
    char *moved = mem_printf("%s.gone", f->dir);
    assert_int_equal(rename(f->dir, moved), 0);
    expect_refused(f, store_write, apex, ERR_IO, "could not be written");
    assert_int_equal(rename(moved, f->dir), 0);
    free(moved);
    free(path);
}

/* ---- stories: frozen */

static void a_frozen_zone_takes_no_updates(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(update(f, TEXT(2) "new A 192.0.2.7\n"), ERR_OK);
    expect(f, store_freeze, apex, true, 2);
    assert_true(store_is_frozen(f->store, apex) && look(f, apex).is_frozen && !look(f, other).is_frozen);
    assert_false(store_is_frozen(f->store, nobody));
    assert_int_equal(update(f, NULL), ERR_DENIED);
    expect_refused(f, store_freeze, apex, ERR_EXISTS, "frozen already");
    stop(f);
    start(f, true);
    assert_true(store_is_frozen(f->store, apex));
    write_file(f, "z", TEXT(3));
    load(f);
    assert_int_equal(look(f, apex).serial, 3);
    assert_true(store_is_frozen(f->store, apex));
    expect(f, store_thaw, apex, false, 3);
    assert_false(store_is_frozen(f->store, apex));
    assert_int_equal(update(f, TEXT(4) "new A 192.0.2.7\n"), ERR_OK);
    expect_refused(f, store_thaw, apex, ERR_EXISTS, "not frozen");
    stop(f);
    start(f, true);
    assert_false(store_is_frozen(f->store, apex));
}

static void a_zone_without_a_history_stays_frozen_too(void **state)
{
    struct fixture *f = *state;
    assert_false(look(f, other).has_history);
    expect(f, store_freeze, other, false, 1);
    stop(f);
    start(f, true);
    assert_true(store_is_frozen(f->store, other));
    assert_int_equal(look(f, other).state, STORE_ZONE_SERVED);
    expect_refused(f, store_freeze, broken, ERR_CLOSED, "no version");
}

static void without_a_journal_nothing_is_frozen(void **state)
{
    struct fixture *f = *state;
    expect_refused(f, store_freeze, apex, ERR_LIMIT, "would not survive a restart");
    assert_false(store_is_frozen(f->store, apex));
    expect_refused(f, store_thaw, apex, ERR_EXISTS, "not frozen");
}

/* ---- stories: descriptors */

static void on_exported(void *arg, const char *why, const struct store_exported *exported)
{
    struct fixture *f = arg;
    note(f, why ? ERR_IO : ERR_OK, why);
    f->exported = *exported;
    if (f->closes)
        close(exported->fd);
}

static void a_version_is_written_for_somebody(void **state)
{
    struct fixture *f = *state;
    char text[1000];
    assert_int_equal(store_export(f->store, apex, on_exported, f), ERR_OK);
    assert_int_equal(update(f, TEXT(2) "new A 192.0.2.7\n"), ERR_OK); /* it has the version of then */
    while (f->exported.fd <= 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->exported.serial, 1);
    assert_int_equal(f->exported.rr_cnt, 3);
    ssize_t len = read(f->exported.fd, text, sizeof text - 1);
    assert_int_equal(len, f->exported.bytes);
    text[len] = '\0';
    assert_true(strstr(text, "; zone z, serial 1\n") == text && strstr(text, "ns1") && !strstr(text, "new"));
    close(f->exported.fd);
    f->is_done = false;
}

static void so_many_and_no_more(void **state)
{
    struct fixture *f = *state;
    f->closes = true;
    assert_int_equal(store_export(f->store, nobody, on_exported, f), ERR_NOT_FOUND);
    assert_int_equal(store_export(f->store, broken, on_exported, f), ERR_CLOSED);
    for (unsigned i = 0; i < STORE_EXPORTS_MOST; i++)
        assert_int_equal(store_export(f->store, apex, on_exported, f), ERR_OK);
    assert_int_equal(store_export(f->store, other, on_exported, f), ERR_LIMIT);
    while (!f->is_done)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(store_export(f->store, other, on_exported, f), ERR_OK);
    /* the others end with the store */
}

/* ---- stories: looks */

struct seen {
    uint8_t names[8][NAME_MAX_LEN];
    size_t cnt;
};

static void see(void *arg, const struct store_zone_view *zone)
{
    struct seen *seen = arg;
    name_to_lower(seen->names[seen->cnt++], zone->apex);
}

static void zones_are_looked_at_in_turns(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.cnt = 0};
    struct store_zone_view view;
    assert_true(store_each_zone_after(f->store, NULL, 2, see, &seen));
    assert_int_equal(seen.cnt, 2);
    assert_true(name_equal(seen.names[0], other) && name_equal(seen.names[1], broken));
    assert_false(store_each_zone_after(f->store, seen.names[1], 2, see, &seen));
    assert_int_equal(seen.cnt, 3);
    assert_true(name_equal(seen.names[2], apex));
    assert_false(store_each_zone_after(f->store, apex, 2, see, &seen));
    assert_int_equal(seen.cnt, 3);
    assert_false(store_each_zone_after(f->store, nobody, 5, see, &seen)); /* behind one that is not there (any more) */
    assert_int_equal(seen.cnt, 4);
    assert_true(name_equal(seen.names[3], apex));
    assert_false(store_get_zone(f->store, nobody, &view));
}

#define story(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(updates_come_to_the_file),
        story(the_span_is_known_after_a_restart),
        story(a_file_that_somebody_changed_is_left_alone),
        story(a_refused_text_that_is_gone_is_forgotten),
        story(what_cannot_be_written_says_why),
        story(a_frozen_zone_takes_no_updates),
        story(a_zone_without_a_history_stays_frozen_too),
        cmocka_unit_test_setup_teardown(without_a_journal_nothing_is_frozen, setup_without_journal, teardown),
        story(a_version_is_written_for_somebody),
        story(so_many_and_no_more),
        story(zones_are_looked_at_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
