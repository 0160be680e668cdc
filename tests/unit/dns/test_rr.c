#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rr.h"

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t type;
    } cases[] = {{"A", 1}, {"aaaa", 28}, {"Nsap-Ptr", 23}, {"TYPE65280", 65280}, {"type1", 1}, {"WALLET", 262},
        {"DSYNC", 66}, {"URI", 256},
                 {"TYPE0", 0}, {"TYPE65535", 65535}, {"DLV", 32769}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t type;
        assert_int_equal(rr_type_from_text(&type, cases[i].text, strlen(cases[i].text)), ERR_OK);
        assert_int_equal(type, cases[i].type);
    }
    static const char *const wrong[] = {"", "AX", "TYPE", "TYPE65536", "TYPE100000", "TYPE-1", "TYPE1x", "12", "IN"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint16_t type;
        assert_int_equal(rr_type_from_text(&type, wrong[i], strlen(wrong[i])), ERR_NOT_FOUND);
    }
    uint16_t type;
    assert_int_equal(rr_type_from_text(&type, "AAAA", 1), ERR_OK); /* the length counts */
    assert_int_equal(type, RR_A);
}

/* What is written reads back, for every number. */
static void test_types_round_trip(void **state)
{
    (void)state;
    char text[RR_TYPE_TEXT_MAX];
    for (unsigned n = 0; n <= UINT16_MAX; n++) {
        uint16_t type;
        rr_type_to_text(text, (uint16_t)n);
        assert_int_equal(rr_type_from_text(&type, text, strlen(text)), ERR_OK);
        assert_int_equal(type, n);
    }
    assert_string_equal(rr_type_to_text(text, 28), "AAAA");
    assert_string_equal(rr_type_to_text(text, 51), "NSEC3PARAM");
    assert_string_equal(rr_type_to_text(text, 65280), "TYPE65280");
}

static void test_classes(void **state)
{
    (void)state;
    uint16_t class;
    assert_int_equal(rr_class_from_text(&class, "in", 2), ERR_OK);
    assert_int_equal(class, RR_CLASS_IN);
    assert_int_equal(rr_class_from_text(&class, "CLASS1", 6), ERR_OK);
    assert_int_equal(class, RR_CLASS_IN);
    assert_int_equal(rr_class_from_text(&class, "HS", 2), ERR_OK);
    assert_int_equal(class, 4);
    assert_int_equal(rr_class_from_text(&class, "CLASS65536", 10), ERR_NOT_FOUND);
    assert_int_equal(rr_class_from_text(&class, "A", 1), ERR_NOT_FOUND);
}

static void test_rcodes(void **state)
{
    (void)state;
    assert_string_equal(rcode_text(RCODE_NXDOMAIN), "NXDOMAIN");
    assert_string_equal(rcode_text(RCODE_BADVERS), "BADVERS");
    assert_string_equal(rcode_text(12), "RCODE?");
    assert_string_equal(rcode_text(4095), "RCODE?");
}

static void test_compressible(void **state)
{
    (void)state;
    unsigned skip, names;
    assert_true(rr_type_compressible(RR_MX, &skip, &names));
    assert_int_equal(skip, 2);
    assert_int_equal(names, 1);
    assert_true(rr_type_compressible(RR_SOA, &skip, &names));
    assert_int_equal(skip, 0);
    assert_int_equal(names, 2);
    /* RFC 3597 4: none of a later type. */
    assert_false(rr_type_compressible(RR_SRV, &skip, &names));
    assert_false(rr_type_compressible(RR_DNAME, &skip, &names));
    assert_false(rr_type_compressible(RR_A, &skip, &names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),   cmocka_unit_test(test_types_round_trip), cmocka_unit_test(test_classes),
        cmocka_unit_test(test_rcodes), cmocka_unit_test(test_compressible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
