#include "tools/show_zones.h"

#include <stdio.h>
#include <string.h>

#include "tools/human.h"
#include "tools/read.h"
#include "tools/table.h"

enum { TEXT_MAX = 1024 };

static bool is_served(const json_t *zone) { return json_is_integer(json_object_get(zone, "serial")); }

static const json_t *last_of(const json_t *zone)
{
    return json_object_get(json_object_get(zone, "secondary"), "last_transfer");
}

/* What is not as it should be: of a secondary why nothing newer came. */
static const char *problem_of(const json_t *zone)
{
    const char *error = text_of(zone, "error");
    return error ? error : text_of(last_of(zone), "error");
}

/* ==== a line each ==== */

static void left_cell(struct table *table, const json_t *object, const char *key)
{
    char text[HUMAN_MAX];
    table_add(table, json_is_integer(json_object_get(object, key)) ? human_duration(text, number_of(object, key)) : "");
}

static void note_cell(struct table *table, const json_t *zone)
{
    const char *problem = problem_of(zone);
    table_addf(table, "%s%s%s", is_true(zone, "frozen") ? "frozen" : "",
               is_true(zone, "frozen") && problem ? "; " : "", problem ? problem : "");
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

static void primaries_row(struct table *table, const json_t *secondary)
{
    char text[TEXT_MAX] = "";
    size_t i, len = 0;
    json_t *primary;
    json_array_foreach (json_object_get(secondary, "primaries"), i, primary)
        if (json_string_value(primary) && len < sizeof text)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? ", " : "", json_string_value(primary));
    row(table, "primaries", text);
}

static void secondary_rows(struct table *table, const json_t *secondary)
{
    if (!json_is_object(secondary))
        return;
    primaries_row(table, secondary);
    row(table, "activity", text_of(secondary, "activity"));
    until_row(table, "next refresh", secondary, "refresh", "refresh_in_seconds", "under way");
    until_row(table, "expires", secondary, "expire", "expire_in_seconds", "-");
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

static void zone_block(const json_t *zone)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    struct table *table = table_new(columns, 2);
    const json_t *notify = json_object_get(zone, "notify");
    row(table, "zone", text_of(zone, "name"));
    row(table, "role", text_of(zone, "role"));
    table_add(table, "state");
    table_addf(table, "%s%s", text_of(zone, "state") ? text_of(zone, "state") : "-",
               is_true(zone, "frozen") ? ", frozen: updates are refused" : "");
    version_rows(table, zone);
    row(table, "file", text_of(zone, "file"));
    if (text_of(zone, "error"))
        row(table, "error", text_of(zone, "error"));
    secondary_rows(table, json_object_get(zone, "secondary"));
    journal_rows(table, json_object_get(zone, "journal"));
    table_add(table, "notify");
    if (count_of(notify, "targets"))
        table_addf(table, "%llu of %llu servers have answered", count_of(notify, "told"), count_of(notify, "targets"));
    else
        table_add(table, "nobody is told");
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
