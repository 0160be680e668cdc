#include "store/store.h"

#include <string.h>

static const char *const serials[] = {"", "file", "increment", "unixtime", "date", NULL};

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

static enum err parse_serial(void *field, const char *text, const char **expected)
{
    *expected = "\"file\", \"increment\", \"unixtime\" or \"date\"";
    for (int i = STORE_SERIAL_FILE; field && serials[i]; i++)
        if (!strcmp(serials[i], text)) {
            *(int *)field = i;
            return ERR_OK;
        }
    return field ? ERR_INVALID : ERR_OK;
}

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, store_zone_options, field)

/* Of zones and of templates. */
#define FILE_ROW \
    {KEY("file", OPT_STRING, OPT_INHERITED, file), .least = 1, .most = 4095, .sample = "\"%s.zone\"", \
     .help = "The zone file, relative to server.zone_dir. %s stands for the zone's name in lower case without the " \
             "final dot (a slash in it as \\047), %% for one %. Where neither the zone nor its template has it: " \
             "\"%s.zone\"."}

/* How much history a zone keeps; 0: as the template, or the default, says. */
#define HISTORY_ROWS \
    {KEY("serial", OPT_CUSTOM, OPT_INHERITED, serial), .parse = parse_serial, .parse_size = sizeof(int), \
     .text_default = "\"file\"", \
     .help = "Which serial a zone file that has changed is published with: its own (\"file\"; a change without a " \
             "higher serial is refused), or one that is made here and later than the last: one more " \
             "(\"increment\"), the seconds since 1970 (\"unixtime\"), or the date with two digits behind it " \
             "(\"date\"). The file's own is taken in any case where it is the latest. One that is above the last " \
             "file's but not above the zone's, which updates and \"--force\" can have raised, becomes the zone's " \
             "plus one."}, \
    {KEY("journal_max_size", OPT_INT, OPT_INHERITED, journal_most_bytes), .least = 65536, .most = INT64_C(1) << 36, \
     .unit = "bytes", .text_default = "16777216", \
     .help = "How much of the zone's changes the journal keeps, for secondaries that fetch them (IXFR). When there " \
             "is more, the zone is written to state_dir as a whole, then the oldest changes are dropped; who lacks " \
             "those gets the whole zone."}, \
    {KEY("journal_max_age", OPT_DURATION, OPT_INHERITED, journal_most_ms), .least = 60 * 1000, \
     .most = INT64_C(5) * 366 * 24 * 3600 * 1000, .text_default = "\"2w\"", \
     .help = "How long changes are kept at least, size allowing. With the first change of the zone after twice that " \
             "they are dropped."}

static const struct opt zone_opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = 1009, .sample = "\"example.com\"",
     .help = "The zone's name, with or without the final dot."},
    FILE_ROW,
    HISTORY_ROWS,
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
    HISTORY_ROWS,
};

const struct opt_table store_template_opt_table = {
    .path = "templates",
    .size = sizeof(struct store_zone_options),
    .list = true,
    .where_offset = offsetof(struct store_zone_options, where),
    .help = "Keys for many zones at once: a zone that names a template takes from it every key that it lacks itself.",
    OPT_ROWS(template_opts),
};
