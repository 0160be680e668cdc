/* Transfers, NOTIFYs and UPDATEs that a worker has refused, for the log: the worker puts them down here, the control
 * thread takes them every now and then. What does not fit is only counted (answer/counters.h): a flood of them costs
 * nobody anything. One worker puts, one thread takes; neither waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"

struct refusal {
    struct addr client;
    const char *what; /* a literal: "AXFR", "IXFR", "NOTIFY", "UPDATE" */
    bool is_signed;
    uint8_t zone[NAME_MAX_LEN]; /* lower-cased */
};

enum { REFUSALS_KEPT = 8 };
/* Zero-initialise. */
struct refusals {
    uint32_t put, taken; /* so far */
    struct refusal kept[REFUSALS_KEPT];
};
/* [worker] */
void refusals_put(struct refusals *refusals, const struct refusal *refusal) ATTR_NONNULL_ALL;
/* The oldest; false: there is none. [control] */
bool refusals_take(struct refusals *refusals, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;
