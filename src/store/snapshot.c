#include "store/snapshot.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/hmac.h"
#include "store/snapshot_format.h"
#include "store/state_dir.h"

static const char unfinished[] = ".tmp";

enum err snapshot_tell(char why[SNAPSHOT_WHY_MAX], int error)
{
    snprintf(why, SNAPSHOT_WHY_MAX, "%s", strerror(error));
    return ERR_IO;
}

/* ---- names */

/* Enough for people; with what comes behind it, and behind that when it is set aside, still a file's name. */
enum { READABLE_MAX = 140, DIGEST_BYTES = 10 };

static void put_readable(char out[READABLE_MAX + 1], const uint8_t *name)
{
    unsigned len = 0;
    for (; *name; name += 1 + *name)
        for (unsigned i = 1; i <= *name + 1u && len < READABLE_MAX; i++) {
            uint8_t c = i <= *name ? name_lower_byte(name[i]) : '.';
            bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || i > *name;
            out[len++] = is_plain ? (char)c : '_';
        }
    out[len] = '\0';
}

/* Tells names apart that read alike; no zone can be named so that it gets another one's file. */
static void put_digest(char out[2 * DIGEST_BYTES + 1], const uint8_t *name)
{
    static const uint8_t purpose[] = "rondo snapshot";
    uint8_t lower[NAME_MAX_LEN], code[HMAC_LEN_MAX];
    struct hmac_key key;
    struct hmac hmac;
    hmac_key_init(&key, HMAC_SHA256, purpose, sizeof purpose - 1);
    hmac_begin(&hmac, &key);
    hmac_add(&hmac, lower, name_to_lower(lower, name));
    hmac_end(&hmac, code);
    for (unsigned i = 0; i < DIGEST_BYTES; i++)
        sprintf(out + 2 * i, "%02x", code[i]);
}

/* "example.com.-0123456789abcdef0123.zone" */
char *snapshot_path(const char *dir, const uint8_t *apex)
{
    char readable[READABLE_MAX + 1], digest[2 * DIGEST_BYTES + 1];
    put_readable(readable, apex);
    put_digest(digest, apex);
    return mem_printf("%s/%s-%s.zone", dir, readable, digest);
}

/* ---- the folder */

static enum err sync_dir(const char *dir, char why[SNAPSHOT_WHY_MAX])
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error ? snapshot_tell(why, error) : ERR_OK;
}

static enum err clear_dir(const char *path, char why[SNAPSHOT_WHY_MAX])
{
    DIR *dir = opendir(path);
    if (!dir)
        return snapshot_tell(why, errno);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        if (len > sizeof unfinished - 1 && !strcmp(entry->d_name + len - (sizeof unfinished - 1), unfinished))
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* what stays is written over */
    }
    closedir(dir);
    return ERR_OK;
}

enum err snapshot_dir_make(char **dir, const char *state_dir, char why[SNAPSHOT_WHY_MAX])
{
    char *path = state_dir_zones(state_dir);
    enum err err = mkdir(path, 0700) && errno != EEXIST ? snapshot_tell(why, errno) : clear_dir(path, why);
    if (!err)
        err = sync_dir(state_dir, why);
    *dir = err ? NULL : path;
    if (err)
        free(path);
    return err;
}

enum err snapshot_set_aside(char **name, const char *dir, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
{
    char *path = snapshot_path(dir, apex), *aside = state_dir_name_aside(path);
    enum err err = ERR_OK;
    if (rename(path, aside)) {
        err = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        snapshot_tell(why, errno);
    }
    if (!err)
        err = sync_dir(dir, why);
    free(path);
    *name = err ? NULL : aside;
    if (err)
        free(aside);
    return err;
}

enum err snapshot_remove(const char *dir, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
{
    char *path = snapshot_path(dir, apex);
    enum err err = unlink(path) && errno != ENOENT ? snapshot_tell(why, errno) : ERR_OK;
    free(path);
    return err;
}

/* ---- writing */

struct output {
    int fd, error; /* of errno; the first there was */
    uint8_t *buffer;
    struct writer w; /* over the buffer */
    uint64_t sum;    /* of what was written out */
    struct packed packed;
};

static void write_out(struct output *out)
{
    const uint8_t *at = out->buffer;
    assert(!out->w.failed);
    out->sum = checksum_add(out->sum, at, writer_len(&out->w));
    while (!out->error && at < out->w.at) {
        ssize_t done = write(out->fd, at, (size_t)(out->w.at - at));
        if (done > 0)
            at += done;
        else if (done == 0 || errno != EINTR)
            out->error = done ? errno : EIO;
    }
    out->w = writer_over(out->buffer, SNAPSHOT_BUFFER_LEN);
}

static void write_record(void *arg, const struct rr *rr)
{
    struct output *out = arg;
    if (out->error)
        return;
    if (writer_left(&out->w) < PACKED_MAX)
        write_out(out);
    packed_put(&out->packed, &out->w, rr);
}

static void write_all(struct output *out, const struct zone_version *version, uint64_t seq)
{
    struct writer *w = &out->w;
    writer_put(w, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_LEN);
    writer_u8(w, SNAPSHOT_VERSION);
    writer_u8(w, version->zone->name_len);
    writer_put(w, version->zone->name, version->zone->name_len);
    writer_u32(w, version->serial);
    writer_u64(w, seq);
    writer_u64(w, clock_wall_ms());
    writer_u64(w, version->rr_cnt);
    packed_init(&out->packed, version->zone->name);
    zone_version_each(version, write_record, out);
    write_out(out);
    writer_u64(w, out->sum);
    write_out(out);
}

/* Returns an errno. */
static int write_file(const char *path, const struct zone_version *version, uint64_t seq)
{
    struct output out = {.sum = CHECKSUM_START};
    (void)unlink(path);
    out.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out.fd < 0)
        return errno;
    out.buffer = mem_realloc(NULL, SNAPSHOT_BUFFER_LEN, 1);
    out.w = writer_over(out.buffer, SNAPSHOT_BUFFER_LEN);
    write_all(&out, version, seq);
    if (!out.error && fsync(out.fd))
        out.error = errno;
    if (close(out.fd) && !out.error)
        out.error = errno;
    free(out.buffer);
    return out.error;
}

enum err snapshot_write(const char *dir, const struct zone_version *version, uint64_t seq, char why[SNAPSHOT_WHY_MAX])
{
    char *path = snapshot_path(dir, version->zone->name), *other = mem_printf("%s%s", path, unfinished);
    int error = write_file(other, version, seq);
    if (!error && rename(other, path))
        error = errno;
    if (error)
        (void)unlink(other);
    free(other);
    free(path);
    return error ? snapshot_tell(why, error) : sync_dir(dir, why);
}
