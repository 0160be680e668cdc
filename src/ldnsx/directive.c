#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldnsx/reader.h"
#include "ldnsx/word.h"

/* Exactly `least` to `most` words must follow the directive. */
static bool check_cnt(struct zone_reader *r, unsigned least, unsigned most)
{
    const struct lexer *lexer = &r->input->lexer;
    char shown[WORD_SHOWN_MAX];
    unsigned cnt = lexer->word_cnt - 1;

    if (cnt < least)
        read_error(r, lexer->entry_line, "%s needs a value", word_show(shown, lexer->words));
    else if (cnt > most)
        read_error(r, lexer->entry_line, "%s has a word too many", word_show(shown, lexer->words));
    return cnt >= least && cnt <= most;
}

static void read_origin(struct zone_reader *r)
{
    uint8_t origin[NAME_MAX_LEN];

    if (!check_cnt(r, 1, 1) || !record_read_name(r, origin, &r->input->lexer.words[1]))
        return;
    memcpy(r->input->origin, origin, name_len(origin));
    r->input->origin_changed = true;
}

static void read_ttl(struct zone_reader *r)
{
    const struct lexer *lexer = &r->input->lexer;
    char shown[WORD_SHOWN_MAX];
    uint32_t ttl = 0;

    if (check_cnt(r, 1, 1) && word_period(&ttl, &lexer->words[1]))
        read_error(r, lexer->entry_line, "bad TTL: \"%s\"", word_show(shown, &lexer->words[1]));
    /* A bad one counts as 0, so that one mistake is not told again with every record. */
    r->default_ttl = r->ttl = record_limit_ttl(r, ttl);
    r->default_ttl_known = true;
}

/* The path as seen from the including file's folder. */
static bool include_path(char out[PATH_MAX], const char *outer, const struct word *word)
{
    const char *slash = strrchr(outer, '/');
    int folder = slash && *word->at != '/' ? (int)(slash - outer + 1) : 0;

    if (!word->len || word->len >= PATH_MAX || folder >= PATH_MAX)
        return false;
    return snprintf(out, PATH_MAX, "%.*s%.*s", folder, outer, (int)word->len, word->at) < PATH_MAX;
}

static bool is_open(const struct zone_reader *r, const struct source_text *source)
{
    for (const struct zone_input *in = r->input; in; in = in->outer)
        if (in->dev == source->dev && in->ino == source->ino)
            return true;
    return false;
}

static const char *limit_passed(const struct zone_reader *r)
{
    if (!r->sources)
        return "$INCLUDE is not allowed here";
    if (r->depth > READ_DEPTH_MAX)
        return "$INCLUDE more than 20 deep";
    return r->file_cnt >= READ_FILES_MAX ? "$INCLUDE more than 100000 times" : NULL;
}

/* `origin` NULL: that of the including file. */
static void include_file(struct zone_reader *r, const char *path, const uint8_t *origin)
{
    unsigned line = r->input->lexer.entry_line;
    struct source_text source;
    char why[SOURCE_WHY_MAX];

    if (source_load(&source, r->sources, path, why)) {
        read_error(r, line, "$INCLUDE: \"%s\" %s", path, why);
        return;
    }
    r->file_cnt++;
    r->bytes += source.len;
    if (is_open(r, &source))
        read_error(r, line, "$INCLUDE: \"%s\" includes itself", path);
    else if (r->bytes > SOURCE_BYTES_MAX)
        read_error(r, line, "$INCLUDE: more than 4 GiB in all");
    else
        read_source(r, &source, origin);
    free(source.text);
}

static void read_include(struct zone_reader *r)
{
    const struct lexer *lexer = &r->input->lexer;
    const char *limit = limit_passed(r);
    uint8_t origin[NAME_MAX_LEN];
    char path[PATH_MAX];

    if (limit) {
        read_error(r, lexer->entry_line, "%s", limit);
        /* A tree of files that include each other twice would otherwise say so without end. */
        r->gave_up = r->file_cnt >= READ_FILES_MAX;
        return;
    }
    if (!check_cnt(r, 1, 2))
        return;
    if (lexer->word_cnt == 3 && !record_read_name(r, origin, &lexer->words[2]))
        return;
    if (!include_path(path, r->input->file, &lexer->words[1])) {
        read_error(r, lexer->entry_line, "$INCLUDE: path too long");
        return;
    }
    include_file(r, path, lexer->word_cnt == 3 ? origin : NULL);
}

void read_directive(struct zone_reader *r)
{
    const struct lexer *lexer = &r->input->lexer;
    char shown[WORD_SHOWN_MAX];
    struct word name = {lexer->words->at, lexer->words->len, 0}; /* in quotes too, as BIND */

    if (word_is(&name, "$ORIGIN"))
        read_origin(r);
    else if (word_is(&name, "$TTL"))
        read_ttl(r);
    else if (word_is(&name, "$INCLUDE"))
        read_include(r);
    else if (word_is(&name, "$GENERATE"))
        read_generate(r);
    else
        read_error(r, lexer->entry_line, "unknown directive \"%s\"", word_show(shown, lexer->words));
}
