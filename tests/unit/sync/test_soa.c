#include "sync/soa.h"

#include "../zone/version_help.h"

static void test_rdata(void **state)
{
    (void)state;
    static const uint8_t rdata[] = "\2ns\0\1h\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xfe";
    enum { LEN = sizeof rdata - 1 };
    struct soa soa;
    assert_int_equal(soa_read(&soa, rdata, LEN), ERR_OK);
    assert_int_equal(soa.serial, 1);
    assert_int_equal(soa.refresh_sec, 2);
    assert_int_equal(soa.retry_sec, 3);
    assert_int_equal(soa.expire_sec, 4);
    assert_int_equal(soa.minimum_sec, 0xfffffffe);
    for (unsigned len = 0; len < LEN; len++) {
        uint8_t *exact = mem_dup(rdata, len);
        assert_int_equal(soa_read(&soa, exact, len), ERR_SYNTAX);
        free(exact);
    }
    assert_int_equal(soa_read(&soa, rdata, LEN + 1), ERR_SYNTAX);
}

/* Out of a version, its names whole again, and still there when the version is gone. */
static void test_of_version(void **state)
{
    (void)state;
    struct zone *zone = zone_of("@ 3600 SOA 4711 60\n@ 3600 NS ns.example.net.\n");
    struct soa_record record;
    struct soa soa;
    soa_of_version(&record, zone->current);
    zone_free(zone);
    assert_true(name_equal(record.rr.owner, test_apex));
    assert_int_equal(record.rr.ttl, 3600);
    assert_int_equal(record.rr.type, RR_SOA);
    assert_int_equal(soa_read(&soa, record.rr.rdata, record.rr.rdata_len), ERR_OK);
    assert_int_equal(soa.serial, 4711);
    assert_int_equal(soa.minimum_sec, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rdata),
        cmocka_unit_test(test_of_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
