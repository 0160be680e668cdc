#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

/* A text is cut to this. */
enum { TEXT_MOST = 4096 };

struct diag {
    struct arena arena; /* of files and texts */
    struct diag_entry *entries;
    size_t cnt, cap, most;
    size_t added[2]; /* by level */
    const char *last_file;
    const char *default_file; /* NULL: none */
};

struct diag *diag_new(size_t most)
{
    struct diag *diag = mem_zalloc(1, sizeof *diag);
    arena_init(&diag->arena);
    diag->most = most;
    return diag;
}

void diag_free(struct diag *diag)
{
    if (!diag)
        return;
    arena_fini(&diag->arena);
    free(diag->entries);
    free(diag);
}

/* Most entries in a row are about one file. */
static const char *keep_file(struct diag *diag, const char *file)
{
    if (file && (!diag->last_file || strcmp(diag->last_file, file) != 0))
        diag->last_file = arena_strdup(&diag->arena, file);
    return file ? diag->last_file : NULL;
}

/* Makes room for an error among what is kept; false: there are errors only. */
static bool drop_warning(struct diag *diag)
{
    size_t i = diag->cnt;
    while (i && diag->entries[i - 1].level != DIAG_WARNING)
        i--;
    if (!i)
        return false;
    memmove(&diag->entries[i - 1], &diag->entries[i], (diag->cnt - i) * sizeof *diag->entries);
    diag->cnt--;
    return true;
}

static void add_text(struct diag *diag, enum diag_level level, const char *file, unsigned line, const char *text)
{
    diag->added[level]++;
    if (diag->cnt >= diag->most && (level != DIAG_ERROR || !drop_warning(diag)))
        return;
    if (diag->cnt == diag->cap) {
        diag->cap = diag->cap ? diag->cap * 2 : 16;
        diag->entries = mem_realloc(diag->entries, diag->cap, sizeof *diag->entries);
    }
    diag->entries[diag->cnt++] =
        (struct diag_entry){level, line, keep_file(diag, file), arena_strdup(&diag->arena, text)};
}

void diag_add(struct diag *diag, enum diag_level level, const char *file, unsigned line, const char *fmt, ...)
{
    char text[TEXT_MOST];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add_text(diag, level, file ? file : diag->default_file, line, len < 0 ? fmt : text);
}

void diag_set_file(struct diag *diag, const char *file)
{
    diag->default_file = arena_strdup(&diag->arena, file);
}

size_t diag_cnt(const struct diag *diag, enum diag_level level)
{
    return diag->added[level];
}

const struct diag_entry *diag_at(const struct diag *diag, size_t index)
{
    return index < diag->cnt ? &diag->entries[index] : NULL;
}

static size_t kept_cnt(const struct diag *diag, enum diag_level level)
{
    size_t cnt = 0;
    for (size_t i = 0; i < diag->cnt; i++)
        cnt += diag->entries[i].level == level;
    return cnt;
}

void diag_merge(struct diag *to, const struct diag *from)
{
    for (size_t i = 0; i < from->cnt; i++) {
        const struct diag_entry *entry = &from->entries[i];
        add_text(to, entry->level, entry->file, entry->line, entry->text);
    }
    for (int level = DIAG_ERROR; level <= DIAG_WARNING; level++)
        to->added[level] += from->added[level] - kept_cnt(from, (enum diag_level)level);
}

struct sortable {
    struct diag_entry entry;
    size_t file, index;
};

static bool is_about(const struct diag_entry *entry, const char *file)
{
    return entry->file == file || (entry->file && file && !strcmp(entry->file, file));
}

static int cmp_sortable(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->entry.line != y->entry.line)
        return x->entry.line < y->entry.line ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void diag_sort(struct diag *diag)
{
    struct sortable *sorted = mem_zalloc(diag->cnt, sizeof *sorted);
    for (size_t i = 0; i < diag->cnt; i++) {
        size_t first = i && is_about(&diag->entries[i], diag->entries[i - 1].file) ? sorted[i - 1].file : 0;
        while (!is_about(&diag->entries[i], diag->entries[first].file))
            first++;
        sorted[i] = (struct sortable){diag->entries[i], first, i};
    }
    qsort(sorted, diag->cnt, sizeof *sorted, cmp_sortable);
    for (size_t i = 0; i < diag->cnt; i++)
        diag->entries[i] = sorted[i].entry;
    free(sorted);
}

size_t diag_format(char *out, size_t cap, const struct diag_entry *entry)
{
    const char *word = entry->level == DIAG_ERROR ? "error" : "warning";
    int len;
    if (entry->file && entry->line)
        len = snprintf(out, cap, "%s:%u: %s: %s", entry->file, entry->line, word, entry->text);
    else if (entry->file)
        len = snprintf(out, cap, "%s: %s: %s", entry->file, word, entry->text);
    else
        len = snprintf(out, cap, "%s: %s", word, entry->text);
    return len < 0 ? 0 : (size_t)len;
}

/* The level stands before a log line already. */
static void log_entry(const struct diag_entry *entry)
{
    enum log_level level = entry->level == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;
    if (entry->file && entry->line)
        log_write(level, "%s:%u: %s", entry->file, entry->line, entry->text);
    else if (entry->file)
        log_write(level, "%s: %s", entry->file, entry->text);
    else
        log_write(level, "%s", entry->text);
}

void diag_log(const struct diag *diag)
{
    for (size_t i = 0; i < diag->cnt; i++)
        log_entry(&diag->entries[i]);
    size_t errors = diag->added[DIAG_ERROR] - kept_cnt(diag, DIAG_ERROR);
    size_t warnings = diag->added[DIAG_WARNING] - kept_cnt(diag, DIAG_WARNING);
    if (errors)
        log_error("%zu more errors, %zu more warnings not shown", errors, warnings);
    else if (warnings)
        log_warning("%zu more warnings not shown", warnings);
}
