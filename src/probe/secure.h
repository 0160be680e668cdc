/* What an https or tls check asks, and what it is to find: the detail of such a target. Strings come out of it ready to
 * be handed to a library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "probe/load_report.h"
#include "probe/probe.h"
#include "probe/target.h"

/* How far a check came. */
enum secure_phase {
    SECURE_HANDSHAKE,
    SECURE_WAITING, /* for the first line of the answer */
    SECURE_HEAD,
    SECURE_BODY,
};

struct secure_detail {
    uint8_t ca_digest[PROBE_CA_DIGEST_LEN];
    uint32_t min_days_left;
    uint32_t status_cnt;
    uint32_t header_cnt;
    uint8_t http_version; /* enum probe_http_version */
    uint8_t verifies;
    uint8_t wants_body;
    uint8_t load; /* enum probe_load */
    struct probe_status_range status[]; /* then strings, each with its terminator: those of struct secure_texts, and
                                           the header lines */
};
_Static_assert(sizeof(struct secure_detail) == PROBE_CA_DIGEST_LEN + 3 * 4 + 4, "no padding");

struct secure_texts {
    const char *host;    /* of server name and certificate: an IPv6 address without brackets */
    const char *url;     /* with an empty path */
    const char *path;    /* and query, as they are sent */
    const char *ca_file; /* "": the system's certificates */
    const char *metric;  /* of struct load_want */
    const char *method;
    const char *headers; /* the first of header_cnt lines, see secure_next; all but Host and Connection */
};

/* As struct kind's pack. */
uint8_t *secure_pack(const struct probe_spec *spec, size_t *len) ATTR_NONNULL_ALL ATTR_MUST_USE;

static inline const struct secure_detail *secure_of(const struct target *target)
{
    return (const struct secure_detail *)(const void *)target->detail;
}
/* Borrowed from the detail. */
struct secure_texts secure_texts(const struct secure_detail *detail) ATTR_NONNULL_ALL;
/* The string that follows this one. */
static inline const char *secure_next(const char *text) { return text + strlen(text) + 1; }
/* What of load it is to report. Borrowed from the target. */
void secure_load_want(struct load_want *want, const struct target *target) ATTR_NONNULL_ALL;
bool secure_expects(const struct secure_detail *detail, unsigned status) ATTR_NONNULL_ALL;
