/* Messages of outgoing transfers, byte by byte where they are small. tests/unit/sync/test_transfer.c has large ones. */
#include "sync/stream_out.h"

#include "sync_help.h"

/* What stands in `text`: pairs of hexadecimal digits, "quoted" bytes as they are. */
static size_t from_text(uint8_t *out, const char *text)
{
    size_t len = 0;
    while (*text) {
        if (*text == ' ') {
            text++;
        } else if (*text == '"') {
            for (text++; *text != '"'; text++)
                out[len++] = (uint8_t)*text;
            text++;
        } else {
            unsigned byte;
            assert_int_equal(sscanf(text, "%2x", &byte), 1);
            out[len++] = (uint8_t)byte;
            text += 2;
        }
    }
    return len;
}

static void assert_bytes(const uint8_t *bytes, size_t len, const char *text)
{
    uint8_t wanted[1000];
    size_t wanted_len = from_text(wanted, text);
    for (size_t i = 0; i < len && i < wanted_len; i++)
        if (bytes[i] != wanted[i])
            fail_msg("byte %zu is %02x and not %02x", i, bytes[i], wanted[i]);
    assert_int_equal(len, wanted_len);
}

static struct messages messages;

#define HEADER(qdcount, ancount) "12 34 84 00 00 " #qdcount " 00 " #ancount " 00 00 00 00 "
#define QUESTION(type) "07 \"example\" 03 \"com\" 00 00 " #type " 00 01 "
#define SOA(owner, serial) \
    owner " 00 06 00 01 00 00 0e 10 00 2b 02 \"ns\" c0 0c 04 \"host\" 07 \"example\" 03 \"net\" 00 00 00 00 " \
    #serial " 00 00 0e 10 00 00 02 58 00 01 51 80 00 00 00 3c "

static struct zone *zone_with(const char *records)
{
    char text[2000];
    snprintf(text, sizeof text, "@ 3600 SOA 1 60\n%s", records);
    return zone_of(text);
}

/* Owners: the zone's name in the question, labels before it, the same owner again; names in rdata likewise. */
static void test_whole(void **state)
{
    (void)state;
    struct zone *zone = zone_with("www 60 A 1\nwww 60 A 2\nwww 60 MX 10 mx.www\nwww 60 MX 20 www\n");
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 512), STREAM_OUT_DONE);
    assert_int_equal(messages.cnt, 1);
    assert_bytes(messages.at[0].bytes, messages.at[0].len,
                 HEADER(01, 06) QUESTION(fc) SOA("c0 0c", 01)
                 "03 \"www\" c0 0c 00 01 00 01 00 00 00 3c 00 04 c0 00 02 01 "
                 "c0 54 00 01 00 01 00 00 00 3c 00 04 c0 00 02 02 "
                 "c0 54 00 0f 00 01 00 00 00 3c 00 07 00 0a 02 \"mx\" c0 54 "
                 "c0 54 00 0f 00 01 00 00 00 3c 00 04 00 14 c0 54 "
                 SOA("c0 0c", 01));
    assert_int_equal(out.rr_cnt, 6);
    assert_int_equal(out.serial, 1);
    size_t len = 1;
    uint8_t byte;
    assert_int_equal(stream_out_next(&out, &byte, 1, &len, TEST_NOW), STREAM_OUT_DONE);
    assert_int_equal(len, 0);
    messages_clear(&messages);
    zone_free(zone);
}

/* A later message has no question: its first owner stands whole. */
static void test_second_message(void **state)
{
    (void)state;
    char text[4000] = "";
    for (unsigned i = 0; i < 60; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "www 60 A %u\n", i);
    strcat(text, "www 60 CNAME www\n");
    struct zone *zone = zone_with(text);
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 512), STREAM_OUT_DONE);
    assert_int_equal(messages.cnt, 3);
    /* 84 bytes to the end of the SOA, 20 for the first record, then 16 each */
    assert_int_equal(msg_ancount(messages.at[0].bytes), 1 + 1 + (512 - 84 - 20) / 16);
    assert_bytes(messages.at[1].bytes, 12 + 17 + 14 + 16,
                 HEADER(00, 1e) "03 \"www\" 07 \"example\" 03 \"com\" 00 00 01 00 01 00 00 00 3c 00 04 c0 00 02 1a "
                 "c0 0c 00 01 00 01 00 00 00 3c 00 04 c0 00 02 1b");
    messages_clear(&messages);

    /* all in one but the last */
    stream_out_whole(&out, &request, zone->current);
    uint8_t bytes[2000];
    size_t len;
    assert_int_equal(stream_out_next(&out, bytes, 84 + 20 + 16 * 59, &len, TEST_NOW), STREAM_OUT_MORE);
    assert_int_equal(len, 84 + 20 + 16 * 59);
    assert_int_equal(stream_out_next(&out, bytes, 512, &len, TEST_NOW), STREAM_OUT_DONE);
    assert_bytes(bytes, len,
                 HEADER(00, 02) "03 \"www\" 07 \"example\" 03 \"com\" 00 00 05 00 01 00 00 00 3c 00 02 c0 0c "
                 "c0 10 00 06 00 01 00 00 0e 10 00 2b 02 \"ns\" c0 10 04 \"host\" 07 \"example\" 03 \"net\" 00 "
                 "00 00 00 01 00 00 0e 10 00 00 02 58 00 01 51 80 00 00 00 3c ");
    zone_free(zone);
}

/* A question in capitals is repeated as it came, and no name of the zone gets capitals from it. */
static void test_capitals(void **state)
{
    (void)state;
    struct zone *zone = zone_with("");
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    request.name = (const uint8_t *)"\7EXAMPLE\3com";
    request.recursion_desired = true;
    stream_out_current(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 512), STREAM_OUT_DONE);
    assert_bytes(messages.at[0].bytes, messages.at[0].len,
                 "12 34 85 00 00 01 00 01 00 00 00 00 07 \"EXAMPLE\" 03 \"com\" 00 00 fc 00 01 "
                 "07 \"example\" 03 \"com\" 00 00 06 00 01 00 00 0e 10 00 2b "
                 "02 \"ns\" c0 1d 04 \"host\" 07 \"example\" 03 \"net\" 00 00 00 00 01 "
                 "00 00 0e 10 00 00 02 58 00 01 51 80 00 00 00 3c");
    messages_clear(&messages);
    zone_free(zone);
}

/* RFC 1995 4, and the OPT of the first message. */
static void test_changes(void **state)
{
    (void)state;
    struct zone *zone = zone_of("@ 3600 SOA 3 60\nb 60 A 2\n");
    struct changeset *one = changeset_of("@ 3600 SOA 1 60\na 60 A 1\n", "@ 3600 SOA 2 60\n"),
                     *two = changeset_of("@ 3600 SOA 2 60\n", "@ 3600 SOA 3 60\nb 60 A 2\n");
    const struct changeset *changes[] = {one, two};
    struct stream_out_request request = request_of(NULL, RR_IXFR);
    struct stream_out out;
    request.edns = true;
    request.payload_len = 1232;
    stream_out_changes(&out, &request, zone->current, changes, 2);
    assert_int_equal(make_all(&messages, &out, 600), STREAM_OUT_DONE);
    assert_int_equal(messages.cnt, 1);
    assert_bytes(messages.at[0].bytes, messages.at[0].len,
                 "12 34 84 00 00 01 00 08 00 00 00 01 " QUESTION(fb)
                 SOA("c0 0c", 03) SOA("c0 0c", 01) "01 \"a\" c0 0c 00 01 00 01 00 00 00 3c 00 04 c0 00 02 01 "
                 SOA("c0 0c", 02) SOA("c0 0c", 02) SOA("c0 0c", 03)
                 "01 \"b\" c0 0c 00 01 00 01 00 00 00 3c 00 04 c0 00 02 02 " SOA("c0 0c", 03)
                 "00 00 29 04 d0 00 00 00 00 00 00");
    messages_clear(&messages);

    /* of several messages, the first alone has the OPT and the question */
    stream_out_changes(&out, &request, zone->current, changes, 2);
    assert_int_equal(make_all(&messages, &out, 200), STREAM_OUT_DONE);
    assert_true(messages.cnt > 1);
    for (size_t i = 0; i < messages.cnt; i++) {
        assert_int_equal(msg_qdcount(messages.at[i].bytes), i == 0);
        assert_int_equal(msg_arcount(messages.at[i].bytes), i == 0);
    }
    messages_clear(&messages);

    /* no changes: one SOA, and not two, which would be a zone without records */
    stream_out_changes(&out, &request, zone->current, NULL, 0);
    assert_int_equal(make_all(&messages, &out, 600), STREAM_OUT_DONE);
    assert_int_equal(msg_ancount(messages.at[0].bytes), 1);
    messages_clear(&messages);
    changeset_free(one);
    changeset_free(two);
    zone_free(zone);
}

/* By UDP: all, else the current SOA, else TC, else nothing. */
static void test_datagram(void **state)
{
    (void)state;
    struct zone *zone = zone_of("@ 3600 SOA 2 60\nb 60 A 2\n");
    struct changeset *c = changeset_of("@ 3600 SOA 1 60\n", "@ 3600 SOA 2 60\nb 60 A 2\n");
    const struct changeset *changes[] = {c};
    static const struct {
        size_t cap, len;
        unsigned flags, ancount;
    } cases[] = {
        {512, 29 + 4 * 55 + 18, MSG_QR | MSG_AA, 5},
        {29 + 4 * 55 + 18, 29 + 4 * 55 + 18, MSG_QR | MSG_AA, 5},
        {29 + 4 * 55 + 17, 29 + 55, MSG_QR | MSG_AA, 1},
        {29 + 55, 29 + 55, MSG_QR | MSG_AA, 1},
        {29 + 54, 29, MSG_QR | MSG_AA | MSG_TC, 0},
        {29, 29, MSG_QR | MSG_AA | MSG_TC, 0},
    };
    struct stream_out_request request = request_of(NULL, RR_IXFR);
    struct stream_out out;
    uint8_t bytes[512];
    size_t len;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stream_out_changes(&out, &request, zone->current, changes, 1);
        stream_out_datagram(&out, bytes, cases[i].cap, &len, TEST_NOW);
        assert_int_equal(len, cases[i].len);
        assert_int_equal(msg_flags(bytes), cases[i].flags);
        assert_int_equal(msg_ancount(bytes), cases[i].ancount);
        assert_int_equal(out.state, STREAM_OUT_DONE);
    }
    stream_out_changes(&out, &request, zone->current, changes, 1);
    stream_out_datagram(&out, bytes, 28, &len, TEST_NOW);
    assert_int_equal(len, 0);
    assert_int_equal(out.state, STREAM_OUT_FAILED);
    changeset_free(c);
    zone_free(zone);
}

/* The signature counts for what fits, and the second attempt of a datagram is signed as if there had been no first. */
static void test_signed_datagram(void **state)
{
    (void)state;
    struct zone *zone = zone_of("@ 3600 SOA 2 60\nb 60 A 2\n");
    for (size_t cap = 100; cap < 512; cap++) {
        struct exchange x;
        struct stream_out out;
        uint8_t bytes[512];
        size_t len;
        exchange_open(&x, true);
        struct stream_out_request request = request_of(&x, RR_IXFR);
        unsigned room = tsig_room(&x.server);
        stream_out_whole(&out, &request, zone->current);
        stream_out_datagram(&out, bytes, cap, &len, TEST_NOW);
        unsigned wanted = cap >= 29 + room + 2 * 55 + 18 ? 3 : cap >= 29 + room + 55;
        assert_true(len <= cap);
        assert_int_equal(len > 0, cap >= 29 + room);
        if (len) {
            assert_int_equal(msg_ancount(bytes), wanted);
            assert_int_equal(tsig_verify_answer(&x.client, bytes, len, TEST_NOW), TSIG_OK);
        }
        exchange_close(&x);
    }
    zone_free(zone);
}

/* A record that does not fit ends it; what was before has been sent. */
static void test_too_small(void **state)
{
    (void)state;
    struct zone_records *records = records_of("@ 3600 SOA 1 60\n");
    uint8_t rdata[60000] = {0};
    struct rr rr = {.owner = test_apex, .rdata = rdata, .ttl = 1, .type = 65280, .rdata_len = sizeof rdata};
    zone_records_add(records, &rr, NULL, 0);
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 4096), STREAM_OUT_FAILED);
    assert_int_equal(messages.cnt, 1);
    messages_clear(&messages);
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 65535), STREAM_OUT_DONE);
    messages_clear(&messages);
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 20), STREAM_OUT_FAILED); /* no frame */
    assert_int_equal(messages.cnt, 0);
    zone_free(zone);
}

/* A slice looks at some thousand records that are left out, and no more. */
static void test_left_out(void **state)
{
    (void)state;
    struct zone_records *records = records_of(APEX "www 60 A 1\nx_balance 60 A 2\n_balance-a 60 A 3\n");
    enum { LEFT_OUT = 20000 };
    for (unsigned i = 0; i < LEFT_OUT; i++) {
        char line[100];
        snprintf(line, sizeof line, i & 1 ? "_balance.n%u 60 TXT x" : "n%u._BALANCE.b 60 TXT x", i);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    uint8_t bytes[4096];
    size_t len, slices = 0;
    request.without_balance = true;
    stream_out_whole(&out, &request, zone->current);
    while (stream_out_next(&out, bytes, sizeof bytes, &len, TEST_NOW) == STREAM_OUT_MORE)
        slices++;
    assert_int_equal(out.state, STREAM_OUT_DONE);
    assert_int_equal(out.rr_cnt, 2 + 1 + 3);
    assert_int_equal(slices, LEFT_OUT / 4097);
    request.without_balance = false;
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&messages, &out, 65535), STREAM_OUT_DONE);
    assert_int_equal(out.rr_cnt, 2 + 1 + 3 + LEFT_OUT);
    messages_clear(&messages);
    zone_free(zone);
}

/* The same of changes: of those a side may be left out but for its SOA. */
static void test_left_out_of_changes(void **state)
{
    (void)state;
    enum { LEFT_OUT = 10000 };
    struct zone *zone = zone_of("@ 3600 SOA 2 60\nwww 60 A 1\n");
    struct changeset *c = changeset_of("@ 3600 SOA 1 60\n", "@ 3600 SOA 2 60\nwww 60 A 1\n");
    for (unsigned i = 0; i < LEFT_OUT; i++) {
        char line[100];
        snprintf(line, sizeof line, "_balance.n%u 60 TXT x", i);
        add_line(c->removed, line, 1);
        add_line(c->added, line, 1);
    }
    zone_records_sort(c->removed);
    zone_records_sort(c->added);
    const struct changeset *changes[] = {c};
    struct stream_out_request request = request_of(NULL, RR_IXFR);
    struct stream_out out;
    struct stream_in in;
    struct received r;
    request.without_balance = true;
    stream_out_changes(&out, &request, zone->current, changes, 1);
    assert_int_equal(make_all(&messages, &out, 65535), STREAM_OUT_DONE);
    assert_int_equal(out.rr_cnt, 5);
    received_open(&r);
    struct stream_in_asked asked = asked_of(NULL, RR_IXFR, 1, &r);
    stream_in_init(&in, &asked);
    feed_all(&in, &messages);
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_string_equal(r.order, "B-++E");
    received_close(&r);
    messages_clear(&messages);
    changeset_free(c);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_second_message),
        cmocka_unit_test(test_capitals),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_signed_datagram),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_left_out_of_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
