/* The group `health` of the configuration: anchors, and how long a hold may take. */
#include <limits.h>
#include <string.h>

#include "balance/hold.h"
#include "balance/plan.h"
#include "base/mem.h"
#include "base/opt_copy.h"
#include "probe/rules.h"

/* ---- the words */

static enum err parse_address(struct addr *address, const char *word, size_t len)
{
    char text[ADDR_TEXT_MAX];
    if (len >= sizeof text)
        return ERR_SYNTAX;
    memcpy(text, word, len);
    text[len] = '\0';
    return addr_port_from_text(address, text, 0);
}

/* Where the next word begins. */
static const char *skip_blanks(const char *text) { return text + strspn(text, " \t"); }
static size_t word_len(const char *text) { return strcspn(text, " \t"); }

static enum err parse_probe(char probe[64], const char *text)
{
    static const char keyword[] = "probe";
    size_t len = word_len(text);
    if (len != sizeof keyword - 1 || memcmp(text, keyword, len) != 0)
        return ERR_SYNTAX;
    text = skip_blanks(text + len);
    len = word_len(text);
    if (!len || len >= 64 || *skip_blanks(text + len))
        return ERR_SYNTAX;
    memcpy(probe, text, len);
    return ERR_OK;
}

static enum err parse_anchor(void *field, const char *text, const char **expected)
{
    struct balance_anchor_options anchor = {.probe = ""};
    *expected = "ADDRESS[@PORT] [probe NAME], such as \"192.0.2.53 probe web\" or \"192.0.2.53@443\": without a probe, "
                "with a port";
    if (!field)
        return ERR_OK;
    text = skip_blanks(text);
    size_t len = word_len(text);
    enum err e = parse_address(&anchor.address, text, len);
    text = skip_blanks(text + len);
    if (!e && *text)
        e = parse_probe(anchor.probe, text);
    else if (!e && !anchor.address.port)
        e = ERR_SYNTAX;
    if (!e)
        memcpy(field, &anchor, sizeof anchor);
    return e;
}

enum { DAY_MS = 24 * 3600 * 1000 };

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, balance_health_options, field)

static const struct opt opts[] = {
    {KEY("anchors", OPT_CUSTOM, OPT_LIST, anchors), .parse = parse_anchor,
     .parse_size = sizeof(struct balance_anchor_options),
     .sample = "[ \"192.0.2.53 probe web\", \"198.51.100.1@443\" ]",
     .help = "Targets that should always answer, such as routers, resolvers, or the servers of others: ADDRESS[@PORT] "
             "[probe NAME]. A port comes before that of the probe; without a probe, connections to it are made, every "
             "5s. While none of them answers, the failure is taken for our own: see hold_max. One or two in each "
             "place that members are in, reached by the same ways, are a good choice."},
    {KEY("hold_max", OPT_DURATION, 0, hold_max_ms), .most = DAY_MS, .text_default = "\"10m\"",
     .help = "How long verdicts may be held. When every anchor is down, or more than 90 % of all targets (of ten at "
             "least) begin to fail within one interval and no anchor answers, members keep the verdicts that they had "
             "before, until an anchor answers again (without anchors: until most targets pass), until \"rondoctl "
             "release\", or until this time has passed. 0: verdicts are never held."},
};

const struct opt_table balance_health_opt_table = {
    .path = "health",
    .size = sizeof(struct balance_health_options),
    .where_offset = offsetof(struct balance_health_options, where),
    .help = "All checks together: when what they find is believed, who is told of it, how many there are.",
    OPT_ROWS(opts),
};

/* ---- what they stand for */

/* What a connection to an anchor's port is made by; all the rest is a probe's default. */
static const struct probe_options *connection_probe(struct balance_plan *plan)
{
    static const struct probe_options probe = {.type = PROBE_TCP,
                                               .interval_ms = 5000,
                                               .fast_interval_ms = 1000,
                                               .timeout_ms = 1000,
                                               .rise = 2,
                                               .fall = 3};
    return opt_copy(&plan->arena, &probe, &probe_opt_table);
}

static const struct probe_options *find_probe(struct balance_plan *plan, const char *name,
                                              const struct balance_health_options *options,
                                              const struct opt_list *probes, struct diag *diag)
{
    const struct probe_options *rows = probes->items;
    const char *nearest = NULL;
    unsigned distance = UINT_MAX;
    bool has_nameless = false;
    for (size_t i = 0; i < probes->cnt; i++) {
        if (!rows[i].name)
            has_nameless = true;
        else if (!strcmp(rows[i].name, name))
            return opt_copy(&plan->arena, &rows[i], &probe_opt_table);
        else if (opt_is_nearer(rows[i].name, name, &distance))
            nearest = rows[i].name;
    }
    if (!has_nameless)
        diag_error(diag, options->where.file, options->where.line, "anchors: there is no probe \"%s\"%s%s%s", name,
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return NULL;
}

static void check_permission(const struct balance_plan *plan, const struct addr *address,
                             const struct balance_health_options *options, struct diag *diag)
{
    char text[ADDR_TEXT_MAX];
    if (probe_may(plan->may, address, PROBE_ORIGIN_OPERATOR) != PROBE_MAY)
        diag_error(diag, options->where.file, options->where.line, "anchors: %s must not be probed: probe_deny has it",
                   addr_to_text(text, address));
}

enum err balance_plan_set_health(struct balance_plan *plan, const struct balance_health_options *options,
                                 const struct opt_list *probes, struct diag *diag)
{
    const struct balance_anchor_options *rows = options->anchors.items;
    size_t errors_before = diag_cnt(diag, DIAG_ERROR);
    struct plan_anchor *anchors =
        arena_alloc(&plan->arena, (options->anchors.cnt + 1) * sizeof *anchors, _Alignof(struct plan_anchor));
    for (size_t i = 0; i < options->anchors.cnt; i++) {
        check_permission(plan, &rows[i].address, options, diag);
        anchors[i].address = rows[i].address;
        anchors[i].probe = *rows[i].probe ? find_probe(plan, rows[i].probe, options, probes, diag)
                                          : connection_probe(plan);
    }
    plan->anchors = anchors;
    plan->anchor_cnt = options->anchors.cnt;
    plan->hold_max_ms = options->hold_max_ms;
    return diag_cnt(diag, DIAG_ERROR) == errors_before ? ERR_OK : ERR_INVALID;
}
