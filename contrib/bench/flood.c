/* Load over UDP from many client addresses at once, 127.x.y.z, through one socket: what a server keeps for each client
 * (rate limits, cookies) is measured at its real size.
 *
 *   flood [-n SOURCES] [-m NETS] [-r RATE] [-q IN_FLIGHT] [-s SECONDS] [-c] [-d] ADDRESS PORT QUESTIONS
 *
 * The sources take turns, and stand evenly in NETS networks of /24 (default: one each), so a network sends RATE ÷ NETS
 * a second. -c: with a COOKIE option (RFC 7873), the client's part alone first, and then with the server's that this
 * source was given last. -d: with DO. Without -r as many as are answered, at most IN_FLIGHT at a time; with it, both
 * bounds hold.
 *
 * A query's ID is its place in a ring, where what is waited for stands; an answer counts when it has the ID and came to
 * the address that asked. What is not answered within a second, or when its place is needed, is lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "argument.h"
#include "questions.h"
#include "tally.h"

enum { BATCH = 32, IDS = 65536, ANSWER_MAX = 4096, RECEIVE_BYTES = 4 << 20, HOSTS_A_NET = 254, NETS_MOST = 65000 };
enum { CLIENT_COOKIE_LEN = 8, COOKIE_MOST = 40, OPT_LEN = 11, OPTION_LEN = 4, TYPE_OPT = 41, OPTION_COOKIE = 10 };
enum { LOST_US = 1000000, DRAIN_US = 200000, IDLE_US = 1000, PAYLOAD = 1232 };

struct source {
    struct in_addr address;
    uint8_t cookie[COOKIE_MOST];
    uint8_t cookie_len; /* CLIENT_COOKIE_LEN until it was given a server's */
};

static struct {
    uint32_t sources, nets, in_flight;
    uint64_t rate; /* a second; 0: no bound */
    uint64_t seconds;
    bool cookies, dnssec;
} opt = {.sources = 10000, .in_flight = 256, .seconds = 5};

static struct questions questions;
static struct source *sources;
static struct tally tally;
static uint64_t cookie_cnt; /* answers with a cookie of the source that asked */

/* Queries are numbered; those from `tail` to before `head` may be waited for, `waiting_cnt` of them are. */
static struct {
    uint64_t sent_us;
    uint32_t source;
    bool waiting;
} ring[IDS];
static uint64_t head, tail;
static uint32_t waiting_cnt;

static struct mmsghdr tx[BATCH], rx[BATCH];
static struct iovec tx_iov[BATCH], rx_iov[BATCH];
static uint8_t tx_bytes[BATCH][QUERY_MAX + OPT_LEN + OPTION_LEN + COOKIE_MOST], rx_bytes[BATCH][ANSWER_MAX];
static union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
} tx_control[BATCH], rx_control[BATCH];

static void die(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_u16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static unsigned get_u16(const uint8_t *in) { return (unsigned)in[0] << 8 | in[1]; }

/* ---- queries ---- */

/* Source i is the host i / nets + 1 of the network i mod nets; 127.0.0/24 is left to others. */
static void make_sources(void)
{
    sources = calloc(opt.sources, sizeof(*sources));
    if (!sources)
        abort();
    for (uint32_t i = 0; i < opt.sources; i++) {
        uint32_t net = i % opt.nets + 256;
        uint64_t own = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        sources[i].address.s_addr = htonl(UINT32_C(127) << 24 | net << 8 | (i / opt.nets + 1));
        sources[i].cookie_len = CLIENT_COOKIE_LEN;
        memcpy(sources[i].cookie, &own, CLIENT_COOKIE_LEN);
    }
}

static size_t put_opt(uint8_t *out, const struct source *source)
{
    unsigned rdata_len = opt.cookies ? OPTION_LEN + source->cookie_len : 0;
    memset(out, 0, OPT_LEN);
    put_u16(out + 1, TYPE_OPT);
    put_u16(out + 3, PAYLOAD);
    out[7] = opt.dnssec ? 0x80 : 0;
    put_u16(out + 9, rdata_len);
    if (opt.cookies) {
        put_u16(out + OPT_LEN, OPTION_COOKIE);
        put_u16(out + OPT_LEN + 2, source->cookie_len);
        memcpy(out + OPT_LEN + OPTION_LEN, source->cookie, source->cookie_len);
    }
    return OPT_LEN + rdata_len;
}

static void fill(unsigned i, uint64_t number, uint64_t now_us)
{
    uint16_t id = (uint16_t)(number % IDS);
    const struct source *source = sources + number % opt.sources;
    struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(&tx_control[i].align);
    size_t len = questions_put(tx_bytes[i], &questions, number, id);
    if (opt.cookies || opt.dnssec) {
        tx_bytes[i][11] = 1; /* ARCOUNT */
        len += put_opt(tx_bytes[i] + len, source);
    }
    tx_iov[i].iov_len = len;
    info->ipi_spec_dst = source->address;
    ring[id].sent_us = now_us;
    ring[id].source = (uint32_t)(number % opt.sources);
    ring[id].waiting = true;
}

/* Sends `n` ≤ BATCH queries; what the socket does not take is as if it had never been made. */
static void send_some(int fd, unsigned n, uint64_t now_us)
{
    for (unsigned i = 0; i < n; i++)
        fill(i, head + i, now_us);
    int sent = sendmmsg(fd, tx, n, 0);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
        die("sendmmsg");
    for (unsigned i = sent > 0 ? (unsigned)sent : 0; i < n; i++)
        ring[(head + i) % IDS].waiting = false;
    if (sent > 0) {
        head += (unsigned)sent;
        waiting_cnt += (unsigned)sent;
        tally.sent += (unsigned)sent;
    }
}

/* ---- answers ---- */

/* Behind a name, whether it ends in the root or in a pointer; `len` or more when it is cut off. */
static size_t skip_name(const uint8_t *m, size_t at, size_t len)
{
    while (at < len && m[at] && m[at] < 0xc0)
        at += 1u + m[at];
    return at + (at < len && m[at] ? 2 : 1);
}

/* Where the OPT's TTL stands, behind which its RDLENGTH and RDATA lie whole; 0 when there is none. */
static size_t find_opt(const uint8_t *m, size_t len)
{
    unsigned records = get_u16(m + 6) + get_u16(m + 8) + get_u16(m + 10);
    size_t at = get_u16(m + 4) ? skip_name(m, QUERY_HEADER_LEN, len) + 4 : QUERY_HEADER_LEN;
    for (unsigned i = 0; i < records; i++) {
        size_t fixed = skip_name(m, at, len);
        if (fixed + 10 > len || fixed + 10 + get_u16(m + fixed + 8) > len)
            return 0;
        if (get_u16(m + fixed) == TYPE_OPT)
            return fixed + 4;
        at = fixed + 10 + get_u16(m + fixed + 8);
    }
    return 0;
}

/* Remembers the cookie in the RDATA of an OPT, if it is an answer to the source's. */
static void take_cookie(struct source *source, const uint8_t *rdata, size_t len)
{
    for (size_t at = 0; at + OPTION_LEN <= len; at += OPTION_LEN + get_u16(rdata + at + 2)) {
        size_t option_len = get_u16(rdata + at + 2);
        const uint8_t *option = rdata + at + OPTION_LEN;
        if (get_u16(rdata + at) != OPTION_COOKIE)
            continue;
        if (at + OPTION_LEN + option_len > len || option_len <= CLIENT_COOKIE_LEN || option_len > COOKIE_MOST ||
            memcmp(option, source->cookie, CLIENT_COOKIE_LEN) != 0)
            return;
        memcpy(source->cookie, option, option_len);
        source->cookie_len = (uint8_t)option_len;
        cookie_cnt++;
        return;
    }
}

static void take_answer(const uint8_t *m, size_t len, const struct in_addr *to, uint64_t now_us)
{
    unsigned id = len >= QUERY_HEADER_LEN ? get_u16(m) : 0;
    struct source *source = sources + ring[id].source;
    if (len < QUERY_HEADER_LEN || !(m[2] & 0x80) || !ring[id].waiting || to->s_addr != source->address.s_addr) {
        tally.strange++;
        return;
    }
    unsigned rcode = m[3] & 15;
    size_t at = opt.cookies || opt.dnssec ? find_opt(m, len) : 0;
    if (at) {
        rcode |= (unsigned)m[at] << 4;
        take_cookie(source, m + at + 6, get_u16(m + at + 4));
    }
    ring[id].waiting = false;
    waiting_cnt--;
    tally_answer(&tally, rcode, m[2] & 2, now_us - ring[id].sent_us);
}

static int receive_some(int fd, uint64_t now_us)
{
    for (unsigned i = 0; i < BATCH; i++)
        rx[i].msg_hdr.msg_controllen = sizeof(rx_control[i].bytes);
    int got = recvmmsg(fd, rx, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        const struct cmsghdr *c = CMSG_FIRSTHDR(&rx[i].msg_hdr);
        struct in_pktinfo info = {0};
        if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            memcpy(&info, CMSG_DATA(c), sizeof(info));
        take_answer(rx_bytes[i], rx[i].msg_len, &info.ipi_addr, now_us);
    }
    return got;
}

/* Gives up what has waited for long, and whatever stands where the next batch goes. */
static void forget_lost(uint64_t now_us)
{
    while (tail < head) {
        bool waiting = ring[tail % IDS].waiting;
        if (waiting && now_us - ring[tail % IDS].sent_us < LOST_US && head - tail <= IDS - BATCH)
            return;
        ring[tail % IDS].waiting = false;
        waiting_cnt -= waiting;
        tally.lost += waiting;
        tail++;
    }
}

/* ---- the run ---- */

/* What the rate has allowed since the start and was made use of, or dropped. */
static struct {
    uint64_t start_us;
    uint64_t used;
} pace;

/* How many to send now. A debt of more than a batch is dropped: what a stall held back would come as a burst. */
static unsigned due(uint64_t now_us)
{
    uint64_t n = BATCH, room = opt.in_flight > waiting_cnt ? opt.in_flight - waiting_cnt : 0;
    if (opt.rate) {
        uint64_t allowed = (now_us - pace.start_us) * opt.rate / 1000000;
        if (allowed - pace.used > BATCH)
            pace.used = allowed - BATCH;
        n = allowed - pace.used;
    }
    n = n < room ? n : room;
    pace.used += n;
    return (unsigned)n;
}

/* Until an answer is there, or a query is due. */
static void pause_for(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t us = opt.rate && waiting_cnt < opt.in_flight ? 1000000 / opt.rate : IDLE_US;
    struct timespec most = {.tv_nsec = (long)(us < IDLE_US ? us : IDLE_US) * 1000};
    ppoll(&wait, 1, &most, NULL);
}

/* Returns for how long queries were sent, in microseconds. */
static uint64_t run(int fd)
{
    uint64_t start_us = tally_now_us(), now_us = start_us, sent_us;
    pace.start_us = start_us;
    while (now_us - start_us < opt.seconds * 1000000) {
        unsigned n = due(now_us);
        if (n > 0)
            send_some(fd, n, now_us);
        if (receive_some(fd, tally_now_us()) <= 0 && n == 0)
            pause_for(fd);
        now_us = tally_now_us();
        forget_lost(now_us);
    }
    sent_us = now_us;
    while (waiting_cnt > 0 && now_us - sent_us < DRAIN_US) {
        if (receive_some(fd, now_us) <= 0)
            pause_for(fd);
        now_us = tally_now_us();
    }
    tally.lost += waiting_cnt;
    return sent_us - start_us;
}

static int open_socket(const char *address, const char *port)
{
    static struct sockaddr_in server = {.sin_family = AF_INET};
    struct sockaddr_in any = {.sin_family = AF_INET};
    int one = 1, bytes = RECEIVE_BYTES, fd = socket(AF_INET, SOCK_DGRAM, 0);
    server.sin_port = htons((uint16_t)argument_number(port, 1, 65535));
    if (inet_pton(AF_INET, address, &server.sin_addr) != 1) {
        fprintf(stderr, "flood: \"%s\" is no IPv4 address\n", address);
        exit(2);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) != 0)
        die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    for (unsigned i = 0; i < BATCH; i++) {
        tx_iov[i].iov_base = tx_bytes[i];
        tx_control[i].align = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        tx[i].msg_hdr = (struct msghdr){.msg_name = &server, .msg_namelen = sizeof(server),
                                        .msg_iov = &tx_iov[i], .msg_iovlen = 1,
                                        .msg_control = &tx_control[i], .msg_controllen = sizeof(tx_control[i])};
        rx_iov[i] = (struct iovec){rx_bytes[i], ANSWER_MAX};
        rx[i].msg_hdr = (struct msghdr){.msg_iov = &rx_iov[i], .msg_iovlen = 1, .msg_control = &rx_control[i]};
    }
    return fd;
}

static void read_options(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "n:m:r:q:s:cd")) != -1) {
        switch (letter) {
        case 'n':
            opt.sources = (uint32_t)argument_number(optarg, 1, NETS_MOST * HOSTS_A_NET);
            break;
        case 'm':
            opt.nets = (uint32_t)argument_number(optarg, 1, NETS_MOST);
            break;
        case 'r':
            opt.rate = argument_number(optarg, 1, 10000000);
            break;
        case 'q':
            opt.in_flight = (uint32_t)argument_number(optarg, 1, IDS / 2);
            break;
        case 's':
            opt.seconds = argument_number(optarg, 1, 86400);
            break;
        case 'c':
            opt.cookies = true;
            break;
        case 'd':
            opt.dnssec = true;
            break;
        default:
            exit(2);
        }
    }
    uint32_t nets_most = opt.sources < NETS_MOST ? opt.sources : NETS_MOST;
    if (opt.nets == 0 || opt.nets > nets_most)
        opt.nets = nets_most;
    if ((uint64_t)opt.nets * HOSTS_A_NET < opt.sources) {
        fprintf(stderr, "flood: %u networks of %d hosts are too few for %u sources\n", opt.nets, HOSTS_A_NET,
                opt.sources);
        exit(2);
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: flood [-n SOURCES] [-m NETS] [-r RATE] [-q IN_FLIGHT] [-s SECONDS] [-c] [-d] "
                        "ADDRESS PORT QUESTIONS\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    questions_read(&questions, argv[optind + 2]);
    make_sources();
    prctl(PR_SET_TIMERSLACK, 1000UL);
    int fd = open_socket(argv[optind], argv[optind + 1]);
    uint64_t took_us = run(fd);
    tally_print(&tally, took_us);
    printf("cookies %llu\nnets %u\n", (unsigned long long)cookie_cnt, opt.nets);
    close(fd);
    free(sources);
    questions_free(&questions);
    return 0;
}
