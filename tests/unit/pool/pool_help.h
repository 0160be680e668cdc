/* Members for the tests of pools. */
#pragma once

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pool/pool.h"
#include "pool/table.h"

/* Processor time of this thread: what a busy machine does to the clock on the wall is not judged. */
static inline uint64_t help_worked_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* 10.0.x.y or 2001:db8::x:y, ascending with `i`. */
static inline struct addr help_address(enum addr_family family, unsigned i)
{
    struct addr address = {.family = (uint8_t)family};
    unsigned len = addr_len(&address);
    address.bytes[0] = family == ADDR_V4 ? 10 : 0x20;
    address.bytes[1] = family == ADDR_V4 ? 0 : 0x01;
    address.bytes[len - 2] = (uint8_t)(i >> 8);
    address.bytes[len - 1] = (uint8_t)i;
    return address;
}

/* `cnt` members, up, tier 1, weight 1. */
static inline void help_members(struct pool_member *members, enum addr_family family, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        members[i] = (struct pool_member){
            .address = help_address(family, i), .weight = 1, .tier = 1, .verdict = HEALTH_UP, .probed = true};
}

static inline struct pool_settings help_settings(enum pool_policy policy, unsigned answers)
{
    return (struct pool_settings){.policy = policy,
                                  .all_down = POOL_SERVE_ALL,
                                  .answers = (uint16_t)answers,
                                  .ttl_sec = 20,
                                  .ttl_min_sec = 5,
                                  .hash_prefix4 = 32,
                                  .hash_prefix6 = 56,
                                  .seed = 0x0123456789abcdef};
}

static inline struct pool_table *help_compile(const struct pool_settings *settings, const struct pool_member *members,
                                              unsigned cnt)
{
    enum addr_family family = cnt ? (enum addr_family)members[0].address.family : ADDR_V4;
    return pool_table_compile(settings, family, members, cnt, NULL, 0, NULL);
}

/* Which member (by help_address) a record names; reads the address's last two bytes. */
static inline unsigned help_member(const struct pool_table *table, const uint8_t *rr)
{
    return (unsigned)rr[table->rr_len - 2] << 8 | rr[table->rr_len - 1];
}

/* A small generator of the tests' own, so that a failure repeats. */
static inline uint32_t help_random(uint64_t *state, uint32_t below)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) * below >> 31);
}

/* Sanitizers and valgrind make times meaningless. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HELP_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HELP_SLOW 1
#endif
#endif
#if !defined(HELP_SLOW) && !defined(__OPTIMIZE__)
#define HELP_SLOW 1
#endif
#ifndef HELP_SLOW
#define HELP_SLOW 0
#endif
