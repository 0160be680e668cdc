/* Answers of pools whose members have sites: whose table, whose turn, and for which clients the answer is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"
#include "pool/classes.h"
#include "zone/version.h"

static char text[1 << 18];
static uint8_t out[65535];

struct fixture {
    struct world world;
    struct pool_directory pools;
    struct answer_sites sites;
    uint32_t handle, class_handles[2];
};

static struct prefix_map_entry entry(const char *network, uint16_t value)
{
    struct prefix_map_entry made = {.value = value};
    assert_int_equal(prefix_from_text(&made.prefix, network), ERR_OK);
    return made;
}

static void begin(struct fixture *f)
{
    static const uint8_t www[] = "\3www\7example";
    const struct prefix_map_entry entries[] = {
        entry("10.0.0.0/8", 1), entry("10.1.0.0/16", 2), entry("2001:db8::/32", 2), entry("172.16.0.0/12", 3)};
    world_init(&f->world, 1232);
    pool_directory_init(&f->pools);
    f->world.shared.pools = &f->pools;
    world_add(&f->world, "example", "www A 192.0.2.1\nwww AAAA ::1\nplain A 192.0.2.7\n");
    world_start(&f->world);
    struct zone_node *node = (struct zone_node *)(uintptr_t)zone_version_find(f->world.zones[0]->current, www);
    f->handle = node->pool = pool_directory_take(&f->pools);
    for (unsigned i = 0; i < 2; i++)
        f->class_handles[i] = pool_directory_take(&f->pools);
    f->sites = (struct answer_sites){.map = prefix_map_new(entries, sizeof entries / sizeof *entries)};
    f->world.settings.sites = &f->sites;
}

static void end(struct fixture *f)
{
    for (unsigned family = 0; family < 2; family++)
        pool_table_free(f->pools.entries[f->handle].tables[family]);
    prefix_map_free(f->sites.map);
    prefix_table_free(f->world.settings.ecs_trusted);
    world_fini(&f->world);
    pool_directory_fini(&f->pools);
}

static struct pool_settings settings_of(enum pool_policy policy)
{
    return (struct pool_settings){.policy = policy, .answers = 1, .ttl_sec = 20, .ttl_min_sec = 5, .hash_prefix4 = 32,
                                  .hash_prefix6 = 56, .seed = 4711};
}

/* Members 10.9.0.1 to .6, or fd00::1 …: two of site 1, two of site 2, two of none; those of `up` are. */
static void fill(struct fixture *f, enum addr_family family, const struct pool_settings *settings, const char *up)
{
    const struct pool_class classes[] = {{1, f->class_handles[0]}, {2, f->class_handles[1]}};
    struct pool_member members[6] = {0};
    for (unsigned i = 0; i < 6; i++) {
        char address[40];
        snprintf(address, sizeof address, family == ADDR_V4 ? "10.9.0.%u" : "fd00::%u", i + 1);
        assert_int_equal(addr_from_text(&members[i].address, address), ERR_OK);
        members[i].weight = members[i].tier = 1;
        members[i].probed = true;
        members[i].verdict = strchr(up, (int)('1' + i)) ? HEALTH_UP : HEALTH_DOWN;
        members[i].site = (uint16_t)(i < 2 ? 1 : i < 4 ? 2 : 0);
    }
    const struct pool_source source = {.settings = settings, .family = family, .members = members, .cnt = 6,
                                       .classes = classes, .class_cnt = 2, .handle = f->handle};
    struct pool_table *before = f->pools.entries[f->handle].tables[family == ADDR_V6];
    struct pool_table *root = pool_classes_compile(&source, before);
    pool_table_free(pool_directory_set(&f->pools, f->handle, family == ADDR_V6, root));
}

/* The last digit of the address that a client gets; 0: none, `text` has what there is. */
static unsigned ask_as(struct fixture *f, const char *client, uint16_t type)
{
    uint8_t in[512];
    struct answer_packet packet = {.in = in, .out = out, .out_cap = sizeof out, .proto = ANSWER_UDP};
    packet.in_len = (uint32_t)world_ask(in, &(struct ask){.name = "www.example", .type = type});
    assert_int_equal(addr_from_text(&packet.client, client), ERR_OK);
    answer_batch(f->world.worker, &packet, 1);
    assert_null(decode_answer(text, sizeof text, out, packet.out_len));
    return strstr(text, "an www") ? out[packet.out_len - 1] : 0;
}

/* Which digits a client gets in `n` answers, in order of size. */
static const char *seen(struct fixture *f, const char *client, uint16_t type, unsigned n)
{
    static char digits[8];
    unsigned is_seen[7] = {0}, at = 0;
    for (unsigned i = 0; i < n; i++)
        is_seen[ask_as(f, client, type)]++;
    for (unsigned i = 0; i < 7; i++)
        if (is_seen[i])
            digits[at++] = (char)('0' + i);
    digits[at] = '\0';
    return digits;
}

static void clients_get_the_members_of_their_site(void **state)
{
    (void)state;
    struct fixture f;
    struct pool_settings turn = settings_of(POOL_ROUND_ROBIN);
    begin(&f);
    fill(&f, ADDR_V4, &turn, "123456");
    fill(&f, ADDR_V6, &turn, "123456");
    assert_string_equal(seen(&f, "10.0.0.1", RR_A, 12), "12");
    assert_string_equal(seen(&f, "10.1.0.1", RR_A, 12), "34");
    assert_string_equal(seen(&f, "10.1.0.1", RR_AAAA, 12), "34");
    assert_string_equal(seen(&f, "2001:db8::1", RR_A, 12), "34");
    assert_string_equal(seen(&f, "198.51.100.1", RR_A, 12), "123456");
    assert_string_equal(seen(&f, "172.16.0.1", RR_A, 12), "123456"); /* no member has that site */
    fill(&f, ADDR_V4, &turn, "23456");
    assert_string_equal(seen(&f, "10.0.0.1", RR_A, 12), "2");
    fill(&f, ADDR_V4, &turn, "3456");
    assert_string_equal(seen(&f, "10.0.0.1", RR_A, 12), "3456");
    assert_string_equal(seen(&f, "10.1.0.1", RR_A, 12), "34");
    fill(&f, ADDR_V4, &turn, "");
    assert_string_equal(seen(&f, "10.0.0.1", RR_A, 12), "12");
    f.world.settings.sites = NULL;
    assert_string_equal(seen(&f, "10.0.0.1", RR_A, 12), "123456");
    end(&f);
}

/* Clients of different sites that ask in turns see all members nevertheless, and each equally often. */
static void sites_have_their_own_turn(void **state)
{
    (void)state;
    struct fixture f;
    struct pool_settings turn = settings_of(POOL_ROUND_ROBIN);
    unsigned counts[7] = {0};
    begin(&f);
    fill(&f, ADDR_V4, &turn, "123456");
    for (unsigned i = 0; i < 60; i++) {
        counts[ask_as(&f, "10.0.0.1", RR_A)]++;
        counts[ask_as(&f, "10.1.0.1", RR_A)]++;
    }
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(counts[i], 30);
    end(&f);
}

static void nobody_to_give(void **state)
{
    (void)state;
    struct fixture f;
    struct pool_settings none = settings_of(POOL_WEIGHTED);
    begin(&f);
    none.all_down = POOL_SERVE_NONE;
    fill(&f, ADDR_V4, &none, "");
    assert_int_equal(ask_as(&f, "10.0.0.1", RR_A), 0);
    assert_non_null(strstr(text, "noerror aa\n"));
    assert_non_null(strstr(text, "ns example. 20 6 "));
    none.all_down = POOL_SERVFAIL;
    fill(&f, ADDR_V4, &none, "");
    assert_int_equal(ask_as(&f, "10.0.0.1", RR_A), 0);
    assert_non_null(strstr(text, "servfail\n"));
    fill(&f, ADDR_V4, &none, "5");
    assert_int_equal(ask_as(&f, "10.0.0.1", RR_A), 5);
    end(&f);
}

/* Asks with a client subnet; the address's last digit, and in *scope what was told. */
static unsigned ask_for(struct fixture *f, const char *subnet, unsigned *scope)
{
    struct prefix prefix;
    uint8_t message[512], ecs[8] = {0, 8};
    assert_int_equal(prefix_from_text(&prefix, subnet), ERR_OK);
    unsigned bytes = (prefix.len + 7u) / 8;
    size_t len = world_ask(message, &(struct ask){.name = "www.example", .type = RR_A, .payload = 1232});
    ecs[3] = (uint8_t)(4 + bytes);
    ecs[5] = prefix.family == ADDR_V4 ? 1 : 2;
    ecs[6] = prefix.len;
    be16_put(message + len - 2, (uint16_t)(8 + bytes));
    memcpy(message + len, ecs, 8);
    memcpy(message + len + 8, prefix.bytes, bytes);
    size_t out_len = world_answer(&f->world, out, sizeof out, message, len + 8 + bytes, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, out_len));
    const uint8_t *option = out + out_len - 8 - bytes;
    assert_memory_equal(option, ecs, 7);
    *scope = option[7];
    return strstr(text, "an www") ? out[12 + 17 + 15] : 0;
}

static void subnets_of_trusted_resolvers(void **state)
{
    (void)state;
    static const struct {
        const char *subnet;
        unsigned site; /* 0: any member */
        unsigned scope;
    } rows[] = {
        {"10.200.3.0/24", 1, 9},  {"10.0.3.0/24", 1, 16},     {"10.1.3.0/24", 2, 16}, {"10.0.0.0/8", 1, 8},
        {"10.1.0.0/16", 2, 16},   {"10.0.0.0/12", 1, 12},     {"10.0.0.0/7", 0, 7},   {"198.51.100.0/24", 0, 2},
        {"172.16.5.0/24", 0, 12}, {"2001:db8:7::/56", 2, 32}, {"2001::/16", 0, 16},   {"2a00::/32", 0, 5},
        {"10.1.2.3/32", 2, 16},
    };
    struct fixture f;
    struct pool_settings turn = settings_of(POOL_ROUND_ROBIN);
    unsigned scope;
    begin(&f);
    fill(&f, ADDR_V4, &turn, "123456");
    assert_string_equal(seen(&f, "192.0.2.200", RR_A, 12), "123456");
    for (unsigned i = 0; i < 12; i++) { /* not trusted: the resolver's own address decides, whoever asks it */
        ask_for(&f, "10.1.3.0/24", &scope);
        assert_int_equal(scope, 0);
    }
    struct prefix trusted = {.bytes = {192, 0, 2, 0}, .family = ADDR_V4, .len = 24};
    f.world.settings.ecs_trusted = prefix_table_new(&trusted, 1);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (unsigned i = 0; i < 4; i++) {
            unsigned member = ask_for(&f, rows[r].subnet, &scope);
            if (scope != rows[r].scope || (rows[r].site && (member - 1) / 2 + 1 != rows[r].site))
                fail_msg("%s: member %u, scope %u", rows[r].subnet, member, scope);
        }
    }
    ask_for(&f, "0.0.0.0/0", &scope); /* tells nothing: the resolver itself counts */
    assert_int_equal(scope, 0);
    f.world.settings.sites = NULL;
    ask_for(&f, "10.1.3.0/24", &scope);
    assert_int_equal(scope, 0);
    end(&f);
}

/* With a hash the answer depends on the longer of site and key. */
static void hash_and_site(void **state)
{
    (void)state;
    struct fixture f;
    struct pool_settings hash = settings_of(POOL_HASH);
    struct prefix trusted = {.bytes = {192, 0, 2, 0}, .family = ADDR_V4, .len = 24};
    unsigned scope;
    begin(&f);
    f.world.settings.ecs_trusted = prefix_table_new(&trusted, 1);
    hash.hash_prefix4 = 12;
    hash.hash_prefix6 = 48;
    fill(&f, ADDR_V4, &hash, "123456");
    for (unsigned i = 0; i < 16; i++) {
        char subnet[40];
        snprintf(subnet, sizeof subnet, "10.1.%u.0/24", i);
        assert_in_range(ask_for(&f, subnet, &scope), 3, 4);
        assert_int_equal(scope, 16);
        snprintf(subnet, sizeof subnet, "10.%u.0.0/24", 128 + 8 * i);
        assert_in_range(ask_for(&f, subnet, &scope), 1, 2);
        assert_int_equal(scope, 12);
        snprintf(subnet, sizeof subnet, "2001:db8:%x::/56", i);
        assert_in_range(ask_for(&f, subnet, &scope), 3, 4);
        assert_int_equal(scope, 48);
    }
    assert_int_equal((ask_for(&f, "10.128.0.0/10", &scope) - 1) / 2, 0);
    assert_int_equal(scope, 10);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_get_the_members_of_their_site),
        cmocka_unit_test(sites_have_their_own_turn),
        cmocka_unit_test(nobody_to_give),
        cmocka_unit_test(subnets_of_trusted_resolvers),
        cmocka_unit_test(hash_and_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
