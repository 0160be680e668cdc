/* What zone_build must not be given. */
#include "version_help.h"

#include "zone/sound.h"

static enum err judge(const char *text, const char **why)
{
    struct zone_records *records = records_of(text);
    enum err err = zone_records_sound(records, why);
    if (!err) { /* then it can be built */
        struct zone *zone = zone_new(test_apex, &test_key);
        assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
        zone_free(zone);
    }
    zone_records_free(records);
    return err;
}

static void expect(const char *text, const char *part)
{
    const char *why;
    enum err err = judge(text, &why);
    assert_int_equal(err, part ? ERR_INVALID : ERR_OK);
    if (part && !strstr(why, part))
        fail_msg("%s", why);
}

static void zones_are_judged(void **state)
{
    (void)state;
    expect(APEX, NULL);
    expect("@ 60 SOA 1 60\n", NULL);                        /* without NS: another server's, perhaps */
    expect(APEX "a 60 CNAME b\na 60 A 1\n", NULL);           /* as sloppy as that */
    expect(APEX "a 60 A 1\na 30 A 2\n", NULL);
    expect("", "one SOA");
    expect("@ 60 NS ns\n", "one SOA");
    expect("a 60 SOA 1 60\n", "one SOA");
    expect(APEX "@ 60 SOA 2 60\n", "one SOA");
    expect(APEX "a.org. 60 A 1\n", "outside");
    expect(APEX "com. 60 A 1\n", "outside");
}

static void sizes_are_judged(void **state)
{
    (void)state;
    for (unsigned cnt = 4000; cnt < 4200; cnt += 10) {
        struct zone_records *records = records_of(APEX);
        const char *why;
        uint8_t owner[NAME_MAX_LEN];
        put_wire(owner, "a");
        for (unsigned i = 0; i < cnt; i++) {
            const uint8_t rdata[] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
            struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 1, .type = RR_A, .rdata_len = 4};
            zone_records_add(records, &rr, NULL, 0);
        }
        zone_records_sort(records);
        /* 16 bytes each, a question of 15 + 4, header, OPT */
        assert_int_equal(zone_records_sound(records, &why), 16 * cnt + 19 + 12 + 11 <= 65535 ? ERR_OK : ERR_INVALID);
        zone_records_free(records);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zones_are_judged), cmocka_unit_test(sizes_are_judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
