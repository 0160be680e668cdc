#include "answer/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- a text */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* What stands in a line, without comment and blanks; returns its length. */
static size_t trim(const char **line, size_t len)
{
    const char *comment = memchr(*line, '#', len);
    if (comment)
        len = (size_t)(comment - *line);
    while (len && is_blank((*line)[len - 1]))
        len--;
    for (; len && is_blank(**line); ++*line)
        len--;
    return len;
}

static enum err prefix_of(struct prefix *prefix, const char *at, size_t len)
{
    char text[PREFIX_TEXT_MAX];
    if (len >= sizeof text || memchr(at, '\0', len))
        return ERR_SYNTAX;
    memcpy(text, at, len);
    text[len] = '\0';
    return prefix_from_text(prefix, text);
}

static void complain(const char *path, unsigned line, const char *at, size_t len, struct diag *diag)
{
    const char *expected;
    char shown[64];
    size_t shown_len = len < sizeof shown - 1 ? len : sizeof shown - 1;
    memcpy(shown, at, shown_len);
    shown[shown_len] = '\0';
    (void)prefix_opt_parse(NULL, "", &expected);
    diag_error(diag, path, line, "expected %s, got \"%s%s\"", expected, shown, shown_len < len ? "..." : "");
}

size_t networks_parse(const char *text, size_t len, const char *path, networks_fn *fn, void *arg, struct diag *diag)
{
    size_t errors = 0;
    unsigned line = 1;
    for (const char *at = text, *end = text + len; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
        size_t line_len = trim(&at, (size_t)((newline ? newline : end) - at));
        struct prefix prefix;
        if (line_len && prefix_of(&prefix, at, line_len)) {
            complain(path, line, at, line_len, diag);
            errors++;
        } else if (line_len) {
            fn(arg, &prefix, line);
        }
        at = next;
    }
    return errors;
}

/* ---- a file */

/* All there is; the length, or < 0 with errno set. */
static ssize_t read_all(int fd, char *out, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t got = read(fd, out + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (!got)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* The text (free()) and its length; < 0, errno set: it cannot be read. */
static ssize_t read_file(char **text, const char *path)
{
    struct stat info;
    ssize_t len = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    *text = NULL;
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0) {
        if (!S_ISREG(info.st_mode)) {
            errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        } else if (info.st_size > NETWORKS_BYTES_MOST) {
            errno = EFBIG;
        } else {
            *text = mem_zalloc((size_t)info.st_size + 1, 1);
            len = read_all(fd, *text, (size_t)info.st_size + 1);
        }
    }
    int error = errno;
    close(fd);
    errno = error;
    return len;
}

size_t networks_read(const char *path, networks_fn *fn, void *arg, struct diag *diag)
{
    char *text;
    ssize_t len = read_file(&text, path);
    size_t errors = 1;
    if (len < 0)
        diag_error(diag, path, 0, "cannot be read: %s", strerror(errno));
    else
        errors = networks_parse(text, (size_t)len, path, fn, arg, diag);
    free(text);
    return errors;
}
