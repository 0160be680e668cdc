/* RFC 1034 4.3.2 without aliases and referrals: what is there, what isn't, wildcards, ANY, several zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "helpers/table.h"

#define SOA "ns example. 300 6 ns1.example. host.example. 1 7200 3600 604800 300\n"
#define NODATA "noerror aa\n" SOA
#define NXDOMAIN "nxdomain aa\n" SOA

static void run(const char *apex, const char *text, const struct row *rows, size_t cnt)
{
    struct world world;
    world_init(&world, 1232);
    world_add(&world, apex, text);
    world_start(&world);
    assert_int_equal(table_run(&world, rows, cnt), 0);
    world_fini(&world);
}
#define RUN(apex, text, rows) run(apex, text, rows, sizeof(rows) / sizeof *(rows))

static void test_exact(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_A}, "noerror aa\nan www.example. 60 1 192.0.2.1\n"},
        {{.name = "WwW.eXample", .type = RR_A}, "noerror aa\nan WwW.eXample. 60 1 192.0.2.1\n"},
        {{.name = "www.example", .type = RR_AAAA}, "noerror aa\n"
            "an www.example. 30 28 20010db8000000000000000000000001\n"},
        {{.name = "www.example", .type = RR_TXT}, "noerror aa\nan www.example. 60 16 0568656c6c6f\n"},
        {{.name = "www.example", .type = RR_MX}, NODATA},
        {{.name = "nope.example", .type = RR_A}, NXDOMAIN},
        {{.name = "a.b.c.nope.example", .type = RR_A}, NXDOMAIN},
        {{.name = "x.www.example", .type = RR_A}, NXDOMAIN},
        {{.name = "ent.example", .type = RR_A}, NODATA},
        {{.name = "mid.ent.example", .type = RR_A}, NODATA},
        {{.name = "x.ent.example", .type = RR_A}, NXDOMAIN},
        {{.name = "deep.mid.ent.example", .type = RR_A}, "noerror aa\nan deep.mid.ent.example. 60 1 192.0.2.2\n"},
        {{.name = "example", .type = RR_SOA}, "noerror aa\n"
            "an example. 3600 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "example", .type = RR_NS}, "noerror aa\nan example. 3600 2 ns1.example.\n"},
        {{.name = "example", .type = RR_A}, NODATA},
        {{.name = "example", .type = RR_DS}, NODATA},
        {{.name = "www.example", .type = RR_SOA}, NODATA},
        {{.name = "nope.example", .type = RR_SOA}, NXDOMAIN},
        {{.name = "mail.example", .type = RR_MX}, "noerror aa\nan mail.example. 60 15 10 mx.mail.example.\n"
            "an mail.example. 60 15 20 www.example.\n"
            "an mail.example. 60 15 30 mx.example.net.\n"
            "an mail.example. 60 15 40 b.mx.example.net.\n"},
        {{.name = "srv.example", .type = RR_SRV}, "noerror aa\nan srv.example. 60 33 1 2 3 www.example.\n"},
        {{.name = "odd.example", .type = 65280}, "noerror aa\nan odd.example. 60 65280 0102\n"},
        {{.name = "other", .type = RR_A}, "refused\n"},
        {{.name = ".", .type = RR_NS}, "refused\n"},
        {{.name = "xexample", .type = RR_A}, "refused\n"},
        {{.name = "www.example", .type = 0}, NODATA},
    };
    RUN("example", "www A 192.0.2.1\nwww 30 AAAA 2001:db8::1\nwww TXT hello\ndeep.mid.ent A 192.0.2.2\n"
        "mail MX 10 mx.mail\nmail MX 20 www\nmail MX 30 mx.example.net.\nmail MX 40 b.mx.example.net.\n"
        "srv SRV 1 2 3 www\nodd TYPE65280 \\# 2 0102\n", rows);
}

static void test_flags(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_A, .flags = 0x0100}, "noerror aa rd\nan www.example. 60 1 192.0.2.1\n"},
        /* AA, TC, RA, Z, AD, CD and an RCODE mean nothing in a query. */
        {{.name = "www.example", .type = RR_A, .flags = 0x06ff}, "noerror aa\nan www.example. 60 1 192.0.2.1\n"},
        {{.name = "www.example", .type = RR_A, .payload = 4096}, "noerror aa\nan www.example. 60 1 192.0.2.1\n"
            "opt 1232\n"},
        {{.name = "www.example", .type = RR_A, .payload = 1, .dnssec_ok = true}, "noerror aa\n"
            "an www.example. 60 1 192.0.2.1\nopt 1232 do\n"},
        {{.name = "nope.example", .type = RR_A, .payload = 512}, NXDOMAIN "opt 1232\n"},
        {{.name = "other", .type = RR_A, .payload = 512}, "refused\nopt 1232 15:0014\n"},
        /* Every class: an answer, but none with authority (RFC 1035 6.2). */
        {{.name = "www.example", .type = RR_A, .class = RR_CLASS_ANY}, "noerror\nan www.example. 60 1 192.0.2.1\n"},
        {{.name = "nope.example", .type = RR_A, .class = RR_CLASS_ANY}, "nxdomain\n" SOA},
        {{.name = "www.example", .type = RR_A, .class = RR_CLASS_CH}, "refused\n"},
        {{.name = "version.bind", .type = RR_TXT, .class = RR_CLASS_CH}, "refused\n"},
        {{.name = "www.example", .type = RR_A, .class = RR_CLASS_NONE}, "refused\n"},
        {{.name = "www.example", .type = RR_A, .class = 4711}, "refused\n"},
    };
    RUN("example", "www A 192.0.2.1\n", rows);
}

/* RFC 4592 2.2.1 and 3.3: its example zone and what it says of it, then the rest. */
static void test_wildcards(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "host3.example", .type = RR_MX}, "noerror aa\nan host3.example. 60 15 10 host1.example.\n"},
        {{.name = "host3.example", .type = RR_A}, NODATA},
        {{.name = "foo.bar.example", .type = RR_TXT}, "noerror aa\nan foo.bar.example. 60 16 0477696c64\n"},
        {{.name = "host1.example", .type = RR_MX}, NODATA},
        {{.name = "sub.*.example", .type = RR_MX}, NODATA},
        {{.name = "_telnet._tcp.host1.example", .type = RR_SRV}, NXDOMAIN},
        {{.name = "ghost.*.example", .type = RR_MX}, NXDOMAIN},
        {{.name = "*.example", .type = RR_MX}, "noerror aa\nan *.example. 60 15 10 host1.example.\n"},
        {{.name = "*.example", .type = RR_A}, NODATA},
        {{.name = "_tcp.host1.example", .type = RR_A}, NODATA},
        {{.name = "x._tcp.host1.example", .type = RR_A}, NXDOMAIN},
        /* The owner is the name that was asked for, as it was asked for. */
        {{.name = "A.b.C.example", .type = RR_MX}, "noerror aa\nan A.b.C.example. 60 15 10 host1.example.\n"},
        {{.name = "x.long.example", .type = RR_NS},
            "noerror aa\nan x.long.example. 60 2 *.long.example.\nan x.long.example. 60 2 a.*.long.example.\n"
            "an x.long.example. 60 2 ns.long.example.\n"},
        {{.name = "averylonglabelindeed.x.long.example", .type = RR_NS},
            "noerror aa\nan averylonglabelindeed.x.long.example. 60 2 *.long.example.\n"
            "an averylonglabelindeed.x.long.example. 60 2 a.*.long.example.\n"
            "an averylonglabelindeed.x.long.example. 60 2 ns.long.example.\n"},
        /* A wildcard that is only an empty non-terminal. */
        {{.name = "x.only.example", .type = RR_A}, NODATA},
        {{.name = "*.only.example", .type = RR_A}, NODATA},
        {{.name = "a.*.only.example", .type = RR_A}, "noerror aa\nan a.*.only.example. 60 1 192.0.2.4\n"},
        {{.name = "b.*.only.example", .type = RR_A}, NXDOMAIN},
        {{.name = "y.x.only.example", .type = RR_A}, NODATA},
        {{.name = "x.any.example", .type = RR_ANY}, "noerror aa\nan x.any.example. 60 1 192.0.2.5\n"},
    };
    RUN("example", "* TXT wild\n* MX 10 host1\nsub.* TXT sub\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 1 2 3 host1\n"
        "_ssh._tcp.host2 SRV 1 2 3 host1\n"
        "*.long NS ns.long\n*.long NS a.*.long\n*.long NS *.long\nns.long A 192.0.2.9\n"
        "a.*.only A 192.0.2.4\n*.any A 192.0.2.5\n*.any TXT x\n", rows);
}

static void test_any_is_one_rrset(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_ANY}, "noerror aa\nan www.example. 60 1 192.0.2.1\n"},
        {{.name = "example", .type = RR_ANY}, "noerror aa\nan example. 3600 2 ns1.example.\n"},
        {{.name = "ent.example", .type = RR_ANY}, NODATA},
        {{.name = "nope.example", .type = RR_ANY}, NXDOMAIN},
    };
    RUN("example", "www A 192.0.2.1\nwww TXT hello\nx.ent A 192.0.2.2\n", rows);
}

/* RFC 6895 3.1; BIND's answers, where the peers differ. */
static void test_types_that_are_no_data(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_OPT}, "formerr\n"},
        {{.name = "www.example", .type = RR_TSIG}, "formerr\n"},
        {{.name = "www.example", .type = RR_TKEY}, "formerr\n"},
        {{.name = "www.example", .type = 128}, "formerr\n"},
        {{.name = "www.example", .type = 200, .payload = 1232}, "formerr\nopt 1232\n"},
        {{.name = "www.example", .type = RR_MAILA}, "notimp\n"},
        {{.name = "www.example", .type = RR_MAILB}, "notimp\n"},
        {{.name = "example", .type = RR_IXFR}, "formerr\n"}, /* without the SOA that says from where */
        {{.name = "www.example", .type = 127}, NODATA},
        {{.name = "www.example", .type = 256}, NODATA},
    };
    RUN("example", "www A 192.0.2.1\n", rows);
}

static void test_transfers(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "");
    world_start(&world);
    uint8_t in[512], out[512];
    size_t len = world_ask(in, &(struct ask){.name = "example", .type = RR_AXFR});
    assert_true(world_answer(&world, out, sizeof out, in, len, ANSWER_UDP) > 0);
    assert_int_equal(out[3] & 15, RCODE_FORMERR);
    assert_true(world_answer(&world, out, sizeof out, in, len, ANSWER_TCP) > 0);
    assert_int_equal(out[3] & 15, RCODE_REFUSED);
    world_fini(&world);
}

static void test_negative_ttl(void **state)
{
    (void)state;
    static const char low[] = "@ 10 SOA ns1 host 1 7200 3600 604800 300\n@ 10 NS ns1\n";
    static const char high[] = "@ 3600 SOA ns1 host 1 7200 3600 604800 20\n@ 10 NS ns1\n";
    struct world world;
    world_init(&world, 1232);
    world_add_whole(&world, "low", low, sizeof low - 1);
    world_add_whole(&world, "high", high, sizeof high - 1);
    world_start(&world);
    static const struct row rows[] = {
        {{.name = "x.low", .type = RR_A}, "nxdomain aa\nns low. 10 6 ns1.low. host.low. 1 7200 3600 604800 300\n"},
        {{.name = "x.high", .type = RR_SOA}, "nxdomain aa\nns high. 20 6 ns1.high. host.high. 1 7200 3600 604800 20\n"},
        {{.name = "high", .type = RR_SOA}, "noerror aa\nan high. 3600 6 ns1.high. host.high. 1 7200 3600 604800 20\n"},
        {{.name = "high", .type = RR_A}, "noerror aa\nns high. 20 6 ns1.high. host.high. 1 7200 3600 604800 20\n"},
    };
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

static void test_several_zones(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\nx.sub A 192.0.2.66\n"
        "*.sub A 192.0.2.67\nns.broken A 192.0.2.3\n");
    world_add(&world, "sub.example", "www A 192.0.2.4\n*.wild A 192.0.2.5\n");
    world_add(&world, "broken.example", NULL);
    world_start(&world);
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_A}, "noerror aa\nan www.example. 60 1 192.0.2.1\n"},
        {{.name = "www.sub.example", .type = RR_A}, "noerror aa\nan www.sub.example. 60 1 192.0.2.4\n"},
        /* What the parent occludes is not there for the child, and blocks nothing. */
        {{.name = "x.sub.example", .type = RR_A}, "nxdomain aa\n"
            "ns sub.example. 300 6 ns1.sub.example. host.sub.example. 1 7200 3600 604800 300\n"},
        {{.name = "x.wild.sub.example", .type = RR_A}, "noerror aa\nan x.wild.sub.example. 60 1 192.0.2.5\n"},
        {{.name = "broken.example", .type = RR_SOA}, "servfail\n"},
        {{.name = "ns.broken.example", .type = RR_A}, "servfail\n"},
    };
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

static void test_the_root_zone(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, ".", "www A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\n*.wild A 192.0.2.3\n");
    world_start(&world);
    static const struct row rows[] = {
        {{.name = ".", .type = RR_NS}, "noerror aa\nan . 3600 2 ns1.\n"},
        {{.name = ".", .type = RR_DS}, "noerror aa\nns . 300 6 ns1. host. 1 7200 3600 604800 300\n"},
        {{.name = "www", .type = RR_A}, "noerror aa\nan www. 60 1 192.0.2.1\n"},
        {{.name = "a.b.c", .type = RR_A}, "nxdomain aa\nns . 300 6 ns1. host. 1 7200 3600 604800 300\n"},
        {{.name = "a.sub", .type = RR_A}, "noerror\nns sub. 60 2 ns.sub.\nar ns.sub. 60 1 192.0.2.2\n"},
        {{.name = "a.wild", .type = RR_A}, "noerror aa\nan a.wild. 60 1 192.0.2.3\n"},
    };
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_any_is_one_rrset),
        cmocka_unit_test(test_types_that_are_no_data),
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_negative_ttl),
        cmocka_unit_test(test_several_zones),
        cmocka_unit_test(test_the_root_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
