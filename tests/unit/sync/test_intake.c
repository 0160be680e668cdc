#include "sync/intake.h"

#include "sync_help.h"

#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

static uint8_t message[MSG_MAX_LEN];

/* ---- messages by hand */

static struct writer begin(uint16_t type)
{
    struct writer w = writer_over(message, sizeof message);
    writer_u16(&w, TEST_ID);
    writer_u16(&w, MSG_QR | MSG_AA);
    writer_u16(&w, 1);
    for (unsigned i = 0; i < 3; i++)
        writer_u16(&w, 0);
    writer_put(&w, test_apex, sizeof test_apex);
    writer_u16(&w, type);
    writer_u16(&w, RR_CLASS_IN);
    return w;
}

static void put(struct writer *w, const uint8_t *owner, uint16_t type, const void *rdata, unsigned len)
{
    writer_put(w, owner, name_len(owner));
    writer_u16(w, type);
    writer_u16(w, RR_CLASS_IN);
    writer_u32(w, 60);
    writer_u16(w, (uint16_t)len);
    writer_put(w, rdata, len);
    be16_put(message + 6, (uint16_t)(be16_get(message + 6) + 1));
}

static void put_serial(struct writer *w, uint32_t serial)
{
    uint8_t rdata[22] = {0};
    be32_put(rdata + 2, serial);
    put(w, test_apex, RR_SOA, rdata, sizeof rdata);
}

/* An owner of its own for each number. */
static void put_a(struct writer *w, uint32_t number)
{
    uint8_t owner[NAME_MAX_LEN] = {8};
    snprintf((char *)owner + 1, 9, "%08" PRIx32, number);
    memcpy(owner + 9, test_apex, sizeof test_apex);
    put(w, owner, RR_A, &number, 4);
}

static enum stream_in_state feed(struct intake *intake, const struct writer *w)
{
    assert_false(w->failed);
    return intake_feed(intake, message, writer_len(w), TEST_NOW);
}

static void start(struct intake *intake, uint16_t type, uint32_t serial, uint64_t max_zone_bytes)
{
    struct stream_in_asked asked = {.name = test_apex, .type = type, .id = TEST_ID, .serial = serial};
    intake_init(intake, &asked, &test_key, max_zone_bytes);
}

static void assert_failed(const struct intake *intake, const char *why)
{
    assert_int_equal(intake->state, STREAM_IN_FAILED);
    if (!strstr(intake->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, intake->why);
}

/* ---- tests */

static void feed_messages(struct intake *intake, const struct messages *m)
{
    for (size_t i = 0; i < m->cnt; i++)
        assert_int_equal(intake_feed(intake, m->at[i].bytes, m->at[i].len, TEST_NOW),
                         i + 1 < m->cnt ? STREAM_IN_MORE : STREAM_IN_DONE);
}

static void test_whole(void **state)
{
    static struct messages m;
    struct zone *zone = zone_of(APEX "a 60 A 1\nA 60 A 2\nb 60 MX 5 a\nB.a 60 TXT x\n");
    struct stream_out_request request = request_of(NULL, RR_AXFR);
    struct stream_out out;
    struct intake intake;
    (void)state;
    stream_out_whole(&out, &request, zone->current);
    assert_int_equal(make_all(&m, &out, 512), STREAM_OUT_DONE);
    start(&intake, RR_AXFR, 0, 0);
    feed_messages(&intake, &m);
    assert_int_equal(intake.in.outcome, STREAM_IN_WHOLE);
    assert_int_equal(intake.change_cnt, 0);
    assert_true(intake.records->sorted);
    struct zone_records *expected = records_in(zone->current);
    assert_same_records(intake.records, expected);
    zone_records_free(expected);
    intake_fini(&intake);
    messages_clear(&m);
    zone_free(zone);
}

static void test_changes(void **state)
{
    static struct messages m;
    struct zone *zone = zone_of("@ 3600 SOA 3 60\n@ 3600 NS ns.example.net.\n");
    struct changeset *changes[] = {changeset_of("@ 3600 SOA 1 60\nz 60 A 1\na 60 A 1\n", "@ 3600 SOA 2 60\n"),
                                   changeset_of("@ 3600 SOA 2 60\n", "@ 3600 SOA 3 60\nz 60 A 2\nc 60 A 1\n")};
    struct stream_out_request request = request_of(NULL, RR_IXFR);
    struct stream_out out;
    struct intake intake;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        changes[i]->serial_from = i + 1;
        changes[i]->serial_to = i + 2;
    }
    stream_out_changes(&out, &request, zone->current, (const struct changeset *const *)changes, 2);
    assert_int_equal(make_all(&m, &out, 512), STREAM_OUT_DONE);
    start(&intake, RR_IXFR, 1, 0);
    feed_messages(&intake, &m);
    assert_int_equal(intake.in.outcome, STREAM_IN_CHANGES);
    assert_null(intake.records);
    assert_int_equal(intake.change_cnt, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct changeset *c = intake.changes[i];
        assert_int_equal(c->serial_from, i + 1);
        assert_int_equal(c->serial_to, i + 2);
        assert_true(c->removed->sorted && c->added->sorted);
        assert_same_records(c->removed, changes[i]->removed);
        assert_same_records(c->added, changes[i]->added);
        changeset_free(changes[i]);
    }
    intake_fini(&intake);
    messages_clear(&m);
    zone_free(zone);
}

static void test_up_to_date(void **state)
{
    struct intake intake;
    (void)state;
    start(&intake, RR_IXFR, 7, 4096);
    struct writer w = begin(RR_IXFR);
    put_serial(&w, 7);
    assert_int_equal(feed(&intake, &w), STREAM_IN_DONE);
    assert_int_equal(intake.in.outcome, STREAM_IN_UP_TO_DATE);
    assert_null(intake.records);
    assert_int_equal(intake.change_cnt, 0);
    intake_fini(&intake);
}

/* What the stream itself refuses. */
static void test_refused(void **state)
{
    struct intake intake;
    (void)state;
    start(&intake, RR_AXFR, 0, 4096);
    struct writer w = begin(RR_AXFR);
    put_a(&w, 1);
    assert_int_equal(feed(&intake, &w), STREAM_IN_FAILED);
    assert_failed(&intake, "the first record is no SOA");
    intake_fini(&intake);
}

static void test_unsound(void **state)
{
    uint8_t text[201] = {200};
    struct intake intake;
    (void)state;
    start(&intake, RR_AXFR, 0, 0);
    for (unsigned n = 0; n < 400; n += 100) {
        struct writer w = begin(RR_AXFR);
        if (!n)
            put_serial(&w, 1);
        for (unsigned i = 0; i < 100; i++) {
            be32_put(text + 1, n + i);
            put(&w, test_apex, RR_TXT, text, sizeof text);
        }
        if (n == 300)
            put_serial(&w, 1);
        (void)feed(&intake, &w);
    }
    assert_failed(&intake, "an rrset does not fit in a message");
    intake_fini(&intake);
}

/* One message more and more until it is too much; how many bytes of records that were. */
static uint64_t feed_without_end(struct intake *intake, uint16_t type)
{
    uint32_t number = 0;
    struct writer w = begin(type);
    put_serial(&w, 9);
    if (type == RR_IXFR && intake->in.asked.serial)
        put_serial(&w, intake->in.asked.serial);
    else
        put_a(&w, number++);
    while (feed(intake, &w) == STREAM_IN_MORE) {
        w = begin(type);
        for (unsigned i = 0; i < 20; i++)
            put_a(&w, number++);
        assert_true(number < 100000);
    }
    return intake->in.bytes;
}

static void test_size(void **state)
{
    enum { MOST = 50000, MESSAGE = 1000 };
    static const struct {
        uint16_t type;
        uint32_t serial;
        unsigned factor;
    } cases[] = {{RR_AXFR, 0, 1}, {RR_IXFR, 0, 1}, {RR_IXFR, 1, 2}};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct intake intake;
        start(&intake, cases[i].type, cases[i].serial, MOST);
        uint64_t bytes = feed_without_end(&intake, cases[i].type);
        assert_failed(&intake, "bytes of records");
        assert_true(bytes > cases[i].factor * MOST && bytes < cases[i].factor * MOST + MESSAGE);
        intake_fini(&intake);
    }
}

/* Changesets of two SOAs each: few bytes, without end. */
static void test_changes_without_end(void **state)
{
    enum { EACH = 500 };
    struct intake intake;
    uint32_t serial = 1;
    (void)state;
    start(&intake, RR_IXFR, serial, 0);
    struct writer w = begin(RR_IXFR);
    put_serial(&w, 1u << 30);
    while (feed(&intake, &w) == STREAM_IN_MORE) {
        assert_true(serial < 2 * INTAKE_CHANGES_MOST);
        w = begin(RR_IXFR);
        for (unsigned i = 0; i < EACH; i++) {
            put_serial(&w, serial);
            put_serial(&w, ++serial);
        }
    }
    assert_failed(&intake, "changes one after the other");
    assert_in_range(intake.change_cnt, INTAKE_CHANGES_MOST, INTAKE_CHANGES_MOST + EACH);
    intake_fini(&intake);
}

static size_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The machine has less memory than the zone wants: it is refused while there is some. */
static void test_memory(void **state)
{
    enum { LEFT = 240 << 20, RECORDS_MOST = 10 * 1000 * 1000 };
    struct rlimit before, limit;
    struct intake intake;
    uint32_t number = 0;
    (void)state;
    start(&intake, RR_AXFR, 0, 0);
    assert_false(getrlimit(RLIMIT_AS, &before));
    limit = before;
    limit.rlim_cur = address_space_bytes() + LEFT;
    assert_false(setrlimit(RLIMIT_AS, &limit));
    struct writer w = begin(RR_AXFR);
    put_serial(&w, 1);
    while (feed(&intake, &w) == STREAM_IN_MORE && number < RECORDS_MOST) {
        w = begin(RR_AXFR);
        for (unsigned i = 0; i < 1000; i++)
            put_a(&w, number++);
    }
    assert_false(setrlimit(RLIMIT_AS, &before));
    assert_failed(&intake, "the zone does not fit in memory");
    assert_in_range(zone_records_bytes(intake.records), 32 << 20, LEFT / 2);
    intake_fini(&intake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), /* first: what others leave to malloc is under no limit */
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_up_to_date),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unsound),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_changes_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
