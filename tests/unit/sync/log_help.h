/* The log's lines, taken from standard error, for the tests of what sync/ says. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct log_help {
    int file, was;
    char text[65536];
};

static inline void log_help_begin(struct log_help *log)
{
    log->file = memfd_create("log", MFD_CLOEXEC);
    assert_true(log->file >= 0);
    fflush(stderr);
    log->was = dup(STDERR_FILENO);
    dup2(log->file, STDERR_FILENO);
}

/* All lines since, without the times that may stand before them. */
static inline const char *log_help_end(struct log_help *log)
{
    enum { STAMP_LEN = sizeof "2000-01-01T00:00:00.000Z " - 1 };
    dup2(log->was, STDERR_FILENO);
    close(log->was);
    ssize_t len = pread(log->file, log->text, sizeof log->text - 1, 0);
    assert_true(len >= 0);
    log->text[len] = '\0';
    close(log->file);
    char *out = log->text;
    bool at_start = true;
    for (const char *in = log->text; *in; at_start = *in++ == '\n') {
        if (at_start && *in == '2')
            in += STAMP_LEN;
        *out++ = *in;
    }
    *out = '\0';
    return log->text;
}
