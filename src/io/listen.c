#include "io/listen.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    /* The kernel counts about 768 bytes a small datagram and doubles the number: 2,700 datagrams, 9 ms at 300,000
     * a second. Longer queues only make answers late. */
    UDP_BUF_BYTES = 1 << 20,
    /* A worker waits so long at most for room to send, then drops (io/udp.c). */
    UDP_SEND_TIMEOUT_US = 100000,
    TCP_BACKLOG = 4096, /* cut to net.core.somaxconn by the kernel */
    /* Two answers of any length: the next is made while one is sent, whatever the bandwidth and delay. */
    TCP_UNSENT_BYTES = 1 << 17,
};

static void say_failed(struct diag *diag, const struct addr *addr, enum listen_proto proto, int error)
{
    char text[ADDR_TEXT_MAX], cause[128];
    const char *hint = "";
    const char *known = strerrordesc_np(error);
    snprintf(cause, sizeof(cause), "%s", known ? known : "unknown error");
    cause[0] = (char)tolower((unsigned char)cause[0]);
    if ((error == EACCES || error == EPERM) && addr->port < 1024)
        hint = " (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
    diag_error(diag, NULL, 0, "cannot listen on %s (%s): %s%s", addr_port_to_text(text, addr),
               proto == LISTEN_UDP ? "UDP" : "TCP", cause, hint);
}

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof(value)); }

static int new_socket(const struct addr *addr, enum listen_proto proto)
{
    int type = proto == LISTEN_UDP ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK;
    int fd = socket(addr->family == ADDR_V4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && addr->family == ADDR_V6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int bind_to(int fd, const struct addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&sa, addr);
    return bind(fd, (const struct sockaddr *)&sa, len);
}

/* Lets us bind beside connections that a predecessor of ours left in TIME_WAIT: both sides need it. */
static int share_with_time_wait(int fd, enum listen_proto proto)
{
    return proto == LISTEN_TCP ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
}

/* SO_REUSEPORT alone would let a second daemon of the same user take half of our queries without a word, so first
 * a socket without it is bound and closed. A mistake is found by this, not a race of two starts. */
bool listen_is_free(const struct addr *addr, enum listen_proto proto, struct diag *diag)
{
    int fd = new_socket(addr, proto);
    bool is_free = fd >= 0 && share_with_time_wait(fd, proto) == 0 && bind_to(fd, addr) == 0;
    if (!is_free)
        say_failed(diag, addr, proto, errno);
    if (fd >= 0)
        close(fd);
    return is_free;
}

bool listen_is_wildcard(const struct addr *addr)
{
    static const uint8_t zeros[16];
    return memcmp(addr->bytes, zeros, addr_len(addr)) == 0;
}

/* Replies of a wildcard socket leave from the address that was asked, which the kernel must tell. */
static int ask_for_destination(int fd, const struct addr *addr)
{
    if (!listen_is_wildcard(addr))
        return 0;
    return addr->family == ADDR_V4 ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/* Path MTU discovery is what forged ICMP messages poison answers by. OMIT neither sets DF nor believes them; at
 * 1,232 bytes of payload nothing needs to be fragmented anyway. */
static void ignore_path_mtu(int fd, const struct addr *addr)
{
    if (addr->family == ADDR_V4) {
        if (set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT) != 0)
            (void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    } else if (set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT) != 0) {
        (void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    }
}

/* The FORCE variants go beyond net.core.rmem_max and need CAP_NET_ADMIN. Smaller buffers than wished for are no
 * error. */
static void size_buffers(int fd)
{
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUF_BYTES) != 0)
        (void)set(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUF_BYTES);
    if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_BUF_BYTES) != 0)
        (void)set(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUF_BYTES);
}

static int set_up_udp(int fd, const struct addr *addr)
{
    const struct timeval timeout = {.tv_usec = UDP_SEND_TIMEOUT_US};
    size_buffers(fd);
    ignore_path_mtu(fd, addr);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0)
        return -1;
    return ask_for_destination(fd, addr);
}

/* What accepted connections inherit, which saves calls for each. What was sent and not acknowledged is limited by the
 * client's window; what could not be sent yet has no limit but the socket's buffer, which grows to net.ipv4.tcp_wmem's
 * 4 MiB for every client that asks and never reads. */
static int set_up_tcp(int fd)
{
    (void)set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_UNSENT_BYTES);
    return set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int listen_open(const struct addr *addr, enum listen_proto proto, struct diag *diag)
{
    int fd = new_socket(addr, proto);
    if (fd < 0)
        goto failed;
    if (set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0 || share_with_time_wait(fd, proto) != 0)
        goto failed;
    if ((proto == LISTEN_UDP ? set_up_udp(fd, addr) : set_up_tcp(fd)) != 0)
        goto failed;
    if (bind_to(fd, addr) != 0 || (proto == LISTEN_TCP && listen(fd, TCP_BACKLOG) != 0))
        goto failed;
    return fd;
failed:
    say_failed(diag, addr, proto, errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

size_t listen_defaults(struct addr addrs[LISTEN_DEFAULT_CNT], struct diag *diag)
{
    memset(addrs, 0, LISTEN_DEFAULT_CNT * sizeof(addrs[0]));
    addrs[0].family = ADDR_V4;
    addrs[1].family = ADDR_V6;
    addrs[0].port = addrs[1].port = 53;
    int fd = new_socket(&addrs[1], LISTEN_UDP);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT)) {
        diag_warning(diag, NULL, 0, "this machine has no IPv6: listening on IPv4 addresses only");
        return 1;
    }
    if (fd >= 0)
        close(fd);
    return LISTEN_DEFAULT_CNT;
}
