/* The keys of a probe that ask for reports of load: their check, and their way through a target to its runs. For kinds
 * that speak HTTP. */
#pragma once

#include "base/attr.h"
#include "probe/kind.h"
#include "probe/load_report.h"

/* Of a target's patterns, those from here on are the parts of load_pattern. */
enum { LOAD_WANT_PLACE = 1 };
_Static_assert(LOAD_WANT_PLACE + PATTERN_PLACES <= TARGET_PATTERNS, "they have places");

/* As struct kind's check_options. [any] */
void load_want_check(const struct probe_options *options, kind_say_fn *say, void *arg) ATTR_NONNULL(1, 2);
/* As struct kind's pattern, of places from LOAD_WANT_PLACE on; NULL: nothing stands there. Valid until the next call.
 * [control] */
const char *load_want_pattern(const struct probe_spec *spec, unsigned place) ATTR_NONNULL_ALL;
/* A header line for requests, with its end, that asks for the report; "": none is needed. [any] */
const char *load_want_request(const struct probe_options *options) ATTR_NONNULL_ALL;
/* True when bodies must be read, and come as they are. [any] */
static inline bool load_want_needs_body(const struct probe_options *options)
{
    return options->load == PROBE_LOAD_BODY;
}
