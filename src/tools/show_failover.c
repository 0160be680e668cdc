#include "tools/show_failover.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/human.h"
#include "tools/read.h"

enum { HOLD_MAX = 320 };

static const char *age_of(char out[HUMAN_MAX], const json_t *object, const char *key)
{
    return human_duration(out, count_of(object, key));
}

/* "2025-11-30T12:00:00Z" → "12:00:00 UTC": what is meant lies within hours. */
static const char *clock_of(char out[HUMAN_MAX], const json_t *object, const char *key)
{
    const char *iso = text_of(object, key);
    if (!iso || strlen(iso) != strlen("2025-11-30T12:00:00Z"))
        return NULL;
    snprintf(out, HUMAN_MAX, "%.8s UTC", iso + 11);
    return out;
}

static void append(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, fmt);
    vsnprintf(out + len, cap - len, fmt, args);
    va_end(args);
}

void show_failover_member(char *out, size_t cap, const json_t *member)
{
    char text[HUMAN_MAX];
    const json_t *percent = json_object_get(member, "weight_percent");
    const char *until = clock_of(text, member, "waits_until");
    if (is_true(member, "held"))
        append(out, cap, ", held");
    if (until)
        append(out, cap, ", waits until %s", until);
    if (json_is_integer(percent) && json_integer_value(percent) < 100)
        append(out, cap, ", slow start %llu %%", count_of(member, "weight_percent"));
}

void show_failover_pool(char *out, size_t cap, const json_t *pool)
{
    char age[HUMAN_MAX], text[HUMAN_MAX];
    if (count_of(pool, "trickle_tier"))
        append(out, cap, ", %.4g %% from tier %llu", json_number_value(json_object_get(pool, "trickle")) * 100,
               count_of(pool, "trickle_tier"));
    if (!count_of(pool, "better_tier"))
        return;
    append(out, cap, "; stays on tier %llu, tier %llu is good again for %s", count_of(pool, "tier"),
           count_of(pool, "better_tier"), age_of(age, pool, "better_since_age_seconds"));
    if (clock_of(text, pool, "back"))
        append(out, cap, ", goes back at %s", text);
}

static void hold_text(char out[HOLD_MAX], const json_t *hold)
{
    char age[HUMAN_MAX], until[HUMAN_MAX];
    const char *cause = text_of(hold, "cause");
    *out = '\0';
    append(out, HOLD_MAX, "for %s, ", age_of(age, hold, "since_age_seconds"));
    if (cause && !strcmp(cause, "anchors"))
        append(out, HOLD_MAX, "as every anchor was down (now %llu of %llu); ", count_of(hold, "anchors_down"),
               count_of(hold, "anchors"));
    else
        append(out, HOLD_MAX, "as nearly all targets began to fail at once; ");
    append(out, HOLD_MAX, "%llu of %llu targets fail, %llu verdicts are held", count_of(hold, "failing"),
           count_of(hold, "targets"), count_of(hold, "held"));
    if (clock_of(until, hold, "until"))
        append(out, HOLD_MAX, ", until %s at the latest", until);
}

void show_failover_hold(const json_t *hold)
{
    char text[HOLD_MAX];
    if (!json_is_object(hold))
        return;
    hold_text(text, hold);
    printf("HOLD %s\n\n", text);
}

void show_failover_status(struct table *table, const json_t *status)
{
    char text[HOLD_MAX];
    const json_t *anchors = json_object_get(status, "anchors"), *hold = json_object_get(status, "hold");
    if (count_of(anchors, "total")) {
        table_add(table, "anchors");
        table_addf(table, "%llu: down %llu", count_of(anchors, "total"), count_of(anchors, "down"));
    }
    if (json_is_object(hold)) {
        hold_text(text, hold);
        table_add(table, "HOLD");
        table_add(table, text);
    }
}

void show_failback(const json_t *data)
{
    unsigned long long cnt = count_of(data, "pools");
    printf("%llu pool%s go%s back\n", cnt, cnt == 1 ? "" : "s", cnt == 1 ? "es" : "");
}

void show_release(const json_t *data)
{
    (void)data;
    printf("verdicts are held no more\n");
}
