/* What workers hand off, and how it is answered. The control thread is this program's own; clients are threads or this
 * one. */
#include <errno.h>
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

#include "answer/handoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "service.h"
#include "zone/access.h"

enum { TEN_MB = 10 << 20, TAKEN_MAX = 256 };

static const char *const loopback[] = {"127.0.0.1", NULL};
static uint8_t message[SERVICE_MESSAGE_MAX];

/* ---- the control thread's side */

static struct io_handoff *taken[TAKEN_MAX];
static unsigned taken_cnt;

static void take(void *arg, struct io_handoff *h)
{
    (void)arg;
    assert_true(taken_cnt < TAKEN_MAX);
    taken[taken_cnt++] = h;
}

/* Anybody may do anything with the zone. */
static void allow(struct service *s)
{
    static const struct acl_entry any = {.prefix.family = ADDR_NONE};
    for (uint64_t i = 0; i <= s->shared.catalogue->mask; i++) {
        struct acl *transfer = acl_new(&any, 1), *notify = acl_new(&any, 1), *update = acl_new(&any, 1);
        struct zone_access *access = zone_access_new(&transfer, &notify, &update);
        if (s->shared.catalogue->slots[i])
            zone_access_set(s->shared.catalogue->slots[i], &access);
        zone_access_free(access);
    }
}

static void start(struct service *s, struct io_options *o)
{
    service_start(s, o, loopback);
    io_stop(s->io);
    allow(s);
    taken_cnt = 0;
    io_on_handed_off(s->io, take, NULL);
    assert_int_equal(io_start(s->io, &s->shared), ERR_OK);
}

/* The control thread's loop, once; waits for so long. */
static void run(struct service *s, int ms)
{
    struct pollfd p = {.fd = io_handoff_fd(s->io), .events = POLLIN};
    if (poll(&p, 1, ms) == 1)
        io_run_handoffs(s->io);
}

static void run_until_taken(struct service *s, unsigned cnt)
{
    uint64_t end = now_ms() + SERVICE_PATIENCE_SEC * 1000;
    while (taken_cnt < cnt) {
        assert_true(now_ms() < end);
        run(s, 100);
    }
}

/* A source of so many bytes, each message numbered. */
struct source {
    struct io_source io;
    uint64_t left;
    uint32_t number;
    size_t message_len;
    unsigned empty; /* every so many times, nothing comes; 0: always something */
    unsigned asked;
    unsigned fail_at; /* message; 0: never */
    unsigned release_cnt;
    atomic_uint fill_cnt; /* read by the test while it runs */
};

static enum io_fill fill(struct io_source *io, uint8_t *out, size_t cap, size_t *len)
{
    struct source *s = (struct source *)io;
    atomic_fetch_add(&s->fill_cnt, 1);
    if (s->empty && s->asked++ % s->empty)
        return IO_MORE;
    if (s->fail_at && s->number + 1 == s->fail_at)
        return IO_FAILED;
    *len = s->left < s->message_len ? s->left : s->message_len;
    assert_true(*len <= cap);
    *len = *len < 16 ? 16 : *len;
    memset(out, (int)s->number, *len);
    be32_put(out, s->number++);
    s->left -= *len < s->left ? *len : s->left;
    return s->left ? IO_MORE : IO_DONE;
}

static void release(struct io_source *io)
{
    ((struct source *)io)->release_cnt++;
}

static void source_init(struct source *s, uint64_t bytes, size_t message_len)
{
    memset(s, 0, sizeof *s);
    s->io = (struct io_source){.fill = fill, .release = release, .deadline_ms = UINT64_MAX};
    s->left = bytes;
    s->message_len = message_len;
}

static void run_until_released(struct service *s, struct source *source)
{
    uint64_t end = now_ms() + SERVICE_PATIENCE_SEC * 1000;
    while (!source->release_cnt) {
        assert_true(now_ms() < end);
        run(s, 100);
    }
    run(s, 20);
    assert_int_equal(source->release_cnt, 1);
}

/* ---- clients */

static int client_small(const struct service *s)
{
    int small = 16384, fd = client_tcp(s, NULL, "127.0.0.1");
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    return fd;
}

static size_t notify_make(uint8_t *out, uint16_t id)
{
    uint8_t q[64];
    size_t len = query_make(q, id, "x", RR_SOA); /* its label, of two bytes, goes */
    memcpy(out, q, MSG_HEADER_LEN);
    memcpy(out + MSG_HEADER_LEN, q + MSG_HEADER_LEN + 2, len - MSG_HEADER_LEN - 2);
    be16_put(out + 2, OPCODE_NOTIFY << MSG_OPCODE_SHIFT);
    return len - 2;
}

static size_t update_make(uint8_t *out, uint16_t id)
{
    size_t len = notify_make(out, id);
    be16_put(out + 2, OPCODE_UPDATE << MSG_OPCODE_SHIFT);
    return len;
}

static size_t axfr_make(uint8_t *out, uint16_t id)
{
    size_t len = notify_make(out, id);
    be16_put(out + 2, 0);
    be16_put(out + len - 4, RR_AXFR);
    return len;
}

static void send_axfr(int fd, uint16_t id)
{
    uint8_t q[2 + 64];
    size_t len = axfr_make(q + 2, id);
    be16_put(q, (uint16_t)len);
    client_send(fd, q, 2 + len);
}

static void expect_query(int fd, uint16_t id)
{
    client_send_query(fd, id, "www", RR_A);
    size_t len = client_read(fd, message);
    assert_true(answer_is_good(message, len, id));
}

/* Reads the source's messages, which are numbered from *number on, with a pause after so many (0: none); returns their
 * bytes, and stops at the first that is none of its. */
static uint64_t read_source(int fd, uint32_t *number, uint64_t most, unsigned pause_each, uint8_t *buf)
{
    uint64_t bytes = 0;
    while (bytes < most) {
        size_t len = client_read(fd, buf);
        if (len < 16)
            break;
        assert_int_equal(be32_get(buf), *number);
        assert_int_equal(buf[4], (uint8_t)*number);
        assert_int_equal(buf[len - 1], (uint8_t)*number);
        bytes += len;
        ++*number;
        if (pause_each && *number % pause_each == 0)
            sleep_ms(10);
    }
    return bytes;
}

/* ---- one message */

static void test_an_answer_by_tcp(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    start(&s, &o);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    uint8_t bytes[256];
    size_t len = 0;
    /* Before it, a query; behind it two, which wait for it; in one piece. */
    for (uint16_t id = 1; id <= 4; id++) {
        size_t n = id == 2 ? notify_make(bytes + len + 2, id) : query_make(bytes + len + 2, id, "www", RR_A);
        be16_put(bytes + len, (uint16_t)n);
        len += 2 + n;
    }
    client_send(fd, bytes, len);
    len = client_read(fd, message);
    assert_true(answer_is_good(message, len, 1));
    run_until_taken(&s, 1);
    sleep_ms(50);
    assert_int_equal(recv(fd, message, 1, MSG_DONTWAIT), -1);
    struct answer_hand_off *request = io_handoff_request(taken[0]);
    assert_int_equal(request->kind, ANSWER_NOTIFY);
    assert_int_equal(msg_id(request->request), 2);
    len = answer_hand_off_reply(request, message, sizeof message, RCODE_NOERROR, -1, 0);
    io_answer(s.io, &taken[0], message, len);
    assert_null(taken[0]);
    len = client_read(fd, message);
    assert_int_equal(msg_id(message), 2);
    assert_int_equal(msg_flags(message), MSG_QR | MSG_AA | OPCODE_NOTIFY << MSG_OPCODE_SHIFT);
    for (uint16_t id = 3; id <= 4; id++) {
        len = client_read(fd, message);
        assert_true(answer_is_good(message, len, id));
    }
    expect_query(fd, 5);
    close(fd);
    service_stop(&s);
}

/* From the address that it was sent to, be the socket bound to it or not. */
static void test_an_answer_by_udp(void **state)
{
    (void)state;
    static const char *const wildcard[] = {"0.0.0.0", NULL};
    for (unsigned i = 0; i < 2; i++) {
        struct service s;
        struct io_options o = service_options();
        service_start(&s, &o, i ? wildcard : loopback);
        allow(&s);
        io_stop(s.io);
        taken_cnt = 0;
        io_on_handed_off(s.io, take, NULL);
        assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
        int fd = client_udp(&s, NULL, i ? "127.0.0.9" : "127.0.0.1"); /* connected: takes nothing from elsewhere */
        uint8_t q[64];
        size_t len = notify_make(q, 7);
        client_send(fd, q, len);
        run_until_taken(&s, 1);
        len = query_make(q, 8, "www", RR_A); /* nobody waits */
        client_send(fd, q, len);
        assert_true(answer_is_good(message, (size_t)recv(fd, message, sizeof message, 0), 8));
        len = answer_hand_off_reply(io_handoff_request(taken[0]), message, sizeof message, RCODE_NOERROR, -1, 0);
        io_answer(s.io, &taken[0], message, len);
        assert_int_equal(recv(fd, message, sizeof message, 0), (ssize_t)len);
        assert_int_equal(msg_id(message), 7);
        close(fd);
        service_stop(&s);
    }
}

static void test_forgotten(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    start(&s, &o);
    int fd = client_tcp(&s, NULL, "127.0.0.1"), udp = client_udp(&s, NULL, "127.0.0.1");
    uint8_t q[64];
    send_axfr(fd, 1);
    client_send(udp, q, notify_make(q, 2));
    run_until_taken(&s, 2);
    io_forget(s.io, &taken[0]);
    io_forget(s.io, &taken[1]);
    assert_true(client_is_closed(fd));
    service_wait_open(&s, 0);
    close(fd);
    close(udp);
    service_stop(&s);
}

/* ---- streams */

struct reader_thread {
    pthread_t id;
    int fd;
    unsigned pause_each;
    uint64_t bytes;
    uint8_t buf[SERVICE_MESSAGE_MAX];
};

static void *read_all_of_it(void *arg)
{
    struct reader_thread *r = arg;
    uint32_t number = 0;
    r->bytes = read_source(r->fd, &number, TEN_MB, r->pause_each, r->buf);
    return NULL;
}

/* Two transfers of 10 MB, to one who reads at once and one who takes seconds, and queries on the same worker, none of
 * which waits. */
static void test_slow_and_fast_readers(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    static struct reader_thread fast, slow;
    struct source sources[2];
    start(&s, &o);
    fast.fd = client_tcp(&s, NULL, "127.0.0.1");
    slow.fd = client_small(&s);
    slow.pause_each = 4;
    int beside = client_tcp(&s, NULL, "127.0.0.1");
    send_axfr(fast.fd, 1);
    run_until_taken(&s, 1);
    send_axfr(slow.fd, 2);
    run_until_taken(&s, 2);
    source_init(&sources[0], TEN_MB, 65535);
    source_init(&sources[1], TEN_MB, 16384);
    sources[0].empty = 3;
    io_stream(s.io, &taken[0], &sources[0].io);
    io_stream(s.io, &taken[1], &sources[1].io);
    assert_int_equal(pthread_create(&fast.id, NULL, read_all_of_it, &fast), 0);
    assert_int_equal(pthread_create(&slow.id, NULL, read_all_of_it, &slow), 0);
    uint64_t slowest = 0;
    for (uint16_t id = 0; !sources[0].release_cnt || !sources[1].release_cnt || id < 50; id++) {
        uint64_t begin = now_ms();
        expect_query(beside, id);
        slowest = now_ms() - begin > slowest ? now_ms() - begin : slowest;
        run(&s, 1);
    }
    pthread_join(fast.id, NULL);
    pthread_join(slow.id, NULL);
    assert_true(slowest < 1000); /* the slow one takes longer */
    assert_true(fast.bytes >= TEN_MB && slow.bytes >= TEN_MB);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sources[i].release_cnt, 1);
        assert_int_equal(sources[i].io.end, IO_STREAM_DONE);
        assert_int_equal(sources[i].io.sent_bytes, TEN_MB + 2 * sources[i].number);
    }
    assert_int_equal(SERVICE_COUNT(&s, streams_done), 2);
    expect_query(fast.fd, 3); /* both are read again */
    expect_query(slow.fd, 4);
    close(fast.fd);
    close(slow.fd);
    close(beside);
    service_stop(&s);
}

/* Who reads nothing makes the source be asked for no more than fits in our buffer and the kernel's. */
static void test_a_reader_that_stops(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct source source;
    o.tcp_idle_ms = 300; /* of no account */
    start(&s, &o);
    int fd = client_small(&s);
    send_axfr(fd, 1);
    run_until_taken(&s, 1);
    sleep_ms(500); /* nor is it idle while it waits for the control thread */
    source_init(&source, 100 * TEN_MB, 65535);
    io_stream(s.io, &taken[0], &source.io);
    unsigned before, now = 0;
    do {
        before = now;
        sleep_ms(400);
        now = atomic_load(&source.fill_cnt);
    } while (now != before || !now);
    assert_true(now < 200); /* 13 MB: the kernel's most is 4 or 6 */
    assert_int_equal(io_tcp_open(s.io), 1);
    uint32_t number = 0;
    assert_true(read_source(fd, &number, TEN_MB, 0, message) >= TEN_MB); /* and goes on when he does */
    close(fd);
    run_until_released(&s, &source);
    assert_int_equal(source.io.end, IO_STREAM_CLOSED);
    assert_int_equal(SERVICE_COUNT(&s, streams_closed), 1);
    service_wait_open(&s, 0);
    service_stop(&s);
}

/* The client goes: before control has decided, before the worker has it back, and in the middle. */
static void test_a_client_that_goes(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    const struct linger at_once = {.l_onoff = 1};
    start(&s, &o);
    for (unsigned i = 0; i < 30; i++) {
        struct source source;
        int fd = client_small(&s);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        taken_cnt = 0;
        send_axfr(fd, 1);
        run_until_taken(&s, 1);
        source_init(&source, 10 * TEN_MB, 65535);
        if (i % 3 == 0) {
            close(fd);
            service_wait_open(&s, 0);
        }
        io_stream(s.io, &taken[0], &source.io);
        if (i % 3 == 1)
            assert_true(client_read(fd, message) > 0);
        if (i % 3)
            close(fd);
        run_until_released(&s, &source);
        assert_int_equal(source.io.end, IO_STREAM_CLOSED);
        service_wait_open(&s, 0);
    }
    service_stop(&s);
}

static void test_the_deadline(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct source source, later;
    start(&s, &o);
    int fd = client_small(&s), other = client_small(&s);
    send_axfr(fd, 1);
    send_axfr(other, 2);
    run_until_taken(&s, 2);
    source_init(&source, 10 * TEN_MB, 65535);
    source_init(&later, 10 * TEN_MB, 65535);
    uint64_t at = clock_mono_ms() + 300;
    bool is_first = msg_id(io_handoff_request(taken[0])->request) == 1;
    source.io.deadline_ms = at;
    later.io.deadline_ms = at + 400;
    io_stream(s.io, &taken[!is_first], &source.io);
    io_stream(s.io, &taken[is_first], &later.io);
    run_until_released(&s, &source);
    assert_true(clock_mono_ms() >= at);
    assert_int_equal(source.io.end, IO_STREAM_EXPIRED);
    assert_int_equal(later.release_cnt, 0);
    run_until_released(&s, &later);
    assert_true(clock_mono_ms() >= at + 400);
    assert_int_equal(SERVICE_COUNT(&s, streams_expired), 2);
    service_wait_open(&s, 0);
    close(fd);
    close(other);
    service_stop(&s);
}

/* Who takes nothing is not waited for until the deadline; who takes little is. */
static void test_a_reader_that_hangs(void **state)
{
    (void)state;
    enum { STALL_MS = 300, ROUNDS = 10 };
    struct service s;
    struct io_options o = service_options();
    struct source hanging, slow;
    start(&s, &o);
    int fd = client_small(&s), other = client_small(&s);
    send_axfr(fd, 1);
    send_axfr(other, 2);
    run_until_taken(&s, 2);
    source_init(&hanging, 10 * TEN_MB, 65535);
    source_init(&slow, 10 * TEN_MB, 65535);
    hanging.io.stall_ms = slow.io.stall_ms = STALL_MS;
    bool is_first = msg_id(io_handoff_request(taken[0])->request) == 1;
    io_stream(s.io, &taken[!is_first], &hanging.io);
    io_stream(s.io, &taken[is_first], &slow.io);
    for (unsigned i = 0; i < ROUNDS || !hanging.release_cnt; i++) {
        assert_true(i < 100 * ROUNDS);
        assert_true(recv(other, message, 16384, 0) > 0);
        run(&s, STALL_MS / 5);
    }
    assert_int_equal(hanging.io.end, IO_STREAM_STALLED);
    assert_int_equal(SERVICE_COUNT(&s, streams_stalled), 1);
    assert_int_equal(slow.release_cnt, 0);
    close(other);
    run_until_released(&s, &slow);
    assert_int_equal(slow.io.end, IO_STREAM_CLOSED);
    service_wait_open(&s, 0);
    close(fd);
    service_stop(&s);
}

/* A transfer that cannot be made ends in the middle, and not as if it were whole. */
static void test_a_source_that_fails(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct source source;
    start(&s, &o);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    uint32_t number = 0;
    send_axfr(fd, 1);
    run_until_taken(&s, 1);
    source_init(&source, TEN_MB, 65535);
    source.fail_at = 10;
    io_stream(s.io, &taken[0], &source.io);
    assert_true(read_source(fd, &number, TEN_MB, 0, message) < 10 * 65535);
    run_until_released(&s, &source);
    assert_int_equal(source.io.end, IO_STREAM_FAILED);
    assert_int_equal(SERVICE_COUNT(&s, streams_failed), 1);
    close(fd);
    service_stop(&s);
}

/* ---- limits */

static void test_too_many(void **state)
{
    (void)state;
    enum { HOSTS = 5 };
    struct service s;
    struct io_options o = service_options();
    int tcp[IO_HANDOFFS_CLIENT_MAX + 1], udp[HOSTS];
    uint8_t q[64];
    start(&s, &o);
    for (unsigned i = 0; i < IO_HANDOFFS_CLIENT_MAX; i++) {
        tcp[i] = client_tcp(&s, "127.0.1.1", "127.0.0.1");
        send_axfr(tcp[i], 1);
    }
    run_until_taken(&s, IO_HANDOFFS_CLIENT_MAX);
    /* One more of the same client is not taken, and its connection goes on. */
    tcp[IO_HANDOFFS_CLIENT_MAX] = client_tcp(&s, "127.0.1.1", "127.0.0.1");
    send_axfr(tcp[IO_HANDOFFS_CLIENT_MAX], 2);
    size_t len = client_read(tcp[IO_HANDOFFS_CLIENT_MAX], message);
    assert_true(len > 0);
    assert_int_equal(msg_flags(message), MSG_QR | RCODE_SERVFAIL);
    expect_query(tcp[IO_HANDOFFS_CLIENT_MAX], 3);
    assert_int_equal(SERVICE_COUNT(&s, handoffs_full), 1);
    /* Others fill what is left; the last of them is too many for all. */
    for (unsigned host = 0; host < HOSTS; host++) {
        char from[] = "127.0.2.1";
        from[8] = (char)('1' + host);
        udp[host] = client_udp(&s, from, "127.0.0.1");
        unsigned cnt = host + 1 < HOSTS ? IO_HANDOFFS_CLIENT_MAX : 1;
        for (unsigned i = 0; i < cnt; i++)
            client_send(udp[host], q, notify_make(q, (uint16_t)i));
        uint64_t end = now_ms() + SERVICE_PATIENCE_SEC * 1000;
        while (taken_cnt + SERVICE_COUNT(&s, handoffs_full) - 1 <
               IO_HANDOFFS_CLIENT_MAX * (host + 1) + (host + 1 < HOSTS ? IO_HANDOFFS_CLIENT_MAX : 1)) {
            assert_true(now_ms() < end);
            run(&s, 10);
        }
    }
    assert_int_equal(taken_cnt, IO_HANDOFFS_MAX);
    assert_int_equal(SERVICE_COUNT(&s, handoffs_full), 1 + IO_HANDOFFS_CLIENT_MAX + 1);
    for (unsigned i = 0; i < taken_cnt; i++)
        io_forget(s.io, &taken[i]);
    /* There is room again. */
    taken_cnt = 0;
    client_send(udp[0], q, notify_make(q, 9));
    run_until_taken(&s, 1);
    io_forget(s.io, &taken[0]);
    for (unsigned i = 0; i <= IO_HANDOFFS_CLIENT_MAX; i++)
        close(tcp[i]);
    for (unsigned i = 0; i < HOSTS; i++)
        close(udp[i]);
    service_stop(&s);
}

/* Updates wait long: what they may not have is left for the others. */
static void test_updates_leave_room(void **state)
{
    (void)state;
    enum { HOSTS = IO_HANDOFFS_MAX / IO_HANDOFFS_CLIENT_MAX, OTHERS = IO_HANDOFFS_MAX - IO_HANDOFFS_UPDATES_MAX };
    struct service s;
    struct io_options o = service_options();
    uint8_t q[64];
    start(&s, &o);
    for (unsigned host = 0; host < HOSTS; host++) {
        char from[] = "127.0.2.1";
        from[8] = (char)('1' + host);
        int udp = client_udp(&s, from, "127.0.0.1");
        for (unsigned i = 0; i < IO_HANDOFFS_CLIENT_MAX; i++)
            client_send(udp, q, update_make(q, (uint16_t)i));
        uint64_t end = now_ms() + SERVICE_PATIENCE_SEC * 1000;
        while (taken_cnt + SERVICE_COUNT(&s, handoffs_full) < IO_HANDOFFS_CLIENT_MAX * (host + 1)) {
            assert_true(now_ms() < end);
            run(&s, 10);
        }
        close(udp);
    }
    assert_int_equal(taken_cnt, IO_HANDOFFS_UPDATES_MAX);
    int udp = client_udp(&s, "127.0.3.1", "127.0.0.1");
    for (unsigned i = 0; i < OTHERS; i++)
        client_send(udp, q, notify_make(q, (uint16_t)i));
    run_until_taken(&s, IO_HANDOFFS_MAX);
    for (unsigned i = 0; i < taken_cnt; i++)
        io_forget(s.io, &taken[i]);
    close(udp);
    service_stop(&s);
}

/* Streams under way, and every other stage: what was handed off and not told, told and not decided, decided. */
static void test_stop(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct source source, never;
    o.workers = 2;
    start(&s, &o);
    int streaming = client_small(&s), waiting = client_small(&s), untold = client_small(&s);
    int udp = client_udp(&s, NULL, "127.0.0.1");
    uint8_t q[64];
    send_axfr(streaming, 1);
    run_until_taken(&s, 1);
    source_init(&source, 10 * TEN_MB, 65535);
    source_init(&never, 10 * TEN_MB, 65535);
    io_stream(s.io, &taken[0], &source.io);
    assert_true(client_read(streaming, message) > 0);
    send_axfr(waiting, 2);
    run_until_taken(&s, 2);
    client_send(udp, q, notify_make(q, 4));
    run_until_taken(&s, 3);
    send_axfr(untold, 3);
    sleep_ms(100);
    io_stop(s.io);
    assert_int_equal(source.release_cnt, 1);
    assert_int_equal(source.io.end, IO_STREAM_STOPPED);
    assert_int_equal(taken_cnt, 3);
    assert_int_equal(io_tcp_open(s.io), 0);
    assert_true(client_is_closed(waiting) && client_is_closed(untold));
    assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
    io_stream(s.io, &taken[1], &never.io);
    run_until_released(&s, &never);
    assert_int_equal(never.fill_cnt, 0);
    assert_int_equal(never.io.end, IO_STREAM_STOPPED);
    size_t len = answer_hand_off_reply(io_handoff_request(taken[2]), message, sizeof message, RCODE_NOERROR, -1, 0);
    io_answer(s.io, &taken[2], message, len); /* its socket is still there */
    assert_int_equal(recv(udp, message, sizeof message, 0), (ssize_t)len);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    expect_query(fd, 1);
    close(fd);
    close(streaming);
    close(waiting);
    close(untold);
    close(udp);
    service_stop(&s);
}

/* Answers that are on their way to their worker when it stops. */
static void test_stop_at_once(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    start(&s, &o);
    for (unsigned i = 0; i < 20; i++) {
        struct source source;
        int fd = client_small(&s);
        taken_cnt = 0;
        send_axfr(fd, 1);
        run_until_taken(&s, 1);
        source_init(&source, 10 * TEN_MB, 65535);
        io_stream(s.io, &taken[0], &source.io);
        if (i % 2)
            sleep_ms(i % 3);
        io_stop(s.io);
        assert_int_equal(source.release_cnt, 1);
        assert_int_equal(source.io.end, IO_STREAM_STOPPED);
        assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
        close(fd);
    }
    service_stop(&s);
}

/* Nobody wants them. */
static void test_without_a_control_thread(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, loopback);
    allow(&s);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    send_axfr(fd, 1);
    assert_true(client_read(fd, message) > 0);
    assert_int_equal(msg_flags(message), MSG_QR | RCODE_SERVFAIL);
    expect_query(fd, 2);
    close(fd);
    service_stop(&s);
}

/* Many at once, each read to its end, by two workers. */
static void test_many(void **state)
{
    (void)state;
    enum { CNT = 12, BYTES = 1 << 20 };
    struct service s;
    struct io_options o = service_options();
    struct source sources[CNT];
    int fds[CNT];
    o.workers = 2;
    start(&s, &o);
    for (unsigned i = 0; i < CNT; i++) {
        fds[i] = client_tcp(&s, NULL, "127.0.0.1");
        send_axfr(fds[i], 1);
        source_init(&sources[i], BYTES, 3000 + 5000 * i);
        run_until_taken(&s, i + 1);
        io_stream(s.io, &taken[i], &sources[i].io);
    }
    for (unsigned i = 0; i < CNT; i++) {
        uint32_t number = 0;
        assert_true(read_source(fds[i], &number, BYTES, 0, message) >= BYTES);
        expect_query(fds[i], 2);
        run_until_released(&s, &sources[i]);
        assert_int_equal(sources[i].io.end, IO_STREAM_DONE);
        close(fds[i]);
    }
    service_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_by_tcp),
        cmocka_unit_test(test_an_answer_by_udp),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_slow_and_fast_readers),
        cmocka_unit_test(test_a_reader_that_stops),
        cmocka_unit_test(test_a_client_that_goes),
        cmocka_unit_test(test_the_deadline),
        cmocka_unit_test(test_a_reader_that_hangs),
        cmocka_unit_test(test_a_source_that_fails),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_updates_leave_room),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_at_once),
        cmocka_unit_test(test_without_a_control_thread),
        cmocka_unit_test(test_many),
    };
    alarm(SERVICE_ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
