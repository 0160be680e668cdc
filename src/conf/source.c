#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* From `line` of the expanded text on, lines are those of a file from `file_line` on. */
struct conf_segment {
    unsigned line, file_line;
    const char *file;
};

struct conf_source *conf_source_new(struct diag *diag)
{
    struct conf_source *source = mem_zalloc(1, sizeof *source);
    source->diag = diag;
    source->line = 1;
    source->levels = mem_zalloc(CONF_NESTING_MOST + 1, sizeof *source->levels);
    source->levels[0].open = '{';
    source->level_cnt = 1;
    source->cap = 4096;
    source->text = mem_zalloc(1, source->cap);
    return source;
}

void conf_source_free(struct conf_source *source)
{
    if (!source)
        return;
    for (size_t i = 0; i < source->file_cnt; i++)
        free(source->files[i]);
    free(source->files);
    free(source->segments);
    free(source->levels);
    free(source->text);
    free(source);
}

void conf_source_put(struct conf_source *source, const char *bytes, size_t len)
{
    if (source->stopped)
        return;
    if (len > CONF_TEXT_MOST - source->len) {
        diag_error(source->diag, source->files[0], 0, "larger than %d MiB with all that it includes",
                   CONF_TEXT_MOST / 1024 / 1024);
        source->failed = source->stopped = true;
        return;
    }
    if (source->len + len >= source->cap) {
        while (source->len + len >= source->cap)
            source->cap *= 2;
        source->text = mem_realloc(source->text, 1, source->cap);
    }
    memcpy(source->text + source->len, bytes, len);
    source->len += len;
    source->text[source->len] = '\0';
    for (size_t i = 0; i < len; i++)
        source->line += bytes[i] == '\n';
}

static const char *keep_name(struct conf_source *source, const char *name)
{
    source->files = mem_realloc(source->files, source->file_cnt + 1, sizeof *source->files);
    return source->files[source->file_cnt++] = mem_strdup(name);
}

/* The rest of the expanded text begins on a line of its own and belongs to `file` from `file_line` on. */
static void begin_segment(struct conf_source *source, const char *file, unsigned file_line)
{
    size_t cnt = source->segment_cnt;
    conf_source_put(source, "\n", 1);
    if (!(cnt & (cnt - 1)))
        source->segments = mem_realloc(source->segments, cnt ? cnt * 2 : 1, sizeof *source->segments);
    source->segments[source->segment_cnt++] = (struct conf_segment){source->line, file_line, file};
}

struct opt_where conf_source_where(const struct conf_source *source, unsigned line)
{
    size_t low = 0, high = source->segment_cnt;
    if (!high)
        return (struct opt_where){NULL, 0};
    while (high - low > 1) { /* segments[low] begins at or before `line` */
        size_t middle = low + (high - low) / 2;
        if (source->segments[middle].line <= line)
            low = middle;
        else
            high = middle;
    }
    const struct conf_segment *segment = &source->segments[low];
    if (line < segment->line)
        return (struct opt_where){segment->file, 0};
    return (struct opt_where){segment->file, segment->file_line + (line - segment->line)};
}

void conf_source_add_text(struct conf_source *source, const char *name, const char *text, size_t len)
{
    const char *nul = memchr(text, '\0', len);
    const char *file = keep_name(source, name);
    if (nul) {
        unsigned line = 1;
        for (const char *at = text; at < nul; at++)
            line += *at == '\n';
        diag_error(source->diag, file, line, "a NUL byte; this is no text file");
        source->failed = source->stopped = true;
        return;
    }
    begin_segment(source, file, 1);
    conf_scan(source, file, text, len);
}

/* Who asks for a file: the file and line of the @include, or the file itself. */
struct asker {
    const char *file;
    unsigned line;
};

static void refuse(struct conf_source *source, const struct asker *asker, const char *path, const char *why)
{
    if (asker->line)
        diag_error(source->diag, asker->file, asker->line, "cannot include \"%s\": %s", path, why);
    else
        diag_error(source->diag, path, 0, "%s", why);
    source->failed = true;
}

/* NULL: fine. */
static const char *judge_file(const struct conf_source *source, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return "a directory, not a file";
    if (!S_ISREG(st->st_mode))
        return "not a regular file";
    if (st->st_size > CONF_TEXT_MOST)
        return "larger than 64 MiB";
    for (unsigned i = 0; i < source->opened_cnt; i++)
        if (source->opened[i].dev == st->st_dev && source->opened[i].ino == st->st_ino)
            return "it is being read already: it includes itself";
    return NULL;
}
_Static_assert(CONF_TEXT_MOST == 64 * 1024 * 1024, "as the message says");

/* The whole file, into a new string; NULL when it can't be read, `errno` says why. A file may be longer than it said
 * (it is being written, or lies in /proc). */
static char *slurp(int fd, size_t size_hint, size_t *len)
{
    size_t cap = size_hint + 1;
    char *text = mem_realloc(NULL, 1, cap);
    *len = 0;
    for (;;) {
        if (*len == cap)
            text = mem_realloc(text, 1, cap = cap * 2 + 4096);
        ssize_t got = read(fd, text + *len, cap - *len);
        if (!got)
            return text;
        if (got > 0)
            *len += (size_t)got;
        if (got < 0 && errno == EINTR)
            continue;
        if (*len > CONF_TEXT_MOST)
            errno = EFBIG;
        if (got < 0 || *len > CONF_TEXT_MOST)
            break;
    }
    free(text);
    return NULL;
}

static void read_opened(struct conf_source *source, const struct asker *asker, const char *path, int fd)
{
    struct stat st;
    size_t len;
    const char *why = fstat(fd, &st) ? strerror(errno) : judge_file(source, &st);
    if (why) {
        refuse(source, asker, path, why);
        return;
    }
    char *text = slurp(fd, (size_t)st.st_size, &len);
    if (!text) {
        refuse(source, asker, path, strerror(errno));
        return;
    }
    source->opened[source->opened_cnt++] = (struct conf_opened){st.st_dev, st.st_ino};
    bool has_bom = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    conf_source_add_text(source, path, text + (has_bom ? 3 : 0), len - (has_bom ? 3 : 0));
    source->opened_cnt--;
    free(text);
}

static void read_file(struct conf_source *source, const struct asker *asker, const char *path)
{
    /* O_NONBLOCK: a FIFO without writer would hold us forever; O_NOCTTY: nor a terminal own us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        refuse(source, asker, path, strerror(errno));
        return;
    }
    read_opened(source, asker, path, fd);
    close(fd);
}

void conf_source_add_file(struct conf_source *source, const char *path)
{
    read_file(source, &(struct asker){path, 0}, path);
}

void conf_source_include(struct conf_source *source, const char *file, unsigned line, const char *name)
{
    const struct asker asker = {file, line};
    const char *slash = strrchr(file, '/');
    int folder_len = slash && *name != '/' ? (int)(slash + 1 - file) : 0;
    char *path = mem_printf("%.*s%s", folder_len, file, name);
    if (source->opened_cnt > CONF_INCLUDE_DEPTH_MOST) {
        refuse(source, &asker, path, "includes are nested too deeply");
    } else if (++source->include_cnt > CONF_INCLUDES_MOST) {
        refuse(source, &asker, path, "too many includes");
        source->stopped = true;
    } else {
        read_file(source, &asker, path);
    }
    free(path);
    begin_segment(source, file, line);
}
