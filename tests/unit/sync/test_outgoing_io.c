/* Outgoing transfers over sockets: workers make the messages while control goes on, several clients read, one of them
 * slowly, one goes. The store is made up. Also run under TSan. */
#include "sync/outgoing.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../io/service.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/msg.h"
#include "store/hold.h"
#include "sync/stream_in.h"
#include "zone/access.h"
#include "zone/catalogue.h"

/* Some 13 MB: more than sockets take of what nobody reads. */
enum { NAMES = 60000, TEXT_LEN = 180, CLIENTS = 6 };

static const uint8_t apex[] = "\7example";

/* ---- a store */

struct store {
    struct hash_key key;
    struct zone *zone;
    unsigned held_cnt;
};

enum err store_hold(struct store *store, struct store_held *held, const uint8_t *name)
{
    assert_true(name_equal(name, apex));
    *held = (struct store_held){store->zone->current, 0, &store->key, store, NULL};
    zone_version_get(held->version);
    store->held_cnt++;
    return ERR_OK;
}

void store_unhold(struct store_held *held)
{
    zone_version_put(held->version);
    held->store->held_cnt--;
}

struct lmdb *store_lmdb(const struct store *store)
{
    (void)store;
    return NULL;
}

static void add(struct zone_records *records, const uint8_t *owner, uint16_t type, const void *rdata, unsigned len)
{
    struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 300, .type = type, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, NULL, 0);
}

/* A version whose addresses all are its serial. */
static void publish(struct store *store, uint32_t serial)
{
    uint8_t owner[NAME_MAX_LEN], soa[] = "\1n\0\1h\0\0\0\0\1\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20";
    static const uint8_t text[1 + TEXT_LEN] = {TEXT_LEN};
    struct zone_records *records = zone_records_new(apex, &store->key);
    be32_put(soa + 6, serial);
    add(records, apex, RR_SOA, soa, sizeof soa - 1);
    add(records, apex, RR_NS, "\1n", 3);
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned len = (unsigned)snprintf((char *)owner + 1, 20, "h%u", i);
        owner[0] = (uint8_t)len;
        memcpy(owner + 1 + len, apex, sizeof apex);
        add(records, owner, RR_A, &serial, 4);
        add(records, owner, RR_TXT, text, sizeof text);
    }
    zone_records_sort(records);
    struct zone_version *old = zone_publish(store->zone, zone_build(store->zone, records, NULL));
    if (old)
        zone_version_put(old);
    zone_records_free(records);
}

/* ---- clients */

struct client {
    const struct service *service;
    uint16_t id;
    unsigned pause_ms; /* after each message */
    unsigned leave_after; /* messages; 0: it reads to the end */
    /* what came, when it has ended */
    enum stream_in_state state;
    uint64_t rr_cnt;
    uint32_t data; /* of all A records; UINT32_MAX: they differ */
};

static void count(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t from, uint32_t to)
{
    struct client *c = arg;
    (void)kind, (void)from, (void)to;
    c->rr_cnt++;
    if (rr->type != RR_A)
        return;
    uint32_t data;
    memcpy(&data, rr->rdata, 4);
    c->data = !c->data || c->data == data ? data : UINT32_MAX;
}

static void send_axfr(int fd, uint16_t id)
{
    uint8_t q[2 + MSG_HEADER_LEN + sizeof apex + 4] = {0};
    be16_put(q, sizeof q - 2);
    be16_put(q + 2, id);
    be16_put(q + 6, 1);
    memcpy(q + 2 + MSG_HEADER_LEN, apex, sizeof apex);
    be16_put(q + sizeof q - 4, RR_AXFR);
    be16_put(q + sizeof q - 2, RR_CLASS_IN);
    client_send(fd, q, sizeof q);
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    struct stream_in in;
    struct stream_in_asked asked = {.name = apex, .type = RR_AXFR, .id = c->id, .fn = count, .arg = c};
    uint8_t *bytes = mem_zalloc(SERVICE_MESSAGE_MAX, 1);
    int small = 16384, fd = client_tcp(c->service, NULL, "127.0.0.1");
    if (c->pause_ms || c->leave_after)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    stream_in_init(&in, &asked);
    send_axfr(fd, c->id);
    for (unsigned cnt = 0; in.state == STREAM_IN_MORE && (!c->leave_after || cnt < c->leave_after); cnt++) {
        size_t len = client_read(fd, bytes);
        if (!len || stream_in_feed(&in, bytes, len, 0) == STREAM_IN_FAILED)
            break;
        if (c->pause_ms)
            sleep_ms(c->pause_ms);
    }
    c->state = in.state;
    close(fd);
    free(bytes);
    return NULL;
}

/* ---- the control thread */

static void take(void *arg, struct io_handoff *h) { outgoing_take(arg, &h, 60000); }

/* Anybody may transfer the zone. */
static void allow(struct service *s)
{
    static const struct acl_entry any = {.prefix.family = ADDR_NONE};
    for (uint64_t i = 0; i <= s->shared.catalogue->mask; i++) {
        struct acl *transfer = acl_new(&any, 1), *notify = NULL, *update = NULL;
        struct zone_access *access = zone_access_new(&transfer, &notify, &update);
        if (s->shared.catalogue->slots[i])
            zone_access_set(s->shared.catalogue->slots[i], &access);
        zone_access_free(access);
    }
}

static void look(void *arg, const struct outgoing_view *view) { *(uint64_t *)arg += view->sent_bytes; }

/* Until so many transfers have ended, looking at them all the time. */
static void run_until_ended(struct service *s, struct outgoing *o, unsigned cnt)
{
    const struct outgoing_counters *counters = outgoing_counters(o);
    uint64_t limit_ms = now_ms() + SERVICE_PATIENCE_SEC * 1000, bytes = 0;
    while (counters->axfr + counters->failed < cnt) {
        struct pollfd p = {.fd = io_handoff_fd(s->io), .events = POLLIN};
        assert_true(now_ms() < limit_ms);
        if (poll(&p, 1, 1) == 1)
            io_run_handoffs(s->io);
        outgoing_each(o, look, &bytes);
    }
    assert_true(bytes > 0);
}

static void test_many_clients(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1", NULL};
    struct io_options options = service_options();
    struct service s;
    struct store store = {.held_cnt = 0};
    uv_loop_t loop;
    pthread_t threads[CLIENTS];
    struct client clients[CLIENTS] = {{.pause_ms = 5}, {.leave_after = 2}};
    hash_key_random(&store.key);
    store.zone = zone_new(apex, &store.key);
    publish(&store, 1);
    uv_loop_init(&loop);
    service_start(&s, &options, loopback);
    io_stop(s.io);
    allow(&s);
    struct outgoing *o = outgoing_new(&loop, &store, s.io);
    io_on_handed_off(s.io, take, o);
    assert_int_equal(io_start(s.io, &s.shared), ERR_OK);

    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].service = &s;
        clients[i].id = (uint16_t)(100 + i);
        pthread_create(&threads[i], NULL, run_client, &clients[i]);
    }
    publish(&store, 2); /* while some may have begun */
    run_until_ended(&s, o, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        if (clients[i].leave_after)
            continue;
        assert_int_equal(clients[i].state, STREAM_IN_DONE);
        assert_int_equal(clients[i].rr_cnt, 2 * NAMES + 2);
        assert_true(clients[i].data == 1 || clients[i].data == 2); /* one version */
    }
    assert_int_equal(outgoing_counters(o)->failed, 1); /* who left */
    assert_int_equal(store.held_cnt, 0);

    io_stop(s.io);
    outgoing_free(o);
    service_stop(&s);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    zone_free(store.zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients),
    };
    alarm(SERVICE_ALARM_SEC);
    log_set_level(LOG_LEVEL_WARNING);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
