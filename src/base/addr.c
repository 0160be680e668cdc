#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum err addr_from_text(struct addr *addr, const char *text)
{
    *addr = (struct addr){0};
    if (inet_pton(AF_INET, text, addr->bytes) == 1)
        addr->family = ADDR_V4;
    else if (inet_pton(AF_INET6, text, addr->bytes) == 1)
        addr->family = ADDR_V6;
    else
        return ERR_SYNTAX;
    return ERR_OK;
}

/* Decimal digits only, 1..65535. */
static enum err port_from_text(uint16_t *port, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || text[digits])
        return ERR_SYNTAX;
    unsigned value = 0;
    for (; *text && value <= UINT16_MAX; text++)
        value = value * 10 + (unsigned)(*text - '0');
    if (!value || value > UINT16_MAX)
        return ERR_RANGE;
    *port = (uint16_t)value;
    return ERR_OK;
}

enum err addr_port_from_text(struct addr *addr, const char *text, uint16_t port_default)
{
    char host[INET6_ADDRSTRLEN];
    uint16_t port = port_default;
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);
    *addr = (struct addr){0};
    if (len >= sizeof host)
        return ERR_SYNTAX;
    memcpy(host, text, len);
    host[len] = '\0';
    enum err e = addr_from_text(addr, host);
    if (e == ERR_OK && at)
        e = port_from_text(&port, at + 1);
    if (e == ERR_OK)
        addr->port = port;
    return e;
}

enum err addr_opt_parse(void *field, const char *text, const char **expected)
{
    *expected = "an address without a port, such as \"192.0.2.1\" or \"2001:db8::1\"";
    struct addr addr;
    if (!field)
        return ERR_OK;
    enum err e = addr_from_text(&addr, text);
    if (!e)
        memcpy(field, &addr, sizeof addr);
    return e;
}

char *addr_to_text(char out[ADDR_TEXT_MAX], const struct addr *addr)
{
    int family = addr->family == ADDR_V4 ? AF_INET : AF_INET6;
    if (addr->family == ADDR_NONE || !inet_ntop(family, addr->bytes, out, ADDR_TEXT_MAX))
        snprintf(out, ADDR_TEXT_MAX, "none");
    return out;
}

char *addr_port_to_text(char out[ADDR_TEXT_MAX], const struct addr *addr)
{
    addr_to_text(out, addr);
    size_t len = strlen(out);
    snprintf(out + len, ADDR_TEXT_MAX - len, "@%u", addr->port);
    return out;
}

static void from_v6(struct addr *addr, const struct sockaddr_in6 *sin6)
{
    const uint8_t *bytes = sin6->sin6_addr.s6_addr;
    addr->port = ntohs(sin6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
        addr->family = ADDR_V4;
        memcpy(addr->bytes, bytes + 12, 4);
    } else {
        addr->family = ADDR_V6;
        memcpy(addr->bytes, bytes, 16);
    }
}

void addr_from_sockaddr(struct addr *addr, const struct sockaddr *sa)
{
    *addr = (struct addr){0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof sin);
        addr->family = ADDR_V4;
        addr->port = ntohs(sin.sin_port);
        memcpy(addr->bytes, &sin.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof sin6);
        from_v6(addr, &sin6);
    }
}

socklen_t addr_to_sockaddr(struct sockaddr_storage *sa, const struct addr *addr)
{
    memset(sa, 0, sizeof *sa);
    if (addr->family == ADDR_V4) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&sin.sin_addr, addr->bytes, 4);
        memcpy(sa, &sin, sizeof sin);
        return sizeof sin;
    }
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&sin6.sin6_addr, addr->bytes, 16);
    memcpy(sa, &sin6, sizeof sin6);
    return sizeof sin6;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);
    if (order)
        return order;
    return (a->port > b->port) - (a->port < b->port);
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
