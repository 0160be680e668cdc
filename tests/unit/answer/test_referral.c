/* Referrals, glue (RFC 9471), and the DS at a cut (RFC 4035 3.1.4.1). */
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
#define SUB                                                                                                   \
    "noerror\nns sub.example. 60 2 ns.sib.example.\nns sub.example. 60 2 ns.sub.example.\n"                      \
    "ns sub.example. 60 2 ns.example.net.\nar ns.sub.example. 60 1 192.0.2.1\n"                                 \
    "ar ns.sub.example. 60 28 20010db8000000000000000000000001\nar ns.sib.example. 60 1 192.0.2.2\n"

static const char zone_text[] = "sub NS ns.sub\nsub NS ns.sib\nsub NS ns.example.net.\n"
    "sub DS 1 8 1 0000000000000000000000000000000000000000\n"
    "ns.sub A 192.0.2.1\nns.sub AAAA 2001:db8::1\nns.sib A 192.0.2.2\n"
    "www.sub A 192.0.2.3\nx.sub NS ns.x.sub\nns.x.sub A 192.0.2.4\n"
    "*.sub A 192.0.2.5\nself NS self\nself A 192.0.2.6\nout NS ns.example.net.\n"
    "lame NS nowhere\ninto CNAME a.sub\n"
    "under NS ns.dn\ndn DNAME sub\nns.dn A 192.0.2.7\ncousin NS ns.sub\n"
    "d NS d\nd A 192.0.2.8\nd DNAME sub\nns.d A 192.0.2.10\nbesides NS ns.d\nwild.x NS a.wild.x\nwild.x NS a.b.x\n"
    "a.wild.x A 192.0.2.9\na.b.x AAAA 2001:db8::2\n";

static void test_referrals(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{.name = "sub.example", .type = RR_A}, SUB},
        {{.name = "SUB.example", .type = RR_NS},
            "noerror\nns SUB.example. 60 2 ns.sib.example.\nns SUB.example. 60 2 ns.SUB.example.\n"
            "ns SUB.example. 60 2 ns.example.net.\n"
            "ar ns.SUB.example. 60 1 192.0.2.1\nar ns.SUB.example. 60 28 20010db8000000000000000000000001\n"
            "ar ns.sib.example. 60 1 192.0.2.2\n"},
        {{.name = "sub.example", .type = RR_ANY}, SUB},
        {{.name = "sub.example", .type = RR_SOA}, SUB},
        {{.name = "ns.sub.example", .type = RR_A}, SUB},
        {{.name = "www.sub.example", .type = RR_A}, SUB},
        {{.name = "nope.sub.example", .type = RR_A}, SUB},
        {{.name = "a.b.c.d.nope.sub.example", .type = RR_A}, SUB},
        {{.name = "x.sub.example", .type = RR_NS}, SUB}, /* the topmost cut */
        {{.name = "ns.x.sub.example", .type = RR_A}, SUB},
        {{.name = "www.sub.example", .type = RR_DS}, SUB},
        {{.name = "self.example", .type = RR_A}, "noerror\nns self.example. 60 2 self.example.\n"
            "ar self.example. 60 1 192.0.2.6\n"},
        {{.name = "a.self.example", .type = RR_A}, "noerror\nns self.example. 60 2 self.example.\n"
            "ar self.example. 60 1 192.0.2.6\n"},
        {{.name = "a.out.example", .type = RR_A}, "noerror\nns out.example. 60 2 ns.example.net.\n"},
        {{.name = "a.lame.example", .type = RR_A}, "noerror\nns lame.example. 60 2 nowhere.example.\n"},
        /* Occluded by a DNAME: no address of this zone. */
        {{.name = "under.example", .type = RR_A}, "noerror\nns under.example. 60 2 ns.dn.example.\n"},
        /* Glue of another cut serves as well. */
        {{.name = "cousin.example", .type = RR_A},
            "noerror\nns cousin.example. 60 2 ns.sub.example.\nar ns.sub.example. 60 1 192.0.2.1\n"
            "ar ns.sub.example. 60 28 20010db8000000000000000000000001\n"},
        {{.name = "d.example", .type = RR_DNAME}, "noerror\nns d.example. 60 2 d.example.\n"
            "ar d.example. 60 1 192.0.2.8\n"},
        {{.name = "x.d.example", .type = RR_A}, "noerror\nns d.example. 60 2 d.example.\n"
            "ar d.example. 60 1 192.0.2.8\n"},
        /* At a cut that has a DNAME too, the cut comes first: what is below is glue, for others as well. */
        {{.name = "besides.example", .type = RR_A}, "noerror\nns besides.example. 60 2 ns.d.example.\n"
            "ar ns.d.example. 60 1 192.0.2.10\n"},
        {{.name = "a.wild.x.example", .type = RR_A},
            "noerror\nns wild.x.example. 60 2 a.b.x.example.\nns wild.x.example. 60 2 a.wild.x.example.\n"
            "ar a.wild.x.example. 60 1 192.0.2.9\n"
            "ar a.b.x.example. 60 28 20010db8000000000000000000000002\n"},
        /* Behind an alias AA speaks of the alias (RFC 2181 5.4.1). */
        {{.name = "into.example", .type = RR_A},
            "noerror aa\nan into.example. 60 5 a.sub.example.\nns sub.example. 60 2 ns.sib.example.\n"
            "ns sub.example. 60 2 ns.sub.example.\n"
            "ns sub.example. 60 2 ns.example.net.\nar ns.sub.example. 60 1 192.0.2.1\n"
            "ar ns.sub.example. 60 28 20010db8000000000000000000000001\n"
            "ar ns.sib.example. 60 1 192.0.2.2\n"},
        {{.name = "sub.example", .type = RR_DS}, "noerror aa\n"
            "an sub.example. 60 43 000108010000000000000000000000000000000000000000\n"},
        {{.name = "self.example", .type = RR_DS}, "noerror aa\n" SOA},
        {{.name = "x.sub.example", .type = RR_DS}, SUB},
        {{.name = "a.sub.example", .type = RR_A, .payload = 1232, .dnssec_ok = true}, SUB "opt 1232 do\n"},
    };
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", zone_text);
    world_start(&world);
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

/* Three nested zones on one server: the closest parent speaks for the child's DS. */
static void test_ds_of_nested_zones(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "b NS ns.b\nns.b A 192.0.2.1\n"
        "c.b DS 1 8 1 0000000000000000000000000000000000000001\n");
    world_add(&world, "b.example", "c NS ns.c\nns.c A 192.0.2.2\n"
        "c DS 1 8 1 0000000000000000000000000000000000000002\n");
    world_add(&world, "c.b.example", "");
    world_add(&world, "lonely.net", "");
    world_add(&world, "other", "");
    world_add(&world, "no.cut.other", "");
    world_start(&world);
    static const struct row rows[] = {
        {{.name = "c.b.example", .type = RR_DS}, "noerror aa\n"
            "an c.b.example. 60 43 000108010000000000000000000000000000000000000002\n"},
        {{.name = "b.example", .type = RR_DS}, "noerror aa\n" SOA},
        {{.name = "x.c.b.example", .type = RR_DS},
            "nxdomain aa\nns c.b.example. 300 6 ns1.c.b.example. host.c.b.example. 1 7200 3600 604800 300\n"},
        {{.name = "lonely.net", .type = RR_DS}, "noerror aa\n"
            "ns lonely.net. 300 6 ns1.lonely.net. host.lonely.net. 1 7200 3600 604800 300\n"},
        /* A parent that knows nothing of the child says so. */
        {{.name = "no.cut.other", .type = RR_DS}, "nxdomain aa\n"
            "ns other. 300 6 ns1.other. host.other. 1 7200 3600 604800 300\n"},
    };
    assert_int_equal(TABLE_RUN(&world, rows), 0);
    world_fini(&world);
}

/* A zone with `cnt` name servers at a cut, each with an address, below `below`. */
static void many_servers(char *out, size_t cap, unsigned cnt, const char *below)
{
    size_t len = 0;
    char name[64];
    for (unsigned i = 0; i < cnt; i++) {
        snprintf(name, sizeof name, "ns%02u.%s", i, below);
        len += (size_t)snprintf(out + len, cap - len, "cut NS %s\n%s A 192.0.2.%u\n", name, name, i);
    }
}

static unsigned lines_of(const char *text, const char *start)
{
    unsigned cnt = 0;
    for (const char *p = text; (p = strstr(p, start)) != NULL; p++)
        cnt++;
    return cnt;
}

static void ask_cut(struct world *world, uint16_t payload, enum answer_proto proto, char *text, size_t cap)
{
    uint8_t in[512];
    static uint8_t out[65535];
    size_t len = world_ask(in, &(struct ask){.name = "a.cut.example", .type = RR_A, .payload = payload});
    len = world_answer(world, out, sizeof out, in, len, proto);
    assert_true(proto == ANSWER_TCP || len <= (payload > 512 ? payload : 512));
    assert_null(decode_answer(text, cap, out, len));
}

/* Every payload size: in-domain glue that does not fit is told by TC, and only then. */
static void test_in_domain_glue_is_required(void **state)
{
    (void)state;
    static char zone[4096], text[1 << 16];
    many_servers(zone, sizeof zone, 20, "cut");
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", zone);
    world_start(&world);
    ask_cut(&world, 0, ANSWER_TCP, text, sizeof text);
    assert_null(strstr(text, "noerror tc"));
    assert_int_equal(lines_of(text, "\nns "), 20);
    assert_int_equal(lines_of(text, "\nar "), 20);
    unsigned with_glue = 0, without_glue = 0;
    for (uint16_t payload = 512; payload < 1200; payload++) {
        ask_cut(&world, payload, ANSWER_UDP, text, sizeof text);
        unsigned ns = lines_of(text, "\nns "), ar = lines_of(text, "\nar ");
        assert_true(ns == 0 || ns == 20);
        assert_true(ar == 0 || (ar == 20 && ns == 20));
        assert_int_equal(strstr(text, "noerror tc") != NULL, ar == 0);
        with_glue += ar > 0;
        without_glue += ar == 0;
    }
    assert_true(with_glue > 0 && without_glue > 0);
    world_fini(&world);
}

/* Sibling glue goes in while it fits and never asks for TC (RFC 9471 3.2). */
static void test_sibling_glue_is_optional(void **state)
{
    (void)state;
    static char zone[4096], text[1 << 16];
    many_servers(zone, sizeof zone, 20, "sib");
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", zone);
    world_start(&world);
    unsigned last = 0;
    for (uint16_t payload = 512; payload < 1200; payload++) {
        ask_cut(&world, payload, ANSWER_UDP, text, sizeof text);
        unsigned ns = lines_of(text, "\nns "), ar = lines_of(text, "\nar ");
        assert_int_equal(strstr(text, "noerror tc") != NULL, ns == 0);
        assert_true(ar >= last);
        last = ar;
    }
    assert_int_equal(last, 20);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_referrals),
        cmocka_unit_test(test_ds_of_nested_zones),
        cmocka_unit_test(test_in_domain_glue_is_required),
        cmocka_unit_test(test_sibling_glue_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
