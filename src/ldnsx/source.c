#include "ldnsx/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/room.h"

/* One step of reading and hashing; also the longest line: a step without a line's end is refused. No record comes near
 * it. */
enum { STEP = 1 << 20 };
/* From this size on a file is not read before it was seen that there is memory for it. */
enum { LARGE = 64 << 20 };

struct source {
    const char *path; /* owned by the sources */
    uint64_t size, hash;
    uint8_t digest[ZONEFILE_DIGEST_LEN];
    bool broken; /* could not be read when it was wanted */
};

struct zonefile_sources {
    struct hash_key key;
    struct source *items;
    size_t cnt, cap;
    uint32_t *slots; /* open addressing by what place_of says: index in `items` + 1; 0: free; twice `cap` of them */
};

struct zonefile_sources *zonefile_sources_new(void)
{
    struct zonefile_sources *sources = mem_zalloc(1, sizeof(*sources));
    hash_key_random(&sources->key);
    return sources;
}

void zonefile_sources_free(struct zonefile_sources *sources)
{
    if (!sources)
        return;
    for (size_t i = 0; i < sources->cnt; i++)
        free((void *)sources->items[i].path);
    free(sources->items);
    free(sources->slots);
    free(sources);
}

static uint64_t hash_bytes(uint64_t h, const char *p, size_t len, const struct hash_key *key)
{
    for (; len > STEP; p += STEP, len -= STEP)
        h = hash_step(h, (const uint8_t *)p, STEP, key);
    return hash_step(h, (const uint8_t *)p, (unsigned)len, key);
}

/* A hash that is always there: libcrypto can only be out of memory. */
static void sha256(uint8_t digest[ZONEFILE_DIGEST_LEN], const void *bytes, size_t len)
{
    if (!EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL))
        abort();
}

static bool is_same(const struct source *a, const struct source *b)
{
    return a->hash == b->hash && a->size == b->size && a->broken == b->broken && !strcmp(a->path, b->path);
}

/* The slot of these bytes under this path, or the free one where they would be. */
static size_t place_of(const struct zonefile_sources *sources, const struct source *seen)
{
    size_t mask = 2 * sources->cap - 1;
    size_t at = hash_bytes(seen->hash, seen->path, strlen(seen->path), &sources->key) & mask;
    while (sources->slots[at] && !is_same(&sources->items[sources->slots[at] - 1], seen))
        at = (at + 1) & mask;
    return at;
}

static void make_room(struct zonefile_sources *sources)
{
    sources->cap = sources->cap ? sources->cap * 2 : 4;
    sources->items = mem_realloc(sources->items, sources->cap, sizeof(*sources->items));
    free(sources->slots);
    sources->slots = mem_zalloc(2 * sources->cap, sizeof(*sources->slots));
    for (uint32_t i = 0; i < sources->cnt; i++)
        sources->slots[place_of(sources, &sources->items[i])] = i + 1;
}

/* The path of the entry of `seen`, an old one when the same bytes were included before by the same path. */
static const char *remember(struct zonefile_sources *sources, const struct source *seen)
{
    if (sources->cnt == sources->cap)
        make_room(sources);
    uint32_t *slot = &sources->slots[place_of(sources, seen)];
    if (!*slot) {
        struct source *item = &sources->items[sources->cnt++];
        *item = *seen;
        item->path = mem_strdup(seen->path);
        *slot = (uint32_t)sources->cnt;
    }
    return sources->items[*slot - 1].path;
}

static enum err fail(enum err e, char why[SOURCE_WHY_MAX], const char *text)
{
    snprintf(why, SOURCE_WHY_MAX, "%s", text);
    return e;
}

/* O_NONBLOCK: a FIFO without a writer opens at once, and fstat tells what it is. */
static enum err open_regular(int *fd, struct stat *st, const char *path, char why[SOURCE_WHY_MAX])
{
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, st)) {
        int saved = errno;
        if (*fd >= 0)
            close(*fd);
        snprintf(why, SOURCE_WHY_MAX, "cannot be opened: %s", strerror(saved));
        return ERR_IO;
    }
    if (S_ISREG(st->st_mode) && (uint64_t)st->st_size <= SOURCE_BYTES_MAX)
        return ERR_OK;
    close(*fd);
    if (S_ISREG(st->st_mode))
        return fail(ERR_LIMIT, why, "is larger than 4 GiB");
    return fail(ERR_IO, why, S_ISDIR(st->st_mode) ? "is a directory" : "is no regular file");
}

static unsigned long lines_in(const char *p, size_t len)
{
    unsigned long cnt = 1;
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        cnt++;
    return cnt;
}

/* What arrived last, `len` bytes at `at`: no zero byte, and a line's end in every full step. */
static enum err check_step(const char *text, size_t at, size_t len, char why[SOURCE_WHY_MAX])
{
    const char *zero = memchr(text + at, '\0', len);

    if (zero) {
        snprintf(why, SOURCE_WHY_MAX, "holds a zero byte in line %lu: no zone text",
                 lines_in(text, (size_t)(zero - text)));
        return ERR_INVALID;
    }
    if (len == STEP && !memchr(text + at, '\n', len)) {
        snprintf(why, SOURCE_WHY_MAX, "line %lu is longer than 1 MiB", lines_in(text, at));
        return ERR_LIMIT;
    }
    return ERR_OK;
}

/* What is left must do for the records too, but those are counted when they are there. */
static enum err check_room(uint64_t size, char why[SOURCE_WHY_MAX])
{
    uint64_t room = size < LARGE ? UINT64_MAX : room_bytes();
    if (room > size + LARGE)
        return ERR_OK;
    snprintf(why, SOURCE_WHY_MAX, "does not fit in memory: it has %llu MiB, and %llu are left",
             (unsigned long long)size >> 20, (unsigned long long)room >> 20);
    return ERR_LIMIT;
}

/* Reads up to `len` bytes, fewer at the file's end only. */
static ssize_t read_full(int fd, char *out, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, out + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (!n)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* `size` is what the file is said to have: ten thousand small files must not take ten thousand times two steps of
 * memory, and a large one is believed only when its first steps are text. */
static enum err read_steps(struct source_text *source, int fd, uint64_t size, char why[SOURCE_WHY_MAX])
{
    enum { ENDS = 2 }; /* the newline and the zero */
    size_t cap = size < 2 * STEP ? (size_t)size + 1 + ENDS : 2 * STEP + ENDS;

    source->text = mem_realloc(NULL, cap, 1);
    for (;;) {
        size_t room = cap - ENDS - source->len, step = room < STEP ? room : STEP;
        ssize_t got = read_full(fd, source->text + source->len, step);
        if (got < 0) {
            snprintf(why, SOURCE_WHY_MAX, "cannot be read: %s", strerror(errno));
            return ERR_IO;
        }
        enum err e = check_step(source->text, source->len, (size_t)got, why);
        if (e)
            return e;
        source->len += (size_t)got;
        if (source->len > SOURCE_BYTES_MAX)
            return fail(ERR_LIMIT, why, "is larger than 4 GiB");
        if ((size_t)got < step)
            return ERR_OK;
        if (cap - ENDS - source->len < STEP) {
            cap = cap < size ? (size_t)size + STEP + ENDS : 2 * cap + STEP;
            source->text = mem_realloc(source->text, cap, 1);
        }
    }
}

static void end_text(struct source_text *source)
{
    char last = source->len ? source->text[source->len - 1] : '\r';
    source->cut = last != '\n' && last != '\r';
    if (last != '\n')
        source->text[source->len++] = '\n';
    source->text[source->len] = '\0';
}

enum err source_load(struct source_text *source, struct zonefile_sources *sources, const char *path,
                     char why[SOURCE_WHY_MAX])
{
    struct source broken = {.path = path, .broken = true}, seen = {.path = path};
    struct stat st;
    int fd;

    *source = (struct source_text){.text = NULL};
    enum err e = open_regular(&fd, &st, path, why);
    if (!e) {
        e = check_room((uint64_t)st.st_size, why);
        if (!e)
            e = read_steps(source, fd, (uint64_t)st.st_size, why);
        close(fd);
    }
    if (e) {
        free(source->text);
        remember(sources, &broken);
        return e;
    }
    seen.size = source->len;
    seen.hash = hash_bytes(0, source->text, source->len, &sources->key);
    sha256(seen.digest, source->text, source->len);
    source->path = remember(sources, &seen);
    source->dev = st.st_dev;
    source->ino = st.st_ino;
    end_text(source);
    return ERR_OK;
}

enum err source_from_bytes(struct source_text *source, const char *name, const char *bytes, size_t len,
                           char why[SOURCE_WHY_MAX])
{
    *source = (struct source_text){.path = name};
    if (len > SOURCE_BYTES_MAX)
        return fail(ERR_LIMIT, why, "is larger than 4 GiB");
    for (size_t at = 0; at < len; at += STEP) {
        enum err e = check_step(bytes, at, len - at < STEP ? len - at : STEP, why);
        if (e)
            return e;
    }
    source->text = mem_realloc(NULL, len + 2, 1);
    if (len)
        memcpy(source->text, bytes, len);
    source->len = len;
    end_text(source);
    return ERR_OK;
}

bool zonefile_digest(const struct zonefile_sources *sources, uint8_t digest[ZONEFILE_DIGEST_LEN], uint64_t *len)
{
    uint8_t *each = mem_zalloc(sources->cnt, ZONEFILE_DIGEST_LEN);
    bool all = true;

    *len = 0;
    for (size_t i = 0; i < sources->cnt; i++) {
        memcpy(each + i * ZONEFILE_DIGEST_LEN, sources->items[i].digest, ZONEFILE_DIGEST_LEN);
        *len += sources->items[i].size;
        all &= !sources->items[i].broken;
    }
    sha256(digest, each, sources->cnt * ZONEFILE_DIGEST_LEN);
    free(each);
    return all;
}

/* The file's bytes again, step by step as hash_bytes takes them. */
static bool unchanged(const struct source *source, const struct hash_key *key, char *step)
{
    char why[SOURCE_WHY_MAX];
    struct stat st;
    uint64_t h = 0, size = 0;
    ssize_t got;
    int fd;

    if (source->broken || open_regular(&fd, &st, source->path, why))
        return false;
    if ((uint64_t)st.st_size != source->size) {
        close(fd);
        return false;
    }
    do {
        got = read_full(fd, step, STEP);
        /* The last step is the one that hash_bytes ends with: never empty unless the file is. */
        if (got > 0 || (!got && !size))
            h = hash_step(h, (const uint8_t *)step, (unsigned)got, key);
        size += got > 0 ? (uint64_t)got : 0;
    } while (got == STEP && size <= source->size);
    close(fd);
    return got >= 0 && size == source->size && h == source->hash;
}

bool zonefile_unchanged(const struct zonefile_sources *sources)
{
    char *step = mem_realloc(NULL, STEP, 1);
    bool same = true;

    for (size_t i = 0; i < sources->cnt && same; i++)
        same = unchanged(&sources->items[i], &sources->key, step);
    free(step);
    return same;
}
