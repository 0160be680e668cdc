#include "base/addr.h"

#include <netinet/in.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void text_goes_both_ways(void **state)
{
    (void)state;
    static const char *const canonical[] = {"192.0.2.1",
                                            "0.0.0.0",
                                            "255.255.255.255",
                                            "::",
                                            "::1",
                                            "2001:db8::1",
                                            "2001:db8:0:1:1:1:1:1",
                                            "2001:db8::1:0:0:1",
                                            "::ffff:192.0.2.1",
                                            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    struct addr a;
    char out[ADDR_TEXT_MAX];
    for (size_t i = 0; i < sizeof canonical / sizeof *canonical; i++) {
        assert_int_equal(addr_from_text(&a, canonical[i]), ERR_OK);
        assert_int_equal(a.port, 0);
        assert_int_equal(addr_len(&a), strchr(canonical[i], ':') ? 16 : 4);
        assert_string_equal(addr_to_text(out, &a), canonical[i]);
    }
    assert_int_equal(addr_from_text(&a, "2001:DB8:0:0:0:0:0:1"), ERR_OK);
    assert_string_equal(addr_to_text(out, &a), "2001:db8::1");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "x",          "1.2.3",     "1.2.3.4.5", "1.2.3.256",
                                        "01.2.3.4 ", " 1.2.3.4",   "localhost", "[::1]",     "fe80::1%lo",
                                        "::1::",     "1.2.3.4/32", "12345::",   ":",         "1.2.3.4@53"};
    struct addr a;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(addr_from_text(&a, wrong[i]), ERR_SYNTAX);
    static char endless[100000];
    memset(endless, ':', sizeof endless - 1);
    assert_int_equal(addr_from_text(&a, endless), ERR_SYNTAX);
    assert_int_equal(addr_port_from_text(&a, endless, 53), ERR_SYNTAX);
}

static void a_port_may_follow(void **state)
{
    (void)state;
    struct addr a;
    char out[ADDR_TEXT_MAX];
    assert_int_equal(addr_port_from_text(&a, "192.0.2.1@5300", 53), ERR_OK);
    assert_int_equal(a.port, 5300);
    assert_string_equal(addr_port_to_text(out, &a), "192.0.2.1@5300");
    assert_int_equal(addr_port_from_text(&a, "::1", 53), ERR_OK);
    assert_int_equal(a.port, 53);
    assert_string_equal(addr_port_to_text(out, &a), "::1@53");
    assert_int_equal(addr_port_from_text(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff@65535", 53), ERR_OK);
    assert_string_equal(addr_port_to_text(out, &a), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff@65535");
    static const char *const wrong[] = {"::1@",    "::1@x", "::1@5x",    "::1@-1",  "::1@+5",
                                        "::1@ 53", "@53",   "::1@53@54", "::1@0x35"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(addr_port_from_text(&a, wrong[i], 53), ERR_SYNTAX);
    static const char *const out_of_range[] = {"::1@0", "::1@65536", "::1@4294967349", "::1@99999999999999999999999"};
    for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
        assert_int_equal(addr_port_from_text(&a, out_of_range[i], 53), ERR_RANGE);
}

static void socket_addresses_go_both_ways(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1@5300", "2001:db8::1@53"};
    struct sockaddr_storage sa;
    struct addr a, b;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(addr_port_from_text(&a, texts[i], 0), ERR_OK);
        assert_int_equal(addr_to_sockaddr(&sa, &a), i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        addr_from_sockaddr(&b, (struct sockaddr *)&sa);
        assert_memory_equal(&a, &b, sizeof a);
    }
    struct sockaddr_un_like {
        sa_family_t family;
    } unix_address = {AF_UNIX};
    addr_from_sockaddr(&b, (struct sockaddr *)&unix_address);
    assert_int_equal(b.family, ADDR_NONE);
}

static void a_mapped_address_becomes_v4(void **state)
{
    (void)state;
    struct sockaddr_storage sa;
    struct addr a, v4;
    assert_int_equal(addr_port_from_text(&a, "::ffff:192.0.2.1@53", 0), ERR_OK);
    assert_int_equal(addr_port_from_text(&v4, "192.0.2.1@53", 0), ERR_OK);
    addr_to_sockaddr(&sa, &a);
    addr_from_sockaddr(&a, (struct sockaddr *)&sa);
    assert_memory_equal(&a, &v4, sizeof a);
}

static void the_order_is_canonical(void **state)
{
    (void)state;
    static const char *const ordered[] = {"9.0.0.1@53", "10.0.0.1@53", "10.0.0.1@54", "255.0.0.0@1",
                                          "::@53",      "::1@53",      "ff::@1"};
    enum { CNT = sizeof ordered / sizeof *ordered };
    struct addr a, b;
    for (int i = 0; i < CNT; i++) {
        for (int j = 0; j < CNT; j++) {
            assert_int_equal(addr_port_from_text(&a, ordered[i], 0), ERR_OK);
            assert_int_equal(addr_port_from_text(&b, ordered[j], 0), ERR_OK);
            int order = addr_cmp(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(addr_from_text(&a, "10.0.0.1"), ERR_OK);
    assert_int_equal(addr_port_from_text(&b, "10.0.0.1@7", 0), ERR_OK);
    assert_true(addr_same_host(&a, &b));
    assert_int_equal(addr_from_text(&b, "a00:1::"), ERR_OK); /* the same first bytes */
    assert_false(addr_same_host(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_both_ways),         cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_port_may_follow),           cmocka_unit_test(socket_addresses_go_both_ways),
        cmocka_unit_test(a_mapped_address_becomes_v4), cmocka_unit_test(the_order_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
