#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "base/rcu.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "zone/records.h"
#include "zone/version.h"

static const uint8_t apex[] = "\7example";
static struct answer_settings settings = {.udp_payload = 1232};

/* ---- the zone ---- */

static void add(struct zone_records *records, const char *label, uint16_t type, const uint8_t *rdata, size_t len)
{
    uint8_t owner[NAME_MAX_LEN];
    unsigned owner_len;
    assert_int_equal(name_from_text(owner, &owner_len, label, strlen(label), apex), ERR_OK);
    const struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 60, .type = type, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, NULL, 0);
}

static void add_big(struct zone_records *records)
{
    static uint8_t rdata[200 * 256];
    for (size_t i = 0; i < sizeof(rdata); i += 256) {
        rdata[i] = 255;
        memset(rdata + i + 1, 'x', 255);
    }
    add(records, "big", RR_TXT, rdata, sizeof(rdata));
}

static struct catalogue *make_catalogue(const struct hash_key *key, uint16_t generation)
{
    static const uint8_t soa[] = "\2ns\7example\0\4root\7example\0\0\0\0\1\0\0\16\20\0\0\1\54\0\11\72\200\0\0\0\74";
    static const uint8_t ns[] = "\2ns\7example";
    struct zone *zone = zone_new(apex, key);
    struct zone_records *records = zone_records_new(apex, key);
    add(records, "@", RR_SOA, soa, sizeof(soa) - 1);
    add(records, "@", RR_NS, ns, sizeof(ns));
    add(records, "ns", RR_A, (const uint8_t[]){192, 0, 2, 53}, 4);
    for (uint8_t i = 0; i < 8; i++)
        add(records, "www", RR_A, (const uint8_t[]){10, (uint8_t)(generation >> 8), (uint8_t)generation, i}, 4);
    add_big(records);
    zone_records_sort(records);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return catalogue_new(&zone, 1);
}

static void free_catalogue(struct rcu_deferred *deferred)
{
    struct catalogue *c = (struct catalogue *)(void *)((char *)deferred - offsetof(struct catalogue, deferred));
    for (uint64_t i = 0; i <= c->mask; i++)
        zone_free(c->slots[i]);
    catalogue_free(c);
}

void service_publish(struct service *s, uint16_t generation)
{
    struct catalogue *old = s->shared.catalogue;
    rcu_publish(s->shared.catalogue, make_catalogue(&s->shared.key, generation));
    if (old)
        rcu_defer(&old->deferred, free_catalogue);
}

/* ---- the service ---- */

struct io_options service_options(void)
{
    return (struct io_options){.workers = 1, .tcp_max = 1000, .tcp_max_per_client = 1000, .tcp_idle_ms = 10000};
}

/* Opens on a random port below those that the kernel gives to clients, one of which may be in TIME_WAIT anywhere. */
static enum err open_somewhere(struct service *s, struct io_options options, const char *const *addrs,
                               struct diag *diag)
{
    uint16_t random;
    random_bytes(&random, sizeof(random));
    s->port = (uint16_t)(20000 + random % 12000);
    for (s->addr_cnt = 0; addrs[s->addr_cnt]; s->addr_cnt++) {
        assert_true(s->addr_cnt < SERVICE_ADDR_MAX);
        assert_int_equal(addr_from_text(&s->addrs[s->addr_cnt], addrs[s->addr_cnt]), ERR_OK);
        s->addrs[s->addr_cnt].port = s->port;
    }
    options.listen = (struct opt_list){s->addrs, s->addr_cnt};
    return io_open(&s->io, &options, diag);
}

void service_start(struct service *s, const struct io_options *options, const char *const *addrs)
{
    enum { TRIES = 20 };
    struct diag *diag = diag_new(TRIES);
    *s = (struct service){.shared.settings = &settings};
    hash_key_random(&s->shared.key);
    service_publish(s, 0);
    for (unsigned i = 0; i < TRIES && !s->io; i++)
        (void)!open_somewhere(s, *options, addrs, diag);
    if (!s->io)
        diag_log(diag);
    diag_free(diag);
    assert_non_null(s->io);
    assert_int_equal(io_start(s->io, &s->shared), ERR_OK);
}

void service_stop(struct service *s)
{
    io_stop(s->io);
    io_close(s->io);
    rcu_drain();
    free_catalogue(&s->shared.catalogue->deferred);
}

uint64_t service_count(const struct service *s, size_t offset)
{
    struct answer_counters answers;
    struct io_counters sockets;
    uint64_t value;
    io_sum_counters(s->io, &answers, &sockets);
    memcpy(&value, (const char *)&sockets + offset, sizeof(value));
    return value;
}

void service_wait_open(const struct service *s, size_t cnt)
{
    for (unsigned i = 0; io_tcp_open(s->io) != cnt; i++) {
        assert_true(i < SERVICE_PATIENCE_SEC * 200);
        sleep_ms(5);
    }
}

/* ---- messages ---- */

size_t query_make(uint8_t *out, uint16_t id, const char *label, uint16_t type)
{
    size_t label_len = strlen(label), at = MSG_HEADER_LEN;
    assert_true(label_len <= 30);
    memset(out, 0, MSG_HEADER_LEN);
    be16_put(out, id);
    out[5] = 1; /* QDCOUNT */
    out[at++] = (uint8_t)label_len;
    memcpy(out + at, label, label_len);
    at += label_len;
    memcpy(out + at, apex, sizeof(apex));
    at += sizeof(apex);
    be16_put(out + at, type);
    be16_put(out + at + 2, RR_CLASS_IN);
    return at + 4;
}

bool answer_is_good(const uint8_t *m, size_t len, uint16_t id)
{
    return len > MSG_HEADER_LEN && msg_id(m) == id && (msg_flags(m) & (MSG_QR | MSG_RCODE_MASK)) == MSG_QR &&
           msg_ancount(m) > 0;
}

uint16_t answer_generation(const uint8_t *m, size_t len)
{
    enum { QUESTION_LEN = 4 + sizeof(apex) + 4, RECORD_LEN = 16 };
    const uint8_t *records = m + MSG_HEADER_LEN + QUESTION_LEN;
    assert_true(len >= MSG_HEADER_LEN + QUESTION_LEN + 8 * RECORD_LEN);
    assert_int_equal(msg_ancount(m), 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(records[i * RECORD_LEN + 12], 10);
        assert_memory_equal(records + i * RECORD_LEN + 13, records + 13, 2);
    }
    return be16_get(records + 13);
}

/* ---- clients ---- */

static int client(const struct service *s, int type, const char *from, const char *to)
{
    struct sockaddr_storage sa;
    struct addr addr;
    const struct timeval patience = {.tv_sec = SERVICE_PATIENCE_SEC};
    assert_int_equal(addr_from_text(&addr, to), ERR_OK);
    int fd = socket(addr.family == ADDR_V4 ? AF_INET : AF_INET6, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    if (from) {
        struct addr local;
        assert_int_equal(addr_from_text(&local, from), ERR_OK);
        socklen_t len = addr_to_sockaddr(&sa, &local);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    }
    addr.port = s->port;
    socklen_t len = addr_to_sockaddr(&sa, &addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

int client_udp(const struct service *s, const char *from, const char *to) { return client(s, SOCK_DGRAM, from, to); }
int client_tcp(const struct service *s, const char *from, const char *to) { return client(s, SOCK_STREAM, from, to); }

void client_send(int fd, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, p, len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        p += sent;
        len -= (size_t)sent;
    }
}

void client_send_query(int fd, uint16_t id, const char *label, uint16_t type)
{
    uint8_t q[2 + 64];
    size_t len = query_make(q + 2, id, label, type);
    be16_put(q, (uint16_t)len);
    client_send(fd, q, 2 + len);
}

static bool read_all(int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(fd, out + at, len - at, 0);
        if (got < 0)
            assert_int_equal(errno, ECONNRESET); /* not EAGAIN: patience has ended */
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

size_t client_read(int fd, uint8_t out[SERVICE_MESSAGE_MAX])
{
    uint8_t prefix[2];
    if (!read_all(fd, prefix, 2))
        return 0;
    size_t len = be16_get(prefix);
    return read_all(fd, out, len) ? len : 0;
}

static bool closed_within(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t byte;
    return poll(&p, 1, ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

bool client_is_closed_now(int fd) { return closed_within(fd, 0); }
bool client_is_closed(int fd) { return closed_within(fd, SERVICE_PATIENCE_SEC * 1000); }

void sleep_ms(unsigned ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
