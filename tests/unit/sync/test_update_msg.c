#include "update_help.h"

static struct update_bytes bytes;

static enum rcode read_only(void)
{
    struct update_msg msg;
    enum rcode rcode = update_read(&msg, &bytes);
    update_msg_fini(&msg);
    return rcode;
}

/* RFC 2136 2.3, 3.1 */
static void test_zone_section(void **state)
{
    (void)state;
    struct update_msg msg;
    update_bytes_begin(&bytes, (const uint8_t *)"\7EXAMPLE\3cOm");
    assert_int_equal(update_read(&msg, &bytes), RCODE_NOERROR);
    assert_memory_equal(msg.zone, test_apex, sizeof test_apex);
    assert_int_equal(msg.prerequisite_cnt + msg.update_cnt, 0);
    update_msg_fini(&msg);

    be16_put(bytes.bytes + bytes.len - 2, RR_CLASS_CH);
    assert_int_equal(read_only(), RCODE_NOTAUTH);
    be16_put(bytes.bytes + bytes.len - 2, RR_CLASS_IN);
    be16_put(bytes.bytes + bytes.len - 4, RR_A);
    assert_int_equal(read_only(), RCODE_FORMERR);
    be16_put(bytes.bytes + bytes.len - 4, RR_SOA);
    assert_int_equal(read_only(), RCODE_NOERROR);
    bytes.bytes[5] = 0;
    assert_int_equal(read_only(), RCODE_FORMERR);
    bytes.bytes[5] = 2;
    assert_int_equal(read_only(), RCODE_FORMERR);
    bytes.bytes[5] = 1;
    bytes.bytes[2] = OPCODE_NOTIFY << 3;
    assert_int_equal(read_only(), RCODE_FORMERR);
}

static void test_cut(void **state)
{
    (void)state;
    update_bytes_of(&bytes, "IN www 0 A 1\nANY www 0 ANY\n", "IN mx 5 MX 10 www\nNONE mx 0 TXT x\n");
    assert_int_equal(read_only(), RCODE_NOERROR);
    while (bytes.len-- > 0)
        assert_int_equal(read_only(), RCODE_FORMERR);
    /* More records than there can be. */
    update_bytes_of(&bytes, "", "");
    memset(bytes.bytes + 6, 0xff, 4);
    assert_int_equal(read_only(), RCODE_FORMERR);
}

/* Names in rdata may be compressed; owners of one name in a row are one pointer. */
static void test_records(void **state)
{
    (void)state;
    static const uint8_t mx[] = "\0\12\1m\xc0\14", target[] = "\0\12\1m\7example\3com";
    struct update_msg msg;
    update_bytes_of(&bytes, "", "IN Www 4294967295 A 1\nIN wWW 7 AAAA 2\nANY www 0 ANY\n");
    uint8_t owner[NAME_MAX_LEN];
    put_wire(owner, "other");
    update_bytes_add(&bytes, 8, &(struct rr){owner, mx, 9, RR_MX, sizeof mx - 1}, RR_CLASS_NONE);
    assert_int_equal(update_read(&msg, &bytes), RCODE_NOERROR);
    assert_int_equal(msg.update_cnt, 4);
    const struct update_record *u = msg.updates;
    assert_memory_equal(u[0].rr.owner, "\3www\7example\3com", 17);
    assert_ptr_equal(u[0].rr.owner, u[1].rr.owner);
    assert_ptr_equal(u[0].rr.owner, u[2].rr.owner);
    assert_int_equal(u[0].rr.ttl, 0); /* RFC 2181 8 */
    assert_int_equal(u[1].rr.ttl, 7);
    assert_int_equal(u[1].rr.type, RR_AAAA);
    assert_int_equal(u[2].class, RR_CLASS_ANY);
    assert_true(name_equal(u[3].rr.owner, owner));
    assert_int_equal(u[3].rr.rdata_len, sizeof target);
    assert_memory_equal(u[3].rr.rdata, target, sizeof target);
    assert_int_equal(u[3].rcode, RCODE_FORMERR); /* a TTL on a delete */
    update_msg_fini(&msg);
}

/* What a record is by itself; 99: the whole message is malformed. */
static const struct {
    const char *line;
    unsigned prerequisite, update;
} rules[] = {
    {"IN www 0 A 1", RCODE_NOERROR, RCODE_NOERROR},
    {"ANY www 0 A", RCODE_NOERROR, RCODE_NOERROR},
    {"ANY www 0 ANY", RCODE_NOERROR, RCODE_NOERROR},
    {"NONE www 0 A", RCODE_NOERROR, 99},
    {"NONE www 0 A 1", RCODE_FORMERR, RCODE_NOERROR},
    /* RFC 2136 3.2.5: no TTL; 3.4.1.3: none but on what is added */
    {"IN www 1 A 1", RCODE_FORMERR, RCODE_NOERROR},
    {"ANY www 1 A", RCODE_FORMERR, RCODE_FORMERR},
    {"NONE www 1 A", RCODE_FORMERR, 99},
    {"NONE www 1 A 1", RCODE_FORMERR, RCODE_FORMERR},
    /* 3.2.5, 3.4.1.3: no rdata where the class has no use for it, whatever it is */
    {"ANY www 0 A 1", RCODE_FORMERR, RCODE_FORMERR},
    {"ANY www 0 A # 0102", RCODE_FORMERR, RCODE_FORMERR},
    {"ANY www 0 ANY # 01", RCODE_FORMERR, RCODE_FORMERR},
    {"NONE www 0 NS # 05", RCODE_FORMERR, 99},
    /* malformed rdata */
    {"IN www 0 A", 99, 99},
    {"IN www 0 A # 0102030405", 99, 99},
    {"IN www 0 CNAME # 0161", 99, 99},
    /* 3.1.2, 3.4.1.3: other classes */
    {"CH www 0 A 1", RCODE_FORMERR, RCODE_FORMERR},
    {"HS www 0 A", RCODE_FORMERR, RCODE_FORMERR},
    /* 3.2.5, 3.4.1.3: names of the zone, and which is told first */
    {"IN www.example.net. 0 A 1", RCODE_NOTZONE, RCODE_NOTZONE},
    {"ANY com. 0 ANY", RCODE_NOTZONE, RCODE_NOTZONE},
    {"NONE xexample.com. 0 A 1", RCODE_NOTZONE, RCODE_NOTZONE},
    {"IN com. 1 A 1", RCODE_FORMERR, RCODE_NOTZONE},
    {"CH com. 0 A 1", RCODE_NOTZONE, RCODE_NOTZONE},
    {"IN deep.below.a.cut 0 A 1", RCODE_NOERROR, RCODE_NOERROR},
    /* 3.4.1.2: types that no zone has */
    {"IN www 0 ANY", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 MAILA", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 MAILB # 00", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 AXFR", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 IXFR", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 TSIG", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 OPT", RCODE_NOERROR, RCODE_FORMERR},
    {"IN www 0 TYPE0", RCODE_NOERROR, RCODE_FORMERR},
    {"ANY www 0 MAILA", RCODE_NOERROR, RCODE_FORMERR},
    {"ANY www 0 MAILB", RCODE_NOERROR, RCODE_FORMERR},
    {"ANY www 0 AXFR", RCODE_NOERROR, RCODE_FORMERR},
    {"ANY www 0 IXFR", RCODE_NOERROR, RCODE_FORMERR},
    {"NONE www 0 ANY", RCODE_NOERROR, RCODE_FORMERR},
    {"NONE www 0 MAILA", RCODE_NOERROR, RCODE_FORMERR},
    {"NONE www 0 MAILB", RCODE_NOERROR, RCODE_FORMERR},
    {"NONE www 0 AXFR", RCODE_NOERROR, RCODE_FORMERR},
    /* RFC 3597: types that nobody knows are data */
    {"IN www 0 TYPE65280 # 0102", RCODE_NOERROR, RCODE_NOERROR},
    {"IN www 0 TYPE65280", RCODE_NOERROR, RCODE_NOERROR},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (unsigned is_update = 0; is_update < 2; is_update++) {
            struct update_msg msg;
            unsigned wanted = is_update ? rules[i].update : rules[i].prerequisite;
            update_bytes_of(&bytes, is_update ? "" : rules[i].line, is_update ? rules[i].line : "");
            enum rcode rcode = update_read(&msg, &bytes);
            unsigned got = rcode ? 99 : is_update ? msg.updates->rcode : msg.prerequisites->rcode;
            assert_true(!rcode || rcode == RCODE_FORMERR);
            if (got != wanted)
                fail_msg("%s as %s: %u, not %u", rules[i].line, is_update ? "update" : "prerequisite", got, wanted);
            update_msg_fini(&msg);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone_section),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
