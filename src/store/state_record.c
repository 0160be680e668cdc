#include "store/state_record.h"

#include <string.h>

#include "base/buf.h"
#include "base/checksum.h"

enum { ORDER_VERSION = 1, MEMORY_VERSION = 1, TIME_VERSION = 1 };
/* ---- checksums */

static uint64_t sum_of(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    return checksum_add(checksum_add(CHECKSUM_START, key, key_len), value, value_len);
}

static void put_sum(struct writer *w, const uint8_t *key, size_t key_len)
{
    writer_u64(w, sum_of(key, key_len, w->begin, writer_len(w)));
}

/* Reads version and checksum; then `r` holds what is between them. */
static enum err open_record(struct reader *r, const uint8_t *key, size_t key_len, const uint8_t *value,
                            size_t value_len, uint8_t version)
{
    if (value_len < 1 + CHECKSUM_LEN)
        return ERR_SYNTAX;
    struct reader sum = reader_over(value + value_len - CHECKSUM_LEN, CHECKSUM_LEN);
    if (reader_u64(&sum) != sum_of(key, key_len, value, value_len - CHECKSUM_LEN))
        return ERR_SYNTAX;
    *r = reader_over(value, value_len - CHECKSUM_LEN);
    return reader_u8(r) == version ? ERR_OK : ERR_UNSUPPORTED;
}

/* ---- orders */

size_t state_order_key(uint8_t key[STATE_ORDER_KEY_MAX], const struct operate_member *member, enum operate_kind kind)
{
    struct writer w = writer_over(key, STATE_ORDER_KEY_MAX);
    writer_u8(&w, (uint8_t)kind);
    writer_u8(&w, member->address.family);
    writer_put(&w, member->address.bytes, sizeof member->address.bytes);
    writer_u8(&w, (uint8_t)name_depth(member->apex));
    writer_put(&w, member->owner, name_len(member->owner));
    return writer_len(&w);
}

size_t state_order_value(uint8_t value[STATE_ORDER_VALUE_MAX], const uint8_t *key, size_t key_len,
                         const struct operate_order *order)
{
    struct writer w = writer_over(value, STATE_ORDER_VALUE_MAX);
    size_t reason_len = strlen(order->reason);
    reason_len = reason_len < STATE_REASON_MAX ? reason_len : STATE_REASON_MAX;
    writer_u8(&w, ORDER_VERSION);
    writer_u8(&w, (uint8_t)order->forced);
    writer_u64(&w, order->since_wall_ms);
    writer_u64(&w, order->until_wall_ms);
    writer_u64(&w, (uint64_t)order->uid);
    writer_u64(&w, (uint64_t)order->pid);
    writer_u64(&w, order->last_answer_wall_ms);
    writer_u32(&w, order->ttl_sec);
    writer_u8(&w, (uint8_t)reason_len);
    writer_put(&w, order->reason, reason_len);
    put_sum(&w, key, key_len);
    return writer_len(&w);
}

static enum err read_key(struct state_order *record, const uint8_t *key, size_t key_len)
{
    struct reader r = reader_over(key, key_len);
    struct operate_member *member = &record->member;
    unsigned kind = reader_u8(&r);
    member->address = (struct addr){.family = reader_u8(&r)};
    const uint8_t *address = reader_take(&r, sizeof member->address.bytes);
    unsigned depth = reader_u8(&r);
    size_t owner_len = reader_left(&r);
    const uint8_t *owner = reader_take(&r, owner_len);
    if (r.failed || kind >= OPERATE_KIND_CNT || !owner_len || name_check(owner, owner_len) != owner_len ||
        depth > name_depth(owner))
        return ERR_SYNTAX;
    if (member->address.family != ADDR_V4 && member->address.family != ADDR_V6)
        return ERR_SYNTAX;
    memcpy(member->address.bytes, address, addr_len(&member->address));
    record->kind = (enum operate_kind)kind;
    member->owner = owner;
    member->apex = name_suffix(owner, depth);
    return ERR_OK;
}

static enum err read_value(struct state_order *record, struct reader *r)
{
    struct operate_order *order = &record->order;
    unsigned forced = reader_u8(r);
    *order = (struct operate_order){.reason = record->reason};
    order->since_wall_ms = reader_u64(r);
    order->until_wall_ms = reader_u64(r);
    order->uid = (int64_t)reader_u64(r);
    order->pid = (int64_t)reader_u64(r);
    order->last_answer_wall_ms = reader_u64(r);
    order->ttl_sec = reader_u32(r);
    size_t reason_len = reader_u8(r);
    const uint8_t *reason = reader_take(r, reason_len);
    bool is_forced = forced == HEALTH_UP || forced == HEALTH_DOWN;
    if (r->failed || reader_left(r) || reason_len > STATE_REASON_MAX || is_forced != (record->kind == OPERATE_FORCE) ||
        forced > HEALTH_DOWN)
        return ERR_SYNTAX;
    order->forced = (enum health_verdict)forced;
    memcpy(record->reason, reason, reason_len);
    record->reason[reason_len] = '\0';
    return ERR_OK;
}

enum err state_order_read(struct state_order *record, const uint8_t *key, size_t key_len, const uint8_t *value,
                          size_t value_len)
{
    struct reader r;
    enum err err = open_record(&r, key, key_len, value, value_len, ORDER_VERSION);
    if (!err)
        err = read_key(record, key, key_len);
    return err ? err : read_value(record, &r);
}

/* ---- memories */

/* What an agent has said stands in the upper four bits. */
enum memory_flag { MEMORY_UNSETTLED = 1, MEMORY_DRAINS = 2, MEMORY_HAS_DAYS_LEFT = 4, MEMORY_AGENT_SHIFT = 4 };

static unsigned flags_of(const struct health_memory *memory)
{
    return (memory->unsettled ? MEMORY_UNSETTLED : 0) | (memory->measure.drains ? MEMORY_DRAINS : 0) |
           (memory->measure.has_days_left ? MEMORY_HAS_DAYS_LEFT : 0) |
           (unsigned)memory->measure.agent << MEMORY_AGENT_SHIFT;
}

size_t state_memory_value(uint8_t value[STATE_MEMORY_VALUE_MAX], const struct health_memory *memory)
{
    struct writer w = writer_over(value, STATE_MEMORY_VALUE_MAX);
    const struct health_measure *measure = &memory->measure;
    size_t reason_len = strnlen(memory->reason, HEALTH_REASON_MAX - 1);
    writer_u8(&w, MEMORY_VERSION);
    writer_u8(&w, (uint8_t)memory->verdict);
    writer_u8(&w, (uint8_t)flags_of(memory));
    writer_u16(&w, memory->contrary_cnt);
    writer_u32(&w, memory->duration_us);
    writer_u64(&w, memory->since_wall_ms);
    writer_u32(&w, measure->response_us);
    writer_u32(&w, measure->load);
    writer_u8(&w, measure->load_kind);
    writer_u16(&w, (uint16_t)measure->days_left);
    writer_u64(&w, measure->response_wall_ms);
    writer_u64(&w, measure->load_wall_ms);
    writer_u8(&w, (uint8_t)reason_len);
    writer_put(&w, memory->reason, reason_len);
    put_sum(&w, memory->digest, sizeof memory->digest);
    return writer_len(&w);
}

static void read_measure(struct health_measure *measure, struct reader *r, unsigned flags)
{
    measure->response_us = reader_u32(r);
    measure->load = reader_u32(r);
    measure->load_kind = reader_u8(r);
    measure->days_left = (int16_t)reader_u16(r);
    measure->response_wall_ms = reader_u64(r);
    measure->load_wall_ms = reader_u64(r);
    measure->drains = flags & MEMORY_DRAINS;
    measure->agent = (uint8_t)(flags >> MEMORY_AGENT_SHIFT);
    measure->has_days_left = flags & MEMORY_HAS_DAYS_LEFT;
}

enum err state_memory_read(struct health_memory *memory, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct reader r;
    enum err err = open_record(&r, key, key_len, value, value_len, MEMORY_VERSION);
    if (err || key_len != HEALTH_DIGEST_LEN)
        return err ? err : ERR_SYNTAX;
    *memory = (struct health_memory){0};
    memcpy(memory->digest, key, HEALTH_DIGEST_LEN);
    unsigned verdict = reader_u8(&r), flags = reader_u8(&r);
    memory->unsettled = flags & MEMORY_UNSETTLED;
    memory->contrary_cnt = reader_u16(&r);
    memory->duration_us = reader_u32(&r);
    memory->since_wall_ms = reader_u64(&r);
    read_measure(&memory->measure, &r, flags);
    size_t reason_len = reader_u8(&r);
    const uint8_t *reason = reader_take(&r, reason_len);
    if (r.failed || reader_left(&r) || reason_len >= HEALTH_REASON_MAX ||
        (verdict != HEALTH_UP && verdict != HEALTH_DOWN))
        return ERR_SYNTAX;
    memory->verdict = (enum health_verdict)verdict;
    memcpy(memory->reason, reason, reason_len);
    return ERR_OK;
}

/* ---- times */

void state_time_value(uint8_t value[STATE_TIME_VALUE_LEN], const uint8_t *key, size_t key_len, uint64_t wall_ms)
{
    struct writer w = writer_over(value, STATE_TIME_VALUE_LEN);
    writer_u8(&w, TIME_VERSION);
    writer_u64(&w, wall_ms);
    put_sum(&w, key, key_len);
}

enum err state_time_read(uint64_t *wall_ms, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct reader r;
    enum err err = open_record(&r, key, key_len, value, value_len, TIME_VERSION);
    if (err)
        return err;
    *wall_ms = reader_u64(&r);
    return r.failed || reader_left(&r) ? ERR_SYNTAX : ERR_OK;
}
