/* What an HTTP response says of its server's load, read from a header field or the body. Pure parsers: bounded, strict;
 * what they can't read is no report, which says nothing of the server's health. Any thread.
 *
 * - orca: the field `endpoint-load-metrics` of the Open Request Cost Aggregation (xds.data.orca.v3.OrcaLoadReport; gRFC
 *   A51): "TEXT cpu_utilization=0.3, named_metrics.queue=0.5", older servers ":" for "=" and no word before; or "JSON"
 *   and an object, its keys also as the proto's JSON mapping has them ("cpuUtilization"). Serialized protos (BIN) are
 *   not read. application_utilization counts where it is above 0 (in a proto that is: where it is set), else
 *   cpu_utilization (gRFC A58); or the named metric that is asked for, and no other.
 * - weight: the field `X-Load-Balancing-Endpoint-Weight` (of Google Cloud's load balancers): a whole number.
 * - body: the number that an expression with one group finds (probe/pattern_number.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/measure.h"
#include "probe/pattern_number.h"
#include "probe/probe.h"

enum { LOAD_VALUE_MAX = 4096, LOAD_METRIC_MAX = 63 };

/* What is asked for. Borrowed. */
struct load_want {
    enum probe_load source;
    const char *metric; /* of orca; "": utilization */
    struct pattern *const *parts; /* of body: PATTERN_PLACES of them */
};

struct load_report {
    enum health_load kind; /* HEALTH_LOAD_NONE: nothing was found */
    uint32_t load;
};

/* Is this the name of the field that tells? */
bool load_report_has_field(const struct load_want *want, const char *name, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The value of that field; what is no report leaves none. */
void load_report_read_field(struct load_report *report, const struct load_want *want, const char *value,
                            size_t len) ATTR_NONNULL(1, 2);
/* A header line, with or without its end; another field than the one that tells changes nothing. */
void load_report_read_line(struct load_report *report, const struct load_want *want, const char *line,
                           size_t len) ATTR_NONNULL(1, 2);
/* The body, or as much of it as there is. */
void load_report_read_body(struct load_report *report, const struct load_want *want, const uint8_t *bytes,
                           size_t len) ATTR_NONNULL(1, 2);
/* A report is the newest from now on; without one the last remains, until it is too old. */
void load_report_take(struct health_measure *measure, const struct load_report *report,
                      uint64_t now_wall_ms) ATTR_NONNULL_ALL;
