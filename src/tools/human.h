/* Numbers as people say them. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { HUMAN_MAX = 32 };

/* "12s", "3m12s", "5h3m", "2d7h": the two largest units; returns `out`. */
char *human_duration(char out[HUMAN_MAX], uint64_t sec) ATTR_NONNULL_ALL;
/* "812 B", "12.3 KiB", "4.0 GiB"; returns `out`. */
char *human_bytes(char out[HUMAN_MAX], uint64_t bytes) ATTR_NONNULL_ALL;
