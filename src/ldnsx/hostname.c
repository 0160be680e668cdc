#include "ldnsx/hostname.h"

#include <string.h>
#include <strings.h>

#include "dns/name.h"

enum { TYPE_A6 = 38, TYPE_DSYNC = 66 };

static bool is_border(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool hostname_valid(const uint8_t *name)
{
    for (; *name; name += *name + 1) {
        unsigned len = *name;
        if (!is_border(name[1]) || !is_border(name[len]))
            return false;
        for (unsigned i = 2; i < len; i++)
            if (!is_border(name[i]) && name[i] != '-')
                return false;
    }
    return true;
}

bool hostname_valid_mailbox(const uint8_t *name)
{
    for (unsigned i = 1; i <= *name; i++)
        if (name[i] <= ' ' || name[i] >= 0x7f)
            return false;
    return !*name || hostname_valid(name + *name + 1);
}

bool hostname_inner_wildcard(const uint8_t *name)
{
    if (!*name)
        return false;
    for (name += *name + 1; *name; name += *name + 1)
        if (name[0] == 1 && name[1] == '*')
            return true;
    return false;
}

static bool label_is(const uint8_t *label, const char *text)
{
    return *label == strlen(text) && !strncasecmp((const char *)label + 1, text, *label);
}

/* "gc._msdcs.<forest>" of Active Directory. */
static bool is_global_catalog(const uint8_t *owner)
{
    return label_is(owner, "gc") && label_is(owner + 3, "_msdcs") && hostname_valid(owner + 10);
}

/* Targets of SPF's "exists" (RFC 7208 5.7, appendix D.1). */
static bool is_spf(const uint8_t *owner)
{
    for (; *owner; owner += *owner + 1)
        if (label_is(owner, "_spf") || label_is(owner, "_spf_verify") || label_is(owner, "_spf_rate"))
            return true;
    return false;
}

static bool host_owner(const uint8_t *owner)
{
    return hostname_valid(owner[0] == 1 && owner[1] == '*' ? owner + 2 : owner);
}

bool hostname_owner_ok(const struct rr *rr)
{
    switch (rr->type) {
    case RR_A: return host_owner(rr->owner) || is_global_catalog(rr->owner) || is_spf(rr->owner);
    case RR_AAAA: return host_owner(rr->owner) || is_global_catalog(rr->owner);
    case RR_MX:
    case RR_WKS:
    case TYPE_A6: return host_owner(rr->owner);
    case RR_MB:
    case RR_MG: return hostname_valid_mailbox(rr->owner);
    default: return true;
    }
}

/* An address written as a name under the reverse trees, but for service discovery (RFC 6763 11). */
static bool is_reverse(const uint8_t *owner)
{
    static const char *const discovery[] = {"b", "db", "r", "dr", "lb"};
    static const uint8_t in_addr[] = "\7in-addr\4arpa", ip6[] = "\3ip6\4arpa", ip6_int[] = "\3ip6\3int";

    if (!name_within(owner, in_addr) && !name_within(owner, ip6) && !name_within(owner, ip6_int))
        return false;
    for (unsigned i = 0; i < sizeof(discovery) / sizeof(*discovery); i++) {
        const uint8_t *next = owner + *owner + 1;
        if (label_is(owner, discovery[i]) && label_is(next, "_dns-sd") && label_is(next + 8, "_udp"))
            return false;
    }
    return true;
}

static const uint8_t *bad_host(const uint8_t *name) { return hostname_valid(name) ? NULL : name; }
static const uint8_t *bad_mailbox(const uint8_t *name) { return hostname_valid_mailbox(name) ? NULL : name; }

const uint8_t *hostname_bad_rdata(const struct rr *rr)
{
    const uint8_t *rdata = rr->rdata, *bad;

    switch (rr->type) {
    case RR_NS: return bad_host(rdata);
    case RR_MX:
    case RR_AFSDB:
    case RR_RT: return bad_host(rdata + 2);
    case RR_SRV: return bad_host(rdata + 6);
    case TYPE_DSYNC: return bad_host(rdata + 5);
    case RR_SVCB:
    case RR_HTTPS: return rdata[0] || rdata[1] ? bad_host(rdata + 2) : NULL;
    case TYPE_A6: return rdata[0] ? bad_host(rdata + 17 - rdata[0] / 8) : NULL;
    case RR_SOA: return (bad = bad_host(rdata)) ? bad : bad_mailbox(rdata + name_len(rdata));
    case RR_RP: return bad_mailbox(rdata);
    case RR_MINFO: return (bad = bad_mailbox(rdata)) ? bad : bad_mailbox(rdata + name_len(rdata));
    case RR_PTR: return is_reverse(rr->owner) ? bad_host(rdata) : NULL;
    default: return NULL;
    }
}
