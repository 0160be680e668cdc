/* Operators' orders as people read them. One thread. */
#pragma once

#include <stddef.h>

#include <jansson.h>

#include "base/attr.h"

/* "drained by root for 5m: maintenance, safe to stop in 12s; forced up by …", into `out`, of which `len` bytes are used
 * already (joined by "; "). `object` has "drain" and "force", or nulls. */
void order_text(char *out, size_t cap, size_t len, const json_t *object) ATTR_NONNULL(1);

/* The answers of these commands. */
void show_drain(const json_t *data);
void show_undrain(const json_t *data);
void show_force(const json_t *data);
void show_unforce(const json_t *data);
