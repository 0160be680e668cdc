/* For the tests of the store's door: a store with a real journal in a folder of its own, on a loop of its own, with one
 * zone, and a model of what that zone has to be. */
#pragma once

#include "history_rig.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/acl.h"
#include "base/container.h"
#include "store/histories.h"
#include "store/hold.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/transferred.h"
#include "zone/access.h"

/* ---- what the zone has: an A record a name, or none */

enum { MODEL_NAMES = 16 };

struct model {
    uint32_t serial;
    uint8_t last[MODEL_NAMES]; /* bytes of the addresses; 0: there is no such name */
    uint32_t filler_cnt;       /* so many names more, for what is to be large */
};

/* Of the store's zones. */
static const struct hash_key *door_key;

static inline struct zone_records *model_records(const struct model *model)
{
    char line[200];
    struct zone_records *records = zone_records_new(test_apex, door_key);
    snprintf(line, sizeof line, "@ 3600 SOA %u 60", model->serial);
    add_line(records, line, 1);
    add_line(records, "@ 3600 NS ns.example.net.", 1);
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        snprintf(line, sizeof line, "n%u 300 A %u", i, model->last[i]);
        if (model->last[i])
            add_line(records, line, 1);
    }
    for (unsigned i = 0; i < model->filler_cnt; i++) {
        snprintf(line, sizeof line, "filler%u 300 A 1", i);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    return records;
}

static inline struct changeset *model_changes(const struct model *from, const struct model *to)
{
    struct zone *zone = zone_new(test_apex, door_key);
    struct zone_records *before = model_records(from), *after = model_records(to);
    assert_null(zone_publish(zone, zone_build(zone, before, NULL)));
    struct changeset *changes = changeset_diff(zone->current, after);
    changes->serial_from = from->serial;
    changes->serial_to = to->serial;
    zone_records_free(before);
    zone_records_free(after);
    zone_free(zone);
    return changes;
}

static inline void model_change(struct model *model, struct random_state *rng, unsigned changes)
{
    for (unsigned i = 0; i < changes; i++)
        model->last[random_below(rng, MODEL_NAMES)] = (uint8_t)random_below(rng, 4);
}

/* ---- the store */

struct door {
    struct folder folder;
    uv_loop_t loop;
    struct answer_shared shared;
    struct journal *journal;
    struct store *store;
    /* of the zone, as the next plan has it */
    bool is_wanted, is_secondary, is_transferred;
    enum store_serial serial_mode;
    int64_t most_bytes; /* the next two: 0, as usual */
    uint64_t most_ms;
    unsigned other_cnt; /* zones besides, small, from the file "other" */
    /* of the last load */
    size_t loaded, unchanged, failed, reports;
    char said[4000]; /* all errors and warnings, a line each */
    char said_at_start[4000];
    struct rlimit limit; /* before disk_fill */
    bool is_full;
};

static inline void door_note(char said[4000], const struct diag *diag)
{
    const struct diag_entry *entry;
    said[0] = '\0';
    for (size_t i = 0; (entry = diag_at(diag, i)) != NULL; i++) {
        size_t len = strlen(said);
        snprintf(said + len, 4000 - len, "%s\n", entry->text);
    }
}

static inline char *door_path(const struct door *d, const char *file)
{
    return mem_printf("%s/%s", d->folder.path, file);
}

static inline void door_start(struct door *d)
{
    struct lmdb *lmdb;
    char why[LMDB_WHY_MAX], *path = door_path(d, "journal");
    struct diag *diag = diag_new(10);
    if (lmdb_open(&lmdb, path, why))
        fail_msg("%s", why);
    assert_int_equal(journal_open(&d->journal, &d->loop, &lmdb), ERR_OK);
    d->store = store_new(&d->loop, &d->shared, NULL);
    store_set_quiet(d->store);
    assert_int_equal(store_keep(d->store, d->journal, d->folder.path, diag), ERR_OK);
    door_note(d->said_at_start, diag);
    diag_free(diag);
    free(path);
}

static inline void door_wait(struct door *d)
{
    while (store_busy(d->store) || journal_pending(d->journal))
        uv_run(&d->loop, UV_RUN_ONCE);
}

static inline void door_stop(struct door *d)
{
    door_wait(d);
    store_stop_keeping(d->store);
    journal_close(d->journal);
    store_free(d->store);
    d->store = NULL;
    d->journal = NULL;
    uv_run(&d->loop, UV_RUN_DEFAULT);
}

static inline int door_setup(void **state)
{
    struct door *d = mem_zalloc(1, sizeof *d);
    folder_make(&d->folder);
    uv_loop_init(&d->loop);
    d->shared.key = test_key;
    door_key = &d->shared.key;
    d->is_wanted = d->is_transferred = true;
    d->serial_mode = STORE_SERIAL_FILE;
    log_set_level(LOG_LEVEL_ERROR);
    door_start(d);
    *state = d;
    return 0;
}

static inline void disk_empty(struct door *d)
{
    if (d->is_full)
        setrlimit(RLIMIT_FSIZE, &d->limit);
    d->is_full = false;
}

/* No file may have more bytes. */
static inline void disk_fill(struct door *d, rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &d->limit);
    const struct rlimit limit = {bytes, d->limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    d->is_full = true;
}

static inline int door_teardown(void **state)
{
    struct door *d = *state;
    disk_empty(d);
    if (d->store)
        door_stop(d);
    assert_int_equal(uv_loop_close(&d->loop), 0);
    folder_remove(d->folder.path);
    free(d);
    return 0;
}

/* ---- loads */

static inline struct store_plan *door_plan(struct door *d)
{
    static char name[] = "example.com", file[] = "zone", other_file[] = "other";
    struct store_zone_options *rows = mem_zalloc(1 + d->other_cnt, sizeof *rows);
    rows[0] = (struct store_zone_options){.name = name, .file = file, .serial = d->serial_mode,
                                          .journal_most_bytes = d->most_bytes, .journal_most_ms = d->most_ms};
    for (unsigned i = 1; i <= d->other_cnt; i++)
        rows[i] = (struct store_zone_options){.name = mem_printf("z%u.example.net", i), .file = other_file};
    const struct store_options server = {.zone_dir = d->folder.path};
    const struct opt_list zones = {d->is_wanted ? rows : rows + 1, d->is_wanted + d->other_cnt}, templates = {0};
    struct diag *diag = diag_new(10);
    struct store_plan *plan;
    assert_int_equal(store_plan_make(&plan, &server, &zones, &templates, diag), ERR_OK);
    diag_free(diag);
    for (unsigned i = 1; i <= d->other_cnt; i++)
        free(rows[i].name);
    free(rows);
    if (d->is_wanted) {
        plan->zones[0].is_secondary = d->is_secondary;
        struct acl *transfer = NULL, *notify = NULL, *update = NULL;
        if (d->is_transferred) {
            transfer = acl_new(&(struct acl_entry){0}, 1); /* anybody */
            plan->zones[0].access = zone_access_new(&transfer, &notify, &update);
        }
    }
    return plan;
}

static inline void door_report(void *arg, struct store_report *report)
{
    struct door *d = arg;
    d->loaded = report->loaded;
    d->unchanged = report->unchanged;
    d->failed = report->failed;
    d->reports++;
    door_note(d->said, report->diag);
}

static inline void door_begin_load(struct door *d)
{
    struct store_plan *plan = door_plan(d);
    assert_int_equal(store_load(d->store, &plan, door_report, d), ERR_OK);
}

static inline void door_load(struct door *d)
{
    door_begin_load(d);
    door_wait(d);
}

static inline void door_load_by_force(struct door *d)
{
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_FORCE, door_report, d), ERR_OK);
    door_wait(d);
}

static inline void door_restart(struct door *d)
{
    door_stop(d);
    door_start(d);
    door_load(d);
}

/* ---- the text */

static inline void door_write_other(const struct door *d)
{
    char *path = door_path(d, "other");
    static const char text[] = "$TTL 300\n@ SOA ns host.example.net. 1 3600 600 86400 60\n@ NS ns.example.com.\n";
    file_write(path, text, sizeof text - 1);
    free(path);
}

static inline void door_write(const struct door *d, const struct model *model, const char *more)
{
    char *path = door_path(d, "zone");
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "$TTL 300\n@ 3600 SOA ns host.example.net. %u 3600 600 86400 60\n@ 3600 NS ns.example.net.\n",
            model->serial);
    for (unsigned i = 0; i < MODEL_NAMES; i++)
        if (model->last[i])
            fprintf(out, "n%u A 192.0.2.%u\n", i, model->last[i]);
    for (unsigned i = 0; i < model->filler_cnt; i++)
        fprintf(out, "filler%u A 192.0.2.1\n", i);
    fputs(more, out);
    assert_int_equal(fclose(out), 0);
    free(path);
}

static inline void door_remove_text(const struct door *d)
{
    char *path = door_path(d, "zone");
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* ---- changes */

struct wanted {
    struct store_transferred transferred;
    struct door *door;
    unsigned done_cnt;
    enum err err;
    char why[HISTORY_WHY_MAX];
    unsigned *order; /* NULL, or what is counted up with each end; */
    unsigned place;  /* and what it was with this one */
};

static inline void wanted_done(struct store_change *change, enum err err, const char *why)
{
    struct store_transferred *t = container_of(change, struct store_transferred, change);
    struct wanted *wanted = container_of(t, struct wanted, transferred);
    wanted->done_cnt++;
    wanted->err = err;
    if (wanted->order)
        wanted->place = ++*wanted->order;
    snprintf(wanted->why, sizeof wanted->why, "%s", why ? why : "");
    store_transferred_fini(t);
}

static inline void wanted_init(struct wanted *wanted)
{
    *wanted = (struct wanted){0};
    store_transferred_init(&wanted->transferred);
    wanted->transferred.change.done = wanted_done;
}

static inline void want_whole(struct door *d, struct wanted *wanted, const struct model *model, bool is_forced)
{
    wanted_init(wanted);
    wanted->transferred.records = model_records(model);
    wanted->transferred.is_forced = is_forced;
    store_change(d->store, test_apex, &wanted->transferred.change);
}

/* From the first model over all to the last. */
static inline void want_steps(struct door *d, struct wanted *wanted, const struct model *models, size_t cnt)
{
    wanted_init(wanted);
    wanted->transferred.change_cnt = cnt - 1;
    wanted->transferred.changes = mem_zalloc(cnt, sizeof(struct changeset *));
    for (size_t i = 0; i + 1 < cnt; i++)
        wanted->transferred.changes[i] = model_changes(&models[i], &models[i + 1]);
    store_change(d->store, test_apex, &wanted->transferred.change);
}

static inline enum err door_whole(struct door *d, const struct model *model, bool is_forced)
{
    struct wanted wanted;
    want_whole(d, &wanted, model, is_forced);
    door_wait(d);
    assert_int_equal(wanted.done_cnt, 1);
    assert_int_equal(wanted.err == ERR_OK, !wanted.why[0]);
    return wanted.err;
}

static inline enum err door_steps(struct door *d, const struct model *models, size_t cnt)
{
    struct wanted wanted;
    want_steps(d, &wanted, models, cnt);
    door_wait(d);
    assert_int_equal(wanted.done_cnt, 1);
    return wanted.err;
}

/* ---- looking */

static inline struct zone *door_zone(const struct door *d)
{
    return catalogue_get(d->shared.catalogue, test_apex, door_key);
}

static inline void expect_model(const struct zone_version *version, const struct model *model)
{
    struct zone_records *is = rig_records_of(version), *want = model_records(model);
    assert_int_equal(version->serial, model->serial);
    rig_expect_same(is, want);
    zone_records_free(is);
    zone_records_free(want);
}

static inline void door_expect(const struct door *d, const struct model *model)
{
    const struct zone *zone = door_zone(d);
    assert_non_null(zone);
    assert_non_null(zone->current);
    expect_model(zone->current, model);
}

static inline void note_view(void *arg, const struct store_zone_view *view) { *(struct store_zone_view *)arg = *view; }

static inline void door_expect_state(const struct door *d, enum store_zone_state state)
{
    struct store_zone_view view = {0};
    store_each_zone(d->store, note_view, &view);
    assert_int_equal(view.state, state);
    assert_int_equal(store_zone_cnt(d->store, state), 1);
}

static inline void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* What the history has since `serial`, applied to a zone of then, makes the zone of now: returns how many changes. */
static inline size_t door_expect_history(const struct door *d, const struct model *then, const struct model *now)
{
    struct store_held held;
    struct history_list list;
    char why[HISTORY_WHY_MAX];
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_OK);
    assert_true(held.seq > 0);
    if (history_read_since(&list, store_lmdb(d->store), test_apex, held.key, then->serial, held.seq, 1 << 30, why))
        fail_msg("since %u: %s", then->serial, why);
    struct zone *zone = zone_new(test_apex, door_key);
    struct zone_records *records = model_records(then);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    for (size_t i = 0; i < list.cnt; i++) {
        struct zone_version *version;
        assert_int_equal(list.changes[i]->serial_from, zone->current->serial);
        assert_int_equal(zone_apply(&version, zone->current, list.changes[i], NULL), ERR_OK);
        zone_version_put(zone_publish(zone, version));
    }
    size_t cnt = list.cnt;
    expect_model(zone->current, now);
    zone_records_free(records);
    zone_free(zone);
    history_list_fini(&list);
    store_unhold(&held);
    return cnt;
}

static inline bool door_has_history(const struct door *d, uint32_t serial)
{
    struct store_held held;
    struct history_list list;
    char why[HISTORY_WHY_MAX];
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_OK);
    bool has = held.seq && !history_read_since(&list, store_lmdb(d->store), test_apex, held.key, serial, held.seq,
                                               1 << 30, why);
    if (has)
        history_list_fini(&list);
    store_unhold(&held);
    return has;
}

#define DOOR_CASE(fn) cmocka_unit_test_setup_teardown(fn, door_setup, door_teardown)
