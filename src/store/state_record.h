/* The bytes in which operators' orders and remembered verdicts are kept. Every record has a version and a checksum over
 * its key and value; what is not just as it was written is no record. Pure; any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "balance/operate.h"
#include "base/attr.h"
#include "base/err.h"
#include "dns/name.h"
#include "health/memory.h"

/* Bytes, without a NUL, of what an operator may give as reason. */
enum { STATE_REASON_MAX = 250 };

/* Kind, address, depth of the apex, owner. */
enum { STATE_ORDER_KEY_MAX = 1 + 1 + 16 + 1 + NAME_MAX_LEN };
enum { STATE_ORDER_VALUE_MAX = 2 + 5 * 8 + 4 + 1 + STATE_REASON_MAX + 8 };

/* Return the length. */
size_t state_order_key(uint8_t key[STATE_ORDER_KEY_MAX], const struct operate_member *member, enum operate_kind kind)
    ATTR_NONNULL_ALL;
/* A longer reason is cut. */
size_t state_order_value(uint8_t value[STATE_ORDER_VALUE_MAX], const uint8_t *key, size_t key_len,
                         const struct operate_order *order) ATTR_NONNULL_ALL;

struct state_order {
    struct operate_member member; /* names point into the key */
    enum operate_kind kind;
    struct operate_order order; /* its reason points to `reason` */
    char reason[STATE_REASON_MAX + 1];
};
/* ERR_SYNTAX: it is no such record; ERR_UNSUPPORTED: of another version. */
enum err state_order_read(struct state_order *record, const uint8_t *key, size_t key_len, const uint8_t *value,
                          size_t value_len) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* What is remembered of a target; its key is the digest. */
enum { STATE_MEMORY_VALUE_MAX = 1 + 1 + 1 + 2 + 4 + 8 + 4 + 4 + 1 + 2 + 2 * 8 + 1 + HEALTH_REASON_MAX + 8 };
size_t state_memory_value(uint8_t value[STATE_MEMORY_VALUE_MAX], const struct health_memory *memory) ATTR_NONNULL_ALL;
enum err state_memory_read(struct health_memory *memory, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* A time, by wall clock, in a database of such times: until when what its key stands for is true. */
#define STATE_TIMES_DATABASE "times"
enum { STATE_TIME_VALUE_LEN = 1 + 8 + 8 };
void state_time_value(uint8_t value[STATE_TIME_VALUE_LEN], const uint8_t *key, size_t key_len,
                      uint64_t wall_ms) ATTR_NONNULL_ALL;
enum err state_time_read(uint64_t *wall_ms, const uint8_t *key, size_t key_len, const uint8_t *value,
                         size_t value_len) ATTR_NONNULL_ALL ATTR_MUST_USE;
