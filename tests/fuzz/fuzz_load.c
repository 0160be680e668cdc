/* Reports of load: the first byte says where the report stands and which is wanted, the rest is a header line or a
 * body. Whatever comes is a report within its bounds, or none; and none is left of what came before. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/load_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static struct pattern *const *parts_of(unsigned which)
{
    static const char *const texts[] = {"Active connections: ([0-9]+)", "(.*)", "[0-9]*x?([0-9.]+(e[0-9]+)?)[ab]*$"};
    static struct pattern_set set;
    static struct pattern *parts[3][PATTERN_PLACES];
    if (!parts[which][PATTERN_NUMBER])
        for (unsigned i = 0; i < PATTERN_PLACES; i++) {
            char part[PATTERN_MAX + 1];
            pattern_number_part(part, texts[which], (enum pattern_number_place)i);
            parts[which][i] = *part ? pattern_set_get(&set, part) : NULL;
        }
    return parts[which];
}

/* An expression of the input's own: it is refused, or can be cut. */
static void cut(const uint8_t *data, size_t len)
{
    char text[PATTERN_MAX + 1], part[PATTERN_MAX + 1], problem[PATTERN_PROBLEM_MAX];
    size_t sum = 0;
    if (len > PATTERN_MAX || memchr(data, '\0', len))
        return;
    memcpy(text, data, len);
    text[len] = '\0';
    if (pattern_number_has_problem(problem, text))
        return;
    for (unsigned i = 0; i < PATTERN_PLACES; i++) {
        pattern_number_part(part, text, (enum pattern_number_place)i);
        sum += strlen(part);
        must(!pattern_has_problem(problem, part));
    }
    must(sum + 2 == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (!len)
        return 0;
    struct load_want want = {.source = (enum probe_load)(data[0] & 3), .metric = data[0] & 4 ? "q" : ""};
    struct load_report report = {HEALTH_LOAD_NONE, 0}, line_report = {HEALTH_LOAD_NONE, 0};
    size_t exact_len = len - 1;
    uint8_t *exact = malloc(exact_len ? exact_len : 1);
    memcpy(exact, data + 1, exact_len);
    want.parts = parts_of((data[0] >> 3) % 3);
    load_report_read_field(&report, &want, (const char *)exact, exact_len);
    must(report.kind == HEALTH_LOAD_NONE ||
         report.kind == (want.source == PROBE_LOAD_ORCA ? HEALTH_LOAD_UTILIZATION : HEALTH_LOAD_WEIGHT));
    must(report.kind != HEALTH_LOAD_WEIGHT || report.load <= 65535);
    load_report_read_line(&line_report, &want, (const char *)exact, exact_len);
    load_report_read_body(&report, &want, exact, exact_len);
    must(report.kind == HEALTH_LOAD_NONE || want.source == PROBE_LOAD_BODY);
    cut(exact, exact_len);
    free(exact);
    return 0;
}
