#include "probe/echo_socket.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { IPV4_HEADER_LEAST = 20 };

/* Replies only: a raw socket would be woken by every message of its peer, of ours to ourselves too. */
static void filter(int fd, int family)
{
    struct icmp_filter others = {.data = ~(UINT32_C(1) << ICMP_ECHOREPLY)};
    struct icmp6_filter others6;
    ICMP6_FILTER_SETBLOCKALL(&others6);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &others6);
    if (family == AF_INET)
        (void)setsockopt(fd, SOL_RAW, ICMP_FILTER, &others, sizeof others);
    else
        (void)setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &others6, sizeof others6);
}

int echo_socket_open(int family, bool *has_header)
{
    int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    *has_header = false;
    /* EPROTONOSUPPORT: a kernel without them. */
    if (fd >= 0 || (errno != EACCES && errno != EPERM && errno != EPROTONOSUPPORT))
        return fd;
    fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return -1;
    filter(fd, family);
    *has_header = family == AF_INET;
    return fd;
}

size_t echo_socket_header_len(const uint8_t *bytes, size_t len)
{
    size_t header_len = len ? (bytes[0] & 15u) * 4 : 0;
    return header_len < IPV4_HEADER_LEAST || header_len > len ? len : header_len;
}
