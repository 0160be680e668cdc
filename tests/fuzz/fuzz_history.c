/* What is read back from the state folder: the first byte says as what (a changeset, a zone's entry, a snapshot), the
 * second whether the checksum is made right, so that what is behind it is reached. Whatever is taken is sound: it comes
 * back from its own bytes, and a snapshot's records can be built. */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/mem.h"
#include "store/history_record.h"
#include "store/snapshot.h"
#include "zone/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const struct hash_key hash_key = {{1, 2, 3}};
static const uint8_t apex[] = "\7example\3com";
static char in_memory[] = "/dev/shm/rondo-fuzz-history-XXXXXX", on_disk[] = "/tmp/rondo-fuzz-history-XXXXXX";
static const char *dir;
static char *path;

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void clean_up(void)
{
    unlink(path);
    rmdir(dir);
    free(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    dir = mkdtemp(in_memory);
    if (!dir)
        dir = mkdtemp(on_disk);
    must(dir != NULL);
    path = snapshot_path(dir, apex);
    atexit(clean_up);
    return 0;
}

static void sign(uint8_t *value, size_t len, const uint8_t *key, size_t key_len)
{
    if (len < CHECKSUM_LEN)
        return;
    struct writer w = writer_over(value + len - CHECKSUM_LEN, CHECKSUM_LEN);
    uint64_t sum = checksum_add(CHECKSUM_START, key, key_len);
    writer_u64(&w, checksum_add(sum, value, len - CHECKSUM_LEN));
}

static bool is_same(const struct zone_records *a, const struct zone_records *b)
{
    bool is_same = a->cnt == b->cnt;
    for (size_t i = 0; is_same && i < a->cnt; i++)
        is_same = !zone_record_cmp(&a->recs[i], &b->recs[i]) && a->recs[i].rr.ttl == b->recs[i].rr.ttl;
    return is_same;
}

static void read_changes(uint8_t *value, size_t len, bool is_signed)
{
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, apex, 1);
    struct changeset *changes, *again;
    if (is_signed)
        sign(value, len, key, key_len);
    if (history_changes_read(&changes, key, key_len, value, len, &hash_key))
        return;
    size_t own_len = history_changes_len(changes);
    uint8_t *own = mem_zalloc(own_len, 1);
    history_changes_put(own, own_len, changes, key, key_len);
    must(!history_changes_read(&again, key, key_len, own, own_len, &hash_key));
    must(again->serial_from == changes->serial_from && again->serial_to == changes->serial_to);
    must(is_same(again->removed, changes->removed) && is_same(again->added, changes->added));
    changeset_free(again);
    changeset_free(changes);
    free(own);
}

static void read_entry(uint8_t *value, size_t len, bool is_signed)
{
    struct history_zone zone;
    uint8_t own[HISTORY_ZONE_VALUE_LEN];
    if (is_signed)
        sign(value, len, apex, sizeof apex);
    if (history_zone_read(&zone, apex, sizeof apex, value, len))
        return;
    history_zone_value(own, apex, sizeof apex, &zone);
    must(len == sizeof own && !memcmp(own, value, len));
}

static void build(const struct zone_records *records)
{
    struct zone *zone = zone_new(apex, &hash_key);
    struct zone_version *version = zone_build(zone, records, NULL);
    must(version->rr_cnt == records->cnt);
    zone_free(zone);
}

static void read_snapshot(uint8_t *bytes, size_t len, bool is_signed)
{
    struct zone_records *records;
    struct snapshot_head head;
    char why[SNAPSHOT_WHY_MAX] = "";
    const char *reason;
    if (is_signed)
        sign(bytes, len, NULL, 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    if (snapshot_read(&records, &head, dir, apex, &hash_key, why)) {
        must(strlen(why) > 0 && !records);
        return;
    }
    if (!zone_records_sound(records, &reason))
        build(records);
    zone_records_free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    uint8_t *value = mem_dup(data + 2, len - 2);
    bool is_signed = data[1] & 1;
    switch (data[0] % 3) {
    case 0:
        read_changes(value, len - 2, is_signed);
        break;
    case 1:
        read_entry(value, len - 2, is_signed);
        break;
    default:
        read_snapshot(value, len - 2, is_signed);
    }
    free(value);
    return 0;
}
