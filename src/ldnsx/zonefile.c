#include "ldnsx/zonefile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ldnsx/reader.h"

void read_error(struct zone_reader *r, unsigned line, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    if (r->gave_up)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const char *file = r->input ? r->input->file : NULL;
    diag_error(r->diag, file, line, "%s", text);
    if (++r->error_cnt == READ_ERRORS_MAX) {
        diag_error(r->diag, file, line, "too many errors, giving up");
        r->gave_up = true;
    }
}

void read_warning(struct zone_reader *r, unsigned line, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    diag_warning(r->diag, r->input->file, line, "%s", text);
}

/* UTF-8's byte order mark says nothing here, but editors write it. */
static void skip_byte_order_mark(struct zone_reader *r)
{
    struct lexer *lexer = &r->input->lexer;
    if (strncmp(lexer->at, "\xef\xbb\xbf", 3))
        return;
    lexer->at += 3;
    read_warning(r, 1, "begins with a byte order mark; ignored");
}

static bool is_directive(const struct lexer *lexer)
{
    return !lexer->blank_led && lexer->words[0].len && *lexer->words[0].at == '$';
}

static void read_entries(struct zone_reader *r)
{
    struct lexer *lexer = &r->input->lexer;
    const char *why;

    while (!r->gave_up) {
        switch (lexer_next(lexer, &why)) {
        case LEX_END:
            return;
        case LEX_BAD:
            read_error(r, lexer->entry_line, "%s", why);
            break;
        case LEX_ENTRY:
            if (is_directive(lexer))
                read_directive(r);
            else
                record_read(r);
            break;
        }
    }
}

static void input_init(struct zone_input *input, struct zone_input *outer, const struct source_text *source,
                       const uint8_t *origin)
{
    *input = (struct zone_input){
        .outer = outer,
        .file = source->path,
        .dev = source->dev,
        .ino = source->ino,
        .origin_changed = origin || outer->origin_changed,
    };
    if (!origin)
        origin = outer->origin;
    memcpy(input->origin, origin, name_len(origin));
    if (outer && outer->has_owner) {
        memcpy(input->owner, outer->owner, name_len(outer->owner));
        input->has_owner = true;
    }
}

void read_source(struct zone_reader *r, const struct source_text *source, const uint8_t *origin)
{
    struct zone_input input;

    input_init(&input, r->input, source, origin);
    lexer_init(&input.lexer, source->text, source->len);
    r->input = &input;
    r->depth++;
    skip_byte_order_mark(r);
    read_entries(r);
    if (source->cut && input.lexer.word_cnt && !r->gave_up)
        read_warning(r, input.lexer.line - 1, "the last line does not end with a newline");
    lexer_fini(&input.lexer);
    r->depth--;
    r->input = input.outer;
}

static struct zone_reader *reader_new(zonefile_record_fn *fn, void *arg, struct diag *diag)
{
    struct zone_reader *r = mem_zalloc(1, sizeof(*r));
    r->fn = fn;
    r->arg = arg;
    r->diag = diag;
    return r;
}

/* Frees all; the verdict. */
static enum err finish(struct zone_reader *r, struct source_text *source)
{
    enum err e = r->error_cnt ? ERR_INVALID : r->stopped ? ERR_LIMIT : ERR_OK;
    free(source->text);
    free(r);
    return e;
}

enum err zonefile_read(const char *path, const uint8_t *origin, zonefile_record_fn *fn, void *arg, struct diag *diag,
                       struct zonefile_sources **sources)
{
    struct zone_reader *r = reader_new(fn, arg, diag);
    struct source_text source;
    char why[SOURCE_WHY_MAX];

    *sources = r->sources = zonefile_sources_new();
    if (source_load(&source, r->sources, path, why)) {
        diag_error(diag, path, 0, "%s", why);
        free(r);
        return ERR_INVALID;
    }
    r->bytes = source.len;
    read_source(r, &source, origin);
    return finish(r, &source);
}

enum err zonefile_read_text(const char *name, const char *text, size_t len, const uint8_t *origin,
                            zonefile_record_fn *fn, void *arg, struct diag *diag)
{
    struct source_text source;
    char why[SOURCE_WHY_MAX];

    if (source_from_bytes(&source, name, text, len, why)) {
        diag_error(diag, name, 0, "%s", why);
        return ERR_INVALID;
    }
    struct zone_reader *r = reader_new(fn, arg, diag);
    read_source(r, &source, origin);
    return finish(r, &source);
}
