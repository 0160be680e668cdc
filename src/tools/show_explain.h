/* The answer of `explain` as people read it. One thread. */
#pragma once

#include <jansson.h>

#include "base/attr.h"

void show_explain(const json_t *data) ATTR_NONNULL_ALL;
