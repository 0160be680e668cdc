/* CNAME and DNAME (RFC 1034 4.3.2, 6604, 6672). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/table.h"

#define SOA "ns example. 300 6 ns1.example. host.example. 1 7200 3600 604800 300\n"
#define WWW "an www.example. 60 1 192.0.2.1\n"

static void run(const char *text, const struct row *rows, size_t cnt)
{
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", text);
    world_add(&world, "net", "www A 192.0.2.9\nback CNAME www.example.\n*.w CNAME www.example.\n@ MX 5 mx.www.net.\n"
        "@ MX 6 b.mx.www.net.\n");
    world_add(&world, "broken", NULL);
    world_start(&world);
    assert_int_equal(table_run(&world, rows, cnt), 0);
    world_fini(&world);
}
#define RUN(text, rows) run(text, rows, sizeof(rows) / sizeof *(rows))

static void test_cname(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "alias.example", .type = RR_A}, "noerror aa\nan alias.example. 60 5 www.example.\n" WWW},
        {{.name = "ALIAS.example", .type = RR_CNAME}, "noerror aa\nan ALIAS.example. 60 5 www.example.\n"},
        {{.name = "alias.example", .type = RR_ANY}, "noerror aa\nan alias.example. 60 5 www.example.\n"},
        {{.name = "alias.example", .type = RR_NSEC}, "noerror aa\n" SOA},
        {{.name = "alias.example", .type = RR_RRSIG}, "noerror aa\n" SOA},
        {{.name = "alias.example", .type = RR_MX}, "noerror aa\nan alias.example. 60 5 www.example.\n" SOA},
        {{.name = "alias.example", .type = RR_DS}, "noerror aa\nan alias.example. 60 5 www.example.\n" SOA},
        {{.name = "two.example", .type = RR_A}, "noerror aa\nan two.example. 60 5 alias.example.\n"
            "an alias.example. 60 5 www.example.\n" WWW},
        /* RFC 6604 3: the RCODE is the last name's. */
        {{.name = "gone.example", .type = RR_A}, "nxdomain aa\nan gone.example. 60 5 nope.example.\n" SOA},
        {{.name = "ent.example", .type = RR_A}, "noerror aa\nan ent.example. 60 5 e.example.\n" SOA},
        {{.name = "out.example", .type = RR_A}, "noerror aa\nan out.example. 60 5 www.example.org.\n"},
        {{.name = "broken.example", .type = RR_A}, "noerror aa\nan broken.example. 60 5 www.broken.\n"},
        /* Through other zones of ours. */
        {{.name = "net.example", .type = RR_A}, "noerror aa\nan net.example. 60 5 www.net.\n"
            "an www.net. 60 1 192.0.2.9\n"},
        {{.name = "round.example", .type = RR_A}, "noerror aa\nan round.example. 60 5 back.net.\n"
            "an back.net. 60 5 www.example.\n" WWW},
        {{.name = "none.example", .type = RR_A},
            "nxdomain aa\nan none.example. 60 5 x.www.net.\nns net. 300 6 ns1.net. host.net. 1 7200 3600 604800 300\n"},
        {{.name = "mx.example", .type = RR_MX},
            "noerror aa\nan mx.example. 60 5 net.\nan net. 60 15 5 mx.www.net.\nan net. 60 15 6 b.mx.www.net.\n"},
        /* Wildcards: at the start, and as a link. */
        {{.name = "a.b.wild.example", .type = RR_A}, "noerror aa\nan a.b.wild.example. 60 5 www.example.\n" WWW},
        {{.name = "a.wild.example", .type = RR_CNAME}, "noerror aa\nan a.wild.example. 60 5 www.example.\n"},
        {{.name = "via.example", .type = RR_A}, "noerror aa\nan via.example. 60 5 x.y.wild.example.\n"
            "an x.y.wild.example. 60 5 www.example.\n" WWW},
        {{.name = "vianet.example", .type = RR_A}, "noerror aa\nan vianet.example. 60 5 x.w.net.\n"
            "an x.w.net. 60 5 www.example.\n" WWW},
        {{.name = "toit.example", .type = RR_MX}, "noerror aa\nan toit.example. 60 5 q.mxs.example.\n"
            "an q.mxs.example. 60 15 1 a.mxs.example.\n"
            "an q.mxs.example. 60 15 2 mx.a.mxs.example.\n"},
    };
    RUN("www A 192.0.2.1\nalias CNAME www\ntwo CNAME alias\ngone CNAME nope\nent CNAME e\nx.e A 192.0.2.2\n"
        "out CNAME www.example.org.\n"
        "broken CNAME www.broken.\nnet CNAME www.net.\nround CNAME back.net.\nnone CNAME x.www.net.\nmx CNAME net.\n"
        "*.wild CNAME www\nvia CNAME x.y.wild\n"
        "vianet CNAME x.w.net.\ntoit CNAME q.mxs\n*.mxs MX 1 a.mxs\n*.mxs MX 2 mx.a.mxs\n", rows);
}

static void test_loops_say_nothing_twice(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "self.example", .type = RR_A}, "noerror aa\nan self.example. 60 5 self.example.\n"},
        {{.name = "a.example", .type = RR_A}, "noerror aa\nan a.example. 60 5 b.example.\n"
            "an b.example. 60 5 A.example.\n"},
        {{.name = "into.example", .type = RR_A},
            "noerror aa\nan into.example. 60 5 b.example.\nan b.example. 60 5 A.example.\n"
            "an A.example. 60 5 b.example.\n"},
        {{.name = "w.loop.example", .type = RR_A}, "noerror aa\nan w.loop.example. 60 5 x.loop.example.\n"
            "an x.loop.example. 60 5 x.loop.example.\n"},
        {{.name = "a.d1.example", .type = RR_A},
            "noerror aa\nan d1.example. 60 39 d2.example.\nan a.d1.example. 60 5 a.d2.example.\n"
            "an d2.example. 60 39 d1.example.\n"
            "an a.d2.example. 60 5 a.d1.example.\n"},
    };
    RUN("self CNAME self\na CNAME b\nb CNAME A\ninto CNAME b\n*.loop CNAME x.loop\nd1 DNAME d2\nd2 DNAME d1\n", rows);
}

/* A DNAME to below itself: every link is new, the DNAME is told once. */
static void test_growing_dname(void **state)
{
    (void)state;
    static char text[1 << 16];
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", "g DNAME x.g\nlong DNAME xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.long\n");
    world_start(&world);
    uint8_t in[512], out[4096];
    size_t len = world_ask(in, &(struct ask){.name = "a.g.example", .type = RR_A, .payload = 4096});
    len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_memory_equal(text, "noerror aa\n", 11);
    assert_int_equal(out[7], 1 + 16);
    len = world_ask(in, &(struct ask){.name = "a.long.example", .type = RR_A, .payload = 4096});
    len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_memory_equal(text, "yxdomain aa\n", 12);
    world_fini(&world);
}

/* At most 16 links, then what there is, with NOERROR; 16 links to an address are whole. */
static void test_long_chains(void **state)
{
    (void)state;
    static char zone[4096], text[1 << 16];
    size_t at = 0;
    for (unsigned i = 0; i < 20; i++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "c%u CNAME c%u\n", i, i + 1);
    snprintf(zone + at, sizeof zone - at, "c20 A 192.0.2.1\n");
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", zone);
    world_start(&world);
    for (unsigned first = 0; first <= 20; first++) {
        uint8_t in[512], out[1232];
        char name[32];
        snprintf(name, sizeof name, "c%u.example", first);
        size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_A, .payload = 1232});
        len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
        assert_null(decode_answer(text, sizeof text, out, len));
        assert_memory_equal(text, "noerror aa\n", 11);
        unsigned links = 20 - first;
        assert_int_equal(out[7], links > 16 ? 16 : links + 1);
        assert_int_equal(strstr(text, "192.0.2.1") != NULL, links <= 16);
    }
    world_fini(&world);
}

static void test_dname(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "x.dn.example", .type = RR_A},
         "noerror aa\nan dn.example. 5 39 target.example.\n"
         "an x.dn.example. 5 5 x.target.example.\n"
         "an x.target.example. 60 1 192.0.2.3\n"},
        {{.name = "X.y.DN.example", .type = RR_A},
         "nxdomain aa\nan DN.example. 5 39 target.example.\n"
         "an X.y.DN.example. 5 5 X.y.target.example.\n" SOA},
        {{.name = "x.dn.example", .type = RR_CNAME},
         "noerror aa\nan dn.example. 5 39 target.example.\n"
         "an x.dn.example. 5 5 x.target.example.\n"},
        {{.name = "x.dn.example", .type = RR_ANY},
         "noerror aa\nan dn.example. 5 39 target.example.\n"
         "an x.dn.example. 5 5 x.target.example.\n"},
        {{.name = "x.dn.example", .type = RR_DNAME},
         "noerror aa\nan dn.example. 5 39 target.example.\nan x.dn.example. 5 5 x.target.example.\n" SOA},
        {{.name = "dn.example", .type = RR_DNAME}, "noerror aa\nan dn.example. 5 39 target.example.\n"},
        {{.name = "dn.example", .type = RR_A}, "noerror aa\nan dn.example. 60 1 192.0.2.4\n"},
        {{.name = "dn.example", .type = RR_MX}, "noerror aa\n" SOA},
        /* Data below a DNAME is occluded. */
        {{.name = "hidden.dn.example", .type = RR_A},
         "nxdomain aa\nan dn.example. 5 39 target.example.\n"
         "an hidden.dn.example. 5 5 hidden.target.example.\n" SOA},
        {{.name = "a.cut.dn.example", .type = RR_NS},
         "nxdomain aa\nan dn.example. 5 39 target.example.\n"
         "an a.cut.dn.example. 5 5 a.cut.target.example.\n" SOA},
        /* And so is a DNAME below a cut. */
        {{.name = "a.dn.sub.example", .type = RR_A}, "noerror\nns sub.example. 60 2 ns1.example.\n"},
        {{.name = "a.root.example", .type = RR_A},
         "noerror aa\nan root.example. 60 39 .\n"
         "an a.root.example. 60 5 a.\n"},
        {{.name = "www.net.root.example", .type = RR_A},
         "noerror aa\nan root.example. 60 39 .\nan www.net.root.example. 60 5 www.net.\nan www.net. 60 1 192.0.2.9\n"},
        {{.name = "to.example", .type = RR_A},
         "noerror aa\nan to.example. 60 5 x.dn.example.\n"
         "an dn.example. 5 39 target.example.\n"
         "an x.dn.example. 5 5 x.target.example.\n"
         "an x.target.example. 60 1 192.0.2.3\n"},
        {{.name = "x.two.example", .type = RR_A},
         "noerror aa\nan two.example. 60 39 dn.example.\nan x.two.example. 60 5 x.dn.example.\n"
         "an dn.example. 5 39 target.example.\n"
         "an x.dn.example. 5 5 x.target.example.\nan x.target.example. 60 1 192.0.2.3\n"},
    };
    RUN("dn 5 DNAME target\ndn A 192.0.2.4\nx.target A 192.0.2.3\nhidden.dn A 192.0.2.5\ncut.dn NS ns1\nsub NS ns1\n"
        "dn.sub DNAME target\nroot DNAME .\n"
        "to CNAME x.dn\ntwo DNAME dn\n", rows);
}

static void test_dname_at_the_apex(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "old", "@ DNAME new.\n@ A 192.0.2.1\n");
    world_add(&world, "new", "www A 192.0.2.2\n");
    world_start(&world);
    static const struct row rows[] = {
        {{.name = "old", .type = RR_A}, "noerror aa\nan old. 60 1 192.0.2.1\n"},
        {{.name = "old", .type = RR_SOA}, "noerror aa\nan old. 3600 6 ns1.old. host.old. 1 7200 3600 604800 300\n"},
        {{.name = "www.old", .type = RR_A}, "noerror aa\nan old. 60 39 new.\nan www.old. 60 5 www.new.\n"
            "an www.new. 60 1 192.0.2.2\n"},
        {{.name = "nope.old", .type = RR_A},
            "nxdomain aa\nan old. 60 39 new.\nan nope.old. 60 5 nope.new.\n"
            "ns new. 300 6 ns1.new. host.new. 1 7200 3600 604800 300\n"},
    };
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

/* RFC 6672 2.2: 255 bytes are a name, 256 are YXDOMAIN with the DNAME. */
static void test_dname_too_long(void **state)
{
    (void)state;
    static char text[1 << 16];
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "d DNAME dd\n");
    world_start(&world);
    for (unsigned last = 48; last <= 51; last++) { /* at most 3 · 64 + 52 + 11 = 255 bytes */
        char name[300] = "";
        for (unsigned i = 0; i < 3; i++)
            strcat(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
        memset(name + strlen(name), 'b', last);
        strcat(name, ".d.example");
        uint8_t in[512], out[1232];
        size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_A, .payload = 1232});
        size_t name_len = len - 12 - 4 - 11;
        len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
        assert_null(decode_answer(text, sizeof text, out, len));
        assert_int_equal(out[3] & 15, name_len + 1 > 255 ? RCODE_YXDOMAIN : RCODE_NXDOMAIN);
        assert_int_equal(out[7], name_len + 1 > 255 ? 1 : 2);
        assert_non_null(strstr(text, "an d.example. 60 39 dd.example.\n"));
    }
    world_fini(&world);
}

/* Said even where the DNAME itself does not fit. */
static void test_dname_too_long_truncated(void **state)
{
    (void)state;
    static char zone[512], text[1 << 16];
    char label[61] = "", name[300] = "";
    memset(label, 'a', 60);
    snprintf(zone, sizeof zone, "d DNAME %s.%s.%s.%.40s.example.net.\n", label, label, label, label);
    snprintf(name, sizeof name, "%s.%s.%s.%.56s.d.example", label, label, label, label);
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", zone);
    world_start(&world);
    uint8_t in[512], out[1232];
    size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_A});
    len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_memory_equal(text, "yxdomain aa tc\n", 15);
    world_fini(&world);
}

/* Sixteen of the longest: pointers stay in reach, the message well-formed. */
static void test_longest_chain(void **state)
{
    (void)state;
    static char zone[1 << 18], text[1 << 18];
    static uint8_t out[65535];
    char pad[256];
    for (unsigned i = 0; i < 3; i++)
        snprintf(pad + 64 * i, sizeof pad - 64 * i, "%063u.", 0);
    pad[3 * 64 + 40] = 0;
    size_t at = 0;
    for (unsigned i = 0; i < 16; i++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "d%02u.%.150s DNAME d%02u.%.150s\n", i, pad, i + 1, pad);
    for (unsigned i = 0; i < 400; i++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "x.d16.%.150s MX %u mail.m%u\n", pad, i, i);
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", zone);
    world_start(&world);
    char name[300];
    uint8_t in[512];
    snprintf(name, sizeof name, "x.d00.%.150s.example", pad);
    size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_MX});
    len = world_answer(&world, out, sizeof out, in, len, ANSWER_TCP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_non_null(strstr(text, " 15 399 mail.m399.example."));
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cname),
        cmocka_unit_test(test_loops_say_nothing_twice),
        cmocka_unit_test(test_growing_dname),
        cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_dname),
        cmocka_unit_test(test_dname_at_the_apex),
        cmocka_unit_test(test_dname_too_long),
        cmocka_unit_test(test_dname_too_long_truncated),
        cmocka_unit_test(test_longest_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
