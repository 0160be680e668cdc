#include "tools/show_order.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/read.h"
#include "tools/table.h"

/* ==== text ==== */

struct out {
    char *text;
    size_t cap, len;
};

static void add(struct out *out, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct out *out, const char *fmt, ...)
{
    va_list args;
    if (out->len >= out->cap)
        return;
    va_start(args, fmt);
    int len = vsnprintf(out->text + out->len, out->cap - out->len, fmt, args);
    va_end(args);
    if (len > 0)
        out->len += (size_t)len;
}

/* The name that the user has here, where the server runs too. */
static void add_who(struct out *out, const json_t *order)
{
    const json_t *uid = json_object_get(order, "uid");
    const struct passwd *entry = json_is_integer(uid) ? getpwuid((uid_t)json_integer_value(uid)) : NULL;
    if (entry)
        add(out, " by %s", entry->pw_name);
    else if (json_is_integer(uid))
        add(out, " by user %lld", (long long)json_integer_value(uid));
}

static void add_time(struct out *out, const json_t *order)
{
    char text[HUMAN_MAX];
    const char *reason = text_of(order, "reason");
    add(out, " since %s", human_duration(text, number_of(order, "since_age_seconds")));
    if (json_is_integer(json_object_get(order, "left_seconds")))
        add(out, ", for %s more", human_duration(text, number_of(order, "left_seconds")));
    if (reason)
        add(out, ", because \"%s\"", reason);
}

static void add_safe(struct out *out, const json_t *drain)
{
    char text[HUMAN_MAX];
    if (!text_of(drain, "safe"))
        add(out, ", still answered");
    else if (number_of(drain, "safe_in_seconds"))
        add(out, ", safe to stop in %s", human_duration(text, number_of(drain, "safe_in_seconds")));
    else
        add(out, ", safe to stop");
}

void order_text(char *text, size_t cap, size_t len, const json_t *object)
{
    struct out out = {text, cap, len};
    const json_t *drain = json_object_get(object, "drain"), *force = json_object_get(object, "force");
    if (json_is_object(drain)) {
        add(&out, "%sdrained", out.len ? "; " : "");
        add_who(&out, drain);
        add_time(&out, drain);
        add_safe(&out, drain);
    }
    if (json_is_object(force)) {
        const char *as = text_of(force, "as");
        add(&out, "%sforced %s", out.len ? "; " : "", as ? as : "-");
        add_who(&out, force);
        add_time(&out, force);
    }
}

/* ==== answers ==== */

static void print_clean(const char *text)
{
    char *clean = table_clean(text);
    printf("%s\n", clean);
    free(clean);
}

static void print_last_answer(const json_t *drain, const json_t *zone)
{
    char last[HUMAN_MAX], safe[HUMAN_MAX], text[HUMAN_MAX];
    const char *state = text_of(zone, "state");
    if (!text_of(drain, "safe")) {
        printf("  still answered: %s\n", state && !strcmp(state, "all_drained")
                                             ? "every member is drained, so drains are ignored"
                                             : "no other member can be answered, or the table has yet to follow");
        return;
    }
    printf("  last answer      %s\n", time_text(last, drain, "last_answer"));
    printf("  largest TTL      %s\n", human_duration(text, number_of(drain, "ttl")));
    printf("  safe to stop     %s", time_text(safe, drain, "safe"));
    if (number_of(drain, "safe_in_seconds"))
        printf(", in %s\n", human_duration(text, number_of(drain, "safe_in_seconds")));
    else
        printf(", now\n");
}

/* "192.0.2.1 in www.example.com A: up, drained by root since 0s, safe to stop in 20s" */
static void print_zone(const json_t *data, const json_t *zone, size_t zone_cnt)
{
    const json_t *member = json_object_get(zone, "member");
    const char *pool = text_of(data, "pool"), *address = text_of(data, "member"), *apex = text_of(zone, "zone");
    const char *type = text_of(zone, "type"), *verdict = text_of(member, "verdict");
    char text[1024];
    struct out out = {text, sizeof text, 0};
    add(&out, "%s in %s %s", address ? address : "-", pool ? pool : "-", type ? type : "-");
    if (zone_cnt > 1)
        add(&out, " of zone %s", apex ? apex : "-");
    add(&out, ": %s",
        is_true(member, "sleeping")  ? "not in the zone"
        : !is_true(member, "probed") ? "not checked"
        : verdict                    ? verdict
                                     : "-");
    add(&out, is_true(member, "used") ? ", used" : ", not used");
    order_text(text, sizeof text, out.len, member);
    print_clean(text);
    if (json_is_object(json_object_get(member, "drain")))
        print_last_answer(json_object_get(member, "drain"), zone);
}

static void show_member(const json_t *data)
{
    const json_t *zones = json_object_get(data, "zones");
    const char *pool = text_of(data, "pool"), *address = text_of(data, "member");
    size_t i, cnt = json_array_size(zones);
    json_t *zone;
    if (cnt > 1)
        printf("%s is a pool in %zu zones; done in each\n", pool ? pool : "-", cnt);
    if (!cnt)
        printf("%s is no member of %s now; done\n", address ? address : "-", pool ? pool : "-");
    json_array_foreach (zones, i, zone)
        print_zone(data, zone, cnt);
}

void show_drain(const json_t *data) { show_member(data); }
void show_undrain(const json_t *data) { show_member(data); }
void show_force(const json_t *data) { show_member(data); }
void show_unforce(const json_t *data) { show_member(data); }
