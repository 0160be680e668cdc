/* The bytes of the GET request that an http check sends. Pure, any thread. */
#pragma once

#include "base/attr.h"
#include "probe/probe.h"

/* A new string. */
char *request_make(const struct probe_spec *spec) ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;
