/* Values out of an answer's JSON, of which a server of another release may leave any out. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "tools/human.h"

/* NULL: there is none. */
const char *text_of(const json_t *object, const char *key) ATTR_NONNULL(2);
/* 0: there is none. */
uint64_t number_of(const json_t *object, const char *key) ATTR_NONNULL(2);
unsigned long long count_of(const json_t *object, const char *key) ATTR_NONNULL(2);
bool is_true(const json_t *object, const char *key) ATTR_NONNULL(2);
/* "2025-11-30T12:00:00Z" → "2025-11-30 12:00:00 UTC", in `out`; what is no such time as it is. NULL: there is none. */
const char *time_text(char out[HUMAN_MAX], const json_t *object, const char *key) ATTR_NONNULL(1, 3);
