/* The options in an OPT record (RFC 6891 6.1.2): those that the server acts on are found and judged in one pass, all
 * others are passed over; and options are written into the answer's OPT. Pure functions over bytes. Any thread.
 *
 * Of an option that stands there more than once the first counts and the others are not looked at: RFC 7873 5.2 says so
 * for COOKIE, and BIND does so for ECS. (BIND and NSD refuse a second COOKIE of a wrong length; the RFC ignores it.) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "dns/msg.h"

/* IANA, "DNS EDNS0 Option Codes (OPT)". */
enum {
    EDNS_NSID = 3,           /* RFC 5001 */
    EDNS_ECS = 8,            /* RFC 7871 */
    EDNS_EXPIRE = 9,         /* RFC 7314 */
    EDNS_COOKIE = 10,        /* RFC 7873 */
    EDNS_TCP_KEEPALIVE = 11, /* RFC 7828 */
    EDNS_PADDING = 12,       /* RFC 7830 */
    EDNS_EDE = 15,           /* RFC 8914 */
};

/* IANA, "Extended DNS Error Codes" (RFC 8914 4): those that an authoritative server has a use for. */
enum edns_ede {
    EDNS_EDE_OTHER = 0,
    EDNS_EDE_DNSSEC_BOGUS = 6,
    EDNS_EDE_RRSIGS_MISSING = 10,
    EDNS_EDE_NOT_READY = 14,
    EDNS_EDE_BLOCKED = 15,
    EDNS_EDE_PROHIBITED = 18,
    EDNS_EDE_NOT_AUTHORITATIVE = 20,
    EDNS_EDE_NOT_SUPPORTED = 21,
    EDNS_EDE_NETWORK_ERROR = 23,
    EDNS_EDE_INVALID_DATA = 24,
};

enum {
    EDNS_OPTION_HEADER_LEN = 4, /* code and length */
    EDNS_COOKIE_CLIENT_LEN = 8, /* RFC 7873 4: alone, or with a server cookie of 8 to 32 bytes behind it */
    EDNS_COOKIE_LEAST = 16,
    EDNS_COOKIE_MOST = 40,
    EDNS_ECS_HEADER_LEN = 4, /* family, source and scope prefix lengths */
};

/* A client's subnet (RFC 7871 6). */
struct edns_ecs {
    uint8_t family; /* IANA's: 1 IPv4, 2 IPv6; 0 only with source_prefix 0 */
    uint8_t source_prefix; /* 0: the client wants its address to be of no account (7.1.2) */
    uint8_t address[16]; /* network order, all zeros behind source_prefix */
};

/* Bits of edns_options.present. */
enum {
    EDNS_HAS_NSID = 1,      /* a value, which RFC 5001 2.1 forbids in a query, is ignored as BIND and NSD do */
    EDNS_HAS_ECS = 2,
    EDNS_HAS_COOKIE = 4,
    EDNS_HAS_KEEPALIVE = 8, /* counts over TCP alone (RFC 7828 3.3.1) */
};

struct edns_options {
    uint8_t present;
    uint8_t cookie_len;    /* with EDNS_HAS_COOKIE: 8, or 16 to 40 */
    const uint8_t *cookie; /* with EDNS_HAS_COOKIE; borrowed from the message */
    struct edns_ecs ecs;   /* with EDNS_HAS_ECS */
};

/* What a request's OPT holds; what `present` does not name is left unset. ERR_SYNTAX, which is FORMERR: a COOKIE of a
 * length that RFC 7873 5.2.2 refuses, an ECS that RFC 7871 6 and 7.2.1 refuse, or options that are not whole (those
 * of msg_read_edns are). */
enum err edns_read_options(struct edns_options *options, const struct msg_edns *edns) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* One option, EDNS_OPTION_HEADER_LEN + `len` bytes; without room `w` fails and holds what it held. `data` may be NULL
 * when `len` is 0. */
void edns_put_option(struct writer *w, uint16_t code, const void *data, uint16_t len) ATTR_NONNULL(1);
/* How long the option is that edns_put_ecs writes, its header included. */
unsigned edns_ecs_len(const struct edns_ecs *ecs) ATTR_NONNULL_ALL ATTR_PURE;
/* The client's subnet as it came, with the prefix length that the answer holds for (RFC 7871 7.2.1): 0 when it does not
 * depend on the client. To a source prefix of 0 the scope is 0, whatever is given. */
void edns_put_ecs(struct writer *w, const struct edns_ecs *ecs, uint8_t scope_prefix) ATTR_NONNULL_ALL;
/* In tenths of a second (RFC 7828 3.1). */
void edns_put_keepalive(struct writer *w, uint16_t timeout_100ms) ATTR_NONNULL_ALL;
/* `text` ("": none) is for people (RFC 8914 2). */
void edns_put_ede(struct writer *w, enum edns_ede code, const char *text) ATTR_NONNULL_ALL;
