#include "tools/show_zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/human.h"
#include "tools/read.h"
#include "tools/table.h"

enum { TEXT_MAX = 1024, NOTE_WIDTH = 60 };

static bool is_served(const json_t *zone) { return json_is_integer(json_object_get(zone, "serial")); }

/* In one cell. */
struct notes {
    char text[TEXT_MAX];
    size_t len;
};

static void add_item(struct notes *notes, const char *between, const char *about, const char *text)
{
    size_t left = sizeof notes->text - notes->len;
    int len = snprintf(notes->text + notes->len, left, "%s%s%s%s", notes->len ? between : "", about,
                       *about ? ": " : "", text);
    if (len > 0)
        notes->len += (size_t)len < left ? (size_t)len : left - 1;
}

/* "ABOUT: TEXT", behind those before it. */
static void add_note(struct notes *notes, const char *about, const char *text)
{
    add_item(notes, "; ", about, text);
}

static const json_t *last_of(const json_t *zone)
{
    return json_object_get(json_object_get(zone, "secondary"), "last_transfer");
}

static const json_t *fault_of(const json_t *zone)
{
    return json_object_get(json_object_get(zone, "secondary"), "fault");
}

/* What stands before an error and in other columns too, its file, line and zone, is left out. */
static const char *bare_error(const json_t *zone)
{
    const char *error = text_of(zone, "error"), *file = text_of(zone, "file"), *name = text_of(zone, "name");
    char before[TEXT_MAX];
    snprintf(before, sizeof before, "zone \"%s\": ", name ? name : "");
    const char *at = error ? strstr(error, before) : NULL;
    if (at)
        return at + strlen(before);
    bool is_of_file = error && (*error == '/' || (file && !strncmp(error, file, strlen(file))));
    at = is_of_file ? strstr(error, ": ") : NULL;
    return at ? at + 2 : error;
}

/* What is not as it should be; of a secondary why nothing newer came, by what happened last. */
static void add_problem(struct notes *notes, const json_t *zone)
{
    const json_t *fault = fault_of(zone), *last = last_of(zone);
    const char *error = bare_error(zone), *primary = text_of(fault, "primary"), *why = text_of(fault, "error");
    const char *why_last = text_of(last, "error");
    if (error)
        add_note(notes, "", error);
    else if (why && (!why_last || number_of(fault, "age_seconds") <= number_of(last, "age_seconds")))
        add_note(notes, primary ? primary : "", why);
    else if (why_last)
        add_note(notes, "", why_last);
}

/* ==== a line each ==== */

static void left_cell(struct table *table, const json_t *object, const char *key)
{
    char text[HUMAN_MAX];
    table_add(table, json_is_integer(json_object_get(object, key)) ? human_duration(text, number_of(object, key)) : "");
}

/* Whole characters, and "..." where that is not all. */
static void cut(char *text, size_t width)
{
    size_t len = strlen(text);
    if (table_width(text) <= width)
        return;
    while (len && (table_width(text) > width - 3 || text[len - 1] == ' ')) {
        do
            len--;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80);
        text[len] = '\0';
    }
    memcpy(text + len, "...", sizeof "..."); /* at least as much has gone */
}

static void note_cell(struct table *table, const json_t *zone)
{
    struct notes notes = {.len = 0};
    const char *state = text_of(zone, "state");
    if (is_true(zone, "frozen"))
        add_note(&notes, "", "frozen");
    if (state && !strcmp(state, "expired"))
        add_note(&notes, "", "expired");
    add_problem(&notes, zone);
    char *text = table_clean(notes.text);
    cut(text, NOTE_WIDTH);
    table_add(table, text);
    free(text);
}

static void zone_row(struct table *table, const json_t *zone)
{
    char text[HUMAN_MAX];
    const json_t *secondary = json_object_get(zone, "secondary");
    table_add(table, text_of(zone, "name"));
    table_add(table, text_of(zone, "role"));
    table_add(table, text_of(zone, "state"));
    if (is_served(zone)) {
        table_addf(table, "%llu", count_of(zone, "serial"));
        table_addf(table, "%llu", count_of(zone, "records"));
    } else {
        table_add(table, NULL);
        table_add(table, NULL);
    }
    table_add(table, json_is_integer(json_object_get(zone, "loaded_age_seconds"))
                         ? human_duration(text, number_of(zone, "loaded_age_seconds"))
                         : NULL);
    left_cell(table, secondary, "refresh_in_seconds");
    left_cell(table, secondary, "expire_in_seconds");
    note_cell(table, zone);
}

void show_zones(const json_t *data)
{
    static const struct table_column columns[] = {
        {"ZONE", TABLE_LEFT},     {"ROLE", TABLE_LEFT}, {"STATE", TABLE_LEFT},    {"SERIAL", TABLE_RIGHT},
        {"RECORDS", TABLE_RIGHT}, {"AGE", TABLE_RIGHT}, {"REFRESH", TABLE_RIGHT}, {"EXPIRE", TABLE_RIGHT},
        {"NOTE", TABLE_LEFT}};
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i;
    json_t *zone;
    json_array_foreach (json_object_get(data, "zones"), i, zone)
        zone_row(table, zone);
    table_print(table, stdout);
    table_free(table);
}

/* ==== one with all ==== */

static void row(struct table *table, const char *label, const char *text)
{
    table_add(table, label);
    table_add(table, text);
}

static void version_rows(struct table *table, const json_t *zone)
{
    char when[HUMAN_MAX], ago[HUMAN_MAX], size[HUMAN_MAX];
    if (!is_served(zone))
        return;
    table_add(table, "serial");
    table_addf(table, "%llu", count_of(zone, "serial"));
    table_add(table, "content");
    table_addf(table, "%llu names, %llu records, %s", count_of(zone, "names"), count_of(zone, "records"),
               human_bytes(size, number_of(zone, "memory_bytes")));
    row(table, "signed", text_of(zone, "signed"));
    table_add(table, "published");
    const char *loaded = time_text(when, zone, "loaded");
    table_addf(table, "%s, %s ago", loaded ? loaded : "-", human_duration(ago, number_of(zone, "loaded_age_seconds")));
}

/* "in 5m (2025-11-30 12:00:00 UTC)". */
static void until_row(struct table *table, const char *label, const json_t *object, const char *key,
                      const char *left_key, const char *none)
{
    char when[HUMAN_MAX], left[HUMAN_MAX];
    const char *at = time_text(when, object, key);
    table_add(table, label);
    if (at)
        table_addf(table, "in %s, %s", human_duration(left, number_of(object, left_key)), at);
    else
        table_add(table, none);
}

static void last_transfer_rows(struct table *table, const json_t *last)
{
    char when[HUMAN_MAX], ago[HUMAN_MAX], size[HUMAN_MAX];
    const char *kind = text_of(last, "kind"), *from = text_of(last, "from"), *error = text_of(last, "error");
    if (!json_is_object(last)) {
        row(table, "last transfer", "none");
        return;
    }
    const char *ended = time_text(when, last, "ended");
    table_add(table, "last transfer");
    table_addf(table, "%s, from %s, %s, %s ago", kind ? kind : "-", from ? from : "-", ended ? ended : "-",
               human_duration(ago, number_of(last, "age_seconds")));
    if (error) {
        row(table, "", error);
        return;
    }
    table_add(table, "");
    table_addf(table, "serial %llu, %llu records, %s, %llu ms", count_of(last, "serial"), count_of(last, "records"),
               human_bytes(size, number_of(last, "bytes")), count_of(last, "took_ms"));
}

static void fault_rows(struct table *table, const json_t *fault)
{
    char when[HUMAN_MAX], ago[HUMAN_MAX];
    const char *error = text_of(fault, "error"), *primary = text_of(fault, "primary");
    if (!error)
        return;
    const char *asked = time_text(when, fault, "asked");
    table_add(table, "last question");
    table_addf(table, "failed, to %s, %s, %s ago", primary ? primary : "-", asked ? asked : "-",
               human_duration(ago, number_of(fault, "age_seconds")));
    row(table, "", error);
}

static void addresses_row(struct table *table, const char *label, const json_t *addresses)
{
    struct notes list = {.len = 0};
    size_t i;
    json_t *address;
    json_array_foreach (addresses, i, address)
        if (json_string_value(address))
            add_item(&list, ", ", "", json_string_value(address));
    row(table, label, list.text);
}

static void secondary_rows(struct table *table, const json_t *secondary)
{
    if (!json_is_object(secondary))
        return;
    addresses_row(table, "primaries", json_object_get(secondary, "primaries"));
    row(table, "activity", text_of(secondary, "activity"));
    until_row(table, "next refresh", secondary, "refresh", "refresh_in_seconds", "under way");
    until_row(table, "expires", secondary, "expire", "expire_in_seconds", "-");
    fault_rows(table, json_object_get(secondary, "fault"));
    last_transfer_rows(table, json_object_get(secondary, "last_transfer"));
}

static void journal_rows(struct table *table, const json_t *journal)
{
    char size[HUMAN_MAX];
    unsigned long long cnt = count_of(journal, "changesets");
    table_add(table, "journal");
    if (!json_is_object(journal)) {
        table_add(table, "none");
        return;
    }
    if (json_is_integer(json_object_get(journal, "oldest_serial")))
        table_addf(table, "%llu change%s since serial %llu, %s", cnt, cnt == 1 ? "" : "s",
                   count_of(journal, "oldest_serial"), human_bytes(size, number_of(journal, "bytes")));
    else
        table_addf(table, "%llu change%s", cnt, cnt == 1 ? "" : "s");
    table_add(table, "");
    table_addf(table, "whole zone kept with serial %llu%s", count_of(journal, "checkpoint_serial"),
               is_true(journal, "updates") ? "; the file lacks updates" : "");
}

static void notify_rows(struct table *table, const json_t *notify)
{
    char refused[64] = "";
    if (count_of(notify, "refused"))
        snprintf(refused, sizeof refused, ", %llu refused", count_of(notify, "refused"));
    table_add(table, "notify");
    if (!count_of(notify, "targets")) {
        table_add(table, "nobody is told");
        return;
    }
    table_addf(table, "%llu of %llu servers have answered%s", count_of(notify, "told"), count_of(notify, "targets"),
               refused);
    if (json_array_size(json_object_get(notify, "unanswered")))
        addresses_row(table, "not answered", json_object_get(notify, "unanswered"));
}

static void zone_block(const json_t *zone)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    struct table *table = table_new(columns, 2);
    row(table, "zone", text_of(zone, "name"));
    row(table, "role", text_of(zone, "role"));
    table_add(table, "state");
    table_addf(table, "%s%s", text_of(zone, "state") ? text_of(zone, "state") : "-",
               is_true(zone, "frozen") ? ", frozen: updates are refused" : "");
    version_rows(table, zone);
    if (text_of(zone, "file"))
        row(table, "file", text_of(zone, "file"));
    if (text_of(zone, "error"))
        row(table, "error", text_of(zone, "error"));
    secondary_rows(table, json_object_get(zone, "secondary"));
    journal_rows(table, json_object_get(zone, "journal"));
    notify_rows(table, json_object_get(zone, "notify"));
    table_print(table, stdout);
    table_free(table);
}

void show_zone(const json_t *data)
{
    size_t i;
    json_t *zone;
    json_array_foreach (json_object_get(data, "zones"), i, zone)
        zone_block(zone);
}
