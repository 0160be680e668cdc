#include "answer/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"
#include "pool/classes.h"
#include "zone/version.h"

static char text[1 << 20];

static const char zone_text[] =
    "www A 192.0.2.1\nalias CNAME www\nfar CNAME alias\nloop CNAME pool\npool CNAME loop\nout CNAME www.example.org.\n"
    "*.wild A 192.0.2.2\ndn DNAME wild\nsub NS ns.sub\nns.sub A 192.0.2.3\nbig TXT x\n";

static struct world world;

static int start(void **state)
{
    (void)state;
    world_init(&world, 1232);
    world_add(&world, "example", zone_text);
    world_add(&world, "broken", NULL);
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static struct trace *ask_as(const char *name, uint16_t type, const char *client)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    struct trace_client asker = {.known = 0};
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    if (client) {
        struct prefix prefix;
        assert_int_equal(prefix_from_text(&prefix, client), ERR_OK);
        asker.address.family = prefix.family;
        asker.known = prefix.len;
        memcpy(asker.address.bytes, prefix.bytes, sizeof prefix.bytes);
    }
    struct trace *trace = trace_question(&world.shared, wire, type, &asker);
    assert_null(decode_answer(text, sizeof text, trace->reply, trace->reply_len));
    return trace;
}

/* What was found of each name: e exact, w wildcard, c cut, d DNAME, n none, z no zone, b not loaded. */
static void names_are_followed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        const char *found, *reply, *last;
    } rows[] = {
        {"www.example", RR_A, "e", "noerror aa\nqu www.example. 1 1\nan www.example. 60 1 192.0.2.1\n", "www.example."},
        {"WWW.example", RR_MX, "e", "noerror aa\n", "WWW.example."},
        {"far.example", RR_A, "eee", "noerror aa\n", "www.example."},
        {"far.example", RR_CNAME, "e", "noerror aa\n", "far.example."},
        {"far.example", RR_ANY, "e", "noerror aa\n", "far.example."},
        {"a.wild.example", RR_A, "w", "noerror aa\n", "a.wild.example."},
        {"a.dn.example", RR_A, "dw", "noerror aa\n", "a.wild.example."},
        {"www.sub.example", RR_A, "c", "noerror\n", "www.sub.example."},
        {"nope.example", RR_A, "n", "nxdomain aa\n", "nope.example."},
        {"out.example", RR_A, "ez", "noerror aa\n", "www.example.org."},
        {"example.org", RR_A, "z", "refused\n", "example.org."},
        {".", RR_A, "z", "refused\n", "."},
        {"www.broken", RR_A, "b", "servfail\n", "www.broken."},
        {"www.example", RR_AXFR, "e", "rcode9\n", "www.example."},
        {"example", RR_AXFR, "e", "refused\n", "example."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace *trace = ask_as(rows[i].name, rows[i].type, NULL);
        char found[TRACE_LINKS_MAX + 1] = "", last[NAME_TEXT_MAX];
        for (unsigned n = 0; n < trace->link_cnt; n++) {
            const struct trace_link *link = &trace->links[n];
            found[n] = !link->zone ? 'z' : !link->version ? 'b' : "ewcdn"[link->kind];
            assert_true(!link->version == !(link->kind != LOOKUP_EXACT || link->node));
        }
        name_to_text(last, trace->links[trace->link_cnt - 1].name);
        if (strcmp(found, rows[i].found) || strncmp(text, rows[i].reply, strlen(rows[i].reply)) ||
            strcmp(last, rows[i].last))
            fail_msg("%s: found \"%s\", last %s, reply:\n%s", rows[i].name, found, last, text);
        trace_free(trace);
    }
    trace_free(NULL);
}

/* Aliases in a circle end as an answer with them does. */
static void circles_end(void **state)
{
    (void)state;
    struct trace *trace = ask_as("loop.example", RR_A, NULL);
    assert_in_range(trace->link_cnt, 2, TRACE_LINKS_MAX);
    trace_free(trace);
}

/* The longest name there may be, and a client. */
static void the_longest_question(void **state)
{
    (void)state;
    char name[300] = "";
    for (unsigned i = 0; i < 122; i++)
        strcat(name, "a.");
    strcat(name, "example.");
    struct trace *trace = ask_as(name, RR_A, "2001:db8:1:2:3:4:5:6");
    assert_int_equal(trace->link_cnt, 1);
    assert_int_equal(trace->links[0].kind, LOOKUP_NONE);
    trace_free(trace);
}

static void clients_are_asked_for(void **state)
{
    (void)state;
    static const uint8_t www[] = "\3www\7example";
    const struct prefix_map_entry entries[] = {{{{10}, ADDR_V4, 8}, 1}, {{{0}, ADDR_V6, 0}, 1}, {{{0}, ADDR_V4, 8}, 1}};
    struct answer_sites sites = {.map = prefix_map_new(entries, 3)};
    struct pool_directory pools;
    struct pool_member members[2] = {0};
    const struct pool_settings settings = {.policy = POOL_ROUND_ROBIN, .answers = 1, .ttl_sec = 20};
    pool_directory_init(&pools);
    uint32_t handle = pool_directory_take(&pools);
    const struct pool_class class = {1, pool_directory_take(&pools)};
    for (unsigned i = 0; i < 2; i++)
        members[i] = (struct pool_member){.address = {.bytes = {192, 0, 2, (uint8_t)(11 + i)}, .family = ADDR_V4},
                                          .weight = 1, .tier = 1, .site = (uint16_t)i};
    const struct pool_source source = {.settings = &settings, .family = ADDR_V4, .members = members, .cnt = 2,
                                       .classes = &class, .class_cnt = 1, .handle = handle};
    (void)!pool_directory_set(&pools, handle, 0, pool_classes_compile(&source, NULL));
    ((struct zone_node *)(uintptr_t)zone_version_find(world.zones[0]->current, www))->pool = handle;
    world.shared.pools = &pools;
    world.settings.sites = &sites;
    static const struct {
        const char *client;
        unsigned scope;
        bool is_near;
    } rows[] = {{"10.0.0.1", 8, true}, {"10.0.0.0/8", 8, true}, {"10.0.0.0/7", 7, false}, {"11.0.0.1", 8, false},
                {"2001:db8::/56", 0, true}, {NULL, 0, false}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        unsigned others = 0;
        for (unsigned i = 0; i < 24; i++) {
            struct trace *trace = ask_as("www.example", RR_A, rows[r].client);
            others += strstr(text, "192.0.2.11") != NULL;
            assert_int_equal(trace->scope, rows[r].scope);
            trace_free(trace);
        }
        assert_int_equal(others > 0, !rows[r].is_near); /* each has its turn, from a start that is drawn */
    }
    world.settings.sites = NULL;
    world.shared.pools = NULL;
    pool_table_free(pool_directory_set(&pools, handle, 0, NULL));
    pool_directory_fini(&pools);
    prefix_map_free(sites.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_followed),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(the_longest_question),
        cmocka_unit_test(clients_are_asked_for),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
