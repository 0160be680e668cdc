/* Is it up? The state of one target, fed by results, without I/O or clock of its own. [one owner: the probe thread;
 * tests]
 *
 * The first result decides an unknown target. After that, `fall` failures in a row take it down and `rise` successes in
 * a row bring it back; between the first contrary result and the verdict (or the return to agreement) it is
 * *unsettled*. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum health_verdict { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
enum health_result { HEALTH_PASS, HEALTH_FAIL };
enum { HEALTH_OBSERVER_SELF = 0 }; /* a peer's vote is another observer, later */

struct health_settings {
    uint16_t rise, fall; /* at least 1 */
};

struct health_target {
    enum health_verdict verdict;
    bool unsettled;
    uint16_t contrary_cnt; /* results in a row that contradict the verdict */
    uint64_t since_ms;     /* when the verdict was reached (wall); 0: unknown */
    uint64_t result_cnt;
};

enum health_change { HEALTH_SAME, HEALTH_CHANGED /* verdict or unsettled differ from before */ };

/* Feeds one result. `when_ms` is wall time. */
enum health_change health_observe(struct health_target *target, const struct health_settings *settings,
                                  unsigned observer, enum health_result result, uint64_t when_ms) ATTR_NONNULL_ALL;

/* "unknown", "up", "down" */
const char *health_verdict_name(enum health_verdict verdict);
