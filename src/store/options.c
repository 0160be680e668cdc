#include "store/store.h"

static const struct opt server_opts[] = {
    {
        .name = "zone_dir",
        .type = OPT_STRING,
        .flags = OPT_PATH,
        .offset = offsetof(struct store_options, zone_dir),
        .least = 1,
        .most = 4095,
        .text_default = "\".\"",
        .help = "Folder of the zone files: relative file names of zones start there. A relative path starts at the folder "
                "of the configuration file.",
    },
};

const struct opt_table store_server_opt_table = {
    .path = "server",
    .size = sizeof(struct store_options),
    .where_offset = SIZE_MAX,
    .opts = server_opts,
    .cnt = sizeof server_opts / sizeof *server_opts,
};

#define FILE_OPT                                                                                                        \
    {                                                                                                                   \
        .name = "file",                                                                                                 \
        .type = OPT_STRING,                                                                                             \
        .flags = OPT_INHERITED,                                                                                         \
        .offset = offsetof(struct store_zone_options, file),                                                            \
        .least = 1,                                                                                                     \
        .most = 4095,                                                                                                   \
        .sample = "\"%s.zone\"",                                                                                        \
        .help = "The zone file, relative to server.zone_dir. %s stands for the zone's name in lower case without the "  \
                "final dot (a slash in it as \\047), %% for one %. Where neither the zone nor its template "            \
                "has it: \"%s.zone\".",                                                                                 \
    }

static const struct opt zone_opts[] = {
    {
        .name = "name",
        .type = OPT_STRING,
        .flags = OPT_REQUIRED,
        .offset = offsetof(struct store_zone_options, name),
        .least = 1,
        .most = 1009,
        .sample = "\"example.com\"",
        .help = "The zone's name, with or without the final dot.",
    },
    FILE_OPT,
    {
        .name = "template",
        .type = OPT_STRING,
        .offset = offsetof(struct store_zone_options, template),
        .least = 1,
        .most = 255,
        .sample = "\"default\"",
        .help = "The template that gives the keys which the zone lacks.",
    },
};

const struct opt_table store_zone_opt_table = {
    .path = "zones",
    .size = sizeof(struct store_zone_options),
    .list = true,
    .where_offset = offsetof(struct store_zone_options, where),
    .help = "The zones that are served.",
    .opts = zone_opts,
    .cnt = sizeof zone_opts / sizeof *zone_opts,
};

static const struct opt template_opts[] = {
    {
        .name = "name",
        .type = OPT_STRING,
        .flags = OPT_REQUIRED,
        .offset = offsetof(struct store_zone_options, name),
        .least = 1,
        .most = 255,
        .sample = "\"default\"",
        .help = "What zones call the template by.",
    },
    FILE_OPT,
};

const struct opt_table store_template_opt_table = {
    .path = "templates",
    .size = sizeof(struct store_zone_options),
    .list = true,
    .where_offset = offsetof(struct store_zone_options, where),
    .help = "Keys for many zones at once: a zone that names a template takes from it every key that it lacks itself.",
    .opts = template_opts,
    .cnt = sizeof template_opts / sizeof *template_opts,
};
