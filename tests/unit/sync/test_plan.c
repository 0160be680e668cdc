/* From a configuration's text to a plan. */
#include "sync/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer/keys.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "store/store.h"

static const struct opt_table *const tables[] = {
    &answer_key_opt_table,    &store_template_opt_table, &sync_template_opt_table,
    &store_zone_opt_table, &sync_zone_opt_table,
};

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
/* One line. */
#define KEYS \
    "keys = ( { name = \"xfr.\"; secret = \"" SECRET "\"; }, { name = \"DDNS.example\"; secret = \"" SECRET "\"; } );\n"

struct loaded {
    struct sync_plan *plan; /* NULL: refused */
    char said[8192];        /* "2: …\n" a message */
};

static struct sync_plan *make(struct conf *conf, struct diag *diag)
{
    const struct sync_plan_rows rows = {
        conf_list(conf, &store_zone_opt_table),
        conf_list(conf, &sync_zone_opt_table),
        conf_list(conf, &store_template_opt_table),
        conf_list(conf, &sync_template_opt_table),
    };
    struct opt_list key_rows = conf_list(conf, &answer_key_opt_table);
    struct tsig_keys *keys;
    struct sync_plan *plan;
    enum err keys_made = answer_keys_make(&keys, &key_rows, diag);
    assert_int_equal(keys_made == ERR_OK, keys != NULL);
    enum err e = sync_plan_make(&plan, &rows, keys, diag);
    assert_int_equal(e == ERR_OK, plan != NULL);
    tsig_keys_free(keys); /* the plan needs neither these nor the configuration */
    return plan;
}

static struct loaded load(const char *text)
{
    struct loaded loaded = {NULL, ""};
    struct diag *diag = diag_new(100);
    struct conf *conf;
    enum err e = conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, sizeof tables / sizeof *tables, diag);
    if (conf) {
        loaded.plan = make(conf, diag);
        conf_free(conf);
    }
    if (e) {
        sync_plan_free(loaded.plan);
        loaded.plan = NULL;
    }
    diag_sort(diag);
    size_t at = 0;
    for (size_t i = 0; diag_at(diag, i); i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        at += (size_t)snprintf(loaded.said + at, sizeof loaded.said - at, "%u: %s\n", entry->line, entry->text);
    }
    diag_free(diag);
    return loaded;
}

static const struct sync_zone *find(const struct sync_plan *plan, const char *text)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(name, &len, text, strlen(text), NULL), ERR_OK);
    return sync_plan_find(plan, name);
}

static void expect_peer(const struct sync_peer *peer, const char *addr, const char *key, enum acl_view view)
{
    char text[NAME_TEXT_MAX];
    assert_string_equal(addr_port_to_text(text, &peer->addr), addr);
    assert_string_equal(peer->key ? name_to_text(text, peer->key->name) : "", key);
    assert_int_equal(peer->view, view);
}

static struct acl_match judge(const struct acl *acl, const char *client, const char *key)
{
    uint8_t name[NAME_MAX_LEN];
    size_t len = 0;
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, client), ERR_OK);
    if (key)
        assert_int_equal(sync_key_from_text(name, &len, key), ERR_OK);
    return acl_find(acl, &addr, name, len);
}

#define NO_LIVE "the live view is not there yet, who shall have it gets the whole zone\n"

static void test_a_primary(void **state)
{
    (void)state;
    struct loaded l = load(KEYS "zones = ( { name = \"Example.COM\"; file = \"x\";\n"
                                "notify = [ \"192.0.2.54@5353 key XFR live\", \"2001:db8::1\" ]; notify_ns = false;\n"
                                "allow_transfer = [ \"192.0.2.0/24 key ddns.Example. live\", \"key xfr\" ];\n"
                                "notify_source = [ \"192.0.2.1\", \"2001:db8::2\" ]; transfer_max = \"1m\"; } );\n");
    assert_string_equal(l.said, "2: zone \"Example.COM\": \"allow_transfer\": " NO_LIVE
                                "2: zone \"Example.COM\": \"notify\": " NO_LIVE);
    assert_int_equal(l.plan->cnt, 1);
    const struct sync_zone *zone = find(l.plan, "EXAMPLE.com");
    assert_non_null(zone);
    assert_null(find(l.plan, "example.net"));
    assert_false(zone->is_secondary || zone->notify_ns);
    assert_true(zone->has_file);
    assert_int_equal(zone->notify_cnt, 2);
    expect_peer(&zone->notify[0], "192.0.2.54@5353", "xfr.", ACL_LIVE);
    expect_peer(&zone->notify[1], "2001:db8::1@53", "", ACL_FULL);
    struct acl_match match = judge(zone->allow_transfer, "192.0.2.7", "ddns.example");
    assert_true(match.is_allowed && match.view == ACL_LIVE);
    match = judge(zone->allow_transfer, "192.0.2.7", "xfr.");
    assert_true(match.is_allowed && match.view == ACL_FULL && match.entry == 1);
    assert_false(judge(zone->allow_transfer, "192.0.2.7", NULL).is_allowed);
    assert_false(judge(zone->allow_notify, "192.0.2.54", NULL).is_allowed);
    assert_int_equal(zone->notify_source.v6.family, ADDR_V6);
    assert_int_equal(zone->notify_source.v4.bytes[3], 1);
    assert_int_equal(zone->transfer_source.v4.family, ADDR_NONE);
    assert_int_equal(zone->transfer_max_ms, 60000);
    /* What the key signs with is there still. */
    struct tsig_key wanted;
    uint8_t secret[32];
    for (uint8_t i = 0; i < sizeof secret; i++)
        secret[i] = i;
    tsig_key_init(&wanted, zone->notify[0].key->name, TSIG_HMAC_SHA256, secret, sizeof secret);
    assert_memory_equal(&zone->notify[0].key->hmac, &wanted.hmac, sizeof wanted.hmac);
    sync_plan_free(l.plan);
}

static void test_a_secondary(void **state)
{
    (void)state;
    struct loaded l = load(KEYS "zones = (\n{ name = \"b.example\";"
                                " primaries = [ \"192.0.2.1 key xfr\", \"192.0.2.2\" ];"
                                " allow_notify = [ \"192.0.2.1\", \"10.0.0.0/8\", \"none\" ]; },\n"
                                "{ name = \"a.example\"; primaries = \"192.0.2.1\"; allow_notify = \"none\";"
                                " file = \"d\"; } );");
    assert_string_equal(l.said, "");
    assert_string_equal((const char *)l.plan->zones[0].apex, "\1a\7example"); /* canonical order */
    const struct sync_zone *zone = find(l.plan, "b.example");
    assert_true(zone->is_secondary && zone->notify_ns && !zone->has_file);
    assert_int_equal(zone->primary_cnt, 2);
    expect_peer(&zone->primaries[0], "192.0.2.1@53", "xfr.", ACL_FULL);
    expect_peer(&zone->primaries[1], "192.0.2.2@53", "", ACL_FULL);
    static const struct {
        const char *client, *key;
        uint32_t entry;
        size_t primary;
    } rows[] = {
        {"192.0.2.1", "xfr", 0, 0}, {"192.0.2.1", NULL, 2, 0},     {"192.0.2.2", NULL, 1, 1},
        {"10.1.2.3", NULL, 3, 2},   {"192.0.2.3", NULL, 4, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct acl_match match = judge(zone->allow_notify, rows[i].client, rows[i].key);
        struct addr addr;
        assert_int_equal(addr_from_text(&addr, rows[i].client), ERR_OK);
        assert_int_equal(match.entry, rows[i].entry);
        assert_int_equal(match.is_allowed, rows[i].entry < 4);
        assert_int_equal(sync_zone_primary(zone, &addr), rows[i].primary);
    }
    assert_null(zone->allow_transfer);
    /* "none" shuts nobody out who is a primary. */
    zone = find(l.plan, "a.example");
    assert_true(zone->has_file);
    assert_true(judge(zone->allow_notify, "192.0.2.1", NULL).is_allowed);
    assert_false(judge(zone->allow_notify, "192.0.2.2", NULL).is_allowed);
    sync_plan_free(l.plan);
}

static void test_defaults(void **state)
{
    (void)state;
    struct loaded l = load("zones = ( { name = \"a\"; } );");
    const struct sync_zone *zone = find(l.plan, "a");
    assert_true(zone->notify_ns && !zone->is_secondary && !zone->has_file);
    assert_null(zone->allow_transfer);
    assert_null(zone->allow_notify);
    assert_int_equal(zone->bounds.refresh_min_ms, 30000);
    assert_int_equal(zone->bounds.refresh_max_ms, 86400000);
    assert_int_equal(zone->bounds.retry_min_ms, 10000);
    assert_int_equal(zone->bounds.retry_max_ms, 3600000);
    assert_int_equal(zone->bounds.expire_max_ms, UINT64_C(24) * 7 * 86400000);
    assert_int_equal(zone->max_zone_bytes, 1 << 30);
    assert_int_equal(zone->transfer_max_ms, 7200000);
    sync_plan_free(l.plan);
}

static void test_templates(void **state)
{
    (void)state;
    struct loaded l = load(
        KEYS "templates = ( { name = \"t\"; primaries = \"192.0.2.1 key xfr\";"
             " notify = \"192.0.2.9\"; notify_ns = false;\n"
             "refresh_max = \"2h\"; max_zone_size = 5000; file = \"%s.dump\"; } );\n"
             "zones = ( { name = \"a\"; template = \"t\"; },\n"
             "{ name = \"b\"; template = \"t\"; primaries = []; notify = [ \"192.0.2.8\" ]; notify_ns = true;"
             " refresh_max = \"3h\"; },\n"
             "{ name = \"c\"; } );\n");
    assert_string_equal(l.said, "5: zone \"b\": \"refresh_max\" does nothing: the zone has no \"primaries\"\n");
    const struct sync_zone *a = find(l.plan, "a"), *b = find(l.plan, "b"), *c = find(l.plan, "c");
    assert_true(a->is_secondary && !a->notify_ns && a->has_file);
    expect_peer(&a->notify[0], "192.0.2.9@53", "", ACL_FULL);
    assert_int_equal(a->bounds.refresh_max_ms, 7200000);
    assert_int_equal(a->bounds.refresh_min_ms, 30000);
    assert_int_equal(a->max_zone_bytes, 5000);
    assert_true(!b->is_secondary && b->notify_ns && b->has_file);
    expect_peer(&b->notify[0], "192.0.2.8@53", "", ACL_FULL);
    assert_int_equal(b->bounds.refresh_max_ms, 3 * 3600000);
    assert_int_equal(b->max_zone_bytes, 5000);
    assert_true(!c->is_secondary && c->notify_ns && !c->has_file && !c->notify_cnt);
    sync_plan_free(l.plan);
}

struct refused {
    const char *text, *said;
};

static void expect_refused(const struct refused *rows, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        struct loaded l = load(rows[i].text);
        assert_string_equal(l.said, rows[i].said);
        assert_null(l.plan);
    }
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {KEYS "zones = (\n{ name = \"a\"; primaries = \"192.0.2.1 key xfrr.\"; notify = \"192.0.2.1 key ddns\"; },\n"
              "{ name = \"b\"; primaries = \"::1\"; allow_transfer = [ \"key xfr\", \"key dns.example\" ];"
              " allow_notify = \"192.0.2.1 key nothing.like.it\"; } );",
         "3: zone \"a\": \"primaries\": there is no key \"xfrr.\"; did you mean \"xfr.\"?\n"
         "3: zone \"a\": \"notify\": there is no key \"ddns.\"\n"
         "4: zone \"b\": \"allow_transfer\": there is no key \"dns.example.\"; did you mean \"ddns.example.\"?\n"
         "4: zone \"b\": \"allow_notify\": there is no key \"nothing.like.it.\"\n"},
        {"zones = ( { name = \"a\"; notify = \"192.0.2.1 key xfr\"; } );",
         "1: zone \"a\": \"notify\": there is no key \"xfr.\"\n"},
        /* A template's fault is told once, whoever has it; a zone's own list is its own. */
        {KEYS "templates = (\n{ name = \"t\"; notify = \"192.0.2.1 key xfrr\"; allow_transfer = \"key y.y.y.y\"; } );\n"
              "zones = ( { name = \"a\"; template = \"t\"; }, { name = \"b\"; template = \"t\"; },\n"
              "{ name = \"c\"; template = \"t\"; notify = \"192.0.2.1 key xfrs\"; } );",
         "3: template \"t\": \"notify\": there is no key \"xfrr.\"; did you mean \"xfr.\"?\n"
         "3: template \"t\": \"allow_transfer\": there is no key \"y.y.y.y.\"\n"
         "5: zone \"c\": \"notify\": there is no key \"xfrs.\"; did you mean \"xfr.\"?\n"},
        /* Keys that were refused themselves are told of, not what follows from that. */
        {"keys = (\n{ name = \"xfr\"; secret_file = \"/none/there\"; } );\n"
         "zones = ( { name = \"a\"; notify = \"192.0.2.1 key xfr\"; } );",
         "2: the secret's file \"/none/there\" cannot be read: No such file or directory\n"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"zones = ( { name = \"a\"; allow_transfer = [ \"192.0.2.1/24\" ]; } );",
         "1: \"zones.allow_transfer\": expected " ACL_ENTRY_EXPECTED ", got \"192.0.2.1/24\"\n"},
        {"zones = ( { name = \"a\"; primaries = [ \"ns1.example\" ]; } );",
         "1: \"zones.primaries\": expected " ACL_PEER_EXPECTED ", got \"ns1.example\"\n"},
        {"zones = ( { name = \"a\"; notify_ns = \"maybe\"; } );",
         "1: \"zones.notify_ns\": expected true or false, got \"maybe\"\n"},
        {"zones = ( { name = \"a\"; notify_source = [ \"192.0.2.1\", \"192.0.2.2\" ]; } );",
         "1: \"zones.notify_source\": expected at most one IPv4 and one IPv6 address\n"},
        {"zones = ( { name = \"a\"; refresh_min = 0; } );",
         "1: \"zones.refresh_min\": expected a duration of 1s to 4w, such as \"5s\", got 0\n"},
        {"zones = ( { name = \"a\"; max_zone_size = 0; } );",
         "1: \"zones.max_zone_size\": expected a whole number from 4096 to 1099511627776 bytes, got 0\n"},
        {"zones = ( { name = \"a\"; allow_transfers = [ \"any\" ]; } );",
         "1: unknown key \"allow_transfers\" in \"zones\"; did you mean \"allow_transfer\"?\n"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

static void test_bounds_that_contradict(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"zones = ( { name = \"a\"; primaries = \"::1\"; refresh_min = \"2d\"; retry_max = \"5s\"; } );",
         "1: zone \"a\": \"refresh_min\" is 2d, more than \"refresh_max\", which is 1d\n"
         "1: zone \"a\": \"retry_min\" is 10s, more than \"retry_max\", which is 5s\n"},
        {"templates = ( { name = \"t\"; primaries = \"::1\"; retry_min = \"2h\"; } );\n"
         "zones = ( { name = \"a\"; template = \"t\"; }, { name = \"b\"; template = \"t\"; },\n"
         "{ name = \"c\"; template = \"t\"; refresh_max = \"1s\"; retry_max = \"3h\"; } );",
         "1: template \"t\": \"retry_min\" is 2h, more than \"retry_max\", which is 1h\n"
         "3: zone \"c\": \"refresh_min\" is 30s, more than \"refresh_max\", which is 1s\n"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

static void test_too_many_peers(void **state)
{
    (void)state;
    char text[4096] = "zones = ( { name = \"a\"; primaries = [ \"192.0.2.0\"";
    for (unsigned i = 1; i <= SYNC_PEERS_MOST; i++)
        sprintf(text + strlen(text), ", \"192.0.2.%u\"", i);
    strcat(text, " ]; } );");
    struct loaded l = load(text);
    assert_null(l.plan);
    assert_string_equal(l.said, "1: zone \"a\": \"primaries\": expected at most 64 servers, got 65\n");
}

/* What does nothing is told of a zone's own row; a template is for many. */
static void test_what_does_nothing(void **state)
{
    (void)state;
    struct loaded l = load(
        KEYS "templates = ( { name = \"t\"; allow_update = \"key xfr\"; serial = \"increment\"; refresh_min = \"1m\";"
             " transfer_source = \"::2\"; allow_notify = \"any\"; } );\n"
             "zones = ( { name = \"a\"; template = \"t\"; },\n"
             "{ name = \"b\"; template = \"t\"; primaries = \"192.0.2.1\"; },\n"
             "{ name = \"c\"; primaries = \"192.0.2.1\"; allow_update = \"key xfr\"; serial = \"increment\";\n"
             " transfer_source = [ \"192.0.2.2\", \"::2\" ]; allow_notify = \"any\"; refresh_min = \"1m\"; },\n"
             "{ name = \"d\"; allow_update = \"key xfr\"; serial = \"increment\"; transfer_source = \"::2\";\n"
             " allow_notify = \"any\"; refresh_min = \"1m\"; refresh_max = \"1d\"; retry_min = \"1m\";\n"
             " retry_max = \"1h\"; expire_max = \"1w\"; allow_transfer = \"any\"; } );\n");
#define NOTHING(key) "7: zone \"d\": \"" key "\" does nothing: the zone has no \"primaries\"\n"
    assert_string_equal(
        l.said, "5: zone \"c\": \"allow_update\" does nothing: a zone with \"primaries\" is changed there, not here\n"
                "5: zone \"c\": \"serial\" does nothing: a zone with \"primaries\" has the serial that they have\n"
                "5: zone \"c\": \"transfer_source\" does nothing: no primary has an IPv6 address\n"
                NOTHING("transfer_source") NOTHING("allow_notify") NOTHING("refresh_min") NOTHING("refresh_max")
                NOTHING("retry_min") NOTHING("retry_max") NOTHING("expire_max"));
    sync_plan_free(l.plan);
}

/* What the store's plan says of rows is not said here again, and other zones are still looked at. */
static void test_rows_that_others_refuse(void **state)
{
    (void)state;
    struct loaded l = load("zones = ( { name = \"a..b\"; }, { name = \"a\"; notify_ns = false; },\n"
                           "{ name = \"A.\"; notify = \"192.0.2.1 key none\"; },"
                           "{ name = \"b\"; template = \"none\"; } );");
    assert_string_equal(l.said, "");
    assert_int_equal(l.plan->cnt, 2);
    assert_false(find(l.plan, "a")->notify_ns);
    sync_plan_free(l.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_primary),
        cmocka_unit_test(test_a_secondary),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bounds_that_contradict),
        cmocka_unit_test(test_too_many_peers),
        cmocka_unit_test(test_what_does_nothing),
        cmocka_unit_test(test_rows_that_others_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
