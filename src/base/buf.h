/* The bounded reader and writer that all parsing goes through. An access past the end gives 0 or nothing and sets
 * `failed`, which stays set: read or write all of a structure, then check once. Numbers are big-endian, as on the wire.
 * No memory is owned; one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct reader {
    const uint8_t *begin, *at, *end;
    bool failed;
};

struct writer {
    uint8_t *begin, *at, *end;
    bool failed;
};

static inline uint16_t be16_get(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void be16_put(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void be32_put(uint8_t *p, uint32_t v)
{
    be16_put(p, (uint16_t)(v >> 16));
    be16_put(p + 2, (uint16_t)v);
}

static inline struct reader reader_over(const void *data, size_t len)
{
    const uint8_t *p = data;
    return (struct reader){p, p, p + len, false};
}
static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->at); }
static inline size_t reader_pos(const struct reader *r) { return (size_t)(r->at - r->begin); }
/* The next `len` bytes, passed over; NULL (and failed) when fewer are left. */
static inline const uint8_t *reader_take(struct reader *r, size_t len)
{
    if (unlikely(r->failed || reader_left(r) < len)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += len;
    return p;
}
static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? *p : 0;
}
static inline uint16_t reader_u16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? be16_get(p) : 0;
}
static inline uint32_t reader_u32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? be32_get(p) : 0;
}
static inline uint64_t reader_u64(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return high << 32 | reader_u32(r);
}

static inline struct writer writer_over(void *data, size_t cap)
{
    uint8_t *p = data;
    return (struct writer){p, p, p + cap, false};
}
static inline size_t writer_len(const struct writer *w) { return (size_t)(w->at - w->begin); }
static inline size_t writer_left(const struct writer *w) { return (size_t)(w->end - w->at); }
/* Room for `len` bytes, passed over, for the caller to fill; NULL (and failed) when there is less. */
static inline uint8_t *writer_room(struct writer *w, size_t len)
{
    if (unlikely(w->failed || writer_left(w) < len)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->at;
    w->at += len;
    return p;
}
static inline void writer_put(struct writer *w, const void *src, size_t len)
{
    uint8_t *p = writer_room(w, len);
    if (p && len)
        memcpy(p, src, len);
}
static inline void writer_u8(struct writer *w, uint8_t v) { writer_put(w, &v, 1); }
static inline void writer_u16(struct writer *w, uint16_t v)
{
    uint8_t *p = writer_room(w, 2);
    if (p)
        be16_put(p, v);
}
static inline void writer_u32(struct writer *w, uint32_t v)
{
    uint8_t *p = writer_room(w, 4);
    if (p)
        be32_put(p, v);
}
static inline void writer_u64(struct writer *w, uint64_t v)
{
    writer_u32(w, (uint32_t)(v >> 32));
    writer_u32(w, (uint32_t)v);
}
