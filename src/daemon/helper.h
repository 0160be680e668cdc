/* The daemon's spawn helper: its channels, and who it becomes. */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "loop/spawn_helper.h"

enum { HELPER_CHECKS, HELPER_CHANGES, HELPER_CHANNEL_CNT };
/* Commands of exec checks at a time; more wait their turn. */
enum { HELPER_CHECKS_AT_ONCE = 64 };

/* First of all, before there is a second thread, a loop or a configuration. ERR_IO, logged. */
enum err helper_fork(struct spawn_helper *helper) ATTR_NONNULL_ALL ATTR_MUST_USE;
