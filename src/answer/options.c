#include "answer/options.h"

#include <stddef.h>
#include <string.h>

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, answer_options, field)

enum {
    NSID_MOST = 128,
    TXT_MOST = 255, /* one character-string (RFC 1035 3.3) */
};

static const char *const require_cookie_names[] = {
    [ANSWER_COOKIE_NEVER] = "never",
    [ANSWER_COOKIE_ATTACK] = "attack",
    [ANSWER_COOKIE_ALWAYS] = "always",
    NULL,
};

static enum err parse_secret(void *field, const char *text, const char **expected)
{
    *expected = "32 hexadecimal digits in quotes, such as \"openssl rand -hex 16\" prints";
    struct cookie_secret secret;
    if (!field)
        return ERR_OK;
    enum err e = cookie_secret_from_text(&secret, text);
    if (!e)
        memcpy(field, &secret, sizeof secret);
    return e;
}

static const struct opt opts[] = {
    {KEY("udp_payload", OPT_INT, 0, udp_payload), .least = 512, .most = 4096, .text_default = "1232", .unit = "bytes",
     .help = "The most bytes of an answer over UDP, and the payload size that clients are told (EDNS). Larger answers "
             "are cut and marked as truncated, so that clients ask again over TCP."},
    {KEY("cookies", OPT_BOOL, 0, cookies), .text_default = "true",
     .help = "Whether clients that send a DNS cookie are given one of the server's (RFC 7873, 9018), by which it knows "
             "later that their address is not forged."},
    {KEY("cookie_secrets", OPT_CUSTOM, OPT_LIST | OPT_SECRET, cookie_secrets), .parse = parse_secret,
     .parse_size = sizeof(struct cookie_secret),
     .help = "What cookies are made with: at most three, of which the first makes cookies and all are good for "
             "checking them. Nameservers that share an address must have the same. To replace a secret, put the new "
             "one second everywhere, then first, and take out the old one an hour later. Without it, a secret that is "
             "drawn at each start."},
    {KEY("require_cookie", OPT_ENUM, 0, require_cookie), .names = require_cookie_names, .text_default = "\"attack\"",
     .help = "When a client that sends a cookie over UDP without a valid one of the server's is told to ask again with "
             "the one it is given (BADCOOKIE), in place of the answer: never, while answers to it are being limited, "
             "or always. Clients without cookies are answered all the same."},
    {KEY("nsid", OPT_STRING, 0, nsid), .most = NSID_MOST, .text_default = "\"\"",
     .help = "What clients are told that ask for the name server's identifier (NSID, RFC 5001), as text; \"\": "
             "nothing."},
    {KEY("identity", OPT_STRING, 0, identity), .most = TXT_MOST, .sample = "\"ns1.example.com\"",
     .help = "The answer to TXT queries of class CH for hostname.bind and id.server; \"\": they are refused. Without "
             "it, the host's name."},
    {KEY("version", OPT_STRING, 0, version), .most = TXT_MOST, .text_default = "\"\"",
     .help = "The answer to TXT queries of class CH for version.bind and version.server; \"\": they are refused."},
    {KEY("ecs_trusted", OPT_CUSTOM, OPT_LIST, ecs_trusted), .parse = prefix_opt_parse,
     .parse_size = sizeof(struct prefix), .sample = "[ \"192.0.2.0/24\", \"2001:db8::/32\" ]",
     .help = "Resolvers whose word on their clients' network (EDNS client subnet, RFC 7871) is taken: pools of policy "
             "\"hash\", and pools whose members have sites, choose by that network in place of the resolver's address. "
             "Without it, nobody's."},
    {KEY("rate_limit", OPT_INT, 0, limit.rate), .least = 0, .most = LIMIT_RATE_MAX, .text_default = "1000",
     .unit = "answers a second",
     .help = "Over UDP, a network of clients gets so many answers a second of one kind (positive, NODATA, NXDOMAIN, "
             "referral, error) and about one name, and once as many at a time. What a wildcard or DNAME makes counts "
             "as that one's, NXDOMAIN and errors by the closest name that exists and the network alone. It keeps "
             "senders of forged requests from using rondo to flood those whose address they forge. Clients that ask "
             "over TCP, have a valid cookie or sign with one of \"keys\" are not limited. Who measures the server "
             "from one host meets the limit: 0 is none."},
    {KEY("rate_limit_slip", OPT_INT, 0, limit.slip), .least = 0, .most = 1000, .text_default = "2",
     .help = "Of the answers over the limit, one in so many is sent without records and marked as truncated, so that "
             "honest clients in a network under attack ask over TCP: 1 truncates all, 0 drops all. Errors, which have "
             "no records, are sent as they are."},
    {KEY("rate_limit_leak", OPT_INT, 0, limit.leak), .least = 0, .most = 1000, .text_default = "0",
     .help = "Of the answers over the limit, one in so many is sent whole; 0: none. What rate_limit_slip says goes "
             "for the others."},
    {KEY("rate_limit_prefix4", OPT_INT, 0, limit.prefix4), .least = 1, .most = 32, .text_default = "24",
     .unit = "bits", .help = "IPv4 clients whose addresses agree in so many bits are one network to the rate limit."},
    {KEY("rate_limit_prefix6", OPT_INT, 0, limit.prefix6), .least = 1, .most = 64, .text_default = "56",
     .unit = "bits", .help = "IPv6 clients whose addresses agree in so many bits are one network to the rate limit."},
    {KEY("rate_limit_exempt", OPT_CUSTOM, OPT_LIST, limit.exempt), .parse = prefix_opt_parse,
     .parse_size = sizeof(struct prefix), .sample = "[ \"192.0.2.0/24\", \"2001:db8::/32\" ]",
     .help = "Networks of clients that the rate limit does not concern."},
    {KEY("rate_limit_log_only", OPT_BOOL, 0, limit.log_only), .text_default = "false",
     .help = "Counts and logs what the rate limit would do, and sends every answer whole."},
    {KEY("rate_limit_table", OPT_INT, OPT_RESTART, limit.table_mib), .least = 1, .most = 1024, .text_default = "4",
     .unit = "MiB",
     .help = "Memory for the rate limit's buckets, of which 131,072 fit into a MiB. A bucket is forgotten when the "
             "network's answers fit into the rate again: the default is enough for hundreds of millions of answers a "
             "second that are all different. The counter rate_full tells of want."},
};

static void check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct answer_options *options = filled;
    _Static_assert(COOKIE_SECRETS_MAX == 3, "as the text says");
    if (options->cookie_secrets.cnt > COOKIE_SECRETS_MAX)
        say(arg, "cookie_secrets", "expected at most three secrets");
    if (!options->cookies && options->require_cookie == ANSWER_COOKIE_ALWAYS)
        say(arg, "require_cookie", "\"always\" needs \"cookies = true\"");
}

const struct opt_table answer_opt_table = {
    .path = "server",
    .size = sizeof(struct answer_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
    .check = check,
};
