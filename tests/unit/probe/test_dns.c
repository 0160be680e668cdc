/* The dns machine, under virtual time, and what its answers are worth. */
#include <errno.h>

#include "base/buf.h"
#include "dns/rr.h"
#include "unit/probe/machine.h"

static char *plain(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct probe_options asking(const char *name, uint16_t type, const char *expected)
{
    return (struct probe_options){
        .type = PROBE_DNS, .query_name = plain(name), .query_type = type, .expect_answer = plain(expected)};
}

/* ---- answers ---- */

/* To the question of a run: its header and question, then what is put behind them. */
struct answer {
    uint8_t bytes[8192];
    size_t len;
};

static void answer_begin(struct answer *a, const struct kind_run *run, uint16_t flags, uint16_t record_cnt)
{
    const struct question_detail *detail = (const void *)run->target->detail;
    memcpy(a->bytes, run->question.query, detail->query_len);
    a->len = detail->query_len;
    be16_put(a->bytes + 2, MSG_QR | flags);
    be16_put(a->bytes + 6, record_cnt);
}

/* Owned by the question's name. */
static void answer_put(struct answer *a, uint16_t type, const void *rdata, uint16_t len)
{
    be16_put(a->bytes + a->len, 0xc00c);
    be16_put(a->bytes + a->len + 2, type);
    be16_put(a->bytes + a->len + 4, RR_CLASS_IN);
    be32_put(a->bytes + a->len + 6, 60);
    be16_put(a->bytes + a->len + 10, len);
    memcpy(a->bytes + a->len + 12, rdata, len);
    a->len += 12u + len;
}

static void hear(struct kind_run *run, const struct answer *a)
{
    machine_hear(run, a->bytes, a->len);
}

static struct kind_run *asked(struct machine *m, const struct probe_options *options)
{
    machine_begin(m, options, "192.0.2.53");
    assert_int_equal(m->run.want, KIND_WANT_CONNECTED);
    kind_connected(&m->run);
    assert_int_equal(m->run.want, KIND_WANT_WRITABLE);
    kind_sent(&m->run, m->run.out_len);
    return &m->run;
}

/* ---- the question ---- */

static void test_what_is_asked(void **state)
{
    struct machine *m = *state;
    static const uint8_t expected[] = "\xcd\xef\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\34\0\1";
    struct probe_options options = asking("www.example.com", RR_AAAA, NULL);
    options.recursion = true;
    machine_begin(m, &options, "192.0.2.53");
    kind_connected(&m->run);
    assert_int_equal(m->run.out_len, sizeof expected - 1);
    assert_memory_equal(m->run.out, expected, sizeof expected - 1);
    options = asking(".", 0, NULL); /* SOA, no recursion */
    machine_begin(m, &options, "192.0.2.53");
    kind_connected(&m->run);
    assert_int_equal(m->run.out_len, 17);
    assert_memory_equal(m->run.out, "\xcd\xef\0\0\0\1\0\0\0\0\0\0\0\0\6\0\1", 17);
}

/* One packet lost is no failed check: it is asked again, and the answer to either will do. */
static void test_is_asked_twice(void **state)
{
    struct answer a;
    struct probe_options options = asking("example.com.", 0, NULL);
    struct kind_run *run = asked(*state, &options);
    const uint8_t *query = run->question.query;
    assert_int_equal(kind_due_us(run), MACHINE_BEGIN_US + 500000);
    run->now_us = MACHINE_BEGIN_US + 500000;
    kind_wake(run);
    assert_int_equal(run->want, KIND_WANT_WRITABLE);
    assert_ptr_equal(run->out, query);
    assert_int_equal(run->wake_us, 0);
    assert_int_equal(kind_due_us(run), MACHINE_BEGIN_US + 1000000);
    kind_sent(run, run->out_len);
    answer_begin(&a, run, MSG_AA, 0);
    hear(run, &a);
    machine_expect(run, KIND_PASSED, "answer NOERROR");
}

static void test_late_and_refused(void **state)
{
    struct probe_options options = asking("example.com", 0, NULL);
    struct kind_run *run = asked(*state, &options);
    kind_late(run);
    machine_expect(run, KIND_FAILED, "no answer within 1s");
    run = asked(*state, &options);
    kind_broken(run, ECONNREFUSED);
    machine_expect(run, KIND_FAILED, "connection refused");
}

/* ---- answers of others ---- */

/* Each is passed over, and the right one behind it counts. */
static void test_what_is_no_answer(void **state)
{
    struct probe_options options = asking("www.example.com", RR_A, NULL);
    struct kind_run *run = asked(*state, &options);
    struct answer right, a;
    answer_begin(&right, run, 0, 0);
    for (unsigned bit = 0; bit < 16; bit++) { /* another ID */
        a = right;
        a.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        hear(run, &a);
    }
    static const struct {
        size_t at;
        uint8_t flip;
    } others[] = {{2, 0x80} /* a query */,   {2, 0x08} /* opcode */, {5, 3} /* two questions */,
                  {5, 1} /* no question */,  {13, 4} /* name */,     {16, 0x08} /* a label longer */,
                  {30, 1} /* type */, {32, 2} /* class */};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        a = right;
        a.bytes[others[i].at] ^= others[i].flip;
        hear(run, &a);
        assert_int_equal(run->state, KIND_RUNNING);
    }
    for (size_t len = 0; len < right.len; len++)
        machine_hear(run, right.bytes, len);
    assert_int_equal(run->state, KIND_RUNNING);
    struct kind_run late = *run;
    kind_late(&late);
    machine_expect(&late, KIND_FAILED, "no answer within 1s, but to other questions");
    right.bytes[14] ^= 0x20; /* a letter in the other case */
    hear(run, &right);
    machine_expect(run, KIND_PASSED, "answer NOERROR");
}

/* ---- response codes ---- */

static void test_rcodes(void **state)
{
    static int either[] = {RCODE_NXDOMAIN, RCODE_REFUSED};
    struct probe_options options = asking("example.com", 0, NULL);
    static const struct {
        unsigned rcode;
        bool by_default, by_list;
        const char *reason;
    } cases[] = {
        {RCODE_NOERROR, true, false, "answer NOERROR"},     {RCODE_FORMERR, false, false, "answer FORMERR"},
        {RCODE_SERVFAIL, false, false, "answer SERVFAIL"},  {RCODE_NXDOMAIN, false, true, "answer NXDOMAIN"},
        {RCODE_REFUSED, false, true, "answer REFUSED"},     {RCODE_NOTAUTH, false, false, "answer NOTAUTH"},
        {15, false, false, "answer RCODE?"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct answer a;
        bool by_list = i % 2;
        options.expect_rcode = by_list ? (struct opt_list){either, 2} : (struct opt_list){NULL, 0};
        struct kind_run *run = asked(*state, &options);
        answer_begin(&a, run, (uint16_t)cases[i / 2].rcode, 0);
        hear(run, &a);
        bool passes = by_list ? cases[i / 2].by_list : cases[i / 2].by_default;
        machine_expect(run, passes ? KIND_PASSED : KIND_FAILED, cases[i / 2].reason);
    }
}

/* ---- records ---- */

#define LACKS "answer NOERROR, without the expected record"

struct record {
    uint16_t type;
    const char *rdata;
    uint16_t len;
};

static void expect_of(struct machine *m, const char *name, uint16_t type, const char *expected, uint16_t flags,
                      const struct record *records, uint16_t cnt, enum kind_state state, const char *reason)
{
    struct probe_options options = asking(name, type, expected);
    struct kind_run *run = asked(m, &options);
    struct answer a;
    answer_begin(&a, run, flags, cnt);
    for (unsigned i = 0; i < cnt; i++)
        answer_put(&a, records[i].type, records[i].rdata, records[i].len);
    hear(run, &a);
    machine_expect(run, state, reason);
}

static void test_addresses(void **state)
{
    static const struct record v4[] = {{RR_CNAME, "\1x\xc0\x0c", 4}, {RR_A, "\300\0\2\7", 4}, {RR_A, "\300\0\2\1", 4}};
    static const struct record v6[] = {{RR_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16}};
    static const struct record longer[] = {{RR_A, "\300\0\2\1\0", 5}};
    expect_of(*state, "a.", RR_A, "192.0.2.1", 0, v4, 3, KIND_PASSED, "answer NOERROR");
    expect_of(*state, "a.", RR_A, "192.0.2.1", 0, v4, 2, KIND_FAILED, LACKS);
    expect_of(*state, "a.", RR_A, "192.0.2.10", 0, v4, 3, KIND_FAILED, LACKS);
    expect_of(*state, "a.", RR_A, "192.0.2.1", 0, longer, 1, KIND_FAILED, LACKS);
    expect_of(*state, "a.", RR_A, "192.0.2.1", 0, NULL, 0, KIND_FAILED, LACKS);
    expect_of(*state, "a.", RR_AAAA, "2001:DB8:0::1", 0, v6, 1, KIND_PASSED, "answer NOERROR");
    expect_of(*state, "a.", RR_AAAA, "2001:db8::2", 0, v6, 1, KIND_FAILED,
              LACKS);
    /* An expression, where it is no address. */
    expect_of(*state, "a.", RR_A, "^192\\.0\\.2\\.", 0, v4, 3, KIND_PASSED, "answer NOERROR");
    expect_of(*state, "a.", RR_A, "^10\\.", 0, v4, 3, KIND_FAILED, LACKS);
}

/* Records that are but pointers to one long name are much text. */
static void test_much_text(void **state)
{
    static const struct {
        uint16_t cnt;
        enum kind_state state;
        const char *reason;
    } rows[] = {{200, KIND_PASSED, "answer NOERROR"}, {400, KIND_FAILED, LACKS}};
    char name[256] = "";
    for (unsigned i = 0; i < 5; i++)
        strcat(name, "0123456789012345678901234567890123456789012345678.");
    struct probe_options options = asking(name, RR_NS, "^end");
    for (unsigned i = 0; i < 2; i++) {
        struct answer a;
        struct kind_run *run = asked(*state, &options);
        answer_begin(&a, run, 0, (uint16_t)(rows[i].cnt + 1));
        for (unsigned n = 0; n < rows[i].cnt; n++)
            answer_put(&a, RR_NS, "\xc0\x0c", 2);
        answer_put(&a, RR_NS, "\3end", 5);
        hear(run, &a);
        machine_expect(run, rows[i].state, rows[i].reason);
    }
}

/* What is in the authority section is no answer; of another class neither. */
static void test_where_it_stands(void **state)
{
    struct probe_options options = asking("a.", RR_A, "192.0.2.1");
    struct kind_run *run = asked(*state, &options);
    struct answer a;
    answer_begin(&a, run, 0, 0);
    be16_put(a.bytes + 8, 1);
    answer_put(&a, RR_A, "\300\0\2\1", 4);
    hear(run, &a);
    machine_expect(run, KIND_FAILED, LACKS);
    run = asked(*state, &options);
    answer_begin(&a, run, 0, 1);
    answer_put(&a, RR_A, "\300\0\2\1", 4);
    be16_put(a.bytes + a.len - 12, RR_CLASS_CH);
    hear(run, &a);
    machine_expect(run, KIND_FAILED, LACKS);
}

static void test_truncated(void **state)
{
    static const struct record one[] = {{RR_A, "\300\0\2\1", 4}};
    struct probe_options options = asking("a.", RR_A, "192.0.2.9");
    struct answer a;
    expect_of(*state, "a.", RR_A, NULL, MSG_TC, NULL, 0, KIND_PASSED, "answer NOERROR");
    expect_of(*state, "a.", RR_A, "192.0.2.1", MSG_TC, one, 1, KIND_PASSED, "answer NOERROR");
    struct kind_run *run = asked(*state, &options);
    answer_begin(&a, run, MSG_TC, 2); /* cut inside a record */
    answer_put(&a, RR_A, "\300\0\2\1", 4);
    hear(run, &a);
    machine_expect(run, KIND_FAILED, "answer NOERROR, truncated before the expected record");
}

static void test_malformed(void **state)
{
    struct probe_options options = asking("a.", RR_A, "192.0.2.9");
    struct answer a;
    struct kind_run *run = asked(*state, &options);
    answer_begin(&a, run, 0, 1);
    answer_put(&a, RR_A, "\300\0\2\1", 4);
    for (size_t len = a.len - 1; len > a.len - 17; len--) {
        run = asked(*state, &options);
        machine_hear(run, a.bytes, len);
        machine_expect(run, KIND_FAILED, "malformed answer");
    }
}

#define N "\3foo\xc0\x0c"

/* Every kind of data as text, by an expression that takes nothing else. */
static void test_texts(void **state)
{
    static const struct {
        uint16_t type;
        const char *rdata;
        uint16_t len;
        const char *expected;
    } cases[] = {
        {RR_NS, N, 6, "^foo\\.a\\.$"},
        {RR_PTR, "\0", 1, "^\\.$"},
        {RR_MX, "\0\12" N, 8, "^10 foo\\.a\\.$"},
        {RR_SRV, "\0\1\0\2\1\273\2xy\0", 10, "^1 2 443 xy\\.$"},
        {RR_SOA, "\2ns\xc0\x0c\4host\xc0\x0c\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff", 32,
         "^ns\\.a\\. host\\.a\\. 1 2 3 4 4294967295$"},
        {RR_TXT, "\5hello\4a\"\\\1", 11, "^\"hello\" \"a\\\\\"\\\\\\\\\\\\001\"$"},
        {RR_TXT, "\0", 1, "^\"\"$"},
        {257, "\0\5issueca", 9, "^\\\\# 9 000569737375656361$"},
        {RR_A, "\1\2\3", 3, "^\\\\# 3 010203$"},             /* no address */
        {RR_MX, "\0\12", 2, "^\\\\# 2 000a$"},               /* a name is missing */
        {RR_NS, "\0x", 2, "^\\\\# 2 0078$"},                 /* something behind it */
        {RR_TXT, "\5hi", 3, "^\\\\# 3 056869$"},             /* a string that does not end */
        {RR_NS, "\xc0\x30", 2, "^\\\\# 2 c030$"},            /* points forward */
        {RR_TXT, "", 0, "^\\\\# 0$"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct record record = {cases[i].type, cases[i].rdata, cases[i].len};
        expect_of(*state, "a.", cases[i].type, cases[i].expected, 0, &record, 1, KIND_PASSED, "answer NOERROR");
    }
}

/* More text than is looked at does no harm. */
static void test_long_texts(void **state)
{
    static char strings[1024 + 1];
    struct record record = {RR_TXT, strings, 1024};
    for (unsigned i = 0; i < 4; i++)
        strings[i * 256] = (char)255; /* each byte of it \000 */
    expect_of(*state, "a.", RR_TXT, "\\\\000", 0, &record, 1, KIND_PASSED, "answer NOERROR");
    expect_of(*state, "a.", RR_TXT, "never", 0, &record, 1, KIND_FAILED, LACKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_what_is_asked), MACHINE_TEST(test_is_asked_twice), MACHINE_TEST(test_late_and_refused),
        MACHINE_TEST(test_what_is_no_answer), MACHINE_TEST(test_rcodes), MACHINE_TEST(test_addresses),
        MACHINE_TEST(test_much_text),
        MACHINE_TEST(test_where_it_stands), MACHINE_TEST(test_truncated), MACHINE_TEST(test_malformed),
        MACHINE_TEST(test_texts), MACHINE_TEST(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
