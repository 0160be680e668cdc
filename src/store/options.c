#include "store/store.h"

static const struct opt server_opts[] = {
    {OPT_KEY("zone_dir", OPT_STRING, OPT_PATH, store_options, zone_dir), .least = 1, .most = 4095,
     .text_default = "\".\"",
     .help = "Folder of the zone files: relative file names of zones start there. A relative path starts at the "
             "folder of the configuration file."},
};

const struct opt_table store_server_opt_table = {
    .path = "server",
    .size = sizeof(struct store_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(server_opts),
};

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, store_zone_options, field)

/* Of zones and of templates. */
#define FILE_ROW \
    {KEY("file", OPT_STRING, OPT_INHERITED, file), .least = 1, .most = 4095, .sample = "\"%s.zone\"", \
     .help = "The zone file, relative to server.zone_dir. %s stands for the zone's name in lower case without the " \
             "final dot (a slash in it as \\047), %% for one %. Where neither the zone nor its template has it: " \
             "\"%s.zone\"."}

static const struct opt zone_opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = 1009, .sample = "\"example.com\"",
     .help = "The zone's name, with or without the final dot."},
    FILE_ROW,
    {KEY("template", OPT_STRING, 0, template), .least = 1, .most = 255, .sample = "\"default\"",
     .help = "The template that gives the keys which the zone lacks."},
};

const struct opt_table store_zone_opt_table = {
    .path = "zones",
    .size = sizeof(struct store_zone_options),
    .list = true,
    .where_offset = offsetof(struct store_zone_options, where),
    .help = "The zones that are served.",
    OPT_ROWS(zone_opts),
};

static const struct opt template_opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = 255, .sample = "\"default\"",
     .help = "What zones call the template by."},
    FILE_ROW,
};

const struct opt_table store_template_opt_table = {
    .path = "templates",
    .size = sizeof(struct store_zone_options),
    .list = true,
    .where_offset = offsetof(struct store_zone_options, where),
    .help = "Keys for many zones at once: a zone that names a template takes from it every key that it lacks itself.",
    OPT_ROWS(template_opts),
};
