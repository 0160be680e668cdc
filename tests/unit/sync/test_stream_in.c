/* What a primary may answer and what it may not. Messages are written record by record and without compression, from
 * the short texts of tests/unit/zone; what stream_out writes is read in tests/unit/sync/test_transfer.c. */
#include "sync/stream_in.h"

#include "sync_help.h"

#define HINT ": it may not serve the zone, or not allow us"
#define KEY_HINT " (key \"xfr.\": compare name, algorithm and secret on both sides)"

/* What makes a message other than a good one. */
struct shape {
    uint16_t id_xor, flags_xor;
    const uint8_t *name; /* of the question, NULL: the zone's */
    uint16_t type;       /* 0: what was asked */
    uint16_t class;      /* 0: IN */
    bool no_question;    /* in any message */
    bool question_always;
    unsigned questions;  /* 0: one */
    uint8_t rcode_high;  /* not 0: an OPT with this */
    unsigned cut;        /* bytes that lack at the end */
    unsigned trailing;   /* bytes too many */
    bool is_signed;      /* an empty TSIG record */
};

static const struct shape good;
static struct messages messages;

static void put_record(struct writer *w, const struct rr *rr, uint16_t class)
{
    writer_put(w, rr->owner, name_len(rr->owner));
    writer_u16(w, rr->type);
    writer_u16(w, class);
    writer_u32(w, rr->ttl);
    writer_u16(w, rr->rdata_len);
    writer_put(w, rr->rdata, rr->rdata_len);
}

/* A line that begins with "!" is a whole record in hexadecimal digits, one with "~" a record of class CH. */
static void put_line(struct writer *w, const char *line)
{
    unsigned byte;
    if (*line == '!') {
        for (line++; sscanf(line, " %2x", &byte) == 1; line += strspn(line, " ") + 2)
            writer_u8(w, (uint8_t)byte);
        return;
    }
    bool is_chaos = *line == '~';
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    add_line(records, line + is_chaos, 1);
    put_record(w, &records->recs[0].rr, is_chaos ? RR_CLASS_CH : RR_CLASS_IN);
    zone_records_free(records);
}

static void put_question(struct writer *w, const struct shape *shape, uint16_t type, bool is_first)
{
    unsigned cnt = shape->no_question || (!is_first && !shape->question_always) ? 0
                   : shape->questions ? shape->questions : 1;
    be16_put(w->begin + 4, (uint16_t)cnt);
    while (cnt--) {
        const uint8_t *name = shape->name ? shape->name : test_apex;
        writer_put(w, name, name_len(name));
        writer_u16(w, shape->type ? shape->type : type);
        writer_u16(w, shape->class ? shape->class : RR_CLASS_IN);
    }
}

/* The message of these lines, up to the end or a line "--"; returns where the next begins. */
static const char *put_message(struct messages *m, const char *text, const struct shape *shape, uint16_t type)
{
    static uint8_t bytes[70000];
    unsigned ancount = 0, arcount = 0;
    struct writer w = writer_over(bytes, sizeof bytes);
    writer_u16(&w, TEST_ID ^ shape->id_xor);
    writer_u16(&w, (uint16_t)((MSG_QR | MSG_AA) ^ shape->flags_xor));
    writer_u32(&w, 0);
    writer_u32(&w, 0);
    put_question(&w, shape, type, m->cnt == 0);
    while (*text && strncmp(text, "--\n", 3) != 0) {
        char line[1000];
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        put_line(&w, line);
        ancount++;
        text += len + 1;
    }
    if (shape->rcode_high) {
        uint8_t opt[11] = {0, 0, RR_OPT, 4, 208, shape->rcode_high};
        writer_put(&w, opt, sizeof opt);
        arcount++;
    }
    if (shape->is_signed) {
        uint8_t tsig[11] = {0, 0, RR_TSIG, 0, RR_CLASS_ANY};
        writer_put(&w, tsig, sizeof tsig);
        arcount++;
    }
    be16_put(bytes + 6, (uint16_t)ancount);
    be16_put(bytes + 10, (uint16_t)arcount);
    for (unsigned i = 0; i < shape->trailing; i++)
        writer_u8(&w, 0);
    assert_false(w.failed);
    messages_add(m, bytes, writer_len(&w) - shape->cut);
    return *text ? text + 3 : text;
}

static void put_messages(const char *text, const struct shape *shape, uint16_t type)
{
    messages.cnt = 0;
    do
        text = put_message(&messages, text, shape, type);
    while (*text);
}

/* Each record in a message of its own. */
static void scatter(const char *text, uint16_t type)
{
    char part[1000];
    messages.cnt = 0;
    for (; *text; text += strlen(part)) {
        size_t len = strcspn(text, "\n") + 1;
        snprintf(part, sizeof part, "%.*s", (int)len, text);
        put_message(&messages, part, &good, type);
    }
}

static const char *run(struct stream_in *in, uint16_t type, uint32_t serial, bool datagram)
{
    static char order[sizeof ((struct received *)0)->order];
    struct received r;
    received_open(&r);
    struct stream_in_asked asked = asked_of(NULL, type, serial, &r);
    asked.datagram = datagram;
    stream_in_init(in, &asked);
    feed_all(in, &messages);
    strcpy(order, r.order);
    received_close(&r);
    messages_clear(&messages);
    return order;
}

/* ---- what is good */

#define S(serial) "@ 3600 SOA " #serial " 60\n"

static const struct {
    const char *what, *text;
    uint16_t type;
    uint32_t serial; /* ours */
    enum stream_in_outcome outcome;
    uint32_t got;
    const char *order;
} goods[] = {
    {"a zone", S(5) "a 60 A 1\nb 60 TXT x\n" S(5), RR_AXFR, 0, STREAM_IN_WHOLE, 5, "rrr"},
    {"a zone with an older serial", S(5) "a 60 A 1\n" S(5), RR_AXFR, 9, STREAM_IN_WHOLE, 5, "rr"},
    {"an empty zone", S(5) S(5), RR_AXFR, 0, STREAM_IN_WHOLE, 5, "r"},
    {"a zone as an answer to IXFR", S(5) "a 60 A 1\n" S(5), RR_IXFR, 4, STREAM_IN_WHOLE, 5, "rr"},
    {"one changeset", S(5) S(4) "a 60 A 1\n" S(5) "a 60 A 2\nb 60 A 1\n" S(5), RR_IXFR, 4, STREAM_IN_CHANGES, 5,
     "B--+++E"},
    {"changesets of SOAs alone", S(5) S(3) S(4) S(4) S(5) S(5), RR_IXFR, 3, STREAM_IN_CHANGES, 5, "B-+EB-+E"},
    {"across the wrap", S(2) S(4294967290) "a 60 A 1\n" S(4294967295) S(4294967295) S(2) "a 60 A 1\n" S(2), RR_IXFR,
     4294967290, STREAM_IN_CHANGES, 2, "B--+EB-++E"},
    {"our serial", S(5), RR_IXFR, 5, STREAM_IN_UP_TO_DATE, 5, ""},
    {"an older serial", S(4), RR_IXFR, 5, STREAM_IN_UP_TO_DATE, 4, ""},
    {"one half the circle away", S(2147483653), RR_IXFR, 5, STREAM_IN_UP_TO_DATE, 2147483653, ""},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        for (unsigned way = 0; way < 3; way++) {
            struct stream_in in;
            struct shape shape = {.question_always = way == 1};
            if (way == 2)
                scatter(goods[i].text, goods[i].type);
            else
                put_messages(goods[i].text, &shape, goods[i].type);
            const char *order = run(&in, goods[i].type, goods[i].serial, false);
            if (in.state != STREAM_IN_DONE || in.outcome != goods[i].outcome || strcmp(order, goods[i].order) != 0)
                fail_msg("%s: %d %d %s %s", goods[i].what, in.state, in.outcome, order, in.why);
            assert_int_equal(in.serial, goods[i].got);
            assert_true(in.has_serial);
            assert_string_equal(in.why, "");
        }
    }
}

/* A primary without IXFR sends the zone, whatever ours is: that is no reason to fail. */
static void test_not_newer_and_more(void **state)
{
    (void)state;
    struct stream_in in;
    put_messages(S(5) "a 60 A 1\n" S(5), &good, RR_IXFR);
    assert_string_equal(run(&in, RR_IXFR, 5, false), "");
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outcome, STREAM_IN_UP_TO_DATE);
}

/* ---- what is not */

static const uint8_t other_name[] = "\7another\3com";
#define ZONE S(5) "a 60 A 1\n" S(5)

static const struct {
    const char *text;
    uint16_t type;
    struct shape shape;
    const char *why;
} bads[] = {
    {ZONE, RR_AXFR, {.id_xor = 1}, "the answer has the ID 4661 instead of 4660"},
    {ZONE, RR_AXFR, {.flags_xor = MSG_QR}, "the message is no answer to a query"},
    {ZONE, RR_AXFR, {.flags_xor = OPCODE_NOTIFY << MSG_OPCODE_SHIFT}, "the message is no answer to a query"},
    {ZONE, RR_AXFR, {.no_question = true}, "the answer has no question"},
    {ZONE, RR_AXFR, {.name = other_name}, "the answer is to another question"},
    {ZONE, RR_AXFR, {.name = (const uint8_t *)""}, "the answer is to another question"},
    {ZONE, RR_AXFR, {.type = RR_IXFR}, "the answer is to another question"},
    {ZONE, RR_AXFR, {.class = RR_CLASS_CH}, "the answer is to another question"},
    {ZONE, RR_AXFR, {.questions = 2}, "the answer is to another question"},
    {S(5) "--\n" S(5), RR_AXFR, {.question_always = true, .name = other_name}, "the answer is to another question"},
    {ZONE, RR_AXFR, {.flags_xor = MSG_TC}, "the answer is truncated"},
    {"", RR_AXFR, {.flags_xor = RCODE_REFUSED}, "the answer is REFUSED" HINT},
    {"", RR_IXFR, {.flags_xor = RCODE_NOTIMP, .no_question = true}, "the answer is NOTIMP"},
    {ZONE, RR_AXFR, {.flags_xor = RCODE_NOTAUTH}, "the answer is NOTAUTH" HINT},
    {"", RR_AXFR, {.rcode_high = 1}, "the answer is BADVERS"},
    {"", RR_AXFR, {.rcode_high = 255, .flags_xor = 15}, "the answer is RCODE?"},
    {ZONE, RR_AXFR, {.is_signed = true}, "the answer is signed, the request was not"},
    {ZONE, RR_AXFR, {.cut = 1}, "the message is malformed"},
    {ZONE, RR_AXFR, {.cut = 60}, "the message is malformed"},
    {ZONE, RR_AXFR, {.trailing = 1}, "the message is malformed"},
    {"", RR_AXFR, {0}, "a message without records"},
    {S(5) "a 60 A 1\n--\n--\n" S(5), RR_AXFR, {0}, "a message without records"},
    {"a 60 A 1\n" S(5), RR_AXFR, {0}, "the first record is no SOA: A of \"a.example.com.\""},
    {"a.example.org. 60 A 1\n" S(5), RR_AXFR, {0}, "the first record is no SOA: A of \"a.example.org.\""},
    {"a 60 A 1\n" S(5), RR_IXFR, {0}, "the first record is no SOA: A of \"a.example.com.\""},
    {"a 60 SOA 5 60\n", RR_AXFR, {0}, "a SOA that is not the zone's: SOA of \"a.example.com.\""},
    {"example.org. 60 SOA 5 60\n", RR_AXFR, {0}, "a SOA that is not the zone's: SOA of \"example.org.\""},
    {S(5) "a 60 SOA 5 60\n" S(5), RR_AXFR, {0}, "a SOA that is not the zone's: SOA of \"a.example.com.\""},
    {S(5) "a 60 A 1\n" S(6), RR_AXFR, {0}, "the zone begins with serial 5 and ends with 6"},
    {S(5) S(4) S(5), RR_AXFR, {0}, "the zone begins with serial 5 and ends with 4"},
    {S(5) S(5) "a 60 A 1\n", RR_AXFR, {0}, "a record behind the end: A of \"a.example.com.\""},
    {S(5) "a 60 A 1\n" S(5) S(5), RR_AXFR, {0}, "a record behind the end: SOA of \"example.com.\""},
    {S(5) "~a 60 A 1\n" S(5), RR_AXFR, {0}, "a record of another class than IN: A of \"a.example.com.\""},
    {S(5) "a 60 TYPE0 b\n" S(5), RR_AXFR, {0}, "a record of a type that no zone has: TYPE0 of \"a.example.com.\""},
    {S(5) "a 60 ANY b\n" S(5), RR_AXFR, {0}, "a record of a type that no zone has: ANY of \"a.example.com.\""},
    {S(5) "a 60 OPT b\n" S(5), RR_AXFR, {0}, "a record of a type that no zone has: OPT of \"a.example.com.\""},
    /* ours is 3 */
    {S(5) S(4) S(5) S(5), RR_IXFR, {0}, "the changes begin with serial 4, ours is 3"},
    {S(5) S(5), RR_IXFR, {0}, "the changes begin with serial 5, ours is 3"},
    {S(5) S(3) S(3), RR_IXFR, {0}, "changes from serial 3 to 3, which is not later"},
    {S(5) S(3) S(2), RR_IXFR, {0}, "changes from serial 3 to 2, which is not later"},
    {S(5) S(3) S(6), RR_IXFR, {0}, "changes to serial 6, the current one is 5"},
    {S(5) S(3) S(4) S(3), RR_IXFR, {0}, "behind changes to serial 4 comes 3"},
    {S(5) S(3) S(4) S(5), RR_IXFR, {0}, "behind changes to serial 4 comes 5"},
    {S(5) S(3) S(5) S(4), RR_IXFR, {0}, "behind changes to serial 5 comes 4"},
    {S(5) S(3) S(5) S(5) "a 60 A 1\n", RR_IXFR, {0}, "a record behind the end: A of \"a.example.com.\""},
    {S(5) S(3) S(5) S(5) S(5), RR_IXFR, {0}, "a record behind the end: SOA of \"example.com.\""},
    {S(5) "a 60 A 1\n" S(4), RR_IXFR, {0}, "the zone begins with serial 5 and ends with 4"},
    /* rdata: an A of 3 bytes, a CNAME of a name and a byte, an SOA that is cut, an SRV of no name, TXT of nothing */
    {S(5) "!00 0001 0001 0000003c 0003 c00002\n" S(5), RR_AXFR, {0}, "malformed record data: A of \".\""},
    {S(5) "!00 0005 0001 0000003c 0004 01610001\n" S(5), RR_AXFR, {0}, "malformed record data: CNAME of \".\""},
    {S(5) "!00 0005 0001 0000003c 0002 c0ff\n" S(5), RR_AXFR, {0}, "malformed record data: CNAME of \".\""},
    {"!c00c 0006 0001 0000003c 0015 0000 00000005 00000005 00000005 00000005 000000\n", RR_AXFR, {0},
     "malformed record data: SOA of \"example.com.\""},
    {S(5) "!00 0021 0001 0000003c 0006 000000000000\n" S(5), RR_AXFR, {0}, "malformed record data: SRV of \".\""},
    {S(5) "!00 0010 0001 0000003c 0000\n" S(5), RR_AXFR, {0}, "malformed record data: TXT of \".\""},
    {S(5) "!00 0023 0001 0000003c 0004 00000000\n" S(5), RR_AXFR, {0}, "malformed record data: NAPTR of \".\""},
    {S(5) "!00 002e 0001 0000003c 0002 0001\n" S(5), RR_AXFR, {0}, "malformed record data: RRSIG of \".\""},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct stream_in in;
        put_messages(bads[i].text, &bads[i].shape, bads[i].type);
        run(&in, bads[i].type, 3, false);
        if (in.state != STREAM_IN_FAILED || strcmp(in.why, bads[i].why) != 0)
            fail_msg("%zu: \"%s\" in place of \"%s\"", i, in.why, bads[i].why);
    }
}

/* A machine that has ended takes nothing more; one that got too little is waiting. */
static void test_end(void **state)
{
    (void)state;
    struct received r;
    struct stream_in in;
    received_open(&r);
    struct stream_in_asked asked = asked_of(NULL, RR_AXFR, 0, &r);
    stream_in_init(&in, &asked);
    put_messages(S(5) "--\na 60 A 1\n--\n" S(5) "--\n" S(5), &good, RR_AXFR);
    assert_int_equal(stream_in_feed(&in, messages.at[0].bytes, messages.at[0].len, TEST_NOW), STREAM_IN_MORE);
    assert_int_equal(stream_in_feed(&in, messages.at[1].bytes, messages.at[1].len, TEST_NOW), STREAM_IN_MORE);
    assert_int_equal(stream_in_feed(&in, messages.at[2].bytes, messages.at[2].len, TEST_NOW), STREAM_IN_DONE);
    assert_int_equal(in.message_cnt, 3);
    assert_int_equal(in.rr_cnt, 3);
    assert_int_equal(stream_in_feed(&in, messages.at[3].bytes, messages.at[3].len, TEST_NOW), STREAM_IN_FAILED);
    assert_string_equal(in.why, "a message behind the end");
    received_close(&r);
    messages_clear(&messages);
}

/* Whatever is cut off a message, it is never more than what it is. */
static void test_short(void **state)
{
    (void)state;
    put_messages(ZONE, &good, RR_AXFR);
    for (size_t len = 0; len < messages.at[0].len; len++) {
        struct stream_in in;
        struct received r;
        received_open(&r);
        struct stream_in_asked asked = asked_of(NULL, RR_AXFR, 0, &r);
        uint8_t *part = mem_dup(messages.at[0].bytes, len);
        stream_in_init(&in, &asked);
        assert_int_equal(stream_in_feed(&in, part, len, TEST_NOW), STREAM_IN_FAILED);
        assert_string_equal(r.order, "");
        free(part);
        received_close(&r);
    }
    messages_clear(&messages);
}

/* ---- records */

static void test_outside(void **state)
{
    (void)state;
    struct stream_in in;
    char warning[STREAM_IN_WHY_MAX];
    put_messages(S(5) "a 60 A 1\nb.example.org. 60 A 1\nexample.net. 60 TXT x\nxexample.com. 60 A 1\n" S(5), &good,
                 RR_AXFR);
    assert_string_equal(run(&in, RR_AXFR, 0, false), "rr");
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outside_cnt, 3);
    assert_int_equal(in.rr_cnt, 6);
    assert_true(stream_in_warning(&in, warning));
    assert_string_equal(warning, "3 records outside the zone are ignored, the first is A of \"b.example.org.\"");
    put_messages(ZONE, &good, RR_AXFR);
    run(&in, RR_AXFR, 0, false);
    assert_false(stream_in_warning(&in, warning));
}

/* Names in rdata come out whole, of RFC 3597 4's types too; other bytes as they are; a TTL that is none is 0. */
static void test_rdata(void **state)
{
    (void)state;
    static const struct {
        const char *line, *rdata;
        unsigned len, ttl;
    } cases[] = {
        {"!c00c 0002 0001 0000003c 0005 026e73c00c", "\2ns\7example\3com", 16, 60},
        {"!c00c 000f 0001 0000003c 0004 000ac00c", "\0\12\7example\3com", 15, 60},
        {"!c00c 000e 0001 0000003c 0006 0161c00cc00c", "\1a\7example\3com\0\7example\3com", 28, 60},
        {"!c00c 0021 0001 0000003c 0008 000100020003c00c", "\0\1\0\2\0\3\7example\3com", 19, 60},
        {"!c00c 0011 0001 0000003c 0004 c00cc00c", "\7example\3com\0\7example\3com", 26, 60},
        {"!c00c 0023 0001 0000003c 000a 00010002 01 73 00 00 c00c", "\0\1\0\2\1s\0\0\7example\3com", 21, 60},
        {"!c00c 0012 0001 0000003c 0004 0001c00c", "\0\1\7example\3com", 15, 60},
        {"!c00c 001a 0001 0000003c 0006 0001c00cc00c", "\0\1\7example\3com\0\7example\3com", 28, 60},
        {"!c00c 001e 0001 0000003c 0003 c00c40", "\7example\3com\0\x40", 14, 60},
        {"!c00c 0001 0001 80000000 0004 c0000201", "\xc0\0\2\1", 4, 0},
        {"!c00c 0001 0001 7fffffff 0004 c0000201", "\xc0\0\2\1", 4, 0x7fffffff},
        {"!c00c ff00 0001 0000003c 0004 c00cc00c", "\xc0\x0c\xc0\x0c", 4, 60},
        {"!c00c ff00 0001 0000003c 0000", "", 0, 60},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        struct received r;
        struct stream_in in;
        received_open(&r);
        struct stream_in_asked asked = asked_of(NULL, RR_AXFR, 0, &r);
        stream_in_init(&in, &asked);
        snprintf(text, sizeof text, S(5) "%s\n" S(5), cases[i].line);
        put_messages(text, &good, RR_AXFR);
        feed_all(&in, &messages);
        if (in.state != STREAM_IN_DONE)
            fail_msg("%zu: %s", i, in.why);
        assert_int_equal(r.whole->cnt, 2);
        const struct rr *rr = &r.whole->recs[1].rr;
        assert_int_equal(rr->rdata_len, cases[i].len);
        assert_memory_equal(rr->rdata, cases[i].rdata, cases[i].len);
        assert_int_equal(rr->ttl, cases[i].ttl);
        received_close(&r);
        messages_clear(&messages);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        struct stream_in_limits limits;
        const char *why;
    } cases[] = {
        {{.records = 3}, ""}, {{.records = 2}, "more than 2 records"},
        {{.messages = 2}, ""}, {{.messages = 1}, "more than 1 messages"},
        /* two SOAs of 13 + 10 + 17 + 18 + 20 bytes, an A of 15 + 10 + 4 */
        {{.bytes = 2 * 77 + 29}, ""}, {{.bytes = 2 * 77 + 28}, "more than 182 bytes of records"},
        {{0}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct received r;
        struct stream_in in;
        received_open(&r);
        struct stream_in_asked asked = asked_of(NULL, RR_AXFR, 0, &r);
        asked.limits = cases[i].limits;
        stream_in_init(&in, &asked);
        put_messages(S(5) "a 60 A 1\n--\n" S(5), &good, RR_AXFR);
        feed_all(&in, &messages);
        assert_string_equal(in.why, cases[i].why);
        assert_int_equal(in.state, *cases[i].why ? STREAM_IN_FAILED : STREAM_IN_DONE);
        received_close(&r);
        messages_clear(&messages);
    }
}

/* ---- by UDP */

static void test_datagram(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned flags_xor;
        enum stream_in_state state;
        enum stream_in_outcome outcome;
    } cases[] = {
        {S(3), 0, STREAM_IN_DONE, STREAM_IN_UP_TO_DATE},
        {S(2), 0, STREAM_IN_DONE, STREAM_IN_UP_TO_DATE},
        {S(5), 0, STREAM_IN_DONE, STREAM_IN_USE_TCP},
        {"", MSG_TC, STREAM_IN_DONE, STREAM_IN_USE_TCP},
        {S(5) S(3) S(5) S(5), 0, STREAM_IN_DONE, STREAM_IN_CHANGES},
        {S(5) S(3) S(5), 0, STREAM_IN_DONE, STREAM_IN_USE_TCP},
        {ZONE, 0, STREAM_IN_DONE, STREAM_IN_WHOLE},
        {"", RCODE_REFUSED, STREAM_IN_FAILED, 0},
        {S(5) S(4) S(5) S(5), 0, STREAM_IN_FAILED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream_in in;
        struct shape shape = {.flags_xor = (uint16_t)cases[i].flags_xor};
        put_messages(cases[i].text, &shape, RR_IXFR);
        run(&in, RR_IXFR, 3, true);
        assert_int_equal(in.state, cases[i].state);
        if (in.state == STREAM_IN_DONE)
            assert_int_equal(in.outcome, cases[i].outcome);
    }
}

/* Forged ones change nothing: the answer behind them is taken. */
static void test_passed_over(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {.id_xor = 0x100}, {.flags_xor = MSG_QR}, {.name = other_name}, {.no_question = true}, {.cut = 2},
        {.trailing = 2}, {.is_signed = true}, {.cut = 90},
    };
    struct stream_in in;
    messages.cnt = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct messages one = {0};
        put_message(&one, S(9), &shapes[i], RR_IXFR);
        messages_add(&messages, one.at[0].bytes, one.at[0].len);
        messages_clear(&one);
    }
    struct messages last = {0};
    put_message(&last, S(3), &good, RR_IXFR);
    messages_add(&messages, last.at[0].bytes, last.at[0].len);
    messages_clear(&last);
    run(&in, RR_IXFR, 3, true);
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outcome, STREAM_IN_UP_TO_DATE);
    assert_int_equal(in.message_cnt, 1);
}

/* ---- TSIG */

enum { MAC_LEN = 32, TAIL_LEN = 6, TIMES_LEN = 8 };

/* Signs the message, and with it those that went unsigned since the last that was (RFC 8945 5.3.1). */
static void sign(struct messages *m, size_t at, struct exchange *x, size_t unsigned_cnt)
{
    uint8_t bytes[3000], mac_before[HMAC_LEN_MAX];
    size_t len = m->at[at].len;
    struct writer w = writer_over(bytes, sizeof bytes);
    memcpy(mac_before, x->server.mac, sizeof mac_before);
    writer_put(&w, m->at[at].bytes, len);
    assert_true(tsig_sign(&x->server, &w, TEST_NOW));
    if (unsigned_cnt) {
        uint8_t *mac = w.at - TAIL_LEN - MAC_LEN, out[HMAC_LEN_MAX], mac_len[2] = {0, MAC_LEN};
        struct hmac hmac;
        hmac_begin(&hmac, &x->key.hmac);
        hmac_add(&hmac, mac_len, sizeof mac_len);
        hmac_add(&hmac, mac_before, MAC_LEN);
        for (size_t i = at - unsigned_cnt; i <= at; i++)
            hmac_add(&hmac, m->at[i].bytes, m->at[i].len);
        hmac_add(&hmac, mac - 2 - TIMES_LEN, TIMES_LEN);
        hmac_end(&hmac, out);
        memcpy(mac, out, MAC_LEN);
        memcpy(x->server.mac, out, MAC_LEN);
    }
    free(m->at[at].bytes);
    m->at[at].bytes = mem_dup(bytes, writer_len(&w));
    m->at[at].len = writer_len(&w);
}

/* The zone in `cnt` messages, of which those are signed that have a '1' in `signs` (the last goes on). */
static void run_signed(struct stream_in *in, const char *signs, size_t cnt, size_t spoilt, uint64_t now_sec)
{
    struct exchange x;
    struct received r;
    size_t unsigned_cnt = 0;
    exchange_open(&x, true);
    received_open(&r);
    messages.cnt = 0;
    for (size_t i = 0; i < cnt; i++) {
        put_message(&messages, i == 0 || i + 1 == cnt ? S(5) : "a 60 A 1\n", &good, RR_AXFR);
        if (*signs == '1') {
            sign(&messages, i, &x, unsigned_cnt);
            unsigned_cnt = 0;
        } else {
            unsigned_cnt++;
        }
        signs += signs[1] != '\0';
    }
    if (spoilt < cnt)
        messages.at[spoilt].bytes[40] ^= 0x20; /* in the SOA's TTL, or the A's */
    struct stream_in_asked asked = asked_of(&x, RR_AXFR, 0, &r);
    stream_in_init(in, &asked);
    for (size_t i = 0; i < cnt && in->state == STREAM_IN_MORE; i++)
        if (stream_in_feed(in, messages.at[i].bytes, messages.at[i].len, now_sec) == STREAM_IN_FAILED)
            break;
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

static void test_tsig(void **state)
{
    (void)state;
    static char hundred[102] = "1", more[103] = "1";
    memset(hundred + 1, '0', 99);
    memset(more + 1, '0', 100);
    hundred[100] = more[101] = '1';
    static const struct {
        const char *signs;
        size_t cnt, spoilt;
        int late_sec;
        const char *why;
    } cases[] = {
        {"1", 3, 99, 0, ""},
        {"1", 3, 99, 300, ""},
        {"1", 3, 99, 301, "the time of the signature is too far from ours"},
        {"101", 3, 99, 0, ""},
        {"1001", 4, 99, 0, ""},
        {hundred, 101, 200, 0, ""},
        {more, 102, 200, 0, "there is no TSIG where there has to be one" KEY_HINT},
        {"0", 3, 99, 0, "there is no TSIG where there has to be one" KEY_HINT},
        {"01", 3, 99, 0, "there is no TSIG where there has to be one" KEY_HINT},
        {"110", 3, 99, 0, "the last message is not signed"},
        {"1", 3, 0, 0, "the signature is wrong" KEY_HINT},
        {"1", 3, 1, 0, "the signature is wrong" KEY_HINT},
        {"1", 3, 2, 0, "the signature is wrong" KEY_HINT},
        {"101", 3, 1, 0, "the signature is wrong" KEY_HINT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream_in in;
        run_signed(&in, cases[i].signs, cases[i].cnt, cases[i].spoilt, (uint64_t)(TEST_NOW + cases[i].late_sec));
        assert_string_equal(in.why, cases[i].why);
        assert_int_equal(in.state, *cases[i].why ? STREAM_IN_FAILED : STREAM_IN_DONE);
        assert_int_equal(in.verdict != TSIG_OK && in.verdict != TSIG_PENDING,
                         *cases[i].why && strcmp(cases[i].why, "the last message is not signed") != 0);
    }
}

/* Errors that a server tells: what it thinks of our TSIG, signed or not. */
static void complain(const char *why, unsigned error, unsigned rcode, bool with_tsig, bool datagram)
{
    struct exchange x;
    struct received r;
    struct stream_in in;
    struct shape shape = {.flags_xor = (uint16_t)rcode};
    exchange_open(&x, true);
    received_open(&r);
    messages.cnt = 0;
    put_message(&messages, "", &shape, RR_IXFR);
    x.server.error = (uint16_t)error;
    if (with_tsig)
        sign(&messages, 0, &x, 0);
    struct stream_in_asked asked = asked_of(&x, RR_IXFR, 1, &r);
    asked.datagram = datagram;
    stream_in_init(&in, &asked);
    feed_all(&in, &messages);
    assert_int_equal(in.state, datagram && in.verdict ? STREAM_IN_MORE : STREAM_IN_FAILED);
    assert_string_equal(in.why, why);
    assert_int_equal(in.rcode, rcode);
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

static void test_complaints(void **state)
{
    (void)state;
    for (unsigned datagram = 0; datagram < 2; datagram++) {
        complain("the answer is NOTAUTH, and the primary does not know our key" KEY_HINT, TSIG_BADKEY,
                 RCODE_NOTAUTH, true, datagram);
        complain("the answer is NOTAUTH, and the primary finds our signature wrong" KEY_HINT, TSIG_BADSIG,
                 RCODE_NOTAUTH, true, datagram);
        complain("the answer is NOTAUTH: the primary's clock says 1700000000, ours is another", TSIG_BADTIME,
                 RCODE_NOTAUTH, true, datagram);
        complain("the answer is REFUSED" HINT, 0, RCODE_REFUSED, true, datagram);
        complain("the answer is REFUSED, and there is no TSIG where there has to be one" KEY_HINT, 0, RCODE_REFUSED,
                 false, datagram);
    }
}

/* A good signature, but not by our key. */
static void test_other_key(void **state)
{
    (void)state;
    struct exchange x;
    struct received r;
    struct stream_in in;
    exchange_open(&x, true);
    received_open(&r);
    messages.cnt = 0;
    put_message(&messages, ZONE, &good, RR_AXFR);
    x.server.name[1] = 'y';
    sign(&messages, 0, &x, 0);
    struct stream_in_asked asked = asked_of(&x, RR_AXFR, 0, &r);
    stream_in_init(&in, &asked);
    feed_all(&in, &messages);
    assert_int_equal(in.state, STREAM_IN_FAILED);
    assert_string_equal(in.why, "the TSIG is made with another key" KEY_HINT);
    assert_string_equal(r.order, "");
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

/* By UDP, what is not signed well is passed over, and the state of TSIG with it. */
static void test_signed_datagram(void **state)
{
    (void)state;
    struct exchange x;
    struct received r;
    struct stream_in in;
    exchange_open(&x, true);
    received_open(&r);
    messages.cnt = 0;
    put_message(&messages, S(9), &good, RR_IXFR);
    put_message(&messages, S(3), &(struct shape){.question_always = true}, RR_IXFR);
    messages_add(&messages, messages.at[1].bytes, messages.at[1].len);
    sign(&messages, 1, &x, 0);
    exchange_close(&x);
    exchange_open(&x, true);
    sign(&messages, 2, &x, 0);
    messages.at[1].bytes[60] ^= 1;
    struct stream_in_asked asked = asked_of(&x, RR_IXFR, 3, &r);
    asked.datagram = true;
    stream_in_init(&in, &asked);
    assert_int_equal(feed_all(&in, &messages), 3);
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outcome, STREAM_IN_UP_TO_DATE);
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_not_newer_and_more),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_rdata),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_tsig),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_signed_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
