#include "sync/options.h"

#include <assert.h>
#include <string.h>

#include "dns/name.h"

enum { PORT = 53 };
#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 3600 * SECOND_MS)
#define WEEK_MS (7 * DAY_MS)

_Static_assert((int)NAME_MAX_LEN == (int)ACL_KEY_MAX, "a key's name is a domain name");

/* ---- values */

enum err sync_key_from_text(uint8_t key[ACL_KEY_MAX], size_t *len, const char *text)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned name_bytes;
    enum err e = name_from_text(name, &name_bytes, text, strlen(text), NULL);
    if (!e)
        *len = name_to_lower(key, name);
    return e;
}

static enum err parse_entry(void *field, const char *text, const char **expected)
{
    *expected = ACL_ENTRY_EXPECTED;
    return field ? acl_entry_from_text(field, text, sync_key_from_text) : ERR_OK;
}

static enum err parse_peer(void *field, const char *text, const char **expected)
{
    *expected = ACL_PEER_EXPECTED;
    return field ? acl_peer_from_text(field, text, PORT, sync_key_from_text) : ERR_OK;
}

static enum err parse_choice(void *field, const char *text, const char **expected)
{
    static const struct opt as_bool = {.type = OPT_BOOL};
    bool is_true;
    *expected = "true or false";
    enum err e = field ? opt_parse(&as_bool, &is_true, text) : ERR_OK;
    if (field && !e)
        *(uint8_t *)field = is_true ? SYNC_YES : SYNC_NO;
    return e;
}

/* ---- rows */

#define KEY(key, type, flags, field) OPT_KEY(key, type, (flags) | OPT_INHERITED, sync_zone_options, field)
#define ENTRIES .parse = parse_entry, .parse_size = sizeof(struct acl_entry)
#define PEERS .parse = parse_peer, .parse_size = sizeof(struct acl_peer)
#define SOURCES .parse = addr_opt_parse, .parse_size = sizeof(struct addr)

/* Of zones and of templates. */
static const struct opt opts[] = {
    {KEY("primaries", OPT_CUSTOM, OPT_LIST | OPT_APART, primaries), PEERS,
     .sample = "\"192.0.2.1 key xfr.example.com\"",
     .help = "The servers that the zone is transferred from, which makes us a secondary of it: all of them are asked "
             "for their serial, and the newest wins. What is asked is signed with the key, and so must the answer be. "
             "An empty list: none, whatever the template says."},
    {KEY("notify", OPT_CUSTOM, OPT_LIST, notify), PEERS, .sample = "\"192.0.2.54 key xfr.example.com\"",
     .help = "Servers that are told when the zone changes (NOTIFY), besides those of notify_ns. Behind an address "
             "\"live\" is for servers that shall get the live view of the zone, which is not there yet (see "
             "allow_transfer)."},
    {KEY("notify_ns", OPT_CUSTOM, 0, notify_ns), .parse = parse_choice, .parse_size = sizeof(uint8_t),
     .text_default = "true",
     .help = "Whether the zone's own NS records are told of changes too, but for the server that its SOA names as the "
             "primary, and ourselves. They are told without a signature."},
    {KEY("allow_transfer", OPT_CUSTOM, OPT_LIST, allow_transfer), ENTRIES,
     .sample = "\"192.0.2.54 key xfr.example.com\"",
     .help = "Who may transfer the zone (AXFR and IXFR). The first entry that fits decides; one with a key fits only "
             "what that key has signed. \"live\" is for the live view, only addresses that would be answered, which is "
             "not there yet: whoever is to have it gets the zone without its \"_balance\" names. Nobody may where this "
             "is not set: a whole zone is nothing to give away by accident."},
    {KEY("allow_notify", OPT_CUSTOM, OPT_LIST, allow_notify), ENTRIES, .sample = "\"192.0.2.3\"",
     .help = "Who may tell us that the zone has changed, besides its primaries, who always may (with their key, where "
             "one is set)."},
    {KEY("allow_update", OPT_CUSTOM, OPT_LIST, allow_update), ENTRIES, .sample = "\"key xfr.example.com\"",
     .help = "Who may change the zone by dynamic update (RFC 2136, nsupdate). The first entry that fits decides; give "
             "it a key: an address alone proves little over UDP. Nobody may where this is not set, and no zone that "
             "has primaries is changed here."},
    {KEY("notify_source", OPT_CUSTOM, OPT_LIST | OPT_APART, notify_source), SOURCES, .sample = "\"192.0.2.53\"",
     .help = "The address that NOTIFY comes from, at most one of each family: secondaries know us by it. Without it, "
             "the system chooses."},
    {KEY("transfer_source", OPT_CUSTOM, OPT_LIST | OPT_APART, transfer_source), SOURCES, .sample = "\"192.0.2.53\"",
     .help = "The address from which primaries are asked, at most one of each family. Without it, the system "
             "chooses."},
    {KEY("refresh_min", OPT_DURATION, 0, refresh_min_ms), .least = SECOND_MS, .most = 4 * WEEK_MS,
     .text_default = "\"30s\"",
     .help = "The least time between two questions to the primaries for their serial, whatever the zone's SOA says: a "
             "refresh of 0 must not make a flood. A NOTIFY is acted upon at once."},
    {KEY("refresh_max", OPT_DURATION, 0, refresh_max_ms), .least = SECOND_MS, .most = 4 * WEEK_MS,
     .text_default = "\"1d\"",
     .help = "The most time between them, so that a change whose NOTIFY was lost arrives within a day."},
    {KEY("retry_min", OPT_DURATION, 0, retry_min_ms), .least = SECOND_MS, .most = 4 * WEEK_MS,
     .text_default = "\"10s\"",
     .help = "The least time until the primaries are asked again when none of them gave a good answer, so that those "
             "which are down are not asked without a pause."},
    {KEY("retry_max", OPT_DURATION, 0, retry_max_ms), .least = SECOND_MS, .most = 4 * WEEK_MS,
     .text_default = "\"1h\"",
     .help = "The most time until then, so that a primary which is back is noticed within an hour. A zone that we have "
             "nothing of yet is tried more often at first."},
    /* BIND's bound of it. */
    {KEY("expire_max", OPT_DURATION, 0, expire_max_ms), .least = 10 * SECOND_MS, .most = 24 * WEEK_MS,
     .text_default = "\"24w\"",
     .help = "How long the zone is served at most while no primary confirms it; its SOA mostly says less, often two to "
             "four weeks. Then it is answered with SERVFAIL until a primary is back."},
    {KEY("max_zone_size", OPT_INT, 0, max_zone_bytes), .least = 4096, .most = INT64_C(1) << 40,
     .text_default = "1073741824", .unit = "bytes",
     .help = "How large a zone may become by a transfer, as the sum of its records on the wire: more, and the "
             "transfer is given up, so that no primary can fill the memory. The default is some ten million records."},
    {KEY("transfer_max", OPT_DURATION, 0, transfer_max_ms), .least = SECOND_MS, .most = DAY_MS,
     .text_default = "\"2h\"",
     .help = "How long an outgoing transfer may take: it holds the version that it began with, which needs memory. "
             "The default lets a gigabyte through at 1.2 megabits a second. One whose client takes nothing for a "
             "minute is broken off as well."},
};

/* ---- checks */

static bool has_two_of_a_family(const struct opt_list *list)
{
    const struct addr *addrs = list->items;
    for (size_t i = 0; i < list->cnt; i++)
        for (size_t j = 0; j < i; j++)
            if (addrs[i].family == addrs[j].family)
                return true;
    return false;
}

static void check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct sync_zone_options *row = filled;
    static const char one_a_family[] = "expected at most one IPv4 and one IPv6 address";
    if (has_two_of_a_family(&row->notify_source))
        say(arg, "notify_source", one_a_family);
    if (has_two_of_a_family(&row->transfer_source))
        say(arg, "transfer_source", one_a_family);
}

const struct opt_table sync_zone_opt_table = {
    .path = "zones",
    .size = sizeof(struct sync_zone_options),
    .list = true,
    .where_offset = offsetof(struct sync_zone_options, where),
    OPT_ROWS(opts),
    .check = check,
};

const struct opt_table sync_template_opt_table = {
    .path = "templates",
    .size = sizeof(struct sync_zone_options),
    .list = true,
    .where_offset = offsetof(struct sync_zone_options, where),
    OPT_ROWS(opts),
    .check = check,
};

/* ---- what holds */

/* A default as it stands in the file, which is a value or a value in quotes. */
static void set_default(const struct opt *opt, void *field)
{
    char text[OPT_DURATION_TEXT_MAX];
    size_t len = strlen(opt->text_default);
    bool is_quoted = opt->text_default[0] == '"';
    assert(len < sizeof text);
    memcpy(text, opt->text_default + is_quoted, len + 1 - is_quoted);
    if (is_quoted)
        text[len - 2] = '\0';
    enum err e = opt_parse(opt, field, text);
    assert(!e);
    (void)e;
}

static bool is_set(const struct opt *opt, const void *field)
{
    static const uint8_t zeros[sizeof(uint64_t)];
    const struct opt_list *list = field;
    if (opt->flags & OPT_LIST)
        return list->items != NULL;
    assert(opt_value_size(opt) <= sizeof zeros);
    return memcmp(field, zeros, opt_value_size(opt)) != 0;
}

static size_t field_size(const struct opt *opt)
{
    return opt->flags & OPT_LIST ? sizeof(struct opt_list) : opt_value_size(opt);
}

void sync_options_resolve(struct sync_zone_options *out, const struct sync_zone_options *zone,
                          const struct sync_zone_options *template)
{
    *out = *zone;
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
        const struct opt *opt = &opts[i];
        char *field = (char *)out + opt->offset;
        if (!is_set(opt, field) && template)
            memcpy(field, (const char *)template + opt->offset, field_size(opt));
        if (!is_set(opt, field) && opt->text_default)
            set_default(opt, field);
    }
}
