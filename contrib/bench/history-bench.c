/* What it costs to keep a big zone's history: a changeset of NAMES records (default 1,000,000) is encoded and decoded,
 * a snapshot of a zone of as many is written to DIR (default /tmp) and read back, and many small changesets are joined.
 * Prints the time of each step, the bytes, and the most memory that the process had so far.
 *
 *     history-bench [NAMES [DIR]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/history_record.h"
#include "store/snapshot.h"
#include "zone/changeset_join.h"

static const uint8_t apex[] = "\7example\3com";
static const uint8_t soa_rdata[] = "\1n\0\1h\0\0\0\0\1\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20";
static struct hash_key key;

static void add(struct zone_records *records, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        uint8_t owner[40], address[4] = {192, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        owner[0] = (uint8_t)sprintf((char *)owner + 1, "h%06u", i);
        memcpy(owner + 1 + owner[0], apex, sizeof apex);
        struct rr rr = {.owner = owner, .rdata = address, .ttl = 300, .type = RR_A, .rdata_len = 4};
        zone_records_add(records, &rr, NULL, 0);
    }
}

static struct zone_records *some(unsigned from, unsigned to)
{
    struct zone_records *records = zone_records_new(apex, &key);
    add(records, from, to);
    zone_records_sort(records);
    return records;
}

static double sec_of(const struct timeval *time) { return (double)time->tv_sec + (double)time->tv_usec / 1e6; }

/* Beside the time that passed that of the processor: others may be busy, the disk may be slow. */
static void step(const char *what, uint64_t *since_us)
{
    static double cpu_before;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = sec_of(&usage.ru_utime) + sec_of(&usage.ru_stime);
    if (what)
        printf("%-22s %7.3f s, processor %7.3f s, peak %5ld MiB\n", what, (double)(clock_mono_us() - *since_us) / 1e6,
               cpu - cpu_before, usage.ru_maxrss / 1024);
    cpu_before = cpu;
    *since_us = clock_mono_us();
}

static struct changeset *make_changes(unsigned removed, unsigned added_end, uint32_t serial)
{
    struct changeset *changes = mem_zalloc(1, sizeof *changes);
    changes->removed = some(0, removed);
    changes->added = some(removed, added_end);
    changes->serial_from = serial;
    changes->serial_to = serial + 1;
    return changes;
}

static void bench_changes(unsigned names)
{
    uint8_t own[HISTORY_KEY_MAX];
    size_t own_len = history_key(own, apex, 1);
    uint64_t since = 0;
    step(NULL, &since);
    struct changeset *changes = make_changes(0, names, 1), *read;
    step("changeset made", &since);
    size_t len = history_changes_len(changes);
    uint8_t *value = mem_realloc(NULL, len, 1);
    history_changes_put(value, len, changes, own, own_len);
    step("encoded", &since);
    printf("%zu bytes in the journal, %zu in memory\n", len, zone_records_bytes(changes->added));
    changeset_free(changes);
    step(NULL, &since);
    if (history_changes_read(&read, own, own_len, value, len, &key))
        abort();
    step("decoded", &since);
    changeset_free(read);
    free(value);
}

static void bench_snapshot(unsigned names, const char *dir)
{
    struct rr soa = {.owner = apex, .rdata = soa_rdata, .ttl = 3600, .type = RR_SOA, .rdata_len = sizeof soa_rdata - 1};
    struct zone_records *records = zone_records_new(apex, &key);
    struct zone *zone = zone_new(apex, &key);
    char why[SNAPSHOT_WHY_MAX], *path = snapshot_path(dir, apex);
    struct snapshot_head head;
    struct stat st;
    zone_records_add(records, &soa, NULL, 0);
    add(records, 0, names);
    zone_records_sort(records);
    struct zone_version *version = zone_build(zone, records, NULL);
    zone_records_free(records);
    uint64_t since = 0;
    step(NULL, &since);
    if (snapshot_write(dir, version, 1, why))
        fprintf(stderr, "history-bench: %s\n", why);
    step("snapshot written", &since);
    zone_free(zone);
    step(NULL, &since);
    if (snapshot_read(&records, &head, dir, apex, &key, why))
        fprintf(stderr, "history-bench: %s\n", why);
    step("snapshot read", &since);
    if (!stat(path, &st))
        printf("%lld bytes in the file\n", (long long)st.st_size);
    zone_records_free(records);
    unlink(path);
    free(path);
}

static void bench_join(unsigned cnt)
{
    struct changeset **changes = mem_zalloc(cnt, sizeof *changes);
    for (unsigned i = 0; i < cnt; i++)
        changes[i] = make_changes(i % 10, i % 10 + 10, i);
    uint64_t since = 0;
    step(NULL, &since);
    struct changeset *joined = changeset_join((const struct changeset *const *)changes, cnt);
    step("changesets joined", &since);
    changeset_free(joined);
    for (unsigned i = 0; i < cnt; i++)
        changeset_free(changes[i]);
    free(changes);
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    hash_key_random(&key);
    bench_changes(names);
    bench_snapshot(names, argc > 2 ? argv[2] : "/tmp");
    bench_join(names / 20);
    return 0;
}
