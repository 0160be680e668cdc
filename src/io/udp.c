/* The way of a query over UDP, in eight hops; over TCP the first and the last are conn_read and send_answers
 * (io/conn.c).
 *
 *   1  udp_run         recvmmsg of up to 32, and take: datagrams to requests
 *   2  answer_batch    the batch in passes                                       answer/batch.c
 *   3  frame_read      header, question, OPT, TSIG; the name's hashes            answer/frame.c
 *   4  lookup_zone     name to zone and version; lookup_start sets up the walk   answer/lookup.c
 *   5  trie_walk_step  all walks of the batch in step, prefetching               zone/trie.h
 *   6  resolve_query   what the name has: RFC 1034 4.3.2                         answer/resolve.c
 *   7  section_put     the rrset's image into the answer                         answer/section.c
 *      finish_all      limit_take: may it go; frame_finish: the OPT, the TSIG    answer/batch.c
 *   8  reply           sendmmsg of what is to be sent
 *
 * No allocation, no lock, no log line on it. */
#include "io/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "base/rcu.h"
#include "io/handoff.h"
#include "io/thread.h"

enum {
    BATCH = ANSWER_BATCH_MAX,
    /* Longest request read and longest answer built: the most that server.udp_payload may be. */
    DATAGRAM_MAX = 4096,
    /* A cache line more, or the 32 buffers' first lines would all fall into the same set of the first-level cache. */
    BUF_STRIDE = DATAGRAM_MAX + 64,
    CONTROL_LEN = HANDOFF_CONTROL_MAX,
    ERROR_PAUSE_NS = 10000000,
};
_Static_assert(CMSG_SPACE(sizeof(struct in_pktinfo)) <= CONTROL_LEN, "room for either family's packet information");

/* [io] but for the counters, which anyone may read. */
struct udp_worker {
    int fd;
    bool wildcard;
    const bool *stop;
    struct answer_worker *answers;
    struct handoffs *handoffs;
    struct io_counters counters;
    struct mmsghdr rx[BATCH], tx[BATCH];
    struct iovec rx_iov[BATCH], tx_iov[BATCH];
    struct answer_packet packets[BATCH];
    uint8_t came_as[BATCH]; /* packets[i] came as rx[came_as[i]] */
    struct sockaddr_in6 names[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_LEN];
    uint8_t buf[BATCH][BUF_STRIDE];
};

/* Makes rx[i] ready for the next recvmmsg, which wrote the lengths of what it got. */
static void make_ready(struct udp_worker *w, unsigned i)
{
    w->rx[i].msg_hdr.msg_namelen = sizeof(w->names[i]);
    w->rx[i].msg_hdr.msg_controllen = w->wildcard ? CONTROL_LEN : 0;
}

struct udp_worker *udp_worker_new(int fd, bool wildcard, const struct answer_shared *shared, struct handoffs *handoffs,
                                  const bool *stop)
{
    struct udp_worker *w = mem_zalloc(1, sizeof(*w));
    w->fd = fd;
    w->wildcard = wildcard;
    w->stop = stop;
    w->handoffs = handoffs;
    w->answers = answer_worker_new(shared);
    for (unsigned i = 0; i < BATCH; i++) {
        w->rx_iov[i] = (struct iovec){w->buf[i], DATAGRAM_MAX};
        w->rx[i].msg_hdr = (struct msghdr){
            .msg_name = &w->names[i],
            .msg_iov = &w->rx_iov[i],
            .msg_iovlen = 1,
            .msg_control = wildcard ? w->control[i] : NULL,
        };
        make_ready(w, i);
    }
    return w;
}

void udp_worker_free(struct udp_worker *w)
{
    if (!w)
        return;
    answer_worker_free(w->answers);
    free(w);
}

/* Datagrams to requests, answered in place. Those longer than any request we know are not looked at (a request cut
 * short is malformed), nor those from port 0, which cannot be answered. */
static unsigned take(struct udp_worker *w, unsigned cnt)
{
    unsigned n = 0;
    for (unsigned i = 0; i < cnt; i++) {
        struct answer_packet *p = &w->packets[n];
        addr_from_sockaddr(&p->client, (const struct sockaddr *)&w->names[i]);
        if (unlikely((w->rx[i].msg_hdr.msg_flags & MSG_TRUNC) || p->client.port == 0)) {
            io_count(&w->counters, udp_dropped, 1);
            continue;
        }
        p->in = p->out = w->buf[i];
        p->in_len = w->rx[i].msg_len;
        p->out_cap = DATAGRAM_MAX;
        p->proto = ANSWER_UDP;
        w->came_as[n++] = (uint8_t)i;
    }
    return n;
}

/* What was received beside the datagram, the address it was sent to, goes out as the source address: the same
 * structures serve both ways. The interface is left to routing, except for link-local addresses, which mean
 * nothing without one. */
static void forget_interface(struct msghdr *h)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    if (!c)
        return;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (void *)CMSG_DATA(c);
        info->ipi_ifindex = 0;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (void *)CMSG_DATA(c);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
            info->ipi6_ifindex = 0;
    }
}

/* What was received beside the request goes with it. When there are too many, the client may ask again. */
static ATTR_COLD void hand_off(struct udp_worker *w, unsigned i)
{
    struct answer_hand_off *request = answer_take_hand_off(w->answers, i);
    struct io_handoff *h = handoff_new(&request);
    struct msghdr *from = &w->rx[w->came_as[i]].msg_hdr;
    if (w->wildcard)
        forget_interface(from);
    h->fd = w->fd;
    memcpy(&h->peer, from->msg_name, from->msg_namelen);
    h->peer_len = from->msg_namelen;
    if (from->msg_controllen)
        memcpy(h->control, from->msg_control, from->msg_controllen);
    h->control_len = from->msg_controllen;
    if (handoffs_put(w->handoffs, h))
        return;
    io_count(&w->counters, handoffs_full, 1);
    handoff_free(h);
}

/* The answers among `cnt` packets, in tx; returns how many. */
static unsigned gather(struct udp_worker *w, unsigned cnt)
{
    unsigned n = 0;
    for (unsigned i = 0; i < cnt; i++) {
        const struct answer_packet *p = &w->packets[i];
        if (unlikely(p->outcome != ANSWER_SEND)) {
            if (p->outcome == ANSWER_HAND_OFF)
                hand_off(w, i);
            continue;
        }
        struct msghdr *h = &w->tx[n].msg_hdr;
        *h = w->rx[w->came_as[i]].msg_hdr;
        h->msg_flags = 0;
        w->tx_iov[n] = (struct iovec){p->out, p->out_len};
        h->msg_iov = &w->tx_iov[n];
        if (w->wildcard)
            forget_interface(h);
        n++;
    }
    return n;
}

/* sendmmsg tells the error of the first datagram it cannot send, and stops there: that one is dropped, the rest
 * tried. EAGAIN means that there was no room for UDP_SEND_TIMEOUT_US (io/listen.c): then the others have no better
 * luck. */
static void reply(struct udp_worker *w, unsigned cnt)
{
    unsigned n = gather(w, cnt);
    for (unsigned at = 0; at < n;) {
        int sent = sendmmsg(w->fd, w->tx + at, n - at, 0);
        if (likely(sent > 0)) {
            at += (unsigned)sent;
        } else if (errno == EINTR && !thread_stopped(w->stop)) {
            continue;
        } else if (errno == EAGAIN || errno == EINTR) {
            io_count(&w->counters, udp_send_errors, n - at);
            return;
        } else {
            io_count(&w->counters, udp_send_errors, 1);
            at++;
        }
    }
}

/* recvmmsg of a bound UDP socket hardly ever fails; where it does, out of memory say, at once trying again would
 * spin. */
static ATTR_COLD void after_error(struct udp_worker *w, int error)
{
    if (error == EINTR)
        return;
    io_count(&w->counters, udp_recv_errors, 1);
    nanosleep(&(struct timespec){.tv_nsec = ERROR_PAUSE_NS}, NULL);
}

/* Online, in RCU's sense, only while answers are made: they are bytes of our own when they are sent, so that
 * neither sendmmsg nor recvmmsg may hold up a grace period. The pair costs four full barriers a batch, some 20 ns,
 * whatever the batch. */
void *udp_run(void *arg)
{
    struct udp_worker *w = arg;
    rcu_reader_start();
    rcu_reader_offline();
    while (!thread_stopped(w->stop)) {
        int got = recvmmsg(w->fd, w->rx, BATCH, MSG_WAITFORONE, NULL);
        if (unlikely(got < 0)) {
            after_error(w, errno);
            continue;
        }
        unsigned cnt = take(w, (unsigned)got);
        if (likely(cnt > 0)) {
            rcu_reader_online();
            answer_batch(w->answers, w->packets, cnt);
            rcu_reader_offline();
            reply(w, cnt);
        }
        for (unsigned i = 0; i < (unsigned)got; i++)
            make_ready(w, i);
    }
    rcu_reader_stop();
    return NULL;
}

bool udp_take_refusal(struct udp_worker *w, struct refusal *refusal)
{
    return answer_take_refusal(w->answers, refusal);
}

void udp_add_counters(const struct udp_worker *w, struct answer_counters *answers, struct io_counters *sockets)
{
    answer_counters_add(answers, answer_worker_counters(w->answers));
    io_counters_add(sockets, &w->counters);
}
