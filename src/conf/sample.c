#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/text.h"

enum { WIDTH = 110, INDENT = 4, PREFIX_MOST = 64 };

/* The comment's lines stand `depth` deep. */
static void add_comment(struct conf_text *text, size_t depth, const char *words)
{
    char prefix[PREFIX_MOST];
    snprintf(prefix, sizeof prefix, "%*s# ", (int)(depth * INDENT), "");
    conf_text_wrap(text, prefix, words, WIDTH);
}

static void add_group(struct conf_text *text, size_t depth, const struct opt_table *const *tables, size_t cnt);

static void add_group_opt(struct conf_text *text, size_t depth, const struct opt *opt)
{
    bool is_list = opt->flags & OPT_LIST;
    int indent = (int)(depth * INDENT);
    conf_text_add(text, "%*s%s = %s\n", indent, "", opt->name, is_list ? "( {" : "{");
    add_group(text, depth + 1, &opt->sub, 1);
    conf_text_add(text, "%*s%s\n", indent, "", is_list ? "} );" : "};");
}

static void add_opt(struct conf_text *text, size_t depth, const struct opt *opt)
{
    char *facts = conf_text_facts(opt);
    int indent = (int)(depth * INDENT);
    const char *value = opt->text_default ? opt->text_default : opt->sample;
    add_comment(text, depth, opt->help ? opt->help : "");
    add_comment(text, depth, facts);
    free(facts);
    if (opt->type == OPT_GROUP)
        add_group_opt(text, depth, opt);
    else if (value)
        conf_text_add(text, "%*s%s%s = %s;\n", indent, "", opt->flags & OPT_APART ? "# " : "", opt->name, value);
    else
        conf_text_add(text, "%*s# %s = ...;\n", indent, "", opt->name);
}

static void add_group(struct conf_text *text, size_t depth, const struct opt_table *const *tables, size_t cnt)
{
    bool first = true;
    for (size_t t = 0; t < cnt; t++) {
        for (size_t i = 0; i < tables[t]->cnt; i++) {
            if (!first)
                conf_text_add(text, "\n");
            first = false;
            add_opt(text, depth, &tables[t]->opts[i]);
        }
    }
}

static bool path_is_first(const struct opt_table *const *tables, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!strcmp(tables[i]->path, tables[index]->path))
            return false;
    return true;
}

/* The group of tables[first]->path, with the keys of all tables that have it. */
static void add_path(struct conf_text *text, const struct opt_table *const *tables, size_t cnt, size_t first)
{
    const struct opt_table **same = mem_zalloc(cnt, sizeof *same);
    bool is_list = tables[first]->list;
    size_t same_cnt = 0;
    conf_text_add(text, "\n");
    for (size_t i = first; i < cnt; i++) {
        if (strcmp(tables[i]->path, tables[first]->path) != 0)
            continue;
        same[same_cnt++] = tables[i];
        if (tables[i]->help)
            add_comment(text, 0, tables[i]->help);
    }
    conf_text_add(text, "%s%s", tables[first]->path, is_list ? " = (\n    {\n" : ": {\n");
    add_group(text, is_list ? 2 : 1, same, same_cnt);
    conf_text_add(text, "%s", is_list ? "    }\n);\n" : "};\n");
    free(same);
}

char *conf_sample_text(const struct opt_table *const *tables, size_t cnt)
{
    struct conf_text text = {0};
    add_comment(
        &text, 0,
        "Every key, with its default where it has one and an example where not. All can be left out that are not "
        "\"Required\". The format is libconfig's; rondo.conf(5) says more. Made from the program's own tables.");
    for (size_t i = 0; i < cnt; i++)
        if (path_is_first(tables, i))
            add_path(&text, tables, cnt, i);
    return conf_text_take(&text);
}
