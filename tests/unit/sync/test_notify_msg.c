#include "sync/notify_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

enum { NOW = 1700000000, ID = 0x1234 };

static const uint8_t apex[] = "\7Example\3com";
static const uint8_t soa_rdata[] = "\2ns\7example\3com\0\4host\7example\3com\0\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4";
static const struct rr soa = {apex, soa_rdata, 3600, RR_SOA, sizeof soa_rdata - 1};
static struct tsig_key key;

static int make_key(void **state)
{
    (void)state;
    static const uint8_t name[] = "\3xfr", secret[32] = {1};
    tsig_key_init(&key, name, TSIG_HMAC_SHA256, secret, sizeof secret);
    return 0;
}

static struct notify_msg_ask ask_of(enum notify_msg_kind kind, bool is_signed)
{
    return (struct notify_msg_ask){
        .kind = kind, .id = ID, .apex = apex, .soa = &soa, .key = is_signed ? &key : NULL};
}

/* The bytes up to the question's end and the counts, as they should stand there. */
#define QUESTION "\7Example\3com\0"

static void test_what_is_asked(void **state)
{
    (void)state;
    static const struct {
        enum notify_msg_kind kind;
        const char *head; /* the header but for the ID */
        uint16_t type;
        bool has_soa;
    } rows[] = {
        {NOTIFY_MSG_NOTIFY, "\x24\0\0\1\0\1\0\0\0\0", RR_SOA, true},
        {NOTIFY_MSG_SOA, "\0\0\0\1\0\0\0\0\0\0", RR_SOA, false},
        {NOTIFY_MSG_IXFR, "\0\0\0\1\0\0\0\1\0\0", RR_IXFR, true},
        {NOTIFY_MSG_AXFR, "\0\0\0\1\0\0\0\0\0\0", RR_AXFR, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[NOTIFY_MSG_MAX], wanted[200];
        struct writer w = writer_over(wanted, sizeof wanted);
        struct notify_msg_ask ask = ask_of(rows[i].kind, false);
        writer_u16(&w, ID);
        writer_put(&w, rows[i].head, 10);
        writer_put(&w, QUESTION, sizeof QUESTION - 1);
        writer_u16(&w, rows[i].type);
        writer_u16(&w, 1);
        if (rows[i].has_soa) {
            writer_put(&w, "\xc0\x0c\0\6\0\1\0\0\x0e\x10\0", 11);
            writer_u8(&w, sizeof soa_rdata - 1);
            writer_put(&w, soa_rdata, sizeof soa_rdata - 1);
        }
        assert_int_equal(notify_msg_write(out, &ask, NOW), writer_len(&w));
        assert_memory_equal(out, wanted, writer_len(&w));
        /* Signed it is the same and a TSIG. */
        struct notify_msg_ask with_key = ask_of(rows[i].kind, true);
        struct tsig_state server;
        struct tsig_keys *keys = tsig_keys_new(&key, 1);
        size_t len = notify_msg_write(out, &with_key, NOW);
        assert_int_equal(len, writer_len(&w) + tsig_room(&with_key.tsig));
        assert_int_equal(tsig_verify_request(&server, keys, out, len, writer_len(&w), NOW), TSIG_OK);
        tsig_keys_free(keys);
    }
}

/* The longest names there are: a NOTIFY stays below 512 bytes, an IXFR has its SOA in any case. */
static void test_long_names(void **state)
{
    (void)state;
    static uint8_t name[NAME_MAX_LEN], rdata[2 * NAME_MAX_LEN + 20];
    for (unsigned at = 0; at < 254; at += name[at] + 1u) {
        name[at] = at < 192 ? 63 : 61;
        memset(name + at + 1, 'a', name[at]);
    }
    assert_int_equal(name_check(name, sizeof name), NAME_MAX_LEN);
    memcpy(rdata, name, NAME_MAX_LEN);
    memcpy(rdata + NAME_MAX_LEN, name, NAME_MAX_LEN);
    const struct rr long_soa = {name, rdata, 1, RR_SOA, sizeof rdata};
    struct tsig_key long_key;
    tsig_key_init(&long_key, name, TSIG_HMAC_SHA512, name, 64);
    for (enum notify_msg_kind kind = NOTIFY_MSG_NOTIFY; kind <= NOTIFY_MSG_AXFR; kind++) {
        uint8_t *out = mem_zalloc(NOTIFY_MSG_MAX, 1);
        struct notify_msg_ask ask = {.kind = kind, .id = 1, .apex = name, .soa = &long_soa, .key = &long_key};
        size_t len = notify_msg_write(out, &ask, NOW);
        assert_int_equal(msg_ancount(out), 0);
        assert_int_equal(msg_nscount(out), kind == NOTIFY_MSG_IXFR);
        assert_int_equal(msg_arcount(out), 1);
        assert_true(len <= NOTIFY_MSG_MAX);
        free(out);
    }
}

static void test_a_notify_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t out[NOTIFY_MSG_MAX];
        struct notify_msg_ask ask = ask_of(NOTIFY_MSG_NOTIFY, i & 1);
        struct notify_msg_request request;
        if (i & 2)
            ask.soa = NULL;
        size_t len = notify_msg_write(out, &ask, NOW);
        assert_int_equal(notify_msg_read(&request, out, len), ERR_OK);
        assert_int_equal(request.id, ID);
        assert_memory_equal(request.zone, "\7example\3com\0", 13);
        assert_int_equal(request.has_serial, !(i & 2));
        assert_int_equal(request.serial, i & 2 ? 0 : 7);
        assert_int_equal(request.edns.tsig_at != 0, i & 1);
        /* Cut anywhere, or with a byte more, it is none. */
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = mem_dup(out, cut);
            assert_int_equal(notify_msg_read(&request, exact, cut),
                             cut < MSG_HEADER_LEN ? ERR_INVALID : ERR_SYNTAX);
            free(exact);
        }
        assert_int_equal(notify_msg_read(&request, out, len + 1), ERR_SYNTAX);
    }
}

#define N_HEAD "\0\1\x24\0"
#define N_QUESTION "\1a\0\0\6\0\1"
/* A SOA of serial 5 behind its owner; its type and so on; its numbers. */
#define N_SOA "\0\6\0\1\0\0\0\0\0\x16\0\0" N_NUMBERS
#define N_NUMBERS "\0\0\0\5\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"
#define N_EMPTY_A "\0\0\1\0\1\0\0\0\0\0\0"
#define N_OPT "\0\0\x29\4\0\0\0\0\0\0\0"

static void test_other_notifies(void **state)
{
    (void)state;
#define MSG(counts, rest) N_HEAD counts rest, sizeof(N_HEAD counts rest) - 1
    static const struct {
        const char *what, *bytes;
        size_t len;
        enum err err;
        int serial; /* -1: none */
    } rows[] = {
        {"no AA", "\0\1\x20\0\0\1\0\0\0\0\0\0" N_QUESTION, 19, ERR_OK, -1},
        {"a query", "\0\1\0\0\0\1\0\0\0\0\0\0" N_QUESTION, 19, ERR_INVALID, -1},
        {"an answer", "\0\1\xa4\0\0\1\0\0\0\0\0\0" N_QUESTION, 19, ERR_INVALID, -1},
        {"no question", MSG("\0\0\0\0\0\0\0\0", ""), ERR_SYNTAX, -1},
        {"two questions", MSG("\0\2\0\0\0\0\0\0", N_QUESTION N_QUESTION), ERR_SYNTAX, -1},
        {"for A", MSG("\0\1\0\0\0\0\0\0", "\1a\0\0\1\0\1"), ERR_SYNTAX, -1},
        {"class CH", MSG("\0\1\0\0\0\0\0\0", "\1a\0\0\6\0\3"), ERR_NOT_FOUND, -1},
        {"a pointer in the question", MSG("\0\1\0\0\0\0\0\0", "\xc0\x0c\0\6\0\1"), ERR_SYNTAX, -1},
        {"a SOA", MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\xc0\x0c" N_SOA), ERR_OK, 5},
        {"a SOA of compressed names",
         MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\1A\0\0\6\0\1\0\0\0\0\0\x1a\xc0\x0c\1b\xc0\x0c" N_NUMBERS), ERR_OK, 5},
        {"a SOA of another name", MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\1b\0" N_SOA), ERR_OK, -1},
        {"a SOA in authority", MSG("\0\1\0\0\0\1\0\0", N_QUESTION "\xc0\x0c" N_SOA), ERR_OK, -1},
        {"a SOA a byte short",
         MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\xc0\x0c\0\6\0\1\0\0\0\0\0\x15\0" N_NUMBERS), ERR_SYNTAX, -1},
        {"a SOA a byte long",
         MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\xc0\x0c\0\6\0\1\0\0\0\0\0\x17\0\0" N_NUMBERS "\0"), ERR_SYNTAX, -1},
        {"a pointer to itself", MSG("\0\1\0\1\0\0\0\0", N_QUESTION "\xc0\x13" N_SOA), ERR_SYNTAX, -1},
        {"five records",
         MSG("\0\1\0\5\0\0\0\0", N_QUESTION N_EMPTY_A N_EMPTY_A N_EMPTY_A N_EMPTY_A N_EMPTY_A), ERR_SYNTAX, -1},
        {"two OPTs", MSG("\0\1\0\0\0\0\0\2", N_QUESTION N_OPT N_OPT), ERR_SYNTAX, -1},
        {"an OPT", MSG("\0\1\0\0\0\0\0\1", N_QUESTION N_OPT), ERR_OK, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notify_msg_request request;
        uint8_t *exact = mem_dup(rows[i].bytes, rows[i].len);
        enum err e = notify_msg_read(&request, exact, rows[i].len);
        if (e != rows[i].err)
            fail_msg("%s: %s", rows[i].what, err_text(e));
        if (!e && (rows[i].serial >= 0 ? request.serial != (uint32_t)rows[i].serial : request.has_serial))
            fail_msg("%s: serial %u", rows[i].what, request.serial);
        free(exact);
    }
}

/* Ours to a NOTIFY, read as whoever sent that reads it. */
static void test_replies(void **state)
{
    (void)state;
    struct tsig_keys *keys = tsig_keys_new(&key, 1);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t out[NOTIFY_MSG_MAX], back[NOTIFY_MSG_MAX];
        bool is_signed = i & 1;
        enum rcode rcode = i & 2 ? RCODE_REFUSED : RCODE_NOERROR;
        struct notify_msg_ask ask = ask_of(NOTIFY_MSG_NOTIFY, is_signed);
        struct notify_msg_request request;
        struct notify_msg_answer answer;
        struct tsig_state server = {0};
        size_t len = notify_msg_write(out, &ask, NOW);
        assert_int_equal(notify_msg_read(&request, out, len), ERR_OK);
        if (is_signed)
            assert_int_equal(tsig_verify_request(&server, keys, out, len, request.edns.tsig_at, NOW), TSIG_OK);
        size_t back_len = notify_msg_reply(back, out, &request, rcode, 1232, is_signed ? &server : NULL, NOW);
        assert_int_equal(msg_flags(back), 0xa400 | rcode); /* QR, NOTIFY, AA */
        assert_int_equal(notify_msg_read_answer(&answer, &ask, back, back_len, NOW), ERR_OK);
        assert_int_equal(answer.rcode, rcode);
        assert_false(answer.has_soa);
        /* A key that we lack: the reply says so, unsigned, and is believed by nobody. */
        if (is_signed) {
            assert_int_equal(tsig_verify_request(&server, NULL, out, len, request.edns.tsig_at, NOW), TSIG_BADKEY);
            back_len = notify_msg_reply(back, out, &request, RCODE_NOTAUTH, 1232, &server, NOW);
            assert_int_equal(notify_msg_read_answer(&answer, &ask, back, back_len, NOW), ERR_DENIED);
            assert_int_equal(ask.tsig.error, TSIG_BADKEY);
        }
    }
    tsig_keys_free(keys);
}

static void test_replies_to_what_is_odd(void **state)
{
    (void)state;
    uint8_t back[NOTIFY_MSG_MAX];
    static const uint8_t with_opt[] = "\0\1\x25\0\0\1\0\0\0\0\0\1" N_QUESTION "\0\0\x29\4\0\0\0\0\0\0\0";
    static const uint8_t wanted[] = "\0\1\xa5\0\0\1\0\0\0\0\0\1" N_QUESTION "\0\0\x29\4\xd0\0\0\0\0\0\0";
    static const uint8_t malformed[] = "\0\1\x24\0\0\7\0\7\0\7\0\7";
    static const uint8_t formerr[] = "\0\1\xa4\1\0\0\0\0\0\0\0\0";
    struct notify_msg_request request;
    assert_int_equal(notify_msg_read(&request, with_opt, sizeof with_opt - 1), ERR_OK);
    assert_int_equal(notify_msg_reply(back, with_opt, &request, RCODE_NOERROR, 1232, NULL, NOW), sizeof wanted - 1);
    assert_memory_equal(back, wanted, sizeof wanted - 1);
    assert_int_equal(notify_msg_reply(back, malformed, NULL, RCODE_FORMERR, 1232, NULL, NOW), MSG_HEADER_LEN);
    assert_memory_equal(back, formerr, MSG_HEADER_LEN);
}

/* ---- answers to a question for the SOA */

struct answering {
    uint16_t id, flags, type, class;
    unsigned questions, answers;
    const char *name;
    bool other_first;
};

static size_t put_answer(uint8_t out[600], const struct answering *a)
{
    struct writer w = writer_over(out, 600);
    writer_u16(&w, a->id);
    writer_u16(&w, a->flags);
    writer_u16(&w, (uint16_t)a->questions);
    writer_u16(&w, (uint16_t)(a->answers + a->other_first));
    writer_u32(&w, 0);
    for (unsigned i = 0; i < a->questions; i++) {
        writer_put(&w, a->name, strlen(a->name) + 1);
        writer_u16(&w, a->type);
        writer_u16(&w, a->class);
    }
    if (a->other_first) /* RRSIG, say */
        writer_put(&w, "\xc0\x0c\0\x2e\0\1\0\0\0\0\0\2xx", 14);
    for (unsigned i = 0; i < a->answers; i++) {
        writer_put(&w, "\7eXample\3com\0\0\6\0\1\0\0\x0e\x10\0", 22);
        writer_u8(&w, sizeof soa_rdata - 1);
        writer_put(&w, soa_rdata, sizeof soa_rdata - 1);
    }
    assert_false(w.failed);
    return writer_len(&w);
}

static const struct answering good = {ID, 0x8400, RR_SOA, RR_CLASS_IN, 1, 1, "\7example\3com", false};

static void test_answers(void **state)
{
    (void)state;
    struct row {
        const char *what;
        struct answering a;
        enum err err;
        unsigned rcode;
        bool has_soa, is_authoritative, is_truncated;
    };
    const struct row rows[] = {
        {"good", good, ERR_OK, 0, true, true, false},
        {"another record first", {ID, 0x8400, 6, 1, 1, 1, "\7example\3com", true}, ERR_OK, 0, true, true, false},
        {"no authority", {ID, 0x8180, 6, 1, 1, 1, "\7example\3com", false}, ERR_OK, 0, true, false, false},
        {"truncated, whole enough", {ID, 0x8600, 6, 1, 1, 1, "\7example\3com", false}, ERR_OK, 0, true, true, true},
        {"truncated to nothing", {ID, 0x8600, 6, 1, 1, 0, "\7example\3com", false}, ERR_OK, 0, false, true, true},
        {"no record", {ID, 0x8400, 6, 1, 1, 0, "\7example\3com", false}, ERR_OK, 0, false, true, false},
        {"REFUSED", {ID, 0x8005, 6, 1, 1, 0, "\7example\3com", false}, ERR_OK, 5, false, false, false},
        {"SERVFAIL with a SOA", {ID, 0x8002, 6, 1, 1, 1, "\7example\3com", false}, ERR_OK, 2, false, false, false},
        {"FORMERR without question", {ID, 0x8001, 6, 1, 0, 0, "", false}, ERR_OK, 1, false, false, false},
        {"NOERROR without question", {ID, 0x8400, 6, 1, 0, 1, "", false}, ERR_INVALID, 0, false, false, false},
        {"another ID", {ID + 1, 0x8400, 6, 1, 1, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
        {"a query", {ID, 0x0400, 6, 1, 1, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
        {"another opcode", {ID, 0xa400, 6, 1, 1, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
        {"another name", {ID, 0x8400, 6, 1, 1, 1, "\7example\3net", false}, ERR_INVALID, 0, false, false, false},
        {"another type", {ID, 0x8400, 1, 1, 1, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
        {"another class", {ID, 0x8400, 6, 3, 1, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
        {"two questions", {ID, 0x8400, 6, 1, 2, 1, "\7example\3com", false}, ERR_INVALID, 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        uint8_t bytes[600];
        size_t len = put_answer(bytes, &row->a);
        struct notify_msg_ask ask = ask_of(NOTIFY_MSG_SOA, false);
        struct notify_msg_answer answer = {0};
        enum err e = notify_msg_read_answer(&answer, &ask, bytes, len, NOW);
        if (e != row->err || answer.rcode != row->rcode || answer.has_soa != row->has_soa ||
            answer.is_authoritative != row->is_authoritative || answer.is_truncated != row->is_truncated)
            fail_msg("%s: %s, RCODE %u", row->what, err_text(e), answer.rcode);
        if (answer.has_soa)
            assert_int_equal(answer.soa.serial, 7);
    }
}

/* Cut at every byte: malformed, or when it says that it is cut, no SOA. */
static void test_cut_answers(void **state)
{
    (void)state;
    for (unsigned truncated = 0; truncated < 2; truncated++) {
        uint8_t bytes[600];
        struct answering a = good;
        a.flags |= truncated ? MSG_TC : 0;
        size_t len = put_answer(bytes, &a), question_end = MSG_HEADER_LEN + 13 + 4;
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = mem_dup(bytes, cut);
            struct notify_msg_ask ask = ask_of(NOTIFY_MSG_SOA, false);
            struct notify_msg_answer answer;
            enum err e = notify_msg_read_answer(&answer, &ask, exact, cut, NOW);
            assert_int_equal(e, cut < question_end ? ERR_INVALID : truncated ? ERR_OK : ERR_SYNTAX);
            if (!e)
                assert_false(answer.has_soa);
            free(exact);
        }
    }
}

/* A forged datagram, without a signature or with a wrong one, spoils nothing for the true one behind it. */
static void test_signed_answers(void **state)
{
    (void)state;
    uint8_t out[NOTIFY_MSG_MAX], bytes[600 + NOTIFY_MSG_MAX];
    struct tsig_keys *keys = tsig_keys_new(&key, 1);
    struct notify_msg_ask ask = ask_of(NOTIFY_MSG_SOA, true);
    struct notify_msg_answer answer;
    struct tsig_state server;
    size_t asked_len = notify_msg_write(out, &ask, NOW), at = asked_len - tsig_room(&ask.tsig);
    assert_int_equal(tsig_verify_request(&server, keys, out, asked_len, at, NOW), TSIG_OK);
    size_t len = put_answer(bytes, &good);
    assert_int_equal(notify_msg_read_answer(&answer, &ask, bytes, len, NOW), ERR_DENIED);
    struct writer w = writer_over(bytes, sizeof bytes);
    writer_room(&w, len);
    assert_true(tsig_sign(&server, &w, NOW));
    bytes[len - 1] ^= 1; /* MINIMUM */
    assert_int_equal(notify_msg_read_answer(&answer, &ask, bytes, writer_len(&w), NOW), ERR_DENIED);
    bytes[len - 1] ^= 1;
    assert_int_equal(notify_msg_read_answer(&answer, &ask, bytes, writer_len(&w), NOW + 301), ERR_DENIED);
    for (unsigned i = 0; i < 2; i++) { /* UDP may bring it twice */
        assert_int_equal(notify_msg_read_answer(&answer, &ask, bytes, writer_len(&w), NOW), ERR_OK);
        assert_true(answer.has_soa && answer.soa.serial == 7);
    }
    tsig_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_a_notify_is_read),
        cmocka_unit_test(test_other_notifies),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_replies_to_what_is_odd),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cut_answers),
        cmocka_unit_test(test_signed_answers),
    };
    return cmocka_run_group_tests(tests, make_key, NULL);
}
