#include "dns/edns.h"

#include <string.h>

/* RFC 7871 6: IPv4 and IPv6. Family 0 says nothing; BIND takes it with a prefix of 0, where there is no address that a
 * family could be of, and any other value is an unknown family, which 7.2.1 wants refused. */
static bool prefix_fits(unsigned family, unsigned prefix)
{
    static const uint8_t most[] = {0, 32, 128};
    return family < sizeof most && prefix <= most[family];
}

static bool read_ecs(struct edns_ecs *ecs, const uint8_t *data, unsigned len)
{
    if (len < EDNS_ECS_HEADER_LEN)
        return false;
    unsigned family = be16_get(data), prefix = data[2], scope = data[3];
    unsigned address_len = (prefix + 7) / 8;
    /* 6: the scope is 0 in queries; as many octets as the prefix needs, all bits behind it zero. */
    if (!prefix_fits(family, prefix) || scope || len != EDNS_ECS_HEADER_LEN + address_len)
        return false;
    if (prefix % 8 && data[len - 1] & 0xff >> prefix % 8)
        return false;
    *ecs = (struct edns_ecs){.family = (uint8_t)family, .source_prefix = (uint8_t)prefix};
    memcpy(ecs->address, data + EDNS_ECS_HEADER_LEN, address_len);
    return true;
}

static bool read_cookie(struct edns_options *options, const uint8_t *data, unsigned len)
{
    if (len != EDNS_COOKIE_CLIENT_LEN && (len < EDNS_COOKIE_LEAST || len > EDNS_COOKIE_MOST))
        return false;
    options->cookie = data;
    options->cookie_len = (uint8_t)len;
    return true;
}

/* False: the message is malformed. */
static bool read_option(struct edns_options *options, unsigned code, const uint8_t *data, unsigned len)
{
    unsigned bit;
    bool valid = true;
    switch (code) {
    case EDNS_NSID:
        bit = EDNS_HAS_NSID;
        break;
    case EDNS_ECS:
        bit = EDNS_HAS_ECS;
        if (!(options->present & bit))
            valid = read_ecs(&options->ecs, data, len);
        break;
    case EDNS_COOKIE:
        bit = EDNS_HAS_COOKIE;
        if (!(options->present & bit))
            valid = read_cookie(options, data, len);
        break;
    case EDNS_TCP_KEEPALIVE:
        /* RFC 7828 3.1: a client's has no value; one with a value is no client's. No RFC wants it refused, and BIND,
         * NSD and Knot answer. */
        bit = len ? 0 : EDNS_HAS_KEEPALIVE;
        break;
    default: /* PADDING too (RFC 7830 3: its content is of no account) */
        return true;
    }
    options->present |= (uint8_t)bit;
    return valid;
}

enum err edns_read_options(struct edns_options *options, const struct msg_edns *edns)
{
    options->present = 0;
    if (!edns->options_len)
        return ERR_OK; /* `options` may be NULL then */
    struct reader r = reader_over(edns->options, edns->options_len);
    while (reader_left(&r) > 0) {
        unsigned code = reader_u16(&r), len = reader_u16(&r);
        const uint8_t *data = reader_take(&r, len);
        if (unlikely(!data || !read_option(options, code, data, len)))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}

/* The header of an option, and room for its value; NULL without. */
static uint8_t *begin_option(struct writer *w, uint16_t code, unsigned len)
{
    uint8_t *p = writer_room(w, EDNS_OPTION_HEADER_LEN + len);
    if (!p)
        return NULL;
    be16_put(p, code);
    be16_put(p + 2, (uint16_t)len);
    return p + EDNS_OPTION_HEADER_LEN;
}

void edns_put_option(struct writer *w, uint16_t code, const void *data, uint16_t len)
{
    uint8_t *p = begin_option(w, code, len);
    if (p && len)
        memcpy(p, data, len);
}

static unsigned ecs_address_len(const struct edns_ecs *ecs)
{
    return (ecs->source_prefix + 7u) / 8;
}

unsigned edns_ecs_len(const struct edns_ecs *ecs)
{
    return EDNS_OPTION_HEADER_LEN + EDNS_ECS_HEADER_LEN + ecs_address_len(ecs);
}

void edns_put_ecs(struct writer *w, const struct edns_ecs *ecs, uint8_t scope_prefix)
{
    unsigned address_len = ecs_address_len(ecs);
    uint8_t *p = begin_option(w, EDNS_ECS, EDNS_ECS_HEADER_LEN + address_len);
    if (!p)
        return;
    be16_put(p, ecs->family);
    p[2] = ecs->source_prefix;
    p[3] = ecs->source_prefix ? scope_prefix : 0;
    memcpy(p + EDNS_ECS_HEADER_LEN, ecs->address, address_len);
}

void edns_put_keepalive(struct writer *w, uint16_t timeout_100ms)
{
    uint8_t *p = begin_option(w, EDNS_TCP_KEEPALIVE, sizeof timeout_100ms);
    if (p)
        be16_put(p, timeout_100ms);
}

void edns_put_ede(struct writer *w, enum edns_ede code, const char *text)
{
    size_t len = strlen(text);
    uint8_t *p = begin_option(w, EDNS_EDE, 2 + (unsigned)len);
    if (!p)
        return;
    be16_put(p, (uint16_t)code);
    memcpy(p + 2, text, len);
}
