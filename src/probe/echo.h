/* ICMP echo requests and their replies (RFC 792; RFC 4443 section 4): messages without IP's header. A reply is ours by
 * its payload, 64 random bits that nobody else knows, and the sequence number of a request that was sent: the
 * identifier is the kernel's where the socket is an unprivileged one. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"

enum { ECHO_LEN = 8 + 8 + 16, ECHO_COUNT_MAX = 20 };

/* The requests of one check. */
struct echo {
    uint32_t sent_cnt, answered_cnt;
    uint64_t time_us;                 /* of all round trips together */
    uint64_t sent_us[ECHO_COUNT_MAX]; /* 0: it has been answered */
    uint8_t request[ECHO_LEN];
};

/* Writes the next request; at most ECHO_COUNT_MAX. */
void echo_next(struct echo *echo, enum addr_family family, uint64_t random, uint64_t now_us) ATTR_NONNULL_ALL;
/* Takes a message; false: it is no answer to one of ours that had none yet. */
bool echo_take(struct echo *echo, enum addr_family family, uint64_t random, uint64_t now_us, const uint8_t *message,
               size_t len) ATTR_NONNULL_ALL;
/* RFC 1071; that of IPv6 covers addresses too, and is the kernel's to make. */
uint16_t echo_checksum(const uint8_t *bytes, size_t len) ATTR_NONNULL_ALL ATTR_PURE;
