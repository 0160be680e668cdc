/* The rate limit on the way of a query: which answers share a bucket, whom it does not concern, and what an answer over
 * it looks like. The clock stands still, so a bucket has RATE answers, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "dns/edns.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

enum { RATE = 20, TABLE_BYTES = 1 << 20 };

static const char zone_text[] =
    "www A 192.0.2.1\nwww AAAA 2001:db8::1\none A 192.0.2.9\nalias CNAME www\n*.wild A 192.0.2.3\n"
    "*.wild.sub2 A 192.0.2.3\nsub NS ns.sub\nns.sub A 192.0.2.2\ndn DNAME target\nout DNAME example.net.\n"
    "*.target A 192.0.2.4\na.deep A 192.0.2.5\n"
    "long DNAME a.longer.name.than.that\n";

struct fixture {
    struct world world;
    struct prefix exempt;
    struct limit_options options;
    const char *client;
    struct answer_packet packet; /* the last */
    uint8_t in[512], out[1232];
};

static void set_options(struct fixture *f, struct limit_options options)
{
    limit_settings_fini(&f->world.settings.limit);
    f->options = options;
    limit_settings_init(&f->world.settings.limit, &f->options);
}

static const struct limit_options plain = {.rate = RATE, .prefix4 = 24, .prefix6 = 56};

/* `root`: the text of a root zone; NULL: there is none. */
static void begin_with(struct fixture *f, const char *root)
{
    memset(f, 0, sizeof *f);
    f->client = "192.0.2.1";
    world_init(&f->world, 1232);
    world_add(&f->world, "example", zone_text);
    world_add(&f->world, "broken", NULL);
    if (root)
        world_add(&f->world, ".", root);
    f->world.shared.limit = limit_new(TABLE_BYTES);
    set_options(f, plain);
    world_start(&f->world);
    clock_fake_us(5000000000);
}

static void begin(struct fixture *f)
{
    begin_with(f, NULL);
}

static void end(struct fixture *f)
{
    limit_settings_fini(&f->world.settings.limit);
    limit_free(f->world.shared.limit);
    world_fini(&f->world);
    clock_fake_us(UINT64_MAX);
}

static bool send_bytes(struct fixture *f, size_t len, enum answer_proto proto)
{
    f->packet = (struct answer_packet){.in = f->in, .in_len = (uint32_t)len, .out = f->out, .out_cap = sizeof f->out,
        .proto = proto};
    assert_int_equal(addr_from_text(&f->packet.client, f->client), ERR_OK);
    answer_batch(f->world.worker, &f->packet, 1);
    return f->packet.outcome == ANSWER_SEND;
}

static bool ask(struct fixture *f, const char *name, uint16_t type)
{
    return send_bytes(f, world_ask(f->in, &(struct ask){.name = name, .type = type, .payload = 1232}), ANSWER_UDP);
}

/* How many of `cnt` are answered; "%u" in the name is a number that is new each time. */
static unsigned flood(struct fixture *f, const char *name, uint16_t type, unsigned cnt)
{
    static unsigned number;
    unsigned answered = 0;
    for (unsigned i = 0; i < cnt; i++) {
        char text[256];
        const char *mark = strstr(name, "%u");
        if (mark)
            snprintf(text, sizeof text, "%.*s%u%s", (int)(mark - name), name, number++, mark + 2);
        answered += ask(f, mark ? text : name, type);
    }
    return answered;
}

static struct answer_counters counters(const struct fixture *f)
{
    struct answer_counters sum = {0};
    answer_counters_add(&sum, answer_worker_counters(f->world.worker));
    return sum;
}

/* ---- buckets */

/* Each row's answers have a bucket of their own, which the row's other names share. */
static const struct {
    const char *name;
    uint16_t type;
    const char *same;
    uint16_t same_type;
} rows[] = {
    {"www.example", RR_A, "WWW.example", RR_AAAA},              /* whatever type */
    {"www.example", RR_MX, "www.example", RR_TXT},              /* NODATA is another kind */
    {"one.example", RR_A, "one.example", RR_A},
    {"%u.example", RR_A, "%u.%u.example", RR_A},                /* NXDOMAIN: the apex is the closest encloser */
    {"%u.www.example", RR_A, "x.%u.www.example", RR_MX},
    {"%u.a.deep.example", RR_A, "%u.a.deep.example", RR_A},
    {"%u.wild.example", RR_A, "x.%u.wild.example", RR_A},       /* a wildcard's names */
    {"wild.example", RR_A, "wild.example", RR_A},               /* NODATA of the encloser itself */
    {"%u.wild.example", RR_MX, "%u.wild.example", RR_TXT},      /* its NODATA */
    {"%u.wild.sub2.example", RR_A, "%u.wild.sub2.example", RR_A},
    {"sub.example", RR_A, "%u.x.sub.example", RR_MX},           /* the cut */
    {"%u.out.example", RR_A, "%u.out.example", RR_MX},          /* a DNAME that leads out */
    {"%u.dn.example", RR_A, "%u.dn.example", RR_A},             /* one to a wildcard */
    {"nowhere", RR_A, "%u.broken", RR_A},                       /* errors */
};

static void test_buckets(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(flood(&f, rows[i].name, rows[i].type, RATE), RATE);
        assert_int_equal(flood(&f, rows[i].same, rows[i].same_type, RATE), 0);
    }
    struct answer_counters c = counters(&f);
    assert_int_equal(c.rate_limited, RATE * sizeof rows / sizeof *rows);
    assert_int_equal(c.dropped, c.rate_limited);
    assert_int_equal(c.rate_slipped + c.rate_leaked + c.rate_full, 0);
    /* Another network has them all again. */
    f.client = "192.0.3.1";
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(flood(&f, rows[i].same, rows[i].same_type, 2 * RATE), RATE);
    end(&f);
}

/* The root is a name like any other, each network's answers about it are its own. */
static void test_root(void **state)
{
    static const char *const names[] = {".", "%u", "%u.wild", "%u.sub"};
    struct fixture f;
    char client[ADDR_TEXT_MAX];
    (void)state;
    begin_with(&f, "www A 192.0.2.1\n*.wild A 192.0.2.3\nsub NS ns.sub\nns.sub A 192.0.2.2\n");
    f.client = client;
    for (unsigned i = 0; i < 2 * 256; i++) {
        snprintf(client, sizeof client, i & 1 ? "192.0.%u.1" : "2001:db8:0:%x00::1", i / 2);
        for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
            assert_int_equal(flood(&f, names[n], n ? RR_A : RR_SOA, RATE + 1), RATE);
    }
    end(&f);
}

/* An alias counts as what it leads to. */
static void test_alias(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_int_equal(flood(&f, "alias.example", RR_A, 2 * RATE), RATE);
    assert_int_equal(flood(&f, "www.example", RR_A, RATE), 0);
    assert_int_equal(flood(&f, "alias.example", RR_CNAME, 2 * RATE), RATE);
    end(&f);
}

/* The records of the answer, and in the second the clock goes on. */
static void test_time_goes_on(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_int_equal(flood(&f, "www.example", RR_A, 2 * RATE), RATE);
    clock_fake_us(5000000000 + 500000);
    assert_int_equal(flood(&f, "www.example", RR_A, 2 * RATE), RATE / 2);
    end(&f);
}

/* ---- whom it does not concern */

static void test_tcp(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_int_equal(flood(&f, "www.example", RR_A, 2 * RATE), RATE);
    for (unsigned i = 0; i < 3 * RATE; i++) {
        size_t len = world_ask(f.in, &(struct ask){.name = "www.example", .type = RR_A});
        assert_true(send_bytes(&f, len, ANSWER_TCP));
    }
    assert_int_equal(counters(&f).rate_limited, RATE);
    end(&f);
}

static void test_off(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    set_options(&f, (struct limit_options){.prefix4 = 24, .prefix6 = 56});
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 3 * RATE);
    set_options(&f, plain);
    struct limit *limit = f.world.shared.limit;
    f.world.shared.limit = NULL;
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 3 * RATE);
    f.world.shared.limit = limit;
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), RATE);
    end(&f);
}

static void test_log_only_and_exempt(void **state)
{
    struct fixture f;
    struct limit_options options = plain;
    (void)state;
    begin(&f);
    options.log_only = true;
    set_options(&f, options);
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 3 * RATE);
    assert_null(decode_answer(NULL, 0, f.out, f.packet.out_len));
    assert_int_equal(be16_get(f.out + 6), 1);
    assert_int_equal(counters(&f).rate_limited, 2 * RATE);
    assert_int_equal(counters(&f).dropped, 0);
    assert_int_equal(prefix_from_text(&f.exempt, "192.0.2.0/28"), ERR_OK);
    options = plain;
    options.exempt = (struct opt_list){&f.exempt, 1};
    set_options(&f, options);
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 3 * RATE);
    assert_int_equal(counters(&f).rate_limited, 2 * RATE);
    f.client = "192.0.2.16";
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 0);
    end(&f);
}

/* ---- what is sent */

static const char *last(struct fixture *f)
{
    static char text[4096];
    const char *wrong = decode_answer(text, sizeof text, f->out, f->packet.out_len);
    return wrong ? wrong : text;
}

static void test_slip(void **state)
{
    static const struct {
        const char *name, *answer;
    } slips[] = {
        {"www.example", "noerror aa tc\nqu www.example. 1 1\nopt 1232\n"},
        {"nope.example", "nxdomain aa tc\nqu nope.example. 1 1\nopt 1232\n"},
        {"x.sub.example", "noerror tc\nqu x.sub.example. 1 1\nopt 1232\n"},
        {"alias.example", "noerror aa tc\nqu alias.example. 1 1\nopt 1232\n"},
    };
    struct fixture f;
    struct limit_options options = plain;
    (void)state;
    begin(&f);
    options.slip = 1;
    set_options(&f, options);
    for (unsigned i = 0; i < sizeof slips / sizeof *slips; i++) {
        assert_int_equal(flood(&f, slips[i].name, RR_A, RATE + 1), RATE + 1);
        assert_string_equal(last(&f), slips[i].answer);
        size_t len = world_ask(f.in, &(struct ask){.name = slips[i].name, .type = RR_A});
        assert_true(send_bytes(&f, len, ANSWER_UDP));
        assert_int_equal(f.packet.out_len, len);
    }
    struct answer_counters c = counters(&f);
    assert_int_equal(c.dropped + c.rate_limited, 0);
    assert_int_equal(c.rate_slipped, c.truncated);
    assert_in_range(c.rate_slipped, 2 * sizeof slips / sizeof *slips, 3 * RATE);
    end(&f);
}

/* What answers without a name of its own to be counted by holds records all the same: a text of class CH, a DNAME that
 * makes too long a name. */
static void test_slip_of_odd_answers(void **state)
{
    struct fixture f;
    struct limit_options options = plain;
    char name[256];
    (void)state;
    begin(&f);
    options.slip = 1;
    set_options(&f, options);
    snprintf(f.world.settings.version, sizeof f.world.settings.version, "a text as long as one likes");
    assert_int_equal(flood(&f, "nowhere", RR_A, RATE), RATE);
    assert_true(send_bytes(&f, world_ask(f.in, &(struct ask){.name = "version.bind", .type = RR_TXT,
        .class = RR_CLASS_CH, .payload = 1232}), ANSWER_UDP));
    assert_string_equal(last(&f), "noerror aa tc\nqu version.bind. 16 3\nopt 1232\n");
    for (unsigned i = 0; i < 3 * 62 + 1; i++)
        name[i] = i % 62 == 61 ? '.' : 'x';
    strcpy(name + 3 * 62, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.long.example");
    assert_true(ask(&f, name, RR_A));
    assert_memory_equal(last(&f), "yxdomain aa tc\nqu x", 19);
    assert_null(strstr(last(&f), "\nan "));
    assert_int_equal(counters(&f).rate_slipped, 2);
    assert_int_equal(counters(&f).truncated, 2);
    end(&f);
}

/* An error has nothing to leave out. */
static void test_slip_of_errors(void **state)
{
    struct fixture f;
    struct limit_options options = plain;
    (void)state;
    begin(&f);
    options.slip = 1;
    set_options(&f, options);
    assert_int_equal(flood(&f, "nowhere", RR_A, RATE), RATE);
    char before[4096];
    snprintf(before, sizeof before, "%s", last(&f));
    assert_memory_equal(before, "refused\nqu nowhere. 1 1\n", 24);
    assert_int_equal(flood(&f, "nowhere", RR_A, 1), 1);
    assert_string_equal(last(&f), before);
    /* Not even a question. */
    memset(f.in, 0, sizeof f.in);
    assert_true(send_bytes(&f, 12, ANSWER_UDP));
    assert_string_equal(last(&f), "formerr\n");
    assert_int_equal(counters(&f).rate_slipped, 2);
    assert_int_equal(counters(&f).truncated, 0);
    end(&f);
}

static void test_leak(void **state)
{
    struct fixture f;
    struct limit_options options = plain;
    (void)state;
    begin(&f);
    options.leak = 1;
    set_options(&f, options);
    assert_int_equal(flood(&f, "www.example", RR_A, 3 * RATE), 3 * RATE);
    assert_string_equal(last(&f), "noerror aa\nqu www.example. 1 1\nan www.example. 60 1 192.0.2.1\nopt 1232\n");
    assert_int_equal(counters(&f).rate_leaked, 2 * RATE);
    assert_int_equal(counters(&f).truncated, 0);
    end(&f);
}

/* ---- cookies */

/* A question for www.example with a COOKIE option; `answer`: the server's part is that of the last answer. */
static bool ask_with_cookie(struct fixture *f, bool answer)
{
    size_t len = world_ask(f->in, &(struct ask){.name = "www.example", .type = RR_A, .payload = 1232});
    uint8_t *option = f->in + len;
    unsigned cookie_len = answer ? COOKIE_LEN : COOKIE_CLIENT_LEN;
    be16_put(option, EDNS_COOKIE);
    be16_put(option + 2, (uint16_t)cookie_len);
    memset(option + 4, 'c', COOKIE_CLIENT_LEN);
    if (answer)
        memcpy(option + 4, f->out + f->packet.out_len - COOKIE_LEN, COOKIE_LEN);
    be16_put(option - 2, (uint16_t)(4 + cookie_len));
    return send_bytes(f, len + 4 + cookie_len, ANSWER_UDP);
}

static unsigned last_rcode(const struct fixture *f)
{
    const uint8_t *opt = f->out + f->packet.out_len - 4 - COOKIE_LEN - 11; /* the OPT is last, the cookie alone in it */
    return (unsigned)opt[5] << 4 | (f->out[3] & 15);
}

static void test_cookies(void **state)
{
    struct fixture f;
    struct limit_options options = plain;
    (void)state;
    begin(&f);
    cookie_secrets_random(&f.world.settings.cookie_secrets);
    f.world.settings.require_cookie = ANSWER_COOKIE_ATTACK;
    options.slip = 1;
    set_options(&f, options);
    for (unsigned i = 0; i < RATE; i++) {
        assert_true(ask_with_cookie(&f, false));
        assert_int_equal(last_rcode(&f), RCODE_NOERROR);
    }
    /* Over the limit, who could have one of ours is given one, and then answered. */
    for (unsigned i = 0; i < RATE; i++) {
        assert_true(ask_with_cookie(&f, false));
        assert_int_equal(last_rcode(&f), RCODE_BADCOOKIE);
        assert_int_equal(be16_get(f.out + 6), 0);
        assert_false(f.out[2] & 2); /* TC */
    }
    assert_true(ask_with_cookie(&f, true));
    assert_int_equal(last_rcode(&f), RCODE_NOERROR);
    assert_int_equal(be16_get(f.out + 6), 1);
    for (unsigned i = 0; i < 3 * RATE; i++)
        assert_true(ask_with_cookie(&f, true));
    assert_int_equal(counters(&f).rate_slipped, RATE);
    assert_int_equal(counters(&f).badcookie, RATE);
    /* Where nothing is required of them, they are told to come by TCP like all others. */
    f.world.settings.require_cookie = ANSWER_COOKIE_NEVER;
    assert_true(ask_with_cookie(&f, false));
    assert_int_equal(last_rcode(&f), RCODE_NOERROR);
    assert_int_equal(be16_get(f.out + 6), 0);
    assert_true(f.out[2] & 2);
    end(&f);
}

/* ---- batches */

/* A whole batch about one name, in place, among others about none. */
static void test_in_a_batch(void **state)
{
    static uint8_t buf[ANSWER_BATCH_MAX][1232];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    struct fixture f;
    (void)state;
    begin(&f);
    unsigned answered = 0;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++) {
            size_t len = world_ask(buf[i], &(struct ask){.name = i & 1 ? "www.example" : "one.example", .type = RR_A,
                .flags = i == 6 ? 0x8000 : 0});
            packets[i] = (struct answer_packet){.in = buf[i], .in_len = (uint32_t)len, .out = buf[i],
                .out_cap = sizeof buf[i], .proto = i % 8 == 4 ? ANSWER_TCP : ANSWER_UDP};
            assert_int_equal(addr_from_text(&packets[i].client, "2001:db8::1"), ERR_OK);
        }
        answer_batch(f.world.worker, packets, ANSWER_BATCH_MAX);
        for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++) {
            bool sent = packets[i].outcome == ANSWER_SEND;
            answered += sent;
            assert_true(sent || packets[i].proto == ANSWER_UDP);
            assert_false(sent && i == 6);
            if (sent)
                assert_null(decode_answer(NULL, 0, packets[i].out, packets[i].out_len));
        }
    }
    /* RATE about each name, and those over TCP. */
    assert_int_equal(answered, 2 * RATE + 4 * 4);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),     cmocka_unit_test(test_alias),
        cmocka_unit_test(test_time_goes_on), cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_off),         cmocka_unit_test(test_log_only_and_exempt),
        cmocka_unit_test(test_slip),        cmocka_unit_test(test_slip_of_errors),
        cmocka_unit_test(test_leak),        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_in_a_batch),  cmocka_unit_test(test_root),
        cmocka_unit_test(test_slip_of_odd_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
