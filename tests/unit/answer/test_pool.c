/* Answers of names that are pools: which records, under which owner, what stands
 * there when there are none, and whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/table.h"
#include "zone/version.h"

/* The extended error that says so: code 0 and "no server of this name is known to be up". */
#define NO_SERVER                                                                                \
    " 15:0000" "6e6f2073657276657220" "6f662074686973206e616d6520" "6973206b6e6f776e20" "746f206265207570\n"

static char text[1 << 18];
static uint8_t out[65535];

static const char zone_text[] =
    "www A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.3\nwww AAAA ::1\nwww AAAA ::2\nwww AAAA ::3\nwww MX 10 mail\n"
    "only4 A 192.0.2.9\nalias CNAME www\nfar CNAME alias\n*.wild A 192.0.2.1\n*.wild A 192.0.2.2\n"
    "wildalias CNAME x.y.wild\nplain A 192.0.2.7\ntxt TXT x\n*.w TXT x\nto-txt CNAME txt\n"
    "a-rather-long-label-so-that-sixteen-addresses-have-no-room AAAA ::1\n";

struct fixture {
    struct world world;
    struct pool_directory pools;
};

static void begin(struct fixture *f)
{
    world_init(&f->world, 1232);
    pool_directory_init(&f->pools);
    f->world.shared.pools = &f->pools;
    world_add(&f->world, "example", zone_text);
    world_start(&f->world);
}

static void end(struct fixture *f)
{
    for (uint32_t i = 0; i < f->pools.used; i++)
        for (unsigned family = 0; family < 2; family++)
            pool_table_free(f->pools.entries[i].tables[family]);
    world_fini(&f->world);
    pool_directory_fini(&f->pools);
}

/* Makes a name a pool; its handle. */
static uint32_t take(struct fixture *f, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    struct zone_node *node = (struct zone_node *)(uintptr_t)zone_version_find(f->world.zones[0]->current, wire);
    assert_non_null(node);
    node->pool = pool_directory_take(&f->pools);
    assert_true(node->pool > 0);
    return node->pool;
}

static struct pool_settings settings_of(enum pool_policy policy, unsigned answers)
{
    return (struct pool_settings){.policy = policy,
                                  .answers = (uint16_t)answers,
                                  .ttl_sec = 20,
                                  .ttl_min_sec = 5,
                                  .hash_prefix4 = 32,
                                  .hash_prefix6 = 56,
                                  .seed = 4711};
}

/* Puts a table of addresses 10.0.0.1 … or fd00::1 … in place; all of them down, or up. */
static void fill(struct fixture *f, uint32_t handle, enum addr_family family, const struct pool_settings *settings,
                 unsigned cnt, bool up)
{
    struct pool_member members[16] = {0};
    for (unsigned i = 0; i < cnt; i++) {
        char address[40];
        snprintf(address, sizeof address, family == ADDR_V4 ? "10.0.0.%u" : "fd00::%u", i + 1);
        assert_int_equal(addr_from_text(&members[i].address, address), ERR_OK);
        members[i].weight = members[i].tier = 1;
        members[i].verdict = up ? HEALTH_UP : HEALTH_DOWN;
        members[i].probed = true;
    }
    struct pool_table *table = pool_table_compile(settings, family, members, cnt, NULL, 0, NULL);
    pool_table_free(pool_directory_set(&f->pools, handle, family == ADDR_V6, table));
}

static const char *ask_as(struct fixture *f, const char *name, uint16_t type, const char *client)
{
    uint8_t in[512];
    struct answer_packet packet = {.in = in, .out = out, .out_cap = sizeof out, .proto = ANSWER_UDP};
    packet.in_len = (uint32_t)world_ask(in, &(struct ask){.name = name, .type = type});
    assert_int_equal(addr_from_text(&packet.client, client), ERR_OK);
    answer_batch(f->world.worker, &packet, 1);
    assert_null(decode_answer(text, sizeof text, out, packet.out_len));
    return text;
}

static const char *ask(struct fixture *f, const char *name, uint16_t type)
{
    return ask_as(f, name, type, "127.0.0.1");
}

/* The last byte of the message: that of the only (or last) address. */
static unsigned last_byte(struct fixture *f, const char *name, uint16_t type)
{
    uint8_t in[512];
    size_t len = world_ask(in, &(struct ask){.name = name, .type = type});
    return out[world_answer(&f->world, out, sizeof out, in, len, ANSWER_UDP) - 1];
}

static void test_addresses_of_the_table(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings one = settings_of(POOL_ROUND_ROBIN, 1);
    uint32_t www = take(&f, "www.example"), wild = take(&f, "*.wild.example");
    fill(&f, www, ADDR_V4, &one, 1, true);
    fill(&f, www, ADDR_V6, &one, 1, true);
    fill(&f, wild, ADDR_V4, &one, 1, true);
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_A}, "noerror aa\nan www.example. 20 1 10.0.0.1\n"},
        {{.name = "wWw.example", .type = RR_AAAA},
         "noerror aa\nan wWw.example. 20 28 fd000000000000000000000000000001\n"},
        {{.name = "www.example", .type = RR_MX}, "noerror aa\nan www.example. 60 15 10 mail.example.\n"},
        {{.name = "www.example", .type = RR_ANY}, "noerror aa\nan www.example. 60 15 10 mail.example.\n"},
        {{.name = "www.example", .type = RR_A, .payload = 1232},
         "noerror aa\nan www.example. 20 1 10.0.0.1\nopt 1232\n"},
        {{.name = "far.example", .type = RR_A},
         "noerror aa\nan far.example. 60 5 alias.example.\nan alias.example. 60 5 www.example.\n"
         "an www.example. 20 1 10.0.0.1\n"},
        {{.name = "q.wild.example", .type = RR_A}, "noerror aa\nan q.wild.example. 20 1 10.0.0.1\n"},
        {{.name = "wildalias.example", .type = RR_A},
         "noerror aa\nan wildalias.example. 60 5 x.y.wild.example.\nan x.y.wild.example. 20 1 10.0.0.1\n"},
        {{.name = "plain.example", .type = RR_A}, "noerror aa\nan plain.example. 60 1 192.0.2.7\n"},
    };
    assert_int_equal(TABLE_RUN(&f.world, rows), 0);
    assert_true(answer_worker_counters(f.world.worker)->pool > 0);
    assert_int_equal(answer_worker_counters(f.world.worker)->pool_down, 0);
    end(&f);
}

static void test_no_addresses(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings none = settings_of(POOL_ROUND_ROBIN, 1), failing = none;
    none.all_down = POOL_SERVE_NONE;
    failing.all_down = POOL_SERVFAIL;
    uint32_t www = take(&f, "www.example"), only4 = take(&f, "only4.example");
    fill(&f, www, ADDR_V4, &none, 3, false);
    fill(&f, www, ADDR_V6, &failing, 3, false);
    none.ttl_sec = 5000; /* above the SOA's 300 */
    fill(&f, only4, ADDR_V4, &none, 1, false);
    static const struct row rows[] = {
        {{.name = "www.example", .type = RR_A},
         "noerror aa\nns example. 20 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "only4.example", .type = RR_A},
         "noerror aa\nns example. 300 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "only4.example", .type = RR_AAAA},
         "noerror aa\nns example. 300 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "alias.example", .type = RR_A},
         "noerror aa\nan alias.example. 60 5 www.example.\n"
         "ns example. 20 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "www.example", .type = RR_AAAA}, "servfail\n"},
        {{.name = "www.example", .type = RR_AAAA, .payload = 1232}, "servfail\nopt 1232" NO_SERVER},
        {{.name = "far.example", .type = RR_AAAA, .payload = 1232}, "servfail\nopt 1232" NO_SERVER},
    };
    assert_int_equal(TABLE_RUN(&f.world, rows), 0);
    assert_int_equal(answer_worker_counters(f.world.worker)->pool, 0);
    assert_true(answer_worker_counters(f.world.worker)->pool_down > 0);
    end(&f);
}

/* Who is served all because none is up is told so; when one is up again, no more. */
static void test_serving_all(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings one = settings_of(POOL_ROUND_ROBIN, 1);
    uint32_t www = take(&f, "www.example");
    fill(&f, www, ADDR_V4, &one, 1, false);
    static const struct row down[] = {
        {{.name = "www.example", .type = RR_A}, "noerror aa\nan www.example. 20 1 10.0.0.1\n"},
        {{.name = "www.example", .type = RR_A, .payload = 1232},
         "noerror aa\nan www.example. 20 1 10.0.0.1\nopt 1232" NO_SERVER},
    };
    assert_int_equal(TABLE_RUN(&f.world, down), 0);
    fill(&f, www, ADDR_V4, &one, 1, true);
    static const struct row up[] = {{{.name = "www.example", .type = RR_A, .payload = 1232},
                                     "noerror aa\nan www.example. 20 1 10.0.0.1\nopt 1232\n"}};
    assert_int_equal(TABLE_RUN(&f.world, up), 0);
    end(&f);
}

/* Asks for www.example with a client subnet of `prefix` bits, from 192.0.2.200; returns the address's last byte and the
 * scope that was told. */
static unsigned ask_for_subnet(struct fixture *f, const uint8_t *network, unsigned prefix, unsigned *scope)
{
    uint8_t message[512], ecs[12] = {0, 8, 0, (uint8_t)(4 + prefix / 8), 0, 1, (uint8_t)prefix};
    size_t len = world_ask(message, &(struct ask){.name = "www.example", .type = RR_A, .payload = 1232});
    memcpy(ecs + 8, network, prefix / 8);
    be16_put(message + len - 2, (uint16_t)(8 + prefix / 8));
    memcpy(message + len, ecs, 8 + prefix / 8);
    size_t out_len = world_answer(&f->world, out, sizeof out, message, len + 8 + prefix / 8, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, out_len));
    assert_int_equal(out[7], 1);
    const uint8_t *option = out + out_len - 8 - prefix / 8;
    assert_memory_equal(option, ecs, 7);
    *scope = option[7];
    return out[12 + 17 + 15];
}

/* RFC 7871: whom a trusted resolver asks for decides, and the scope says as far as it does. */
static void test_client_subnet(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings hash = settings_of(POOL_HASH, 1), turn = settings_of(POOL_ROUND_ROBIN, 1);
    hash.hash_prefix4 = 16;
    uint32_t www = take(&f, "www.example");
    fill(&f, www, ADDR_V4, &hash, 8, true);
    unsigned scope, first = ask_for_subnet(&f, (const uint8_t[]){198, 51, 100}, 24, &scope), others = 0;
    assert_int_equal(scope, 0); /* not trusted: the resolver's own address decides */
    for (unsigned i = 0; i < 64; i++)
        others += ask_for_subnet(&f, (const uint8_t[]){(uint8_t)i, 1, 1}, 24, &scope) != first;
    assert_int_equal(others, 0);

    struct prefix trusted = {.bytes = {192, 0, 2, 0}, .family = ADDR_V4, .len = 24};
    f.world.settings.ecs_trusted = prefix_table_new(&trusted, 1);
    first = ask_for_subnet(&f, (const uint8_t[]){198, 51, 100}, 24, &scope);
    assert_int_equal(scope, 16);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(ask_for_subnet(&f, (const uint8_t[]){198, 51, (uint8_t)i}, 24, &scope), first);
        others += ask_for_subnet(&f, (const uint8_t[]){(uint8_t)i, 1, 1}, 24, &scope) != first;
    }
    assert_true(others > 32); /* 7 of 8 are expected */
    ask_for_subnet(&f, (const uint8_t[]){198}, 8, &scope);
    assert_int_equal(scope, 8);
    fill(&f, www, ADDR_V4, &turn, 8, true);
    ask_for_subnet(&f, (const uint8_t[]){198, 51, 100}, 24, &scope);
    assert_int_equal(scope, 0); /* whoever asks */
    prefix_table_free(f.world.settings.ecs_trusted);
    end(&f);
}

static void test_without_table_the_rrset(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, "only4.example");
    take(&f, "*.wild.example");
    static const struct row rows[] = {
        {{.name = "only4.example", .type = RR_A}, "noerror aa\nan only4.example. 60 1 192.0.2.9\n"}};
    assert_int_equal(TABLE_RUN(&f.world, rows), 0);
    assert_non_null(strstr(ask(&f, "a.b.wild.example", RR_A), "an a.b.wild.example. 60 1 192.0.2.1\n"));
    assert_non_null(strstr(text, "an a.b.wild.example. 60 1 192.0.2.2\n"));
    end(&f);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings all = settings_of(POOL_ROUND_ROBIN, 16);
    const char *name = "a-rather-long-label-so-that-sixteen-addresses-have-no-room.example";
    fill(&f, take(&f, name), ADDR_V6, &all, 16, true);
    uint8_t in[512];
    size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_AAAA});
    len = world_answer(&f.world, out, sizeof out, in, len, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_non_null(strstr(text, " tc"));
    assert_null(strstr(text, "an "));
    len = world_answer(&f.world, out, sizeof out, in, world_ask(in, &(struct ask){.name = name, .type = RR_AAAA}),
                       ANSWER_TCP);
    assert_null(decode_answer(text, sizeof text, out, len));
    assert_null(strstr(text, " tc"));
    assert_non_null(strstr(text, "fd000000000000000000000000000016\n"));
    end(&f);
}

/* A client that asks for A and AAAA in turn sees every member of both: each family has a position of its own. */
static void test_families_have_their_own_turn(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings one = settings_of(POOL_WEIGHTED, 1);
    uint32_t www = take(&f, "www.example");
    fill(&f, www, ADDR_V4, &one, 4, true);
    fill(&f, www, ADDR_V6, &one, 4, true);
    unsigned seen[2][5] = {{0}};
    for (unsigned i = 0; i < 400; i++) {
        seen[0][last_byte(&f, i & 1 ? "www.example" : "alias.example", RR_A)]++;
        seen[1][last_byte(&f, "www.example", RR_AAAA)]++;
    }
    for (unsigned member = 1; member <= 4; member++) {
        assert_int_equal(seen[0][member], 100);
        assert_int_equal(seen[1][member], 100);
    }
    /* Another table takes up where the last one was: nobody is asked twice in a row. */
    unsigned before = last_byte(&f, "www.example", RR_A);
    fill(&f, www, ADDR_V4, &one, 4, true);
    assert_int_equal(last_byte(&f, "www.example", RR_A), before % 4 + 1);
    end(&f);
}

static void test_starts_differ(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings one = settings_of(POOL_ROUND_ROBIN, 1);
    uint32_t www = take(&f, "www.example");
    fill(&f, www, ADDR_V4, &one, 16, true);
    unsigned first[17] = {0}, seen = 0;
    for (unsigned i = 0; i < 200; i++) {
        answer_worker_free(f.world.worker);
        f.world.worker = answer_worker_new(&f.world.shared);
        first[last_byte(&f, "www.example", RR_A)]++;
    }
    for (unsigned member = 1; member <= 16; member++)
        seen += first[member] > 0;
    assert_true(seen >= 12); /* of 200 starts among 16, fewer are left out more seldom than once in 10^20 */
    end(&f);
}

static void test_the_client_chooses_by_hash(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings hash = settings_of(POOL_HASH, 1);
    fill(&f, take(&f, "www.example"), ADDR_V4, &hash, 8, true);
    unsigned seen[9] = {0};
    for (unsigned i = 0; i < 64; i++) {
        char client[40];
        snprintf(client, sizeof client, "198.51.100.%u", i);
        ask_as(&f, "www.example", RR_A, client);
        char was[sizeof "an www.example. 20 1 10.0.0.1\n"];
        snprintf(was, sizeof was, "%s", strstr(text, "an www"));
        for (unsigned k = 0; k < 3; k++)
            assert_non_null(strstr(ask_as(&f, "www.example", RR_A, client), was));
        seen[strstr(text, "10.0.0.")[7] - '0']++;
    }
    for (unsigned member = 1; member <= 8; member++)
        assert_true(seen[member] > 0);
    end(&f);
}

/* The zone has none, but the pool gets some from elsewhere. */
static void test_a_name_without_addresses_of_its_own(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct pool_settings one = settings_of(POOL_ROUND_ROBIN, 1);
    uint32_t apex = take(&f, "example"), only4 = take(&f, "only4.example"), txt = take(&f, "txt.example");
    uint32_t wild = take(&f, "*.w.example");
    fill(&f, apex, ADDR_V4, &one, 1, true);
    fill(&f, apex, ADDR_V6, &one, 0, true);
    fill(&f, only4, ADDR_V4, &one, 1, true);
    fill(&f, only4, ADDR_V6, &one, 1, true);
    fill(&f, txt, ADDR_V6, &one, 1, false);
    fill(&f, wild, ADDR_V4, &one, 1, true);
#define SOA(ttl) "ns example. " ttl " 6 ns1.example. host.example. 1 7200 3600 604800 300\n"
    static const struct row rows[] = {
        {{.name = "example", .type = RR_A}, "noerror aa\nan example. 20 1 10.0.0.1\n"},
        {{.name = "example", .type = RR_AAAA, .payload = 1232}, "noerror aa\n" SOA("20") "opt 1232\n"},
        {{.name = "example", .type = RR_SOA},
         "noerror aa\nan example. 3600 6 ns1.example. host.example. 1 7200 3600 604800 300\n"},
        {{.name = "example", .type = RR_MX}, "noerror aa\n" SOA("300")},
        {{.name = "only4.example", .type = RR_AAAA},
         "noerror aa\nan only4.example. 20 28 fd000000000000000000000000000001\n"},
        {{.name = "txt.example", .type = RR_A}, "noerror aa\n" SOA("300")}, /* no table: as the zone has it */
        {{.name = "txt.example", .type = RR_ANY}, "noerror aa\nan txt.example. 60 16 0178\n"},
        {{.name = "x.w.example", .type = RR_A}, "noerror aa\nan x.w.example. 20 1 10.0.0.1\n"},
        {{.name = "to-txt.example", .type = RR_AAAA},
         "noerror aa\nan to-txt.example. 60 5 txt.example.\nan txt.example. 20 28 "
         "fd000000000000000000000000000001\n"},
    };
    assert_int_equal(TABLE_RUN(&f.world, rows), 0);
    assert_int_equal(answer_worker_counters(f.world.worker)->pool_down, 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_of_the_table),    cmocka_unit_test(test_no_addresses),
        cmocka_unit_test(test_serving_all),
        cmocka_unit_test(test_a_name_without_addresses_of_its_own),
        cmocka_unit_test(test_client_subnet),
        cmocka_unit_test(test_without_table_the_rrset),   cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_families_have_their_own_turn), cmocka_unit_test(test_starts_differ),
        cmocka_unit_test(test_the_client_chooses_by_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
