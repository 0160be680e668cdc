#include "sync/notify_targets.h"

#include "../zone/version_help.h"

/* What a version says, as text: "192.0.2.1 2001:db8::1 ns.example.net. ". */
struct said {
    char text[60000];
    unsigned cnt;
};

static void take_address(void *arg, const struct addr *addr)
{
    struct said *said = arg;
    char text[ADDR_TEXT_MAX];
    assert_int_equal(addr->port, 53);
    strcat(strcat(said->text, addr_to_text(text, addr)), " ");
    said->cnt++;
}

static void take_name(void *arg, const uint8_t *name)
{
    struct said *said = arg;
    char text[NAME_TEXT_MAX];
    strcat(strcat(said->text, name_to_text(text, name)), " ");
    said->cnt++;
}

/* Of a zone whose SOA names "ns" as the primary. */
static void names_of(struct said *said, const char *zone_text)
{
    struct zone *zone = zone_of(zone_text);
    const struct notify_names names = {take_address, take_name, said};
    *said = (struct said){.cnt = 0};
    notify_names_of(zone->current, &names);
    zone_free(zone);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *said;
    } rows[] = {
        {"@ 60 SOA 1 60\n", ""},
        {"@ 60 SOA 1 60\n@ 60 NS ns\nns 60 A 1\n", ""}, /* the primary itself */
        {"@ 60 SOA 1 60\n@ 60 NS NS\nns 60 A 1\n", ""},
        {"@ 60 SOA 1 60\n@ 60 NS ns\n@ 60 NS ns2\nns 60 A 1\nns2 60 A 2\nns2 60 A 3\nns2 60 AAAA 2\n",
         "192.0.2.2 192.0.2.3 2001:db8::2 "},
        {"@ 60 SOA 1 60\n@ 60 NS ns.example.net.\n@ 60 NS b.example.net.\n", "b.example.net. ns.example.net. "},
        {"@ 60 SOA 1 60\n@ 60 NS a.sub\nsub 60 NS a.sub\na.sub 60 A 7\n", "192.0.2.7 "}, /* glue will do */
        {"@ 60 SOA 1 60\n@ 60 NS a.sub\nsub 60 NS b.sub\nb.sub 60 A 7\n", "a.sub.example.com. "},
        {"@ 60 SOA 1 60\n@ 60 NS ns2\nns2 60 TXT x\n", "ns2.example.com. "},
        {"@ 60 SOA 1 60\n@ 60 NS @\n@ 60 A 9\n", "192.0.2.9 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct said said;
        names_of(&said, rows[i].zone);
        assert_string_equal(said.text, rows[i].said);
    }
}

/* Whoever writes a zone can't make us tell all the world. */
static void test_a_zone_of_a_thousand_servers(void **state)
{
    (void)state;
    static char text[40000];
    static struct said said;
    size_t len = (size_t)sprintf(text, "@ 60 SOA 1 60\n");
    for (unsigned i = 0; i < 1000; i++)
        len += (size_t)sprintf(text + len, "@ 60 NS n%03u.example.net.\n", i);
    names_of(&said, text);
    assert_int_equal(said.cnt, NOTIFY_TARGETS_MOST);
}

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_port_from_text(&addr, text, 53), ERR_OK);
    return addr;
}

static void test_list(void **state)
{
    (void)state;
    static struct notify_list list;
    struct tsig_key *key = mem_zalloc(1, sizeof *key);
    const struct addr own[] = {addr_of("192.0.2.53"), addr_of("2001:db8::53")};
    const struct sync_peer peers[] = {
        {addr_of("192.0.2.1@5300"), key, ACL_LIVE},
        {addr_of("192.0.2.2"), NULL, ACL_FULL},
        {addr_of("192.0.2.1@5301"), NULL, ACL_FULL}, /* another server on that host */
        {addr_of("192.0.2.2"), key, ACL_FULL},       /* twice */
        {addr_of("192.0.2.53@5353"), NULL, ACL_FULL}, /* the operator knows why */
    };
    static const char *const from_zone[] = {"192.0.2.1", "192.0.2.3", "192.0.2.53", "2001:db8::53", "192.0.2.3",
                                            "2001:db8::3"};
    static const char *const wanted[] = {"192.0.2.1@5300",  "192.0.2.2@53", "192.0.2.1@5301",
                                         "192.0.2.53@5353", "192.0.2.3@53", "2001:db8::3@53"};
    notify_list_add_peers(&list, peers, sizeof peers / sizeof *peers);
    for (size_t i = 0; i < sizeof from_zone / sizeof *from_zone; i++) {
        struct addr addr = addr_of(from_zone[i]);
        notify_list_add_address(&list, &addr, own, 2);
    }
    assert_int_equal(list.cnt, sizeof wanted / sizeof *wanted);
    for (uint32_t i = 0; i < list.cnt; i++) {
        char text[ADDR_TEXT_MAX];
        assert_string_equal(addr_port_to_text(text, &list.peers[i].addr), wanted[i]);
        assert_ptr_equal(list.peers[i].key, i ? NULL : key);
        assert_int_equal(list.peers[i].view, i ? ACL_FULL : ACL_LIVE);
    }
    assert_false(list.is_full);
    free(key);
}

static void test_a_full_list(void **state)
{
    (void)state;
    static struct notify_list list;
    for (unsigned i = 0; i <= NOTIFY_TARGETS_MOST; i++) {
        assert_false(list.is_full);
        struct addr addr = {.family = ADDR_V4, .port = 53, .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        notify_list_add_address(&list, &addr, NULL, 0);
    }
    assert_true(list.is_full);
    assert_int_equal(list.cnt, NOTIFY_TARGETS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_zone_of_a_thousand_servers),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_a_full_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
