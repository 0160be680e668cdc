/* A text that changed while its zone got updates: what both together are, what is warned of, what is refused, and what
 * the history has of it. */
#include "door_rig.h"

static struct zone_records *with_soa(uint32_t serial, const char *lines)
{
    char line[300];
    struct zone_records *records = zone_records_new(test_apex, door_key);
    snprintf(line, sizeof line, "@ 3600 SOA %u 60", serial);
    add_line(records, line, 1);
    for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    return records;
}

/* Lines as add_line has them, without the SOA and the apex's NS, which all zones here have. */
static struct zone_records *zone_records_of(uint32_t serial, const char *lines)
{
    struct zone_records *records = with_soa(serial, lines);
    add_line(records, "@ 3600 NS ns.example.net.", 1);
    zone_records_sort(records);
    return records;
}

/* ---- the text */

static void write_line(FILE *out, const char *line)
{
    char owner[100], ttl[20], type[20], data[100], more[100] = "";
    assert_true(sscanf(line, "%99s %19s %19s %99s %99[^\n]", owner, ttl, type, data, more) >= 4);
    fprintf(out, "%s %s %s %s%s %s\n", owner, ttl, type, strcmp(type, "A") ? "" : "192.0.2.", data, more);
}

static void write_text(const struct door *d, uint32_t serial, const char *lines)
{
    char *path = door_path(d, "zone");
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "@ 3600 SOA ns host.example.net. %u 3600 600 86400 60\n@ 3600 NS ns.example.net.\n", serial);
    for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
        char line[300];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        write_line(out, line);
    }
    assert_int_equal(fclose(out), 0);
    free(path);
}

static void begin(struct door *d, const char *lines)
{
    write_text(d, 10, lines);
    door_load(d);
    assert_int_equal(d->loaded, 1);
}

static void merge(struct door *d, uint32_t serial, const char *lines)
{
    write_text(d, serial, lines);
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_MERGE, door_report, d), ERR_OK);
    door_wait(d);
}

/* ---- updates */

struct update {
    struct store_change change;
    const char *removed, *added;
};

static uint32_t serial_of(const struct door *d) { return door_zone(d)->latest->serial; }

static struct changeset *changes_of(const struct update *update, uint32_t serial)
{
    struct changeset *changes = mem_zalloc(1, sizeof *changes);
    changes->removed = with_soa(serial, update->removed);
    changes->added = with_soa(serial + 1, update->added);
    changes->serial_from = serial;
    changes->serial_to = serial + 1;
    return changes;
}

static enum err make_update(struct store_change *change, struct store_making *making)
{
    const struct update *update = container_of(change, struct update, change);
    struct changeset *changes = changes_of(update, making->base->serial);
    enum err err = zone_apply(&making->version, making->base, changes, making->marks);
    assert_int_equal(err, ERR_OK);
    err = keeping_changes(&making->keeping, making->base, making->version, &changes, 1, making->why);
    keeping_set_flags(&making->keeping, test_apex, making->keeping.entry.flags | HISTORY_HAS_UPDATES);
    changeset_free(changes);
    return err;
}

static void update_done(struct store_change *change, enum err err, const char *why)
{
    (void)change;
    (void)why;
    assert_int_equal(err, ERR_OK);
}

static void do_update(struct door *d, const char *removed, const char *added)
{
    struct update update = {{.make = make_update, .done = update_done}, removed, added};
    store_change(d->store, test_apex, &update.change);
    door_wait(d);
}

/* ---- looking */

static void expect_zone(const struct door *d, uint32_t serial, const char *lines)
{
    const struct zone *zone = door_zone(d);
    struct zone_records *is = rig_records_of(zone->current), *want = zone_records_of(serial, lines);
    assert_int_equal(zone->current->serial, serial);
    rig_expect_same(is, want);
    zone_records_free(is);
    zone_records_free(want);
}

static const struct zone_record *find(const struct zone_records *in, const struct zone_record *rec)
{
    for (size_t i = 0; i < in->cnt; i++)
        if (!zone_record_cmp(&in->recs[i], rec) && in->recs[i].rr.ttl == rec->rr.ttl)
            return &in->recs[i];
    return NULL;
}

/* As a secondary would that takes each word for what it says, TTLs too. */
static struct zone_records *applied(struct zone_records *before, const struct changeset *changes)
{
    struct zone_records *after = zone_records_new(test_apex, door_key);
    for (size_t i = 0; i < changes->removed->cnt; i++)
        assert_non_null(find(before, &changes->removed->recs[i]));
    for (size_t i = 0; i < before->cnt; i++)
        if (!find(changes->removed, &before->recs[i]))
            zone_records_add(after, &before->recs[i].rr, NULL, 0);
    zone_records_sort(after);
    for (size_t i = 0; i < changes->added->cnt; i++) {
        assert_null(find(after, &changes->added->recs[i]));
        zone_records_add(after, &changes->added->recs[i].rr, NULL, 0);
    }
    zone_records_sort(after);
    zone_records_free(before);
    return after;
}

/* The history leads from what the zone once was to what it is, in so many steps. */
static void expect_history(const struct door *d, uint32_t serial, const char *lines, size_t steps)
{
    struct store_held held;
    struct history_list list;
    char why[HISTORY_WHY_MAX];
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_OK);
    if (history_read_since(&list, store_lmdb(d->store), test_apex, held.key, serial, held.seq, 1 << 30, why))
        fail_msg("since %u: %s", serial, why);
    assert_int_equal(list.cnt, steps);
    struct zone_records *records = zone_records_of(serial, lines), *is = rig_records_of(door_zone(d)->current);
    for (size_t i = 0; i < list.cnt; i++) {
        assert_int_equal(list.changes[i]->serial_from, serial);
        serial = list.changes[i]->serial_to;
        records = applied(records, list.changes[i]);
    }
    assert_int_equal(serial, serial_of(d));
    rig_expect_same(records, is);
    zone_records_free(records);
    zone_records_free(is);
    history_list_fini(&list);
    store_unhold(&held);
}

static void expect_refused(struct door *d, const char *why, uint32_t serial, const char *lines)
{
    assert_int_equal(d->failed, 1);
    expect_in(d->said, "not merged");
    expect_in(d->said, why);
    expect_zone(d, serial, lines);
}

/* All of it is there after a restart, too. */
static void expect_merged(struct door *d, uint32_t serial, const char *lines)
{
    assert_int_equal(d->loaded, 1);
    expect_zone(d, serial, lines);
    door_restart(d);
    assert_string_equal(d->said, "");
    expect_zone(d, serial, lines);
}

/* ---- what both together are */

#define TEXT "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nold 300 TXT gone\n"

static void test_different_names(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    do_update(d, "old 300 TXT gone\n", "");
    write_text(d, 11, TEXT "new 300 A 9\n");
    door_load(d);
    assert_int_equal(d->failed, 1);
    expect_in(d->said, "lacks updates that the zone, serial 12, has got");
    merge(d, 11, TEXT "new 300 A 9\n");
    assert_string_equal(d->said, "");
    expect_merged(d, 14, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nnew 300 A 9\nhost 300 A 7\n");
    expect_history(d, 10, TEXT, 4);
    expect_history(d, 12, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nhost 300 A 7\n", 2);
    expect_history(d, 13, TEXT "new 300 A 9\n", 1); /* the text, whole */
}

static void test_the_texts_own_serial(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    merge(d, 100, TEXT "new 300 A 9\n");
    expect_merged(d, 101, TEXT "new 300 A 9\nhost 300 A 7\n");
    expect_history(d, 11, TEXT "host 300 A 7\n", 2);
}

static void test_one_rrset(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "www 300 A 3\n");
    merge(d, 11, TEXT "www 300 A 4\n");
    expect_in(d->said, "conflict: \"www.example.com\" A was changed in the file and by updates");
    expect_merged(d, 13, TEXT "www 300 A 3\nwww 300 A 4\n");
    expect_history(d, 10, TEXT, 3);
}

static void test_other_types_of_one_name_are_no_conflict(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "www 300 TXT text\n");
    merge(d, 11, TEXT "www 300 A 4\n");
    assert_string_equal(d->said, "");
    expect_merged(d, 13, TEXT "www 300 TXT text\nwww 300 A 4\n");
}

static void test_both_add_the_same(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\nhost 300 A 8\n");
    merge(d, 11, TEXT "host 300 A 7\n");
    expect_merged(d, 13, TEXT "host 300 A 7\nhost 300 A 8\n");
    expect_history(d, 10, TEXT, 3);
}

static void test_updates_removed_what_the_text_changed(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "mail 300 A 5\nwww 300 A 2\n", "");
    merge(d, 11, "www 300 A 1\nwww 300 A 2\nmail 300 A 6\nold 300 TXT gone\n");
    const char *conflict = strstr(d->said, "conflict: \"mail.example.com\" A");
    assert_non_null(conflict);
    assert_null(strstr(conflict + 1, "conflict: \"mail")); /* one came, one went, and it is told once */
    expect_merged(d, 13, "www 300 A 1\nmail 300 A 6\nold 300 TXT gone\n");
    expect_history(d, 10, TEXT, 3);
}

static void test_both_removed_the_same(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "old 300 TXT gone\n", "host 300 A 7\n");
    merge(d, 11, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\n");
    expect_merged(d, 13, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nhost 300 A 7\n");
    expect_history(d, 11, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nhost 300 A 7\n", 2);
}

/* ---- TTLs: an rrset has one, in the zone as in the history */

static void test_the_text_has_another_ttl_and_updates_added(void **state)
{
    struct door *d = *state;
    begin(d, "www 300 A 1\n");
    do_update(d, "", "www 300 A 2\n");
    merge(d, 11, "www 600 A 1\n");
    expect_merged(d, 13, "www 600 A 1\nwww 600 A 2\n");
    expect_history(d, 10, "www 300 A 1\n", 3);
    expect_history(d, 11, "www 300 A 1\nwww 300 A 2\n", 2);
}

static void test_updates_have_another_ttl_and_the_text_added(void **state)
{
    struct door *d = *state;
    begin(d, "www 300 A 1\n");
    do_update(d, "www 300 A 1\n", "www 60 A 1\nwww 60 A 2\n");
    merge(d, 11, "www 300 A 1\nwww 300 A 3\n");
    expect_merged(d, 13, "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n");
    expect_history(d, 10, "www 300 A 1\n", 3);
}

/* ---- what is refused */

static void test_cname_and_other_data(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 CNAME www\n");
    merge(d, 11, TEXT "host 300 A 7\n");
    expect_refused(d, "the result is no valid zone", 11, TEXT "host 300 CNAME www\n");
    door_restart(d);
    assert_int_equal(d->failed, 1);
    expect_zone(d, 11, TEXT "host 300 CNAME www\n");
    merge(d, 11, TEXT "new 300 A 7\n");
    expect_merged(d, 13, TEXT "host 300 CNAME www\nnew 300 A 7\n");
}

static void test_two_cnames(void **state)
{
    struct door *d = *state;
    begin(d, TEXT "host 300 CNAME www\n");
    do_update(d, "host 300 CNAME www\n", "host 300 CNAME mail\n");
    merge(d, 11, TEXT "host 300 CNAME old\n");
    expect_refused(d, "the result is no valid zone", 11, TEXT "host 300 CNAME mail\n");
}

static void test_a_journal_that_lacks_updates(void **state)
{
    struct door *d = *state;
    d->most_bytes = 1; /* what the journal may have: nothing */
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    do_update(d, "", "host 300 A 8\n");
    merge(d, 11, TEXT "new 300 A 9\n");
    expect_refused(d, "the journal no longer has all updates since the file was taken", 12,
                   TEXT "host 300 A 7\nhost 300 A 8\n");
    door_load_by_force(d);
    expect_zone(d, 13, TEXT "new 300 A 9\n");
}

/* ---- afterwards */

static void test_a_second_merge(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "www 300 A 2\n", "host 300 A 7\n");
    merge(d, 11, TEXT "new 300 A 9\n");
    do_update(d, "", "later 300 A 8\n");
    merge(d, 12, TEXT "newer 300 A 9\n"); /* "new" goes, as it was the text's; 2 is still taken out of "www" */
    assert_string_equal(d->said, "");
    expect_merged(d, 16, "www 300 A 1\nmail 300 A 5\nold 300 TXT gone\nhost 300 A 7\nlater 300 A 8\nnewer 300 A 9\n");
    expect_history(d, 10, TEXT, 6);
}

static void test_a_text_that_is_known_is_merged_already(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    merge(d, 11, TEXT "new 300 A 9\n");
    merge(d, 11, TEXT "new 300 A 9\n");
    assert_int_equal(d->unchanged, 1);
    expect_zone(d, 13, TEXT "new 300 A 9\nhost 300 A 7\n");
}

static void test_without_updates_it_is_taken(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    merge(d, 10, TEXT "new 300 A 9\n");
    expect_merged(d, 11, TEXT "new 300 A 9\n");
}

/* Brought into the text by hand: it has all again, and the next one is taken as ever. */
static void test_a_text_that_has_all_updates(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "old 300 TXT gone\n", "host 300 A 7\n");
    merge(d, 11, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nhost 300 A 7\nnew 300 A 9\n");
    expect_merged(d, 12, "www 300 A 1\nwww 300 A 2\nmail 300 A 5\nhost 300 A 7\nnew 300 A 9\n");
    expect_history(d, 10, TEXT, 2);
    write_text(d, 20, TEXT);
    door_load(d);
    expect_merged(d, 20, TEXT);
}

static void test_serials_made_here(void **state)
{
    struct door *d = *state;
    d->serial_mode = STORE_SERIAL_INCREMENT;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    merge(d, 10, TEXT "new 300 A 9\n");
    expect_merged(d, 13, TEXT "new 300 A 9\nhost 300 A 7\n");
    expect_history(d, 10, TEXT, 3);
}

static void test_in_the_next_process(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "mail 300 A 5\n", "host 300 A 7\n");
    write_text(d, 11, TEXT "new 300 A 9\n");
    door_restart(d);
    assert_int_equal(d->failed, 1);
    merge(d, 11, TEXT "new 300 A 9\n");
    expect_merged(d, 13, "www 300 A 1\nwww 300 A 2\nold 300 TXT gone\nnew 300 A 9\nhost 300 A 7\n");
    expect_history(d, 10, TEXT, 3);
}

/* Nothing is merged, and nothing is the worse for it. */
static void test_a_full_disk(void **state)
{
    struct door *d = *state;
    begin(d, TEXT);
    do_update(d, "", "host 300 A 7\n");
    write_text(d, 11, TEXT "new 300 A 9\n");
    disk_fill(d, 100);
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_MERGE, door_report, d), ERR_OK);
    door_wait(d);
    assert_int_equal(d->failed, 1);
    expect_zone(d, 11, TEXT "host 300 A 7\n");
    disk_empty(d);
    merge(d, 11, TEXT "new 300 A 9\n");
    expect_merged(d, 13, TEXT "new 300 A 9\nhost 300 A 7\n");
    expect_history(d, 10, TEXT, 3);
}

/* ---- any of it, by chance */

enum { NAMES = 5, ADDRESSES = 3, RECORDS = NAMES * ADDRESSES, ROUNDS = 60, LINES_LEN = RECORDS * 20 + 1 };

struct random_zone {
    bool there[RECORDS];
    unsigned ttl[NAMES];
};

static void random_change(struct random_zone *zone, struct random_state *rng, bool has_ttls)
{
    for (unsigned i = random_below(rng, 4) + 1; i; i--)
        zone->there[random_below(rng, RECORDS)] ^= 1;
    if (has_ttls && !random_below(rng, 2))
        zone->ttl[random_below(rng, NAMES)] = 100 + random_below(rng, 4);
}

/* Those of `zone` that `but`, if there is one, has not just so. */
static const char *lines_of(char out[LINES_LEN], const struct random_zone *zone, const struct random_zone *but)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < RECORDS; i++) {
        unsigned name = i / ADDRESSES;
        if (zone->there[i] && !(but && but->there[i] && but->ttl[name] == zone->ttl[name]))
            len += (size_t)snprintf(out + len, LINES_LEN - len, "n%u %u A %u\n", name, zone->ttl[name],
                                    i % ADDRESSES + 1);
    }
    return out;
}

static void random_update(struct door *d, struct random_zone *zone, struct random_state *rng, bool has_ttls)
{
    char removed[LINES_LEN], added[LINES_LEN];
    struct random_zone before = *zone;
    random_change(zone, rng, has_ttls);
    do_update(d, lines_of(removed, &before, zone), lines_of(added, zone, &before));
}

/* What is there now, whatever its TTLs. */
static void note_zone(struct random_zone *now, const struct door *d)
{
    struct zone_records *is = rig_records_of(door_zone(d)->current);
    memset(now->there, 0, sizeof now->there);
    for (size_t i = 0; i < is->cnt; i++) {
        const struct rr *rr = &is->recs[i].rr;
        unsigned name = (unsigned)rr->owner[2] - '0';
        if (rr->type != RR_A)
            continue;
        now->there[name * ADDRESSES + rr->rdata[3] - 1] = true;
        now->ttl[name] = rr->ttl;
    }
    zone_records_free(is);
}

/* Three random steps: the text, updates of what it was, and what both come to. */
static void random_rounds(struct door *d, bool has_ttls, uint64_t seed)
{
    char lines[LINES_LEN], before_lines[LINES_LEN];
    struct random_state rng = {{seed, 1}};
    struct random_zone text = {.there = {true}}, zone, now;
    for (unsigned i = 0; i < NAMES; i++)
        text.ttl[i] = 100;
    begin(d, lines_of(lines, &text, NULL));
    zone = text;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct random_zone was = text;
        for (unsigned i = random_below(&rng, 3) + 1; i; i--)
            random_update(d, &zone, &rng, has_ttls);
        random_change(&text, &rng, has_ttls);
        uint32_t serial = serial_of(d);
        lines_of(before_lines, &zone, NULL);
        merge(d, serial + random_below(&rng, 3), lines_of(lines, &text, NULL));
        assert_int_equal(d->failed, 0);
        now = zone;
        note_zone(&now, d);
        for (unsigned i = 0; i < RECORDS; i++)
            assert_int_equal(now.there[i], (text.there[i] && !(was.there[i] && !zone.there[i])) ||
                                               (zone.there[i] && !was.there[i]));
        if (serial_of(d) != serial)
            expect_history(d, serial, before_lines, serial_of(d) - serial > 1 ? 2 : 1);
        if (!random_below(&rng, 8))
            door_restart(d);
        zone = now;
        expect_zone(d, serial_of(d), lines_of(lines, &zone, NULL));
    }
}

static void test_at_random(void **state) { random_rounds(*state, false, 1); }

static void test_at_random_with_ttls(void **state) { random_rounds(*state, true, 2); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_different_names),
        DOOR_CASE(test_the_texts_own_serial),
        DOOR_CASE(test_one_rrset),
        DOOR_CASE(test_other_types_of_one_name_are_no_conflict),
        DOOR_CASE(test_both_add_the_same),
        DOOR_CASE(test_updates_removed_what_the_text_changed),
        DOOR_CASE(test_both_removed_the_same),
        DOOR_CASE(test_the_text_has_another_ttl_and_updates_added),
        DOOR_CASE(test_updates_have_another_ttl_and_the_text_added),
        DOOR_CASE(test_cname_and_other_data),
        DOOR_CASE(test_two_cnames),
        DOOR_CASE(test_a_journal_that_lacks_updates),
        DOOR_CASE(test_a_second_merge),
        DOOR_CASE(test_a_text_that_is_known_is_merged_already),
        DOOR_CASE(test_without_updates_it_is_taken),
        DOOR_CASE(test_a_text_that_has_all_updates),
        DOOR_CASE(test_serials_made_here),
        DOOR_CASE(test_in_the_next_process),
        DOOR_CASE(test_a_full_disk),
        DOOR_CASE(test_at_random),
        DOOR_CASE(test_at_random_with_ttls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
