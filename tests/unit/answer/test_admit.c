/* Who may transfer a zone or say that it has changed, and what all others get. */
#include "answer/admit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer/handoff.h"
#include "answer/refusals.h"
#include "base/acl.h"
#include "base/clock.h"
#include "helpers/decode.h"
#include "helpers/world.h"
#include "zone/access.h"

enum { MESSAGE_MAX = 2048, SERIAL = 77 };

#define NOTIFY (OPCODE_NOTIFY << MSG_OPCODE_SHIFT)

static struct world world;
static struct tsig_key key, other_key, stranger;

static unsigned wire(uint8_t out[NAME_MAX_LEN], const char *text)
{
    unsigned len;
    assert_int_equal(name_from_text(out, &len, text, strlen(text), NULL), ERR_OK);
    return len;
}

static enum err key_name(uint8_t out[ACL_KEY_MAX], size_t *len, const char *text)
{
    *len = wire(out, text);
    return ERR_OK;
}

static void make_key(struct tsig_key *out, const char *name)
{
    uint8_t name_wire[NAME_MAX_LEN], secret[32] = {1};
    wire(name_wire, name);
    tsig_key_init(out, name_wire, TSIG_HMAC_SHA256, secret, sizeof secret);
}

/* Of entries, NULL-terminated; NULL: none. */
static struct acl *list(const char *const *texts)
{
    struct acl_entry entries[4];
    size_t cnt = 0;
    for (; texts && texts[cnt]; cnt++)
        assert_int_equal(acl_entry_from_text(&entries[cnt], texts[cnt], key_name), ERR_OK);
    return texts ? acl_new(entries, cnt) : NULL;
}

static void allow(unsigned zone, const char *const *transfer, const char *const *notify)
{
    struct acl *lists[] = {list(transfer), list(notify), list(transfer)};
    struct zone_access *access = zone_access_new(&lists[0], &lists[1], &lists[2]);
    assert_null(lists[0]);
    zone_access_set(world.zones[zone], &access);
    assert_null(access);
}

static int start(void **state)
{
    (void)state;
    make_key(&key, "xfr.");
    make_key(&other_key, "other.");
    make_key(&stranger, "stranger.");
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\n");
    world_add(&world, "closed", "www A 192.0.2.1\n");
    world_add(&world, "empty", NULL);
    world.settings.keys = tsig_keys_new((const struct tsig_key[]){key, other_key}, 2);
    world_start(&world);
    allow(0, (const char *const[]){"192.0.2.0/24 live", "key xfr.", NULL},
          (const char *const[]){"198.51.100.1", "198.51.100.2 key xfr.", NULL});
    allow(2, (const char *const[]){"any", NULL}, (const char *const[]){"any", NULL});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tsig_keys_free(world.settings.keys);
    world_fini(&world);
    rcu_drain();
    return 0;
}

enum soa { NO_SOA, IN_AUTHORITY, IN_ANSWER, OF_ANOTHER_ZONE, CUT_SOA };

/* Behind the question, which ends the message. */
static size_t put_soa(uint8_t *m, size_t len, enum soa where)
{
    static const uint8_t rdata[] = "\0\0\0\0\0\115\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    struct writer w = writer_over(m, MESSAGE_MAX);
    size_t rdata_len = sizeof rdata - 1 - (where == CUT_SOA);
    w.at += len;
    if (where == NO_SOA)
        return len;
    if (where == OF_ANOTHER_ZONE)
        writer_put(&w, "\6closed", 8);
    else
        writer_u16(&w, 0xc00c);
    writer_u16(&w, RR_SOA);
    writer_u16(&w, RR_CLASS_IN);
    writer_u32(&w, 0);
    writer_u16(&w, (uint16_t)rdata_len);
    writer_put(&w, rdata, rdata_len);
    be16_put(m + (where == IN_ANSWER ? 6 : 8), 1);
    return writer_len(&w);
}

struct request {
    const char *zone;
    uint16_t type, flags, class, payload;
    enum soa soa;
    const char *client;
    const struct tsig_key *key;
    enum answer_proto proto;
};

struct exchange {
    uint8_t request[MESSAGE_MAX], answer[65535];
    size_t len;
    struct tsig_state client;
    struct answer_packet packet;
    char text[4096];
};

/* Asks, from another buffer or in place. */
static void ask(struct exchange *x, const struct request *r, bool in_place)
{
    struct ask question = {.name = r->zone, .type = r->type, .class = r->class, .flags = r->flags};
    memset(x, 0, sizeof *x);
    size_t len = put_soa(x->request, world_ask(x->request, &question), r->soa);
    struct writer w = writer_over(x->request, sizeof x->request);
    w.at += len;
    if (r->payload) {
        writer_put(&w, "\0\0\51", 3);
        writer_u16(&w, r->payload);
        writer_put(&w, "\0\0\0\0\0\0", 6);
        be16_put(x->request + 10, 1);
    }
    tsig_start(&x->client, r->key ? r->key : &key);
    if (r->key)
        assert_true(tsig_sign(&x->client, &w, clock_wall_ms() / 1000));
    x->len = writer_len(&w);
    assert_int_equal(addr_from_text(&world.client, r->client), ERR_OK);
    world.client.port = 4711;
    if (in_place)
        memcpy(x->answer, x->request, x->len);
    x->packet = (struct answer_packet){.in = in_place ? x->answer : x->request,
                                       .in_len = (uint32_t)x->len,
                                       .out = x->answer,
                                       .out_cap = sizeof x->answer,
                                       .proto = r->proto,
                                       .client = world.client};
    answer_batch(world.worker, &x->packet, 1);
}

static const char *told(struct exchange *x, const uint8_t *answer, size_t len)
{
    static char line[64];
    const char *wrong = decode_answer(x->text, sizeof x->text, answer, len);
    if (wrong)
        fail_msg("%s", wrong);
    strncpy(line, x->text, sizeof line - 1);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

#define HAND_OFF "hand off"

static void test_who_gets_what(void **state)
{
    (void)state;
    static const struct {
        struct request request;
        const char *answer;
    } rows[] = {
        /* by address, by key, by neither */
        {{"example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, HAND_OFF},
        {{"EXAMPLE", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, HAND_OFF},
        {{"example", RR_AXFR, .client = "203.0.113.1", .proto = ANSWER_TCP}, "refused"},
        {{"example", RR_AXFR, .client = "203.0.113.1", .proto = ANSWER_TCP, .key = &key}, HAND_OFF},
        {{"example", RR_AXFR, .client = "203.0.113.1", .proto = ANSWER_TCP, .key = &other_key}, "refused"},
        {{"example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP, .key = &other_key}, HAND_OFF},
        {{"example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP, .key = &stranger}, "rcode9"},
        {{"example", RR_AXFR, .client = "2001:db8::1", .proto = ANSWER_TCP}, "refused"},
        /* who may notify may not transfer */
        {{"example", RR_AXFR, .client = "198.51.100.1", .proto = ANSWER_TCP}, "refused"},
        /* the default denies; not ours; nothing to give */
        {{"closed", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "refused"},
        {{"www.example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "rcode9"},
        {{"net", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "rcode9"},
        {{".", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "rcode9"},
        {{"example", RR_AXFR, .class = RR_CLASS_ANY, .client = "192.0.2.1", .proto = ANSWER_TCP}, "rcode9"},
        {{"example", RR_AXFR, .class = RR_CLASS_CH, .client = "192.0.2.1", .proto = ANSWER_TCP}, "refused"},
        {{"empty", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "servfail"},
        /* RFC 5936 4.2 */
        {{"example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_UDP}, "formerr"},
        /* IXFR */
        {{"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_UDP}, HAND_OFF},
        {{"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_TCP}, HAND_OFF},
        {{"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "203.0.113.1", .proto = ANSWER_UDP}, "refused"},
        {{"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "203.0.113.1", .key = &key, .proto = ANSWER_UDP},
         HAND_OFF},
        {{"example", RR_IXFR, .soa = NO_SOA, .client = "192.0.2.1", .proto = ANSWER_UDP}, "formerr"},
        {{"example", RR_IXFR, .soa = IN_ANSWER, .client = "192.0.2.1", .proto = ANSWER_UDP}, "formerr"},
        {{"example", RR_IXFR, .soa = OF_ANOTHER_ZONE, .client = "192.0.2.1", .proto = ANSWER_UDP}, "formerr"},
        {{"example", RR_IXFR, .soa = CUT_SOA, .client = "192.0.2.1", .proto = ANSWER_UDP}, "formerr"},
        {{"closed", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_UDP}, "refused"},
        {{"empty", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_UDP}, "servfail"},
        /* NOTIFY */
        {{"example", RR_SOA, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_UDP}, HAND_OFF},
        {{"example", RR_SOA, NOTIFY | MSG_AA, .soa = IN_ANSWER, .client = "198.51.100.1", .proto = ANSWER_TCP},
         HAND_OFF},
        {{"example", RR_SOA, NOTIFY, .soa = CUT_SOA, .client = "198.51.100.1", .proto = ANSWER_UDP}, HAND_OFF},
        {{"example", RR_SOA, NOTIFY, .client = "198.51.100.2", .proto = ANSWER_UDP}, "refused opcode4"},
        {{"example", RR_SOA, NOTIFY, .client = "198.51.100.2", .key = &key, .proto = ANSWER_UDP}, HAND_OFF},
        {{"example", RR_SOA, NOTIFY, .client = "192.0.2.1", .proto = ANSWER_UDP}, "refused opcode4"},
        {{"closed", RR_SOA, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_UDP}, "refused opcode4"},
        {{"empty", RR_SOA, NOTIFY, .client = "203.0.113.1", .proto = ANSWER_UDP}, HAND_OFF},
        {{"net", RR_SOA, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_UDP}, "rcode9 opcode4"},
        {{"www.example", RR_SOA, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_UDP}, "rcode9 opcode4"},
        {{"example", RR_A, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_UDP}, "formerr opcode4"},
        {{"example", RR_SOA, NOTIFY, .class = RR_CLASS_CH, .client = "198.51.100.1"}, "rcode9 opcode4"},
        {{"example", RR_SOA, NOTIFY | MSG_QR, .client = "198.51.100.1", .proto = ANSWER_UDP}, "drop"},
        /* others */
        {{"example", RR_SOA, OPCODE_UPDATE << MSG_OPCODE_SHIFT, .client = "192.0.2.1", .proto = ANSWER_UDP},
         "hand off"},
    };
    static struct exchange x;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const char *got = "drop", *expected = rows[i / 2].answer;
        ask(&x, &rows[i / 2].request, i % 2);
        if (x.packet.outcome == ANSWER_SEND)
            got = told(&x, x.answer, x.packet.out_len);
        else if (x.packet.outcome == ANSWER_HAND_OFF)
            got = HAND_OFF;
        if (strcmp(got, expected))
            fail_msg("row %zu: %s, not %s", i / 2, got, expected);
        if (x.packet.outcome == ANSWER_HAND_OFF && i % 4)
            answer_hand_off_free(answer_take_hand_off(world.worker, 0)); /* others are the worker's to free */
    }
}

/* Extended errors say why. */
static void test_why(void **state)
{
    (void)state;
    static struct exchange x;
    ask(&x, &(struct request){"closed", RR_AXFR, .payload = 1232, .client = "192.0.2.1", .proto = ANSWER_TCP}, false);
    (void)told(&x, x.answer, x.packet.out_len);
    assert_non_null(strstr(x.text, "opt 1232 15:0012"));
    ask(&x, &(struct request){"net", RR_AXFR, .payload = 1232, .client = "192.0.2.1", .proto = ANSWER_TCP}, false);
    (void)told(&x, x.answer, x.packet.out_len);
    assert_non_null(strstr(x.text, "opt 1232 15:0014"));
}

/* All that an answer needs is there, though the keys and the request are not any more. */
static void test_what_is_handed_off(void **state)
{
    (void)state;
    static struct exchange x;
    static uint8_t out[65535];
    struct request r = {"eXample", RR_IXFR, .flags = MSG_RD, .payload = 700, .soa = IN_AUTHORITY, .client = "192.0.2.1",
                        .key = &key, .proto = ANSWER_UDP};
    ask(&x, &r, true);
    assert_int_equal(x.packet.outcome, ANSWER_HAND_OFF);
    struct answer_hand_off *h = answer_take_hand_off(world.worker, 0);
    memset(x.answer, 0xff, sizeof x.answer);
    struct tsig_keys *keys = world.settings.keys;
    tsig_keys_free(keys);
    world.settings.keys = NULL;
    assert_int_equal(h->kind, ANSWER_IXFR);
    assert_int_equal(h->proto, ANSWER_UDP);
    assert_string_equal((const char *)h->zone, "\7example");
    assert_true(h->has_serial && h->edns && h->is_signed && !h->dnssec_ok);
    assert_int_equal(h->serial, SERIAL);
    assert_int_equal(h->view, ACL_LIVE);
    assert_int_equal(h->most_len, 700);
    assert_int_equal(h->payload_len, 1232);
    assert_int_equal(h->client.port, 4711);
    assert_int_equal(h->request_len, x.len);
    assert_memory_equal(h->request, x.request, x.len);
    size_t len = answer_hand_off_reply(h, out, sizeof out, RCODE_SERVFAIL, EDNS_EDE_NOT_READY, clock_wall_ms() / 1000);
    assert_string_equal(told(&x, out, len), "servfail rd");
    assert_non_null(strstr(x.text, "opt 1232 15:000e"));
    assert_int_equal(tsig_verify_answer(&x.client, out, len, clock_wall_ms() / 1000), TSIG_OK);
    answer_hand_off_free(h);
    world.settings.keys = tsig_keys_new((const struct tsig_key[]){key, other_key}, 2);

    r = (struct request){"example", RR_SOA, NOTIFY, .client = "198.51.100.1", .proto = ANSWER_TCP};
    ask(&x, &r, false);
    h = answer_take_hand_off(world.worker, 0);
    assert_int_equal(h->kind, ANSWER_NOTIFY);
    assert_true(!h->has_serial && !h->edns && !h->is_signed);
    assert_int_equal(h->view, ACL_FULL);
    assert_int_equal(h->most_len, 65535);
    len = answer_hand_off_reply(h, out, sizeof out, RCODE_NOERROR, -1, clock_wall_ms() / 1000);
    assert_string_equal(told(&x, out, len), "noerror aa opcode4");
    answer_hand_off_free(h);
}

/* The answer that is only an RCODE fits in the least of datagrams. */
static void test_the_least_room(void **state)
{
    (void)state;
    static struct exchange x;
    static uint8_t out[65535];
    const struct request r = {"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_UDP};
    ask(&x, &r, true);
    struct answer_hand_off *h = answer_take_hand_off(world.worker, 0);
    assert_int_equal(h->most_len, 512);
    assert_true(answer_hand_off_reply(h, out, sizeof out, RCODE_REFUSED, EDNS_EDE_OTHER, 0) < 512);
    answer_hand_off_free(h);
}

/* A reload takes a right away, and gives one. */
static void test_access_changes(void **state)
{
    (void)state;
    static struct exchange x;
    struct zone_access *none = NULL;
    struct request r = {"closed", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP};
    allow(1, (const char *const[]){"any", NULL}, NULL);
    ask(&x, &r, false);
    assert_int_equal(x.packet.outcome, ANSWER_HAND_OFF);
    allow(1, (const char *const[]){"none", "any", NULL}, NULL);
    ask(&x, &r, false);
    assert_string_equal(told(&x, x.answer, x.packet.out_len), "refused");
    zone_access_set(world.zones[1], &none);
    ask(&x, &r, false);
    assert_string_equal(told(&x, x.answer, x.packet.out_len), "refused");
}

/* Of a client whose address nobody has proved no more than the rate is handed off; with a key, or by TCP, all. */
static void test_the_rate(void **state)
{
    (void)state;
    enum { RATE = 5, CNT = 50 };
    static struct exchange x;
    struct request r = {"example", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .proto = ANSWER_UDP};
    unsigned cnts[3] = {0}, slipped_cnt = 0;
    world.settings.limit = (struct limit_settings){.mask4 = 0xffffffff, .mask6 = UINT64_MAX, .rate = RATE, .slip = 2};
    world.shared.limit = limit_new(1 << 16);
    clock_fake_us(1000000);
    for (unsigned i = 0; i < 3 * CNT; i++) {
        r.key = i % 3 == 1 ? &key : NULL;
        r.proto = i % 3 == 2 ? ANSWER_TCP : ANSWER_UDP;
        ask(&x, &r, i % 2);
        cnts[i % 3] += x.packet.outcome == ANSWER_HAND_OFF;
        /* Sent truncated, one in two of them. */
        slipped_cnt += x.packet.outcome == ANSWER_SEND;
        if (x.packet.outcome == ANSWER_SEND)
            assert_int_equal(be16_get(x.answer + 2), MSG_QR | MSG_TC);
    }
    clock_fake_us(UINT64_MAX);
    limit_free(world.shared.limit);
    world.shared.limit = NULL;
    assert_int_equal(cnts[0], RATE);
    assert_true(slipped_cnt > 0 && slipped_cnt < CNT - RATE);
    assert_int_equal(cnts[1], CNT);
    assert_int_equal(cnts[2], CNT);
}

static void test_counters(void **state)
{
    (void)state;
    static struct exchange x;
    const struct answer_counters *c = answer_worker_counters(world.worker);
    struct answer_counters before = *c;
    ask(&x, &(struct request){"closed", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, false);
    assert_int_equal(c->transfer_refused, before.transfer_refused + 1);
    ask(&x, &(struct request){"closed", RR_SOA, NOTIFY, .client = "192.0.2.1"}, false);
    assert_int_equal(c->notify_refused, before.notify_refused + 1);
    assert_int_equal(c->refused, before.refused + 2);
    ask(&x, &(struct request){"example", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, false);
    assert_int_equal(c->handed_off, before.handed_off + 1);
    assert_int_equal(c->queries_udp + c->queries_tcp, before.queries_udp + before.queries_tcp + 3);
}

/* What is put down for the log. */
static void test_refusals(void **state)
{
    (void)state;
    static struct exchange x;
    static struct tsig_key spoilt;
    static const struct {
        struct request request;
        const char *what, *zone, *key; /* NULL: none */
        enum refusal_why why;
        unsigned tsig_error;
    } cases[] = {
        {{"www.example", RR_A, .client = "192.0.2.1", .key = &stranger}, "query", "www.example", "stranger",
         REFUSAL_SIGNATURE, TSIG_BADKEY},
        {{"example", RR_AXFR, .client = "192.0.2.1", .key = &spoilt, .proto = ANSWER_TCP}, "AXFR", "example", "xfr",
         REFUSAL_SIGNATURE, TSIG_BADSIG},
        {{"example", RR_SOA, NOTIFY, .client = "192.0.2.1", .key = &spoilt}, "NOTIFY", "example", "xfr",
         REFUSAL_SIGNATURE, TSIG_BADSIG},
        {{"nosuch", RR_SOA, OPCODE_UPDATE << MSG_OPCODE_SHIFT, .client = "192.0.2.1", .key = &key}, "UPDATE", "nosuch",
         "xfr", REFUSAL_NO_ZONE, 0},
        {{"www.example", RR_SOA, NOTIFY, .client = "192.0.2.1"}, "NOTIFY", "www.example", NULL, REFUSAL_NO_ZONE, 0},
        {{"closed", RR_IXFR, .soa = IN_AUTHORITY, .client = "192.0.2.1", .key = &other_key}, "IXFR", "closed", "other",
         REFUSAL_DENIED, 0},
        {{"closed", RR_AXFR, .client = "192.0.2.1", .proto = ANSWER_TCP}, "AXFR", "closed", NULL, REFUSAL_DENIED, 0},
    };
    struct refusal refusal;
    uint8_t name[NAME_MAX_LEN], secret[32] = {2};
    char text[NAME_TEXT_MAX];
    wire(name, "xfr.");
    tsig_key_init(&spoilt, name, TSIG_HMAC_SHA256, secret, sizeof secret);
    while (answer_take_refusal(world.worker, &refusal))
        continue;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool in_place = i % 2;
        ask(&x, &cases[i / 2].request, in_place);
        assert_true(answer_take_refusal(world.worker, &refusal));
        assert_string_equal(refusal.what, cases[i / 2].what);
        assert_string_equal(name_to_text_bare(text, refusal.zone), cases[i / 2].zone);
        assert_int_equal(refusal.why, cases[i / 2].why);
        assert_int_equal(refusal.tsig_error, cases[i / 2].tsig_error);
        assert_int_equal(refusal.is_signed, cases[i / 2].key != NULL);
        if (refusal.is_signed)
            assert_string_equal(name_to_text_bare(text, refusal.key), cases[i / 2].key);
        assert_true(addr_same_host(&refusal.client, &world.client));
        assert_false(answer_take_refusal(world.worker, &refusal));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_what),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_what_is_handed_off),
        cmocka_unit_test(test_the_least_room),
        cmocka_unit_test(test_access_changes),
        cmocka_unit_test(test_the_rate),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
