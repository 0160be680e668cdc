#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/asan.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "toy.h"

static struct conf *load(const char *name, const char *text)
{
    struct diag *diag = diag_new(100);
    struct conf *conf;
    enum err e = conf_load_text(&conf, name, text, strlen(text), toy_tables, TOY_TABLE_CNT, diag);
    for (size_t i = 0; diag_at(diag, i); i++)
        print_message("%u: %s\n", diag_at(diag, i)->line, diag_at(diag, i)->text);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 0);
    diag_free(diag);
    return conf;
}

/* All errors, a line each, "LINE: TEXT"; the caller's. */
static char *errors_of(const char *text)
{
    struct diag *diag = diag_new(100);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    conf_free(conf);
    char *all = mem_strdup("");
    for (size_t i = 0; diag_at(diag, i); i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        assert_string_equal(entry->file, "t");
        char *more = mem_printf("%s%u: %s\n", all, entry->line, entry->text);
        free(all);
        all = more;
    }
    diag_free(diag);
    return all;
}

static void expect_errors(const char *text, const char *expected)
{
    char *errors = errors_of(text);
    assert_string_equal(errors, expected);
    free(errors);
}

static void an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    struct conf *conf = load("some/where/t.conf", "");
    const struct toy_server *server = conf_group(conf, &toy_server_table);
    const struct toy_more *more = conf_group(conf, &toy_more_table);
    assert_int_equal(server->listen.cnt, 0);
    assert_int_equal(server->workers, 0);
    assert_int_equal(server->idle_ms, 10000);
    assert_true(server->share > 0.4999 && server->share < 0.5001);
    assert_true(server->quiet);
    assert_string_equal(server->dir, "some/where/zones");
    assert_null(server->user);
    assert_int_equal(server->policy, 1);
    assert_int_equal(server->answers, 10);
    assert_int_equal(more->tags.cnt, 2);
    assert_string_equal(((char **)more->tags.items)[1], "b");
    assert_true(more->most == 4294967297);
    assert_int_equal(conf_list(conf, &toy_zone_table).cnt, 0);
    assert_int_equal(conf_list(conf, &toy_balance_table).cnt, 0);
    conf_free(conf);
    conf_free(NULL);
}

static void values_of_every_type(void **state)
{
    (void)state;
    struct conf *conf =
        load("t", "server: {\n listen = [ \"192.0.2.1@5300\", \"::1\" ]; workers = 0x10; idle = 3; share = 1;\n"
                  " quiet = \"no\"; dir = \"/z\" \"ones\"; user = \"r\\\"o\\\\\"; policy = \"random\"; answers = 3;\n"
                  " tags = \"one\"; most = -9223372036854775808; };");
    const struct toy_server *server = conf_group(conf, &toy_server_table);
    const struct toy_more *more = conf_group(conf, &toy_more_table);
    const struct addr *addrs = server->listen.items;
    assert_int_equal(server->listen.cnt, 2);
    assert_int_equal(addrs[0].port, 5300);
    assert_int_equal(addrs[1].port, 53);
    assert_int_equal(addrs[1].family, ADDR_V6);
    assert_int_equal(server->workers, 16);
    assert_int_equal(server->idle_ms, 3000);
    assert_true(server->share > 0.9999);
    assert_false(server->quiet);
    assert_string_equal(server->dir, "/zones");
    assert_string_equal(server->user, "r\"o\\");
    assert_int_equal(server->policy, 2);
    assert_int_equal(server->answers, 3);
    assert_int_equal(more->tags.cnt, 1);
    assert_string_equal(*(char **)more->tags.items, "one");
    assert_true(more->most == INT64_MIN);
    conf_free(conf);
    conf = load("t", "server: { tags = [ ]; listen = \"::1\"; dir = \"a/b\"; };");
    more = conf_group(conf, &toy_more_table);
    server = conf_group(conf, &toy_server_table);
    assert_int_equal(more->tags.cnt, 0);
    assert_int_equal(server->listen.cnt, 1);
    assert_string_equal(server->dir, "a/b");
    conf_free(conf);
}

static void lists_of_groups_nest(void **state)
{
    (void)state;
    struct conf *conf =
        load("t", "zones = (\n{ name = \"a\"; },\n"
                  "{ name = \"b\"; file = \"f\"; limits = { low = 20; };\n"
                  "  balance = ( { name = \"www\"; probe = [ \"p\", \"q\" ];\n"
                  "    members = ( { address = \"192.0.2.1\"; weight = 4; }, { address = \"192.0.2.2\"; } ); },\n"
                  "    { name = \"x\"; ttl = \"1m\"; members = { address = \"::1\"; }; } ); } );");
    struct opt_list zones = conf_list(conf, &toy_zone_table), balances = conf_list(conf, &toy_balance_table);
    const struct toy_zone *zone = zones.items;
    const struct toy_balance *balance = balances.items;
    assert_int_equal(zones.cnt, 2);
    assert_int_equal(balances.cnt, 2);
    assert_string_equal(zone[0].name, "a");
    assert_null(zone[0].file); /* inherited: no default */
    assert_int_equal(zone[0].where.line, 2);
    assert_int_equal(balance[0].rules.cnt, 0);
    assert_int_equal(balance[0].limits.low, 10);
    assert_string_equal(zone[1].file, "f");
    assert_int_equal(zone[1].where.line, 3);
    assert_string_equal(zone[1].where.file, "t");
    assert_int_equal(balance[1].limits.low, 20);
    assert_int_equal(balance[1].limits.high, 90);
    const struct toy_rule *rules = balance[1].rules.items;
    assert_int_equal(balance[1].rules.cnt, 2);
    assert_string_equal(rules[0].name, "www");
    assert_int_equal(rules[0].ttl_ms, 20000);
    assert_int_equal(rules[0].where.line, 4);
    assert_int_equal(rules[1].where.line, 6);
    assert_int_equal(rules[0].probes.cnt, 2);
    assert_string_equal(((char **)rules[0].probes.items)[1], "q");
    const struct toy_member *members = rules[0].members.items;
    assert_int_equal(rules[0].members.cnt, 2);
    assert_int_equal(members[0].weight, 4);
    assert_int_equal(members[1].weight, 1);
    assert_int_equal(members[1].address.bytes[3], 2);
    assert_int_equal(rules[1].ttl_ms, 60000);
    assert_int_equal(rules[1].members.cnt, 1);
    conf_free(conf);
}

static void unknown_keys_are_told_with_the_nearest(void **state)
{
    (void)state;
    expect_errors("sever: { };\nserver: {\n lisen = \"::1\";\n qwertz = 1; };\nzones = ( { name = \"a\";\n\n nane = "
                  "\"b\"; tag = 1;\n"
                  " balance = ( { name = \"w\"; members = ( { address = \"::1\"; wight = 1; } ); } ); } );\nxyzzy = 1;",
                  "1: unknown group \"sever\"; did you mean \"server\"?\n"
                  "9: unknown group \"xyzzy\"\n"
                  "3: unknown key \"lisen\" in \"server\"; did you mean \"listen\"?\n"
                  "4: unknown key \"qwertz\" in \"server\"\n"
                  "7: unknown key \"nane\" in \"zones\"; did you mean \"name\"?\n"
                  "7: unknown key \"tag\" in \"zones\"\n"
                  "8: unknown key \"wight\" in \"zones.balance.members\"; did you mean \"weight\"?\n");
}

/* Nothing is missing, wrong or not asked for only because its key is mistyped. */
static void a_mistyped_key_is_read_all_the_same(void **state)
{
    (void)state;
    expect_errors("zones = ( {\n nmae = \"a\"; limits = {\n hihg = 5; }; } );",
                  "2: unknown key \"nmae\" in \"zones\"; did you mean \"name\"?\n"
                  "3: unknown key \"hihg\" in \"zones.limits\"; did you mean \"high\"?\n"
                  "2: \"zones.limits.low\": above \"high\"\n");
    expect_errors("zoens = ( { name = \"a\"; },\n { blance = (\n { name = 5; } ); name = \"b\";  } );\n"
                  "sevrer: { workers = -1; };",
                  "1: unknown group \"zoens\"; did you mean \"zones\"?\n"
                  "4: unknown group \"sevrer\"; did you mean \"server\"?\n"
                  "4: \"server.workers\": expected a whole number from 0 to 1024, got -1\n"
                  "2: unknown key \"blance\" in \"zones\"; did you mean \"balance\"?\n"
                  "3: \"zones.balance.name\": expected a string, got 5\n");
    /* Unless it can't have been meant, or the right one is there. */
    expect_errors("zones = ( {\n nmae = 5; } );\nservre = 5;",
                  "3: unknown group \"servre\"; did you mean \"server\"?\n"
                  "2: unknown key \"nmae\" in \"zones\"; did you mean \"name\"?\n");
    expect_errors("server: { workers = 1; worker = \"x\"; };\nserver2 = 5;",
                  "2: unknown group \"server2\"; did you mean \"server\"?\n"
                  "1: unknown key \"worker\" in \"server\"; did you mean \"workers\"?\n");
}

static void wrong_values_are_told_with_what_was_expected(void **state)
{
    (void)state;
    expect_errors("server: {\n workers = 1025;\n idle = [ 1 ];\n share = 1.1;\n quiet = 1;\n dir = \"\";\n user = 5;\n"
                  " policy = \"wieghted\";\n answers = 11;\n listen = [ \"::1\",\n  \"::1@70000\",\n  5 ];\n tags = { "
                  "};\n most = \"1\"; };",
                  "2: \"server.workers\": expected a whole number from 0 to 1024, got 1025\n"
                  "3: \"server.idle\": expected a duration of 100ms to 1h, such as \"5s\", got a list\n"
                  "4: \"server.share\": expected a number from 0 to 1, got 1.1\n"
                  "5: \"server.quiet\": expected true or false, got 1\n"
                  "6: \"server.dir\": expected a string that is not empty, got \"\"\n"
                  "7: \"server.user\": expected a string of 1 to 32 bytes, got 5\n"
                  "8: \"server.policy\": expected \"round_robin\", \"weighted\" or \"random\", got \"wieghted\"; did "
                  "you mean \"weighted\"?\n"
                  "9: \"server.answers\": expected \"all\" or a number from 1 to 9, got 11\n"
                  "11: \"server.listen\": expected an address with or without port, such as \"192.0.2.1\" or "
                  "\"2001:db8::1@53\", got \"::1@70000\"\n"
                  "12: \"server.listen\": expected an address with or without port, such as \"192.0.2.1\" or "
                  "\"2001:db8::1@53\", got 5\n"
                  "13: \"server.tags\": expected a string, got a group\n"
                  "14: \"server.most\": expected a whole number, got \"1\"\n");
}

/* libconfig 1.5 would read 4294967297 as 1, 4294967296 as 0. */
static void large_integers_are_not_cut(void **state)
{
    (void)state;
    expect_errors("server: { workers = 4294967297; };",
                  "1: \"server.workers\": expected a whole number from 0 to 1024, got 4294967297\n");
    expect_errors("server: { workers = 4294967297L; };",
                  "1: \"server.workers\": expected a whole number from 0 to 1024, got 4294967297\n");
    expect_errors("server: { workers = 99999999999999999999; };",
                  "1: \"server.workers\": expected a whole number from 0 to 1024, got 99999999999999999999\n");
    expect_errors("server: { workers = 0x100000000; };",
                  "1: \"server.workers\": expected a whole number from 0 to 1024, got 4294967296\n");
    expect_errors("server: { idle = 18446744073709551617; };",
                  "1: \"server.idle\": expected a duration of 100ms to 1h, such as \"5s\", got 18446744073709551617\n");
    expect_errors("server: { share = 1e444; };", "1: \"server.share\": expected a number from 0 to 1, got 1e444\n");
    expect_errors("server: { user = 99999999999999999999; };",
                  "1: \"server.user\": expected a string of 1 to 32 bytes, got 99999999999999999999\n");
}

static void wrong_shapes_are_told(void **state)
{
    (void)state;
    expect_errors("server = ( );\nzones = 5;", "1: \"server\": expected a group, { ... }\n"
                                               "2: \"zones\": expected groups, ( { ... }, { ... } ), got 5\n");
    expect_errors("server = 5;\nzones = ( { name = \"a\"; },\n \"b\", ( ) );",
                  "1: \"server\": expected a group, { ... }\n"
                  "3: \"zones\": expected groups, ( { ... }, { ... } ), got \"b\"\n"
                  "3: \"zones\": expected groups, ( { ... }, { ... } ), got a list\n");
    expect_errors("zones = ( { name = \"a\"; balance = ( { name = ( ); members = 5; } );\nlimits = ( ); } );",
                  "1: \"zones.balance.name\": expected a string, got a list\n"
                  "1: \"zones.balance.members\": expected groups, ( { ... }, { ... } ), got 5\n"
                  "2: \"zones.limits\": expected a group, { ... }, got a list\n");
}

static void missing_keys_are_told(void **state)
{
    (void)state;
    expect_errors(
        "zones = (\n{ },\n{ name = \"b\";\n balance = (\n{ members = ( { } ); } ); } );",
        "2: \"zones.name\" is missing: a string of 1 to 255 bytes\n"
        "5: \"zones.balance.members.address\" is missing: an address with or without port, such as \"192.0.2.1\" or "
        "\"2001:db8::1@53\"\n"
        "5: \"zones.balance.name\" is missing: a string\n");
}

static void keys_given_twice_are_told_with_the_rest(void **state)
{
    (void)state;
    expect_errors(
        "server: { workers = 1;\n workers = 2; };\nzones = ( { name = \"a\"; } );\nserver: { bad = 1; };\nnothing = 1;",
        "2: key \"workers\" is given twice, first at t:1\n"
        "4: key \"server\" is given twice, first at t:1\n"
        "5: unknown group \"nothing\"\n");
}

static void a_check_of_a_table_is_asked(void **state)
{
    (void)state;
    expect_errors("zones = ( { name = \"a\"; limits = {\n high = 20;\n low = 30; }; } );",
                  "3: \"zones.limits.low\": above \"high\"\n");
    expect_errors("zones = ( { name = \"a\"; limits = {\n high = 5; }; } );",
                  "1: \"zones.limits.low\": above \"high\"\n");
    /* Not when the group is wrong anyway. */
    expect_errors("zones = ( { name = \"a\"; limits = {\n high = 5; low = -1; }; } );",
                  "2: \"zones.limits.low\": expected a whole number from 0 to 100, got -1\n");
}

/* What others still want to look at when there are errors. */
static void what_is_left_can_be_used(void **state)
{
    (void)state;
    static const char text[] =
        "server: { workers = -1; dir = 5; tags = [ 1, \"x\", 2, \"y\" ]; listen = 5; idle = 3; };\n"
        "zones = (\n{ name = \"a\"; nonsense = 1; },\n"
        "{ file = \"f\"; balance = ( { ttl = 1; name = \"w\"; probe = 1; },\n"
        " { name = \"x\"; members = ( { weight = -1; } ); } ); },\n"
        "5,\n{ name = \"b\"; limits = { low = -1; }; } );";
    static const struct {
        const char *name;
        unsigned line;
        bool is_broken;
    } rows[] = {{"a", 3, false}, {NULL, 4, true}, {NULL, 6, true}, {"b", 7, false}};
    struct diag *diag = diag_new(100);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    const struct toy_server *server = conf_group(conf, &toy_server_table);
    const struct toy_more *more = conf_group(conf, &toy_more_table);
    assert_int_equal(server->workers, 0);
    assert_string_equal(server->dir, "zones");
    assert_int_equal(server->listen.cnt, 0);
    assert_int_equal(server->idle_ms, 3000);
    assert_int_equal(more->tags.cnt, 2);
    assert_string_equal(((char **)more->tags.items)[0], "x");
    assert_string_equal(((char **)more->tags.items)[1], "y");
    struct opt_list zones = conf_list(conf, &toy_zone_table), balances = conf_list(conf, &toy_balance_table);
    assert_int_equal(zones.cnt, 4);
    assert_int_equal(balances.cnt, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct toy_zone *zone = (const struct toy_zone *)zones.items + i;
        assert_true(rows[i].name ? !strcmp(zone->name, rows[i].name) : !zone->name);
        assert_string_equal(zone->where.file, "t");
        assert_int_equal(zone->where.line, rows[i].line);
        assert_int_equal(zone->where.is_broken, rows[i].is_broken);
    }
    const struct toy_balance *balance = (const struct toy_balance *)balances.items + 1;
    const struct toy_rule *rules = balance->rules.items;
    assert_true(rules[0].where.is_broken);
    assert_int_equal(rules[0].probes.cnt, 0);
    assert_false(rules[1].where.is_broken); /* its member is */
    assert_int_equal(rules[1].members.cnt, 1);
    assert_int_equal(((const struct toy_member *)rules[1].members.items)->address.family, ADDR_NONE);
    assert_int_equal(((const struct toy_member *)rules[1].members.items)->weight, 1);
    conf_free(conf);
    diag_free(diag);
}

/* The text of these is of no use. */
static void nothing_is_left_of_what_is_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"server: {", "server: { workers = 1; };\n}", "@include \"/nonexistent/x\"\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct diag *diag = diag_new(100);
        struct conf *conf;
        assert_int_equal(conf_load_text(&conf, "t", texts[i], strlen(texts[i]), toy_tables, TOY_TABLE_CNT, diag),
                         ERR_INVALID);
        assert_null(conf);
        assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
        diag_free(diag);
    }
}

static void forty_errors_are_forty_lines(void **state)
{
    (void)state;
    char text[4096], *at = text;
    at += sprintf(at, "zones = (");
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "%s\n{ name = \"z%d\"; flie%d = 1; }", i ? "," : "", i, i);
    strcpy(at, "\n);");
    struct diag *diag = diag_new(100);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 40);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(diag_at(diag, i)->line, i + 2);
    conf_free(conf);
    diag_free(diag);
}

static void errors_before_are_not_ours(void **state)
{
    (void)state;
    struct diag *diag = diag_new(100);
    struct conf *conf;
    diag_error(diag, NULL, 0, "somebody else's");
    assert_int_equal(conf_load_text(&conf, "t", "", 0, toy_tables, TOY_TABLE_CNT, diag), ERR_OK);
    conf_free(conf);
    diag_free(diag);
}

static void a_wrong_default_in_a_table_is_told(void **state)
{
    (void)state;
    static const struct opt opts[] = {
        {.name = "a", .type = OPT_INT, .least = 1, .most = 5, .text_default = "7"},
        {.name = "b", .type = OPT_DURATION, .offset = 8, .text_default = "5s"},
        {.name = "c", .type = OPT_INT, .offset = 16, .text_default = "1; d = 2"},
    };
    static const struct opt_table table = {.path = "p", .size = 24, .where_offset = SIZE_MAX, .opts = opts, .cnt = 2};
    const struct opt_table *tables[] = {&table};
    struct diag *diag = diag_new(100);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", "", 0, tables, 1, diag), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 2);
    assert_string_equal(diag_at(diag, 0)->text,
                        "the default of \"p.a\", \"7\", is wrong: \"p.a\": expected a whole number from 1 to 5, got 7");
    assert_string_equal(diag_at(diag, 1)->text,
                        "the default of \"p.b\", \"5s\", is wrong: text must stand in quotes: \"5s\"");
    conf_free(conf);
    diag_free(diag);
}

/* "KEY@LINE" of each, with blanks between; "none". Line 0: the key is not there. */
static const char *restart(const char *was, const char *is)
{
    struct conf *a = load("t", was), *b = load("t", is);
    struct diag *diag = diag_new(10);
    static char keys[256];
    size_t len = 0;
    snprintf(keys, sizeof keys, "none");
    bool needed = conf_restart_needed(a, b, diag);
    assert_int_equal(needed, diag_cnt(diag, DIAG_ERROR) > 0);
    for (size_t i = 0; diag_at(diag, i); i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        const char *end = strstr(entry->text, " was changed, which needs a restart");
        assert_string_equal(entry->file, "t");
        assert_non_null(end);
        len += (size_t)snprintf(keys + len, sizeof keys - len, "%s%.*s@%u", i ? " " : "", (int)(end - entry->text),
                                entry->text, entry->line);
    }
    diag_free(diag);
    conf_free(a);
    conf_free(b);
    return keys;
}

static void a_changed_key_may_need_a_restart(void **state)
{
    (void)state;
    assert_string_equal(restart("", ""), "none");
    assert_string_equal(restart("", "server: { workers = 0; tags = [ \"a\", \"b\" ]; };"), "none");
    assert_string_equal(restart("", "server: { idle = 5; quiet = false; }; zones = ( { name = \"a\"; } );"), "none");
    assert_string_equal(restart("", "server: {\n workers = 1; };"), "server.workers@2");
    assert_string_equal(restart("server: { listen = \"::1\"; };", "server: { listen = [ \"::1@53\" ]; };"), "none");
    assert_string_equal(restart("server: { listen = \"::1\"; };", "server: { listen = [ \"::1@54\" ]; };"),
                        "server.listen@1");
    assert_string_equal(restart("server: { listen = \"::1\"; };", ""), "server.listen@0");
    assert_string_equal(restart("server: { user = \"a\"; };", "server: { };"), "server.user@0");
    assert_string_equal(restart("", "server: { user = \"a\"; };"), "server.user@1");
    assert_string_equal(restart("server: { user = \"a\"; };", "server: { user = \"a\"; };"), "none");
    assert_string_equal(restart("server: { user = \"a\"; };", "server: { user = \"b\"; };"), "server.user@1");
    assert_string_equal(restart("", "server: { tags = [ \"a\", \"c\" ]; };"), "server.tags@1");
    assert_string_equal(restart("", "server: { tags = \"a\"; };"), "server.tags@1");
}

static void all_keys_that_need_a_restart_are_told(void **state)
{
    (void)state;
    assert_string_equal(restart("server: { listen = \"::1\"; };",
                                "server: { user = \"b\";\n tags = \"x\"; idle = 3;\n\n workers = 3; };"),
                        "server.listen@0 server.workers@4 server.user@1 server.tags@2");
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* The allocator of AddressSanitizer copies at every realloc, and makes libconfig's lists quadratic: what is measured
 * there is shorter. */
#ifdef ASAN_PRESENT
enum { SHORT_LIST = 1000 };
#else
enum { SHORT_LIST = 10000 };
#endif

/* Tenfold the size may not take a hundredfold the time: nothing of ours is quadratic. */
static void long_lists_load_quickly(void **state)
{
    (void)state;
    double seconds[2];
    for (int round = 0; round < 2; round++) {
        int cnt = round ? 10 * SHORT_LIST : SHORT_LIST;
        char *text = mem_realloc(NULL, (size_t)cnt, 100), *at = text;
        struct timespec begin;
        at += sprintf(at, "zones = ( { name = \"a\"; balance = { name = \"w\"; members = (");
        for (int i = 0; i < cnt; i++)
            at += sprintf(at, "%s\n{ address = \"10.%d.%d.%d\"; weight = %d; }", i ? "," : "", i >> 16, i >> 8 & 255,
                          i & 255, i % 9);
        at += sprintf(at, " ); }; }");
        for (int i = 0; i < cnt / 2; i++)
            at += sprintf(at, ",\n{ name = \"z%d\"; }", i);
        strcpy(at, ");");
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        struct conf *conf = load("t", text);
        seconds[round] = seconds_since(&begin);
        const struct toy_balance *balance = conf_list(conf, &toy_balance_table).items;
        const struct toy_rule *rule = balance->rules.items;
        assert_int_equal(rule->members.cnt, cnt);
        assert_int_equal(conf_list(conf, &toy_zone_table).cnt, cnt / 2 + 1);
        assert_int_equal(((struct toy_zone *)conf_list(conf, &toy_zone_table).items)[cnt / 2].where.line,
                         cnt + 1 + cnt / 2);
        conf_free(conf);
        free(text);
    }
    print_message("%d: %.3f s, %d: %.3f s\n", SHORT_LIST, seconds[0], 10 * SHORT_LIST, seconds[1]);
    assert_true(seconds[1] < 60 * seconds[0] + 0.5);
}

static void very_many_errors_end_too(void **state)
{
    (void)state;
    enum { CNT = 10 * SHORT_LIST };
    char *text = mem_realloc(NULL, CNT, 20), *at = text;
    at += sprintf(at, "server: { tags = [ 1");
    for (int i = 1; i < CNT; i++)
        at += sprintf(at, ",\n%d", i);
    strcpy(at, "]; };");
    struct diag *diag = diag_new(20);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), CNT);
    assert_int_equal(diag_at(diag, 19)->line, 20);
    conf_free(conf);
    diag_free(diag);
    free(text);
}

static void a_file_is_read(void **state)
{
    (void)state;
    char path[] = "test_conf.XXXXXX";
    static const char text[] = "server: { workers = 3; };\nzones = ( { nam = \"a\"; } );\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, 26), 26);
    struct diag *diag = diag_new(100);
    struct conf *conf;
    assert_int_equal(conf_load(&conf, path, toy_tables, TOY_TABLE_CNT, diag), ERR_OK);
    assert_int_equal(((const struct toy_server *)conf_group(conf, &toy_server_table))->workers, 3);
    conf_free(conf);
    assert_int_equal(write(fd, text + 26, sizeof text - 27), (ssize_t)sizeof text - 27);
    assert_int_equal(conf_load(&conf, path, toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    conf_free(conf);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    assert_string_equal(diag_at(diag, 0)->file, path);
    assert_int_equal(diag_at(diag, 0)->line, 2);
    close(fd);
    FILE *file = fopen(path, "we"); /* which empties it */
    assert_non_null(file);
    assert_true(fputs("# nothing\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(conf_load(&conf, path, toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    conf_free(conf);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 2);
    assert_string_equal(diag_at(diag, 1)->file, path);
    assert_string_equal(diag_at(diag, 1)->text, "there is nothing in it; expected groups, such as \"server\"");
    unlink(path);
    assert_int_equal(conf_load(&conf, path, toy_tables, TOY_TABLE_CNT, diag), ERR_INVALID);
    assert_null(conf);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 3);
    diag_free(diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(values_of_every_type),
        cmocka_unit_test(lists_of_groups_nest),
        cmocka_unit_test(unknown_keys_are_told_with_the_nearest),
        cmocka_unit_test(a_mistyped_key_is_read_all_the_same),
        cmocka_unit_test(wrong_values_are_told_with_what_was_expected),
        cmocka_unit_test(large_integers_are_not_cut),
        cmocka_unit_test(wrong_shapes_are_told),
        cmocka_unit_test(missing_keys_are_told),
        cmocka_unit_test(keys_given_twice_are_told_with_the_rest),
        cmocka_unit_test(a_check_of_a_table_is_asked),
        cmocka_unit_test(what_is_left_can_be_used),
        cmocka_unit_test(nothing_is_left_of_what_is_malformed),
        cmocka_unit_test(forty_errors_are_forty_lines),
        cmocka_unit_test(errors_before_are_not_ours),
        cmocka_unit_test(a_wrong_default_in_a_table_is_told),
        cmocka_unit_test(a_changed_key_may_need_a_restart),
        cmocka_unit_test(all_keys_that_need_a_restart_are_told),
        cmocka_unit_test(long_lists_load_quickly),
        cmocka_unit_test(very_many_errors_end_too),
        cmocka_unit_test(a_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
