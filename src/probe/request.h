/* What an http check asks, and which statuses pass: the detail of an http target. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/load_report.h"
#include "probe/probe.h"
#include "probe/target.h"

struct request_detail {
    uint32_t status_cnt, request_len;
    uint32_t load;                      /* enum probe_load */
    struct probe_status_range status[]; /* then the request's bytes, and load_metric with its NUL */
};

/* As struct kind's pack. */
uint8_t *request_pack(const struct probe_spec *spec, size_t *len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What is wrong with a row's `method` or with one of its `headers`; NULL: nothing. */
const char *request_method_problem(const char *method) ATTR_NONNULL_ALL;
const char *request_header_problem(const char *header) ATTR_NONNULL_ALL;
/* All header fields but Host and Connection, each with its line's end, and the request alone: malloc'ed text. */
char *request_fields(const struct probe_options *options) ATTR_NONNULL_ALL ATTR_MUST_USE;
char *request_make(const struct probe_spec *spec) ATTR_NONNULL_ALL ATTR_MUST_USE;

static inline const struct request_detail *request_of(const struct target *target)
{
    return (const struct request_detail *)(const void *)target->detail;
}
static inline const uint8_t *request_bytes(const struct request_detail *detail)
{
    return (const uint8_t *)&detail->status[detail->status_cnt];
}
/* What its answers are to be searched for; points into the target. */
void request_load_want(struct load_want *want, const struct target *target) ATTR_NONNULL_ALL;
