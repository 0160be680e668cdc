#include "store/dump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/chunk.h"
#include "base/mem.h"
#include "ldnsx/zonetext.h"
#include "zone/cursor.h"
#include "zone/order.h"

/* ---- text */

enum { PIECE_LEN = 256 * 1024, BUFFER_LEN = PIECE_LEN + ZONETEXT_LINE_MAX };

struct output {
    store_dump_fn *fn;
    void *arg;
    bool stopped; /* `fn` wants no more */
    uint8_t *buffer;
    struct writer w; /* over the buffer */
    struct zonetext text;
};

static void give_away(struct output *out)
{
    assert(!out->w.failed);
    if (!out->stopped && writer_len(&out->w))
        out->stopped = !out->fn(out->arg, (const char *)out->w.begin, writer_len(&out->w));
    out->w = writer_over(out->buffer, BUFFER_LEN);
}

static void write_record(void *arg, const struct rr *rr)
{
    struct output *out = arg;
    if (out->stopped)
        return;
    zonetext_record(&out->text, &out->w, rr);
    if (writer_len(&out->w) >= PIECE_LEN)
        give_away(out);
}

static void write_rrset(struct output *out, const struct zone_node *node, const struct zone_rrset *rrset)
{
    if (rrset)
        image_each(zone_node_image(node, rrset), rrset, zone_node_name(node), write_record, out);
}

static void write_node(void *arg, const struct zone_node *node)
{
    struct output *out = arg;
    bool apex = node->flags & NODE_APEX;
    if (apex) {
        write_rrset(out, node, zone_node_rrset(node, RR_SOA));
        write_rrset(out, node, zone_node_rrset(node, RR_NS));
    }
    for (unsigned i = 0; i < node->rrset_cnt && !out->stopped; i++)
        if (!apex || (node->rrsets[i].type != RR_SOA && node->rrsets[i].type != RR_NS))
            write_rrset(out, node, &node->rrsets[i]);
}

/* Nodes that have records, by hash; freed by the caller. */
static const struct zone_node **list_nodes(size_t *cnt, const struct zone_version *version)
{
    const struct zone_node **nodes = mem_realloc(NULL, version->node_cnt, sizeof *nodes), *node;
    struct zone_cursor cursor;
    *cnt = 0;
    zone_cursor_init(&cursor, version);
    while ((node = zone_cursor_next_node(&cursor)))
        if (node->rrset_cnt)
            nodes[(*cnt)++] = node;
    return nodes;
}

static void write_nodes(struct output *out, const struct zone_version *version)
{
    size_t cnt;
    const struct zone_node **nodes = list_nodes(&cnt, version);
    struct chunk_pool *pool = chunk_pool_new();
    const struct zone_order *order = zone_order_build(pool, version->zone->depth, nodes, cnt);
    free(nodes);
    zone_order_each(order, write_node, out);
    chunk_pool_free(pool);
}

/* A line too long for the buffer is cut. */
static void write_header(struct output *out, const char *header)
{
    while (header && *header) {
        size_t len = strcspn(header, "\n"), most = PIECE_LEN;
        writer_put(&out->w, "; ", 2);
        writer_put(&out->w, header, len < most ? len : most);
        writer_put(&out->w, "\n", 1);
        header += len + (header[len] == '\n');
        if (writer_len(&out->w) >= PIECE_LEN)
            give_away(out);
    }
}

/* The SOA's, which is the zone's common one as a rule. */
static uint32_t default_ttl(const struct zone_version *version)
{
    const struct zone_node *apex = version->apex;
    return image_rr_ttl(zone_node_image(apex, zone_node_rrset(apex, RR_SOA)));
}

bool store_dump_text(store_dump_fn *fn, void *arg, const struct zone_version *version, const char *header)
{
    struct output out = {.fn = fn, .arg = arg, .buffer = mem_realloc(NULL, BUFFER_LEN, 1)};
    out.w = writer_over(out.buffer, BUFFER_LEN);
    write_header(&out, header);
    zonetext_init(&out.text, version->zone->name);
    zonetext_head(&out.text, &out.w, default_ttl(version));
    write_nodes(&out, version);
    give_away(&out);
    free(out.buffer);
    return !out.stopped;
}

/* ---- file */

/* A file that is made beside the one at `path`. */
struct file {
    char *path;  /* links followed */
    char *other; /* the name that it has for now; NULL: it has none */
    int fd;
    int error; /* of errno */
    bool replaces, is_kept;
    struct stat before; /* of what it replaces */
    const char *failed; /* what could not be done; NULL: all went well */
};

static bool fail(struct file *file, int error, const char *what)
{
    file->error = error;
    file->failed = what;
    return false;
}

/* Finds out what is there now. */
static bool look(struct file *file, const char *path)
{
    file->path = realpath(path, NULL);
    if (!file->path && errno != ENOENT)
        return fail(file, errno, "it can't be looked at");
    if (!file->path)
        file->path = mem_strdup(path);
    file->replaces = !stat(file->path, &file->before);
    if (!file->replaces)
        return errno == ENOENT || fail(file, errno, "it can't be looked at");
    return S_ISREG(file->before.st_mode) || fail(file, 0, "what is there is no regular file");
}

static bool open_other(struct file *file)
{
    file->other = mem_printf("%s.XXXXXX", file->path);
    file->fd = mkostemp(file->other, O_CLOEXEC);
    if (file->fd >= 0)
        return true;
    int error = errno;
    free(file->other);
    file->other = NULL;
    return fail(file, error, "no file can be made beside it");
}

/* Who may not give it to the owner may still give it to the group. */
static bool dress(struct file *file, mode_t mode)
{
    if (file->replaces) {
        mode = file->before.st_mode & 0777;
        if (fchown(file->fd, file->before.st_uid, file->before.st_gid))
            (void)!fchown(file->fd, (uid_t)-1, file->before.st_gid);
    }
    return !fchmod(file->fd, mode) || fail(file, errno, "its mode can't be set");
}

static bool write_piece(void *arg, const char *text, size_t len)
{
    struct file *file = arg;
    while (len) {
        ssize_t done = write(file->fd, text, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail(file, done ? errno : EIO, "it can't be written");
        text += done;
        len -= (size_t)done;
    }
    return true;
}

static bool close_other(struct file *file)
{
    int error = fsync(file->fd) ? errno : 0;
    if (close(file->fd) && !error)
        error = errno;
    file->fd = -1;
    return !error || fail(file, error, "it can't be written");
}

static bool rename_other(struct file *file, const struct store_dump_to *to)
{
    file->is_kept = to->may_replace && !to->may_replace(to->arg);
    if (file->is_kept)
        return false;
    if (rename(file->other, file->path))
        return fail(file, errno, "it can't be replaced");
    free(file->other);
    file->other = NULL;
    return true;
}

static bool sync_folder(struct file *file)
{
    char *slash = strrchr(file->path, '/');
    char *folder = slash ? mem_strndup(file->path, (size_t)(slash - file->path) + 1) : mem_strdup(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return !error || fail(file, error, "its folder can't be made durable");
}

/* Leaves nothing behind of one that did not get its name. */
static void file_end(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->other)
        (void)unlink(file->other);
    free(file->other);
    free(file->path);
}

enum err store_dump_file(const struct store_dump_to *to, const struct zone_version *version,
                         char why[STORE_DUMP_WHY_MAX])
{
    struct file file = {.fd = -1};
    bool done = look(&file, to->path) && open_other(&file) &&
                store_dump_text(write_piece, &file, version, to->header) && dress(&file, to->mode) &&
                close_other(&file) && rename_other(&file, to) && sync_folder(&file);
    file_end(&file);
    if (done)
        return ERR_OK;
    if (file.is_kept)
        return ERR_EXISTS;
    snprintf(why, STORE_DUMP_WHY_MAX, "%s%s%s", file.failed, file.error ? ": " : "",
             file.error ? strerror(file.error) : "");
    return ERR_IO;
}
