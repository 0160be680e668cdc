/* The records of a zone's history: what was written comes back, and nothing else is taken for one. */
#include "history_rig.h"

#include "base/checksum.h"
#include "store/history_record.h"

struct record {
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len, len;
    uint8_t *value;
};

static struct record encode(const struct changeset *changes)
{
    struct record r;
    r.key_len = history_key(r.key, changes->removed->apex, 7);
    r.len = history_changes_len(changes);
    r.value = mem_zalloc(r.len, 1);
    history_changes_put(r.value, r.len, changes, r.key, r.key_len);
    return r;
}

static enum err decode(struct changeset **changes, const struct record *r)
{
    return history_changes_read(changes, r->key, r->key_len, r->value, r->len, &test_key);
}

static void expect_round(const struct changeset *changes)
{
    struct record r = encode(changes);
    struct changeset *read;
    uint32_t from, to;
    assert_int_equal(decode(&read, &r), ERR_OK);
    rig_expect_same_changes(read, changes);
    assert_true(history_changes_peek(&from, &to, r.value, r.len));
    assert_int_equal(from, changes->serial_from);
    assert_int_equal(to, changes->serial_to);
    changeset_free(read);
    free(r.value);
}

static struct changeset *some_changes(void)
{
    struct changeset *changes = changeset_of("@ 3600 SOA 1 60\na 30 A 1\na 30 A 2\n",
                                             "@ 3600 SOA 2 60\na 60 A 1\na 60 A 3\nb.a 60 MX 10 b\n");
    changes->serial_from = 1;
    changes->serial_to = 2;
    return changes;
}

static void random_changes_come_back(void **state)
{
    (void)state;
    struct random_state rng = {{1, 2}};
    for (unsigned i = 0; i < 60; i++) {
        struct rig_zone zone = {.serial = UINT32_MAX - 2};
        rig_change(&zone, &rng, random_below(&rng, 80));
        struct zone *served = rig_build(&zone);
        rig_change(&zone, &rng, random_below(&rng, 60));
        struct changeset *changes = rig_advance(served, &zone);
        expect_round(changes);
        changeset_free(changes);
        zone_free(served);
    }
}

/* The longest owner and rdata, a type of its own, the root zone, nothing at all. */
static void extremes_come_back(void **state)
{
    (void)state;
    static uint8_t rdata[65535], owner[NAME_MAX_LEN + 1];
    static const uint8_t root[] = "";
    for (unsigned i = 0; i < 127; i++)
        memcpy(owner + 2 * i, "\1x", 2);
    memset(rdata, 0xa5, sizeof rdata);
    struct changeset *changes = mem_zalloc(1, sizeof *changes);
    changes->removed = zone_records_new(root, &test_key);
    changes->added = zone_records_new(root, &test_key);
    zone_records_sort(changes->removed);
    zone_records_sort(changes->added);
    expect_round(changes);
    struct rr rr = {.owner = owner, .rdata = rdata, .ttl = UINT32_MAX, .type = 65280, .rdata_len = sizeof rdata};
    zone_records_add(changes->added, &rr, NULL, 0);
    rr.owner = root;
    rr.rdata_len = 0;
    zone_records_add(changes->added, &rr, NULL, 0);
    zone_records_sort(changes->added);
    expect_round(changes);
    changeset_free(changes);
}

static void any_damage_is_seen(void **state)
{
    (void)state;
    struct changeset *changes = some_changes(), *read;
    struct record r = encode(changes);
    for (size_t bit = 0; bit < 8 * r.len; bit++) {
        r.value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(decode(&read, &r), ERR_SYNTAX);
        assert_null(read);
        r.value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * r.key_len; bit++) {
        r.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(decode(&read, &r), ERR_SYNTAX);
        r.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    size_t whole = r.len;
    for (r.len = 0; r.len < whole; r.len++) {
        struct record exact = r; /* so that a sanitizer sees one byte too many */
        exact.value = mem_dup(r.value, r.len);
        assert_int_equal(decode(&read, &exact), ERR_SYNTAX);
        free(exact.value);
    }
    free(r.value);
    changeset_free(changes);
}

static void sign(struct record *r)
{
    struct writer w = writer_over(r->value + r->len - CHECKSUM_LEN, CHECKSUM_LEN);
    uint64_t sum = checksum_add(CHECKSUM_START, r->key, r->key_len);
    writer_u64(&w, checksum_add(sum, r->value, r->len - CHECKSUM_LEN));
}

/* The checksum is as it should be: then it is read, or refused for what it says. */
static void nonsense_is_survived(void **state)
{
    (void)state;
    struct changeset *changes = some_changes(), *read;
    struct record r = encode(changes);
    unsigned read_cnt = 0, refused_cnt = 0;
    for (size_t i = 0; i < r.len - CHECKSUM_LEN; i++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t before = r.value[i];
            r.value[i] = (uint8_t)byte;
            sign(&r);
            enum err err = decode(&read, &r);
            assert_true(err == ERR_OK || err == (i ? ERR_SYNTAX : ERR_UNSUPPORTED));
            read_cnt += !err;
            refused_cnt += err != ERR_OK;
            changeset_free(read);
            r.value[i] = before;
        }
    assert_true(read_cnt > 1000 && refused_cnt > 1000);
    size_t whole = r.len;
    for (r.len = 1 + CHECKSUM_LEN; r.len < whole; r.len++) {
        struct record exact = r;
        exact.value = mem_dup(r.value, r.len);
        sign(&exact);
        assert_int_equal(decode(&read, &exact), ERR_SYNTAX);
        free(exact.value);
    }
    free(r.value);
    changeset_free(changes);
}

/* What no zone can have, in records that are otherwise right: serials, 0 removed, one added. */
static void impossible_records_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum err err;
    } rows[] = {
#define ROW(bytes, err) {bytes, sizeof bytes - 1, err}
        ROW("\0\1\1a\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),           /* a label beyond its length */
        ROW("\0\2\1a\0\1\0\0\0\1\0\4\1\2\3\4", ERR_OK),
        ROW("\0\0\0\1\0\0\0\1\0\4\1\2\3\4", ERR_OK),                 /* the apex */
        ROW("\0\2\2a\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),           /* a label that reaches into the apex */
        ROW("\0\3\1a\0\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),         /* a root label above it */
        ROW("\0\2\301a\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),         /* a pointer */
        ROW("\1\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),                 /* as the last one, which there is not */
        ROW("\10\2\1a\0\1\0\0\0\1\0\4\1\2\3\4", ERR_SYNTAX),          /* a flag that means nothing */
        ROW("\0\2\1a\0\1\0\0\0\1\0\3\1\2\3", ERR_SYNTAX),              /* an A of three bytes */
        ROW("\0\2\1a\0\6\0\0\0\1\0\2\0\0", ERR_SYNTAX),                /* a SOA without numbers */
        ROW("\0\2\1a\0\51\0\0\0\1\0\0", ERR_SYNTAX),                    /* OPT */
        ROW("\0\2\1a\0\1\0\0\0\1\0\4\1\2\3\4\0", ERR_SYNTAX),          /* a byte too many */
#undef ROW
    };
    struct record r;
    struct changeset *read;
    r.key_len = history_key(r.key, test_apex, 7);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const uint8_t head[] = "\1\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\1";
        r.len = sizeof head - 1 + rows[i].len + CHECKSUM_LEN;
        r.value = mem_zalloc(r.len, 1);
        memcpy(r.value, head, sizeof head - 1);
        memcpy(r.value + sizeof head - 1, rows[i].bytes, rows[i].len);
        sign(&r);
        if (decode(&read, &r) != rows[i].err)
            fail_msg("row %zu", i);
        assert_int_equal(read != NULL, !rows[i].err);
        changeset_free(read);
        free(r.value);
    }
}

static const struct history_zone entry = {
    .serial = 0x81828384, .seq = 0x1122334455667788, .checkpoint_serial = 3, .checkpoint_seq = 0x1122334455667787,
    .dropped_seq = 6, .source_serial = 9, .source_digest = {1, 2, 3, [31] = 4}, .source_len = 1234567890123,
    .flags = HISTORY_HAS_UPDATES | HISTORY_HAS_SOURCE | 64, .changed_wall_ms = 1700000000123,
};

static void entries_come_back(void **state)
{
    (void)state;
    uint8_t key[HISTORY_ZONE_KEY_MAX], value[HISTORY_ZONE_VALUE_LEN];
    size_t key_len = history_zone_key(key, (const uint8_t *)"\7eXaMple\3CoM");
    struct history_zone read;
    assert_int_equal(key_len, sizeof test_apex);
    assert_memory_equal(key, test_apex, key_len);
    history_zone_value(value, key, key_len, &entry);
    assert_int_equal(history_zone_read(&read, key, key_len, value, sizeof value), ERR_OK);
    assert_int_equal(read.serial, entry.serial);
    assert_int_equal(read.seq, entry.seq);
    assert_int_equal(read.checkpoint_serial, entry.checkpoint_serial);
    assert_int_equal(read.checkpoint_seq, entry.checkpoint_seq);
    assert_int_equal(read.dropped_seq, entry.dropped_seq);
    assert_int_equal(read.source_serial, entry.source_serial);
    assert_memory_equal(read.source_digest, entry.source_digest, sizeof entry.source_digest);
    assert_int_equal(read.source_len, entry.source_len);
    assert_int_equal(read.flags, entry.flags);
    assert_int_equal(read.changed_wall_ms, entry.changed_wall_ms);
}

static void damage_of_entries_is_seen(void **state)
{
    (void)state;
    uint8_t key[HISTORY_ZONE_KEY_MAX], value[HISTORY_ZONE_VALUE_LEN];
    size_t key_len = history_zone_key(key, test_apex);
    struct history_zone read;
    history_zone_value(value, key, key_len, &entry);
    for (size_t bit = 0; bit < 8 * sizeof value; bit++) {
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(history_zone_read(&read, key, key_len, value, sizeof value), ERR_SYNTAX);
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < sizeof value; len++)
        assert_int_equal(history_zone_read(&read, key, key_len, value, len), ERR_SYNTAX);
    struct record r = {.len = sizeof value, .value = value, .key_len = key_len};
    memcpy(r.key, key, key_len);
    value[0] = 2;
    sign(&r);
    assert_int_equal(history_zone_read(&read, key, key_len, value, sizeof value), ERR_UNSUPPORTED);
    struct history_zone wrong = entry;
    wrong.checkpoint_seq = entry.seq + 1;
    history_zone_value(value, key, key_len, &wrong);
    assert_int_equal(history_zone_read(&read, key, key_len, value, sizeof value), ERR_SYNTAX);
}

static void keys_stand_in_order(void **state)
{
    (void)state;
    uint8_t a[HISTORY_KEY_MAX], b[HISTORY_KEY_MAX], other[HISTORY_KEY_MAX];
    uint64_t seq;
    size_t len = history_key(a, test_apex, 255);
    assert_int_equal(history_key(b, test_apex, 256), len);
    assert_true(memcmp(a, b, len) < 0);
    assert_true(history_key_seq(&seq, test_apex, b, len));
    assert_int_equal(seq, 256);
    assert_false(history_key_seq(&seq, test_apex, b, len - 1));
    size_t other_len = history_key(other, (const uint8_t *)"\7example\3con", 256);
    assert_int_equal(other_len, len);
    assert_false(history_key_seq(&seq, test_apex, other, len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_come_back), cmocka_unit_test(extremes_come_back),
        cmocka_unit_test(any_damage_is_seen), cmocka_unit_test(nonsense_is_survived),
        cmocka_unit_test(impossible_records_are_refused), cmocka_unit_test(entries_come_back),
        cmocka_unit_test(damage_of_entries_is_seen), cmocka_unit_test(keys_stand_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
