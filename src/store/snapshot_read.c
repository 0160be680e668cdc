#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/mem.h"
#include "store/snapshot_format.h"

struct input {
    int fd;
    uint8_t *buffer;
    struct reader r;    /* over what of the buffer is filled */
    uint64_t file_left; /* bytes of the file that were not read, without the checksum at its end */
    uint64_t sum;       /* of those that were */
};

static const char is_damaged[] = "it is damaged", is_short[] = "it is cut short";

static enum err refuse(char why[SNAPSHOT_WHY_MAX], const char *text)
{
    snprintf(why, SNAPSHOT_WHY_MAX, "%s", text);
    return ERR_INVALID;
}

/* Exactly `len` bytes. */
static enum err read_bytes(int fd, uint8_t *out, size_t len, char why[SNAPSHOT_WHY_MAX])
{
    while (len) {
        ssize_t done = read(fd, out, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? snapshot_tell(why, errno) : refuse(why, is_short);
        out += done;
        len -= (size_t)done;
    }
    return ERR_OK;
}

/* Fills the buffer behind what is left in it. */
static enum err fill(struct input *in, char why[SNAPSHOT_WHY_MAX])
{
    size_t left = reader_left(&in->r), more = SNAPSHOT_BUFFER_LEN - left;
    if (more > in->file_left)
        more = in->file_left;
    memmove(in->buffer, in->r.at, left);
    enum err err = read_bytes(in->fd, in->buffer + left, more, why);
    in->r = reader_over(in->buffer, left);
    if (err)
        return err;
    in->sum = checksum_add(in->sum, in->buffer + left, more);
    in->r = reader_over(in->buffer, left + more);
    in->file_left -= more;
    return ERR_OK;
}

/* What it is, and of which zone. */
static enum err read_identity(struct input *in, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
{
    const uint8_t *magic = reader_take(&in->r, SNAPSHOT_MAGIC_LEN);
    if (!magic || memcmp(magic, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_LEN) != 0)
        return refuse(why, "it is no snapshot of rondo");
    unsigned version = reader_u8(&in->r), len = reader_u8(&in->r);
    const uint8_t *name = reader_take(&in->r, len);
    if (in->r.failed)
        return refuse(why, is_short);
    if (version != SNAPSHOT_VERSION)
        return refuse(why, "it is of another version of rondo");
    if (!len || name_check(name, len) != len)
        return refuse(why, is_damaged);
    return name_equal(name, apex) ? ERR_OK : refuse(why, "it is of another zone");
}

static enum err read_head(struct input *in, struct snapshot_head *head, uint64_t *rr_cnt, const uint8_t *apex,
                          char why[SNAPSHOT_WHY_MAX])
{
    enum err err = fill(in, why);
    if (!err)
        err = read_identity(in, apex, why);
    head->serial = reader_u32(&in->r);
    head->seq = reader_u64(&in->r);
    head->wall_ms = reader_u64(&in->r);
    *rr_cnt = reader_u64(&in->r);
    return !err && in->r.failed ? refuse(why, is_short) : err;
}

/* Ends at the first record that is none, whatever the count says. */
static enum err read_records(struct input *in, struct zone_records *records, uint64_t cnt, char why[SNAPSHOT_WHY_MAX])
{
    struct packed packed;
    struct rr rr;
    packed_init(&packed, records->apex);
    for (; cnt; cnt--) {
        enum err err = reader_left(&in->r) < PACKED_MAX && in->file_left ? fill(in, why) : ERR_OK;
        if (err)
            return err;
        if (packed_get(&packed, &in->r, &rr))
            return refuse(why, in->r.failed && !in->file_left ? is_short : is_damaged);
        zone_records_add(records, &rr, NULL, 0);
    }
    return reader_left(&in->r) || in->file_left ? refuse(why, is_damaged) : ERR_OK;
}

static enum err check_sum(const struct input *in, char why[SNAPSHOT_WHY_MAX])
{
    uint8_t bytes[CHECKSUM_LEN];
    enum err err = read_bytes(in->fd, bytes, sizeof bytes, why);
    struct reader r = reader_over(bytes, sizeof bytes);
    if (err)
        return err;
    return reader_u64(&r) == in->sum ? ERR_OK : refuse(why, is_damaged);
}

static enum err read_all(struct input *in, struct zone_records *records, struct snapshot_head *head,
                         char why[SNAPSHOT_WHY_MAX])
{
    uint64_t rr_cnt = 0;
    enum err err = read_head(in, head, &rr_cnt, records->apex, why);
    if (!err)
        err = read_records(in, records, rr_cnt, why);
    if (!err)
        err = check_sum(in, why);
    if (!err)
        zone_records_sort(records);
    return err;
}

static enum err measure(struct input *in, char why[SNAPSHOT_WHY_MAX])
{
    struct stat st;
    if (fstat(in->fd, &st))
        return snapshot_tell(why, errno);
    if (!S_ISREG(st.st_mode))
        return refuse(why, "it is no regular file");
    if (st.st_size < CHECKSUM_LEN)
        return refuse(why, is_short);
    in->file_left = (uint64_t)st.st_size - CHECKSUM_LEN;
    return ERR_OK;
}

static enum err open_file(struct input *in, const char *dir, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
{
    char *path = snapshot_path(dir, apex);
    in->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* it may be a pipe */
    int error = errno;
    free(path);
    if (in->fd >= 0)
        return measure(in, why);
    if (error == ELOOP)
        return refuse(why, "it is no regular file");
    snapshot_tell(why, error);
    return error == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

enum err snapshot_read(struct zone_records **records, struct snapshot_head *head, const char *dir, const uint8_t *apex,
                       const struct hash_key *key, char why[SNAPSHOT_WHY_MAX])
{
    struct input in = {.sum = CHECKSUM_START};
    struct zone_records *read = zone_records_new(apex, key);
    *head = (struct snapshot_head){0};
    enum err err = open_file(&in, dir, apex, why);
    if (!err) {
        in.buffer = mem_realloc(NULL, SNAPSHOT_BUFFER_LEN, 1);
        in.r = reader_over(in.buffer, 0);
        err = read_all(&in, read, head, why);
    }
    free(in.buffer);
    if (in.fd >= 0)
        close(in.fd);
    *records = err ? NULL : read;
    if (err)
        zone_records_free(read);
    return err;
}

uint64_t snapshot_seq(const char *dir, const uint8_t *apex)
{
    uint8_t buffer[SNAPSHOT_HEAD_MAX];
    char why[SNAPSHOT_WHY_MAX];
    struct input in = {.buffer = buffer, .sum = CHECKSUM_START};
    struct snapshot_head head;
    uint64_t rr_cnt;
    enum err err = open_file(&in, dir, apex, why);
    if (!err) {
        if (in.file_left > sizeof buffer)
            in.file_left = sizeof buffer;
        in.r = reader_over(buffer, 0);
        err = read_head(&in, &head, &rr_cnt, apex, why);
    }
    if (in.fd >= 0)
        close(in.fd);
    return err ? 0 : head.seq;
}
