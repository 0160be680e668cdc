#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/text.h"

enum { WIDTH = 78 };

/* Text for roff: backslashes, and hyphens that a reader may copy, are escaped. */
static char *escape(const char *words)
{
    struct conf_text text = {0};
    for (; *words; words++) {
        if (*words == '\\')
            conf_text_add(&text, "\\e");
        else if (*words == '-')
            conf_text_add(&text, "\\-");
        else
            conf_text_add(&text, "%c", *words);
    }
    return conf_text_take(&text);
}

/* A paragraph; no line of it may begin like a request. */
static void add_words(struct conf_text *text, const char *words)
{
    struct conf_text lines = {0};
    char *escaped = escape(words);
    conf_text_wrap(&lines, "", escaped, WIDTH);
    char *wrapped = conf_text_take(&lines);
    for (char *line = wrapped, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        conf_text_add(text, "%s%s\n", *line == '.' || *line == '\'' ? "\\&" : "", line);
    }
    free(wrapped);
    free(escaped);
}

static void add_opt(struct conf_text *text, const struct opt *opt)
{
    char *facts = conf_text_facts(opt);
    conf_text_add(text, ".It Ic %s\n", opt->name);
    if (opt->help)
        add_words(text, opt->help);
    if (opt->help)
        conf_text_add(text, ".br\n");
    add_words(text, facts);
    free(facts);
}

static void add_opts(struct conf_text *text, const struct opt_table *table)
{
    if (table->help)
        add_words(text, table->help);
    conf_text_add(text, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < table->cnt; i++)
        add_opt(text, &table->opts[i]);
    conf_text_add(text, ".El\n");
}

/* The groups in the rows of a table, each as a section of its own. */
static void add_inner(struct conf_text *text, const char *path, const struct opt_table *table)
{
    for (size_t i = 0; i < table->cnt; i++) {
        const struct opt *opt = &table->opts[i];
        if (opt->type != OPT_GROUP)
            continue;
        char *inner = mem_printf("%s.%s", path, opt->name);
        conf_text_add(text, ".Ss %s\n", inner);
        add_opts(text, opt->sub);
        add_inner(text, inner, opt->sub);
        free(inner);
    }
}

/* A group with the keys of all tables that describe it; nothing when an earlier table has its path. */
static void add_path(struct conf_text *text, const struct opt_table *const *tables, size_t cnt, size_t first)
{
    const char *path = tables[first]->path;
    for (size_t i = 0; i < first; i++)
        if (!strcmp(tables[i]->path, path))
            return;
    conf_text_add(text, ".Ss %s\n", path);
    for (size_t i = first; i < cnt; i++)
        if (!strcmp(tables[i]->path, path))
            add_opts(text, tables[i]);
    for (size_t i = first; i < cnt; i++)
        if (!strcmp(tables[i]->path, path))
            add_inner(text, path, tables[i]);
}

char *conf_man_text(const struct opt_table *const *tables, size_t cnt)
{
    struct conf_text text = {0};
    for (size_t i = 0; i < cnt; i++)
        add_path(&text, tables, cnt, i);
    return conf_text_take(&text);
}
