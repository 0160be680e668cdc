#include "probe/load_report.h"

#include <string.h>
#include <strings.h>

static const char *const fields[] = {
    [PROBE_LOAD_ORCA] = "endpoint-load-metrics", [PROBE_LOAD_WEIGHT] = "x-load-balancing-endpoint-weight"};

/* ---- orca ---- */

/* What was found of what may count. */
struct orca {
    const char *metric;
    bool has_named, has_application, has_cpu;
    double named, application, cpu;
};

static bool is_named(const char *name, size_t len, const char *expected)
{
    return strlen(expected) == len && !memcmp(name, expected, len);
}

/* A name of the report's own; false: it stands twice. */
static bool take_own(struct orca *orca, const char *name, size_t len, double value)
{
    bool is_application = is_named(name, len, "application_utilization") ||
                          is_named(name, len, "applicationUtilization");
    bool is_cpu = is_named(name, len, "cpu_utilization") || is_named(name, len, "cpuUtilization");
    if ((is_application && orca->has_application) || (is_cpu && orca->has_cpu))
        return false;
    if (is_application) {
        orca->has_application = true;
        orca->application = value;
    } else if (is_cpu) {
        orca->has_cpu = true;
        orca->cpu = value;
    }
    return true;
}

static bool take_named(struct orca *orca, const char *name, size_t len, double value)
{
    if (!*orca->metric || !is_named(name, len, orca->metric))
        return true;
    if (orca->has_named)
        return false;
    orca->has_named = true;
    orca->named = value;
    return true;
}

static void take_utilization(struct load_report *report, double utilization)
{
    double parts = utilization * 65536 + 0.5;
    report->kind = HEALTH_LOAD_UTILIZATION;
    report->load = parts < UINT32_MAX ? (uint32_t)parts : UINT32_MAX;
}

static void take_orca(struct load_report *report, const struct orca *orca)
{
    if (*orca->metric) {
        if (orca->has_named)
            take_utilization(report, orca->named);
    } else if (orca->has_application && orca->application > 0) {
        take_utilization(report, orca->application);
    } else if (orca->has_cpu) {
        take_utilization(report, orca->cpu);
    } else if (orca->has_application) {
        take_utilization(report, 0);
    }
}

/* ---- as text: NAME=NUMBER, NAME=NUMBER ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void trim(const char **text, size_t *len)
{
    while (*len && is_blank(**text)) {
        ++*text;
        --*len;
    }
    while (*len && is_blank((*text)[*len - 1]))
        --*len;
}

/* False: it is no number. A negative one is, and counts for nothing. */
static bool read_number(double *number, bool *counts, const char *text, size_t len)
{
    *counts = !(len && *text == '-');
    return decimal_read(number, (const uint8_t *)text + !*counts, len - !*counts);
}

static bool read_text_item(struct orca *orca, const char *item, size_t len)
{
    static const char prefix[] = "named_metrics.";
    size_t prefix_len = strlen(prefix), name_len = 0;
    double value;
    bool counts;
    trim(&item, &len);
    while (name_len < len && item[name_len] != '=' && item[name_len] != ':')
        name_len++;
    if (!name_len || name_len == len)
        return false;
    const char *number = item + name_len + 1;
    size_t number_len = len - name_len - 1;
    trim(&item, &name_len);
    trim(&number, &number_len);
    if (!read_number(&value, &counts, number, number_len))
        return false;
    if (!counts)
        return true;
    if (name_len > prefix_len && !memcmp(item, prefix, prefix_len))
        return take_named(orca, item + prefix_len, name_len - prefix_len, value);
    return take_own(orca, item, name_len, value);
}

static bool read_text(struct orca *orca, const char *text, size_t len)
{
    for (size_t at = 0; at <= len;) {
        const char *comma = memchr(text + at, ',', len - at);
        size_t end = comma ? (size_t)(comma - text) : len;
        if (!read_text_item(orca, text + at, end - at))
            return false;
        at = end + 1;
    }
    return true;
}

/* ---- as JSON (RFC 8259): numbers of an object and of one object within it may count, all else is passed over ---- */

enum { JSON_DEPTH_MAX = 8 };

struct json {
    struct orca *orca;
    const char *text;
    size_t at, len;
    bool is_bad;
};

static char peek(struct json *json)
{
    while (json->at < json->len && is_blank(json->text[json->at]))
        json->at++;
    return json->at < json->len ? json->text[json->at] : '\0';
}

static bool eat(struct json *json, char c)
{
    bool is_there = peek(json) == c && c;
    json->at += is_there;
    return is_there;
}

static void expect(struct json *json, char c) { json->is_bad |= !eat(json, c); }

/* The string without its quotes; escapes are left in it, as no name that counts has any. */
static const char *json_string(struct json *json, size_t *len)
{
    expect(json, '"');
    size_t begin = json->at;
    while (json->at < json->len && json->text[json->at] != '"')
        json->at += 1 + (json->text[json->at] == '\\');
    if (json->at >= json->len) {
        json->is_bad = true;
        json->at = json->len;
    }
    *len = json->is_bad ? 0 : json->at++ - begin;
    return json->text + begin;
}

/* A number, true, false or null; true: the first, and it counts. */
static bool json_word(struct json *json, double *number)
{
    const char *word = json->text + json->at;
    size_t begin = json->at;
    while (json->at < json->len && !strchr(",]}: \t\"", json->text[json->at]))
        json->at++;
    size_t len = json->at - begin;
    if (is_named(word, len, "true") || is_named(word, len, "false") || is_named(word, len, "null"))
        return false;
    bool counts;
    json->is_bad |= !read_number(number, &counts, word, len);
    return counts && !json->is_bad;
}

static void json_value(struct json *json, unsigned depth, const char *name, size_t name_len, bool is_named_metric);

static void json_members(struct json *json, unsigned depth, bool counts, bool are_named_metrics)
{
    expect(json, '{');
    if (eat(json, '}'))
        return;
    do {
        size_t len;
        (void)peek(json);
        const char *name = json_string(json, &len);
        expect(json, ':');
        json_value(json, depth, counts ? name : NULL, len, are_named_metrics);
    } while (!json->is_bad && eat(json, ','));
    expect(json, '}');
}

static void json_items(struct json *json, unsigned depth)
{
    expect(json, '[');
    if (eat(json, ']'))
        return;
    do
        json_value(json, depth, NULL, 0, false);
    while (!json->is_bad && eat(json, ','));
    expect(json, ']');
}

/* `name` NULL: it counts for nothing. */
static void json_value(struct json *json, unsigned depth, const char *name, size_t name_len, bool is_named_metric)
{
    size_t len;
    double number;
    json->is_bad |= depth > JSON_DEPTH_MAX;
    if (json->is_bad)
        return;
    switch (peek(json)) {
    case '{': {
        bool are_named = name && !is_named_metric && depth == 1 &&
                         (is_named(name, name_len, "named_metrics") || is_named(name, name_len, "namedMetrics"));
        json_members(json, depth + 1, are_named, are_named);
        break;
    }
    case '[':
        json_items(json, depth + 1);
        break;
    case '"':
        (void)json_string(json, &len);
        break;
    default:
        if (!json_word(json, &number) || !name)
            break;
        json->is_bad |= !(is_named_metric ? take_named(json->orca, name, name_len, number)
                                          : take_own(json->orca, name, name_len, number));
    }
}

static bool read_json(struct orca *orca, const char *text, size_t len)
{
    struct json json = {.orca = orca, .text = text, .len = len};
    json_members(&json, 1, true, false);
    (void)peek(&json);
    return !json.is_bad && json.at == len;
}

/* ---- header fields ---- */

static bool skip_word(const char **text, size_t *len, const char *word)
{
    size_t word_len = strlen(word);
    if (*len <= word_len || strncasecmp(*text, word, word_len) != 0 || !is_blank((*text)[word_len]))
        return false;
    *text += word_len;
    *len -= word_len;
    trim(text, len);
    return true;
}

static void read_orca(struct load_report *report, const struct load_want *want, const char *value, size_t len)
{
    struct orca orca = {.metric = want->metric};
    bool is_json = skip_word(&value, &len, "JSON"), is_good;
    if (!is_json)
        (void)skip_word(&value, &len, "TEXT");
    is_good = is_json ? read_json(&orca, value, len) : read_text(&orca, value, len);
    if (is_good)
        take_orca(report, &orca);
}

static void read_weight(struct load_report *report, const char *value, size_t len)
{
    uint32_t weight = 0;
    bool is_good = len && len <= 5;
    for (size_t i = 0; i < len && is_good; i++) {
        is_good = value[i] >= '0' && value[i] <= '9';
        weight = weight * 10 + (uint32_t)(value[i] - '0');
    }
    if (is_good && weight <= 65535)
        *report = (struct load_report){HEALTH_LOAD_WEIGHT, weight};
}

bool load_report_has_field(const struct load_want *want, const char *name, size_t len)
{
    if (want->source != PROBE_LOAD_ORCA && want->source != PROBE_LOAD_WEIGHT)
        return false;
    const char *field = fields[want->source];
    return strlen(field) == len && !strncasecmp(name, field, len);
}

void load_report_read_field(struct load_report *report, const struct load_want *want, const char *value, size_t len)
{
    *report = (struct load_report){HEALTH_LOAD_NONE, 0};
    if (len > LOAD_VALUE_MAX)
        return;
    trim(&value, &len);
    if (want->source == PROBE_LOAD_ORCA)
        read_orca(report, want, value, len);
    else if (want->source == PROBE_LOAD_WEIGHT)
        read_weight(report, value, len);
}

void load_report_read_line(struct load_report *report, const struct load_want *want, const char *line, size_t len)
{
    const char *colon = len ? memchr(line, ':', len) : NULL;
    if (!colon || !load_report_has_field(want, line, (size_t)(colon - line)))
        return;
    while (line[len - 1] == '\n' || line[len - 1] == '\r')
        len--;
    load_report_read_field(report, want, colon + 1, (size_t)(line + len - colon - 1));
}

/* ---- the rest ---- */

void load_report_read_body(struct load_report *report, const struct load_want *want, const uint8_t *bytes, size_t len)
{
    double number;
    *report = (struct load_report){HEALTH_LOAD_NONE, 0};
    if (want->source != PROBE_LOAD_BODY || !pattern_number_find(want->parts, bytes, len, &number))
        return;
    report->kind = HEALTH_LOAD_CONNECTIONS;
    report->load = number + 0.5 < UINT32_MAX ? (uint32_t)(number + 0.5) : UINT32_MAX;
}

void load_report_take(struct health_measure *measure, const struct load_report *report, uint64_t now_wall_ms)
{
    if (report->kind == HEALTH_LOAD_NONE)
        return;
    measure->load_kind = (uint8_t)report->kind;
    measure->load = report->load;
    measure->load_wall_ms = now_wall_ms;
}
