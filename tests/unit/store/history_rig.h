/* For the tests of zones' histories: random zones of one name, and folders to keep them in. */
#pragma once

#include "unit/zone/version_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"

/* ---- folders */

struct folder {
    char path[64];
};

static inline void folder_make(struct folder *folder)
{
    strcpy(folder->path, "/tmp/rondo-history-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static inline unsigned folder_cnt(const char *path, const char *part)
{
    unsigned cnt = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        cnt += entry->d_name[0] != '.' && strstr(entry->d_name, part);
    closedir(dir);
    return cnt;
}

static inline void folder_remove(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *below = mem_printf("%s/%s", path, entry->d_name);
        if (unlink(below))
            folder_remove(below);
        free(below);
    }
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

static inline void file_write(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static inline uint8_t *file_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *len = (size_t)st.st_size;
    uint8_t *bytes = mem_zalloc(*len, 1);
    assert_int_equal(read(fd, bytes, *len), *len);
    close(fd);
    return bytes;
}

/* ---- random zones */

static const char *const rig_owners[] = {"@", "a", "b", "*", "a.a", "*.a", "a.b", "x.y.z.a", "ns.a", "ns", "collide-1",
                                         "collide-2"};
static const char *const rig_datas[] = {"A 1", "A 2", "AAAA 1", "AAAA 2", "TXT x", "MX 10 a.a", "MX 20 B.b.org.",
                                        "SRV 5 a.b", "NS ns.a", "NS ns.net."};
enum { RIG_OWNERS = sizeof rig_owners / sizeof *rig_owners, RIG_DATAS = sizeof rig_datas / sizeof *rig_datas };

struct rig_zone {
    uint32_t serial;
    uint8_t ttl[RIG_OWNERS][RIG_DATAS]; /* by the first data of the type */
    bool there[RIG_OWNERS][RIG_DATAS];
};

static inline void rig_change(struct rig_zone *zone, struct random_state *rng, unsigned changes)
{
    zone->serial += 1 + random_below(rng, 3);
    for (unsigned i = 0; i < changes; i++) {
        unsigned owner = random_below(rng, RIG_OWNERS), data = random_below(rng, RIG_DATAS);
        if (random_below(rng, 4))
            zone->there[owner][data] ^= 1;
        else
            zone->ttl[owner][data] = (uint8_t)(1 + random_below(rng, 3));
    }
}

static inline unsigned rig_first(unsigned data)
{
    while (data && !strncmp(rig_datas[data - 1], rig_datas[data], strcspn(rig_datas[data], " ") + 1))
        data--;
    return data;
}

/* Sorted. */
static inline struct zone_records *rig_records(const struct rig_zone *zone)
{
    char line[200];
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    snprintf(line, sizeof line, "@ 3600 SOA %u 60", zone->serial);
    add_line(records, line, 1);
    for (unsigned o = 0; o < RIG_OWNERS; o++)
        for (unsigned d = 0; d < RIG_DATAS; d++)
            if (zone->there[o][d]) {
                snprintf(line, sizeof line, "%s %u %s", rig_owners[o], zone->ttl[o][rig_first(d)], rig_datas[d]);
                add_line(records, line, 1);
            }
    zone_records_sort(records);
    return records;
}

static inline void rig_collect(void *arg, const struct rr *rr) { zone_records_add(arg, rr, NULL, 0); }

/* All records of a version, sorted. */
static inline struct zone_records *rig_records_of(const struct zone_version *version)
{
    struct zone_records *records = zone_records_new(version->zone->name, version->zone->key);
    zone_version_each(version, rig_collect, records);
    zone_records_sort(records);
    return records;
}

static inline void rig_expect_same(const struct zone_records *a, const struct zone_records *b)
{
    assert_true(a->sorted && b->sorted);
    assert_int_equal(a->cnt, b->cnt);
    for (size_t i = 0; i < a->cnt; i++) {
        const struct rr *x = &a->recs[i].rr, *y = &b->recs[i].rr;
        assert_true(name_len(x->owner) == name_len(y->owner) && name_equal(x->owner, y->owner));
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->ttl, y->ttl);
        assert_int_equal(x->rdata_len, y->rdata_len);
        assert_memory_equal(x->rdata, y->rdata, x->rdata_len);
    }
}

static inline void rig_expect_same_changes(const struct changeset *a, const struct changeset *b)
{
    assert_int_equal(a->serial_from, b->serial_from);
    assert_int_equal(a->serial_to, b->serial_to);
    rig_expect_same(a->removed, b->removed);
    rig_expect_same(a->added, b->added);
}

/* The version has just what the state says. */
static inline void rig_expect_version(const struct zone_version *version, const struct rig_zone *zone)
{
    struct zone_records *is = rig_records_of(version), *want = rig_records(zone);
    rig_expect_same(is, want);
    assert_int_equal(version->serial, zone->serial);
    zone_records_free(is);
    zone_records_free(want);
}

/* Published. */
static inline struct zone *rig_build(const struct rig_zone *state)
{
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = rig_records(state);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}

/* What leads from the zone's current version to the state, which is published. */
static inline struct changeset *rig_advance(struct zone *zone, const struct rig_zone *state)
{
    struct zone_records *records = rig_records(state);
    struct changeset *changes = changeset_diff(zone->current, records);
    struct zone_version *version;
    assert_int_equal(zone_apply(&version, zone->current, changes, NULL), ERR_OK);
    zone_version_put(zone_publish(zone, version));
    zone_records_free(records);
    return changes;
}

/* Of 3.5 MB, in records of up to 59,381 bytes: more than any buffer of those who read or write it. */
static inline struct zone *large_zone(void)
{
    static uint8_t rdata[60000];
    struct zone_records *records = records_of(APEX);
    for (unsigned i = 0; i < 120; i++) {
        uint8_t owner[NAME_MAX_LEN];
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        put_wire(owner, name);
        memset(rdata, (int)i, sizeof rdata);
        struct rr rr = {.owner = owner, .rdata = rdata, .ttl = i, .type = 65280, .rdata_len = (uint16_t)(i * 499)};
        zone_records_add(records, &rr, NULL, 0);
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}
