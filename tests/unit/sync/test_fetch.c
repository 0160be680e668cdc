#include "sync/fetch.h"

#include <inttypes.h>

#include "loop/lag.h"
#include "primaries.h"

/* Longer than any test takes: what ends sooner did not end by time. */
enum { LONG_MS = 120000, SHORT_MS = 60, PASS_MS = 1000 /* within which a thread sends something */ };

/* ---- clients */

struct client {
    uv_loop_t loop;
    unsigned told_cnt;
    bool takes;
    struct fetch_result result;
    char why[256], warning[256];
};

static void on_told(void *arg, struct fetch_result *result)
{
    struct client *client = arg;
    client->told_cnt++;
    client->result = *result;
    snprintf(client->why, sizeof client->why, "%s", result->why ? result->why : "");
    snprintf(client->warning, sizeof client->warning, "%s", result->warning ? result->warning : "");
    if (client->takes) {
        result->records = NULL;
        result->changes = NULL;
    }
}

static void client_open(struct client *client)
{
    memset(client, 0, sizeof *client);
    client->takes = true;
    assert_false(uv_loop_init(&client->loop));
}

/* Until all handles and jobs are gone by themselves. */
static void client_end(struct client *client)
{
    assert_false(uv_run(&client->loop, UV_RUN_DEFAULT));
    assert_false(uv_loop_close(&client->loop));
}

static void client_close(struct client *client)
{
    zone_records_free(client->result.records);
    for (size_t i = 0; client->result.changes && i < client->result.change_cnt; i++)
        changeset_free(client->result.changes[i]);
    free(client->result.changes);
}

static struct fetch_request request_to(const struct server *server)
{
    return (struct fetch_request){.apex = test_apex,
                                  .hash = &test_key,
                                  .primary = server->addr,
                                  .deadline_ms = LONG_MS,
                                  .max_zone_bytes = UINT64_C(1) << 30};
}

static void fetch_and_wait(struct client *client, const struct fetch_request *request)
{
    client_open(client);
    assert_non_null(fetch_start(&client->loop, request, on_told, client));
    assert_int_equal(client->told_cnt, 0);
    client_end(client);
    assert_int_equal(client->told_cnt, 1);
}

static void assert_failed(const struct client *client, enum refresh_failure failure, const char *why)
{
    assert_int_equal(client->result.outcome, FETCH_FAILED);
    assert_int_equal(client->result.failure, failure);
    assert_null(client->result.records);
    assert_null(client->result.changes);
    if (!strstr(client->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, client->why);
}

static void assert_got(struct client *client, const struct zone_version *version)
{
    struct zone_records *expected = records_in(version);
    assert_int_equal(client->result.outcome, FETCH_WHOLE);
    assert_true(client->result.has_serial);
    assert_int_equal(client->result.serial, version->serial);
    assert_same_records(client->result.records, expected);
    zone_records_free(expected);
}

/* Our SOA. */
static const struct rr *our_soa(uint32_t serial)
{
    static uint8_t rdata[2 * NAME_MAX_LEN + 20];
    static struct rr soa = {.owner = test_apex, .rdata = rdata, .ttl = 60, .type = RR_SOA};
    char text[16];
    snprintf(text, sizeof text, "%u", serial);
    soa.rdata_len = (uint16_t)put_soa(rdata, text, "60");
    return &soa;
}

static struct zone *small_zone(void)
{
    return zone_of("@ 3600 SOA 3 60\n@ 3600 NS ns.example.net.\na 60 A 1\na 60 A 2\nb 60 MX 5 a\nc 60 TXT x\n");
}

static struct zone *large_zone(unsigned cnt)
{
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of("@ 3600 SOA 7 60\n@ 3600 NS ns.example.net.\n");
    for (unsigned i = 0; i < cnt; i++) {
        char label[16];
        uint8_t owner[NAME_MAX_LEN];
        snprintf(label, sizeof label, "h%06u", i);
        put_wire(owner, label);
        struct rr rr = {.owner = owner, .rdata = (const uint8_t *)&i, .ttl = 60, .type = RR_A, .rdata_len = 4};
        zone_records_add(records, &rr, NULL, 0);
    }
    zone_records_sort(records);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}

/* ---- tests */

static void test_whole(void **state)
{
    static const size_t caps[] = {512, MSG_MAX_LEN};
    struct zone *zone = small_zone();
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < 8; i++) {
        struct offer offer = {.version = zone->current, .cap = caps[i & 1], .drips = i & 2};
        struct server server;
        struct client client;
        server_start(&server, serve_offer, &offer, &key);
        struct fetch_request request = request_to(&server);
        request.key = i & 4 ? &key : NULL;
        fetch_and_wait(&client, &request);
        assert_got(&client, zone->current);
        assert_int_equal(client.result.record_cnt, 7);
        assert_int_equal(client.result.message_cnt, 1);
        assert_true(client.result.wire_bytes > 150);
        assert_string_equal(client.warning, "");
        client_close(&client);
        server_stop(&server);
    }
    zone_free(zone);
}

/* What comes is told as it is: the time, and the longest turn of the loop. */
static void test_large(void **state)
{
    enum { RECORDS = 100000 };
    struct zone *zone = large_zone(RECORDS);
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < 4; i++) {
        struct offer offer = {.version = zone->current, .cap = i & 1 ? MSG_MAX_LEN : 16384};
        struct lag lag = {0};
        struct server server;
        struct client client;
        server_start(&server, serve_offer, &offer, &key);
        struct fetch_request request = request_to(&server);
        request.key = i & 2 ? &key : NULL;
        client_open(&client);
        lag_start(&lag, &client.loop);
        assert_non_null(fetch_start(&client.loop, &request, on_told, &client));
        assert_false(uv_run(&client.loop, UV_RUN_DEFAULT));
        print_message("%" PRIu64 " records%s in %" PRIu64 " messages: %" PRIu64 " ms; longest turn %" PRIu64 " us\n",
                      client.result.record_cnt, request.key ? ", signed," : "", client.result.message_cnt,
                      client.result.took_ms, lag_longest_us(&lag));
        lag_stop(&lag);
        client_end(&client);
        assert_int_equal(client.told_cnt, 1);
        assert_got(&client, zone->current);
        assert_int_equal(client.result.record_cnt, RECORDS + 3);
        client_close(&client);
        server_stop(&server);
    }
    zone_free(zone);
}

static void test_changes(void **state)
{
    enum { STEPS = 5 };
    struct zone *zone = zone_of("@ 3600 SOA 6 60\n@ 3600 NS ns.example.net.\n");
    struct changeset *changes[STEPS];
    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        char removed[100], added[100];
        snprintf(removed, sizeof removed, "@ 3600 SOA %u 60\nx%u 60 A 1\n", i + 1, i);
        snprintf(added, sizeof added, "@ 3600 SOA %u 60\nz 60 A %u\na 60 A %u\n", i + 2, i, i);
        changes[i] = changeset_of(removed, added);
        changes[i]->serial_from = i + 1;
        changes[i]->serial_to = i + 2;
    }
    struct offer offer = {.version = zone->current,
                          .cap = 512,
                          .changes = (const struct changeset *const *)changes,
                          .change_cnt = STEPS};
    struct server server;
    struct client client;
    server_start(&server, serve_offer, &offer, NULL);
    struct fetch_request request = request_to(&server);
    request.soa = our_soa(1);
    fetch_and_wait(&client, &request);
    assert_int_equal(client.result.outcome, FETCH_CHANGES);
    assert_int_equal(client.result.serial, 6);
    assert_null(client.result.records);
    assert_int_equal(client.result.change_cnt, STEPS);
    for (unsigned i = 0; i < STEPS; i++) {
        assert_int_equal(client.result.changes[i]->serial_from, i + 1);
        assert_int_equal(client.result.changes[i]->serial_to, i + 2);
        assert_same_records(client.result.changes[i]->removed, changes[i]->removed);
        assert_same_records(client.result.changes[i]->added, changes[i]->added);
        changeset_free(changes[i]);
    }
    client_close(&client);
    server_stop(&server);
    zone_free(zone);
}

static void test_whole_to_an_ixfr(void **state)
{
    struct zone *zone = small_zone();
    struct offer offer = {.version = zone->current, .cap = 512};
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, serve_offer, &offer, NULL);
    struct fetch_request request = request_to(&server);
    request.soa = our_soa(1);
    fetch_and_wait(&client, &request);
    assert_got(&client, zone->current);
    client_close(&client);
    server_stop(&server);
    zone_free(zone);
}

/* The primary's serial is ours, or older. */
static void test_up_to_date(void **state)
{
    struct zone *zone = small_zone();
    struct offer offer = {.version = zone->current, .cap = 512, .is_current = true};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct server server;
        struct client client;
        server_start(&server, serve_offer, &offer, NULL);
        struct fetch_request request = request_to(&server);
        request.soa = our_soa(3 + i);
        fetch_and_wait(&client, &request);
        assert_int_equal(client.result.outcome, FETCH_UP_TO_DATE);
        assert_int_equal(client.result.serial, 3);
        assert_null(client.result.records);
        assert_null(client.result.changes);
        server_stop(&server);
    }
    zone_free(zone);
}

/* What the caller does not want goes by itself. */
static void test_not_taken(void **state)
{
    struct zone *zone = small_zone();
    struct changeset *changes = changeset_of("@ 3600 SOA 1 60\n", "@ 3600 SOA 3 60\n");
    struct offer offer = {
        .version = zone->current, .cap = 512, .changes = (const struct changeset *const *)&changes, .change_cnt = 1};
    (void)state;
    changes->serial_from = 1;
    changes->serial_to = 3;
    for (unsigned i = 0; i < 2; i++) {
        struct server server;
        struct client client;
        server_start(&server, serve_offer, &offer, NULL);
        struct fetch_request request = request_to(&server);
        request.soa = i ? our_soa(1) : NULL;
        client_open(&client);
        client.takes = false;
        fetch_start(&client.loop, &request, on_told, &client);
        client_end(&client);
        assert_int_equal(client.result.outcome, i ? FETCH_CHANGES : FETCH_WHOLE);
        server_stop(&server);
    }
    changeset_free(changes);
    zone_free(zone);
}

static void test_warning(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, serve_outside, NULL, NULL);
    struct fetch_request request = request_to(&server);
    fetch_and_wait(&client, &request);
    assert_int_equal(client.result.outcome, FETCH_WHOLE);
    assert_int_equal(client.result.records->cnt, 1);
    assert_non_null(strstr(client.warning, "1 records outside the zone are ignored"));
    client_close(&client);
    server_stop(&server);
}

static void test_signatures(void **state)
{
    static const struct {
        server_fn *fn;
        const char *secret, *why;
    } cases[] = {
        {serve_offer_unsigned, "0123456789abcdef", "there is no TSIG where there has to be one"},
        {serve_offer_wrongly_signed, "another secret", "the signature is wrong"},
    };
    struct zone *zone = small_zone();
    struct offer offer = {.version = zone->current, .cap = MSG_MAX_LEN};
    struct tsig_key ours, theirs;
    (void)state;
    make_key(&ours, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server server;
        struct client client;
        make_key(&theirs, "xfr.", cases[i].secret);
        server_start(&server, cases[i].fn, &offer, &theirs);
        struct fetch_request request = request_to(&server);
        request.key = &ours;
        fetch_and_wait(&client, &request);
        assert_failed(&client, REFRESH_REFUSED, cases[i].why);
        server_stop(&server);
    }
    zone_free(zone);
}

static void test_unreachable(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, NULL, NULL, NULL);
    struct fetch_request request = request_to(&server);
    server_stop(&server);
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "no connection: connection refused");

    server_start(&server, serve_close, NULL, NULL);
    request = request_to(&server);
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "connection");
    server_stop(&server);

    server_start(&server, serve_silence, NULL, NULL);
    request = request_to(&server);
    request.idle_ms = SHORT_MS;
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "nothing came for 60 ms");
    server_stop(&server);

    server_start(&server, serve_silence, NULL, NULL);
    request = request_to(&server);
    request.deadline_ms = SHORT_MS;
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "the transfer took too long");
    server_stop(&server);
}

/* A port whose queue of connections is full: nobody answers there. */
static void test_no_connection(void **state)
{
    enum { CONNECTIONS = 40 };
    struct server server;
    struct client client;
    struct sockaddr_storage sa;
    int fds[CONNECTIONS];
    (void)state;
    server_start(&server, NULL, NULL, NULL);
    socklen_t len = addr_to_sockaddr(&sa, &server.addr);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], (struct sockaddr *)&sa, len);
    }
    struct fetch_request request = request_to(&server);
    request.connect_ms = SHORT_MS;
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "no connection in time");
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    server_stop(&server);
}

static void test_source(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, serve_silence, NULL, NULL);
    struct fetch_request request = request_to(&server);
    assert_int_equal(addr_from_text(&request.sources.v4, "192.0.2.1"), ERR_OK);
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_UNREACHABLE, "no connection: address not available");
    server_stop(&server);
}

/* It broke when something had come. */
static void test_broken(void **state)
{
    static const struct {
        struct offer offer;
        const char *why;
    } cases[] = {
        {{.cap = 600, .gone_after = 3}, "the primary closed the connection before the end"},
        {{.cap = 600, .gone_after = 3, .cut = 20}, "the primary closed the connection within a message"},
        {{.cap = 600, .silent_after = 3}, "nothing more came for 1000 ms"},
        {{.cap = 600, .cut = 1}, "nothing more came for 1000 ms"},
    };
    struct zone *zone = large_zone(300);
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct offer offer = cases[i].offer;
        struct server server;
        struct client client;
        offer.version = zone->current;
        server_start(&server, serve_offer, &offer, NULL);
        struct fetch_request request = request_to(&server);
        request.idle_ms = offer.gone_after ? LONG_MS : PASS_MS;
        fetch_and_wait(&client, &request);
        assert_failed(&client, REFRESH_REFUSED, cases[i].why);
        if (offer.gone_after)
            assert_int_equal(client.result.message_cnt, offer.cut ? 2 : 3);
        server_stop(&server);
    }
    zone_free(zone);
}

/* Bytes that come all the time, but too slowly. */
static void test_slow(void **state)
{
    struct zone *zone = large_zone(20000);
    struct offer offer = {.version = zone->current, .cap = 512, .drips = true};
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, serve_offer, &offer, NULL);
    struct fetch_request request = request_to(&server);
    request.deadline_ms = PASS_MS;
    fetch_and_wait(&client, &request);
    assert_failed(&client, REFRESH_REFUSED, "the transfer took too long");
    server_stop(&server);
    zone_free(zone);
}

/* It takes longer than nothing may come for, but something comes all the time. */
static void test_slow_but_steady(void **state)
{
    struct zone *zone = large_zone(200);
    struct offer offer = {.version = zone->current, .cap = 512, .drips = true};
    struct server server;
    struct client client;
    (void)state;
    server_start(&server, serve_offer, &offer, NULL);
    struct fetch_request request = request_to(&server);
    request.idle_ms = PASS_MS / 2;
    fetch_and_wait(&client, &request);
    assert_got(&client, zone->current);
    assert_true(client.result.took_ms > request.idle_ms);
    client_close(&client);
    server_stop(&server);
    zone_free(zone);
}

static void test_nonsense(void **state)
{
    static const struct {
        server_fn *fn;
        const char *arg, *why;
        uint16_t rcode;
        bool is_ixfr;
    } cases[] = {
        {serve_refused, NULL, "REFUSED", RCODE_REFUSED, false},
        {serve_refused, NULL, "REFUSED", RCODE_REFUSED, true},
        {serve_other_question, NULL, "the answer is to another question", 0, false},
        {serve_empty, NULL, "a message without records", 0, false},
        {serve_text, "\1\1" /* 257 bytes */
                     "HTTP/1.1 400 Bad Request: a line that goes on and on, as they do, until there are as many "
                     "bytes of it as were promised, which takes longer than one might think when one has to write "
                     "them all by oneself, and nobody is there who reads them in the end, but for the compiler",
         "the answer has the ID", 0, false},
        {serve_endless, NULL, "more than 1000000 bytes of records", 0, false},
        {serve_endless, NULL, "more than 2000000 bytes of records", 0, true},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server server;
        struct client client;
        server_start(&server, cases[i].fn, cases[i].arg, NULL);
        struct fetch_request request = request_to(&server);
        request.max_zone_bytes = 1000000;
        request.soa = cases[i].is_ixfr ? our_soa(1) : NULL;
        fetch_and_wait(&client, &request);
        assert_failed(&client, REFRESH_REFUSED, cases[i].why);
        assert_int_equal(client.result.rcode, cases[i].rcode);
        server_stop(&server);
    }
}

/* After any number of the loop's turns, in which the job may run or not. */
static void test_cancel(void **state)
{
    struct zone *zone = large_zone(5000);
    struct offer offer = {.version = zone->current, .cap = 16384};
    unsigned told_cnt = 0;
    (void)state;
    for (unsigned turns = 0; turns < 60; turns++) {
        struct server server;
        struct client client;
        server_start(&server, serve_offer, &offer, NULL);
        client_open(&client);
        client.takes = false;
        struct fetch_request request = request_to(&server);
        struct fetch *fetch = fetch_start(&client.loop, &request, on_told, &client);
        for (unsigned k = 0; k < turns && !client.told_cnt; k++) {
            uv_run(&client.loop, UV_RUN_NOWAIT);
            usleep(k * 37 % 300);
        }
        unsigned told_before = client.told_cnt;
        if (!told_before)
            fetch_cancel(fetch);
        client_end(&client);
        assert_int_equal(client.told_cnt, told_before);
        told_cnt += told_before;
        server_stop(&server);
    }
    assert_true(told_cnt < 60);
    zone_free(zone);
}

/* The loop reads no more than it may while no job takes what came: the threads are all busy. */
static atomic_bool may_go;

static void block(uv_work_t *work)
{
    (void)work;
    while (!may_go)
        usleep(1000);
}

static void on_unblocked(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* Then only the deadline is waited for, not the bytes that the primary would send; and it goes on with a thread. */
static void test_back_pressure(void **state)
{
    /* The kernel keeps some. */
    enum { THREADS_MOST = 128, TURNS = 50, MESSAGES_MOST = 64 * FETCH_BUFFER_BYTES / 60000 };
    static uv_work_t work[THREADS_MOST];
    struct server server;
    struct client client;
    (void)state;
    may_go = false;
    server_start(&server, serve_endless, NULL, NULL);
    client_open(&client);
    for (unsigned i = 0; i < THREADS_MOST; i++)
        assert_false(uv_queue_work(&client.loop, &work[i], block, on_unblocked));
    struct fetch_request request = request_to(&server);
    request.max_zone_bytes = 20 << 20;
    assert_non_null(fetch_start(&client.loop, &request, on_told, &client));
    for (unsigned quiet_cnt = 0; quiet_cnt < TURNS;) {
        assert_true(server.seen_cnt < MESSAGES_MOST);
        uv_run(&client.loop, UV_RUN_NOWAIT);
        usleep(1000);
        quiet_cnt = uv_backend_timeout(&client.loop) > FETCH_IDLE_MS ? quiet_cnt + 1 : 0;
    }
    assert_int_equal(client.told_cnt, 0);
    may_go = true;
    client_end(&client);
    assert_failed(&client, REFRESH_REFUSED, "more than 20971520 bytes of records");
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_whole_to_an_ixfr),
        cmocka_unit_test(test_up_to_date),
        cmocka_unit_test(test_not_taken),
        cmocka_unit_test(test_warning),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_no_connection),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_slow_but_steady),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_back_pressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
