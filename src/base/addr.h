/* Internet addresses as bytes, with an optional port, and prefixes of them. Values, no memory owned. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/err.h"

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
    uint8_t bytes[16]; /* network order; v4 uses the first four, the rest is zero */
    uint8_t family;    /* enum addr_family */
    uint8_t pad;
    uint16_t port; /* host order; 0: none given */
};

enum { ADDR_TEXT_MAX = 64 }; /* longest text with port and terminator */

static inline unsigned addr_len(const struct addr *a) { return a->family == ADDR_V4 ? 4 : 16; }

/* "192.0.2.1", "2001:db8::1", without a port. ERR_SYNTAX when it is no numeric
 * address (no names, no scope, no brackets). */
enum err addr_from_text(struct addr *addr, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* "ADDRESS[@PORT]", port 1..65535; without one `port_default`. ERR_SYNTAX or ERR_RANGE. */
enum err addr_port_from_text(struct addr *addr, const char *text, uint16_t port_default) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* For rows of option tables (base/opt.h): an address without a port as OPT_CUSTOM. */
enum err addr_opt_parse(void *field, const char *text, const char **expected) ATTR_NONNULL(2, 3);
/* The address alone, canonical (RFC 5952); returns `out`. */
char *addr_to_text(char out[ADDR_TEXT_MAX], const struct addr *addr) ATTR_NONNULL_ALL;
/* "ADDRESS@PORT"; returns `out`. */
char *addr_port_to_text(char out[ADDR_TEXT_MAX], const struct addr *addr) ATTR_NONNULL_ALL;

/* From and to a socket address; a v4-mapped IPv6 address becomes the v4 one. An unknown family gives ADDR_NONE. */
void addr_from_sockaddr(struct addr *addr, const struct sockaddr *sa) ATTR_NONNULL_ALL;
socklen_t addr_to_sockaddr(struct sockaddr_storage *sa, const struct addr *addr) ATTR_NONNULL_ALL;

/* Canonical order: v4 before v6, then bytes, then port; <0, 0, >0. */
int addr_cmp(const struct addr *a, const struct addr *b) ATTR_NONNULL_ALL;
/* Same family and bytes; the port is not compared. */
bool addr_same_host(const struct addr *a, const struct addr *b) ATTR_NONNULL_ALL;
