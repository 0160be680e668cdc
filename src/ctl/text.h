/* Text that may hold any bytes (paths, names out of zone files) as JSON strings, which must be UTF-8. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"

/* A JSON string of `s`: what is no UTF-8 stands as \xHH, a byte each. NULL in gives a JSON null. */
json_t *ctl_json_text(const char *s) ATTR_MUST_USE;
/* "2025-11-30T12:00:00Z"; 0 (never) gives a JSON null. */
json_t *ctl_json_time(uint64_t wall_ms) ATTR_MUST_USE;
