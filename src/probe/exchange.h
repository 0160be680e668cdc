/* What control and the probe thread tell each other, by slot of the target: which targets are wanted, and how they are.
 * Each slot has one entry for either way, so that nothing can overflow and nothing is dropped: a newer wish or event
 * takes the place of an older one that waits. A mutex guards it all; held for a copy of some hundred bytes at most (and
 * while the entries grow), it is on the list of named locks as "probe exchange".
 *
 * A slot's generation rises whenever another target takes it or it is left: what the probe thread still reports of the
 * last one is recognised and ignored. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/health.h"
#include "probe/reason.h"
#include "probe/target.h"

struct exchange;

/* How a target is. */
struct exchange_report {
    uint64_t since_wall_ms;
    struct reason reason;
    uint32_t duration_us;
    uint16_t contrary_cnt; /* as struct health_target has it */
    uint8_t verdict;       /* enum health_verdict */
    bool unsettled;
    bool is_remembered; /* of a former process */
    struct health_measure measure;
};

/* A wish. */
struct exchange_wish {
    uint32_t slot, generation;
    bool is_change;        /* what is wanted in the slot is another than before: */
    struct target *target; /* counted for the taker; NULL: none any more */
    struct exchange_report known;
    bool check_now; /* somebody waits for a check, and wants to know its steps */
};

void exchange_free(struct exchange *exchange);
struct exchange *exchange_new(void) ATTR_FREED_BY(exchange_free) ATTR_MUST_USE;

/* From now on `target` (NULL: none) is wanted in `slot`, and is as `known` (NULL: unknown) until it is checked. True:
 * no other wish waited, so the probe thread must be woken. [control] */
bool exchange_want(struct exchange *exchange, uint32_t slot, struct target *target,
                   const struct exchange_report *known) ATTR_NONNULL(1) ATTR_MUST_USE;
/* The same, where the reason of `known` is a REASON_TEXT with these words. [control] */
bool exchange_want_as(struct exchange *exchange, uint32_t slot, struct target *target,
                      const struct exchange_report *known, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A check of the slot's target is wanted at once, with its steps. True as above. [control] */
bool exchange_ask(struct exchange *exchange, uint32_t slot) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The next wish; false: none waits. [probe] */
bool exchange_take(struct exchange *exchange, struct exchange_wish *wish) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Does one wait? [probe] */
bool exchange_has_wish(struct exchange *exchange) ATTR_NONNULL_ALL;
/* How the target of that slot and generation is, with `text` the words of a REASON_TEXT (else not looked at);
 * `is_event`: control is to be told. True: no other event waited. [probe] */
bool exchange_tell(struct exchange *exchange, uint32_t slot, uint32_t generation, const struct exchange_report *report,
                   const char *text, bool is_event) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The next event, its reason in words; false: none waits. [control] */
bool exchange_next(struct exchange *exchange, uint32_t *slot, struct exchange_report *report,
                   char reason[PROBE_REASON_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The last report of a slot. [control] */
void exchange_look(struct exchange *exchange, uint32_t slot, struct exchange_report *report,
                   char reason[PROBE_REASON_MAX]) ATTR_NONNULL_ALL;

/* The steps of a check that was asked for. True: no other trace waited. [probe] */
bool exchange_trace(struct exchange *exchange, uint32_t slot, uint32_t generation,
                    const struct probe_trace *trace) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The next trace, of a target that is wanted yet; false: none waits. [control] */
bool exchange_next_trace(struct exchange *exchange, struct probe_trace *trace) ATTR_NONNULL_ALL ATTR_MUST_USE;
