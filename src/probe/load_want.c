#include "probe/load_want.h"

#include <stdio.h>
#include <string.h>

void load_want_check(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_PROBLEM_MAX + 64];
    if (options->load_metric && options->load != PROBE_LOAD_ORCA)
        say(arg, "load_metric", "it has no effect without load = \"orca\"");
    if (options->load_pattern && options->load != PROBE_LOAD_BODY)
        say(arg, "load_pattern", "it has no effect without load = \"body\"");
    if (!options->load_pattern && options->load == PROBE_LOAD_BODY)
        say(arg, "load_pattern", "missing: with load = \"body\" it says where the number stands");
    if (options->load_pattern && pattern_number_has_problem(problem, options->load_pattern)) {
        snprintf(text, sizeof text, "not a POSIX extended regular expression with one group: %s", problem);
        say(arg, "load_pattern", text);
    }
}

const char *load_want_pattern(const struct probe_spec *spec, unsigned place)
{
    static char part[PATTERN_MAX + 1];
    if (!load_want_needs_body(&spec->options) || place < LOAD_WANT_PLACE || place >= LOAD_WANT_PLACE + PATTERN_PLACES)
        return NULL;
    pattern_number_part(part, spec->options.load_pattern, (enum pattern_number_place)(place - LOAD_WANT_PLACE));
    return *part ? part : NULL;
}

/* Servers that are asked by many report only to who wants it, in the form that is named (ORCA). */
const char *load_want_request(const struct probe_options *options)
{
    return options->load == PROBE_LOAD_ORCA ? "endpoint-load-metrics-format: TEXT\r\n" : "";
}
