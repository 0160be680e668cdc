#include "tools/show_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/read.h"
#include "tools/table.h"

/* What it did not come to is not shown. */
static void step_row(struct table *table, const json_t *check, const char *key, const char *label)
{
    const json_t *ms = json_object_get(check, key);
    if (!json_is_number(ms))
        return;
    table_addf(table, "  %s", label);
    table_addf(table, "%.2f ms", json_number_value(ms));
    table_add(table, "");
}

static void check_rows(struct table *table, const json_t *check)
{
    const char *probe = text_of(check, "probe"), *type = text_of(check, "type"), *address = text_of(check, "address");
    const char *result = text_of(check, "result"), *reason = text_of(check, "reason");
    table_addf(table, "%s (%s) %s", probe ? probe : "-", type ? type : "-", address ? address : "-");
    table_add(table, "");
    table_add(table, "");
    step_row(table, check, "connected_ms", "connected");
    step_row(table, check, "handshake_ms", "handshake");
    step_row(table, check, "sent_ms", "sent");
    step_row(table, check, "first_byte_ms", "first byte");
    table_addf(table, "  %s", result ? result : "-");
    if (json_is_number(json_object_get(check, "ended_ms")))
        table_addf(table, "%.2f ms", json_number_value(json_object_get(check, "ended_ms")));
    else
        table_add(table, "");
    table_add(table, reason ? reason : "");
}

static void print_verdict(const json_t *data, const json_t *zone)
{
    const json_t *member = json_object_get(zone, "member");
    const char *pool = text_of(data, "pool"), *address = text_of(data, "member"), *verdict = text_of(member, "verdict");
    char text[HUMAN_MAX];
    printf("%s in %s is %s", address ? address : "-", pool ? pool : "-", verdict ? verdict : "-");
    if (is_true(member, "unsettled"))
        printf(", unsettled");
    if (json_is_integer(json_object_get(member, "since_age_seconds")))
        printf(", for %s", human_duration(text, number_of(member, "since_age_seconds")));
    printf("\n");
}

void show_check(const json_t *data)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_RIGHT}, {NULL, TABLE_LEFT}};
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i;
    json_t *check, *zone;
    json_array_foreach (json_object_get(data, "checks"), i, check)
        check_rows(table, check);
    table_print(table, stdout);
    table_free(table);
    json_array_foreach (json_object_get(data, "zones"), i, zone)
        print_verdict(data, zone);
}
