/* From a member's address back to the struct that embeds it: how a callback that is handed its job, item or deferred
 * call finds whose it is, wherever in the struct the member stands. Any thread. */
#pragma once

#include <stddef.h>

#define container_of(member_at, type, member) ((type *)(void *)((char *)(member_at) - offsetof(type, member)))
