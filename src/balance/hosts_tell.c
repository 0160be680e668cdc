/* What the log says of hosts: their addresses when these are others, the first of several failures, and their end. */
#include <stdio.h>
#include <stdlib.h>

#include "balance/hosts.h"
#include "base/mem.h"
#include "dns/name.h"

/* Lines in ten seconds. */
enum { LINES_MOST = 20 };

enum { LIST_MAX = 256 };

/* As many addresses as fit. */
static void list_text(char out[LIST_MAX], const struct resolution *resolution)
{
    size_t len = 0, i = 0;
    for (; i < resolution->cnt && len < LIST_MAX - ADDR_TEXT_MAX - 32; i++) {
        char address[ADDR_TEXT_MAX];
        len += (size_t)snprintf(out + len, LIST_MAX - len, "%s%s", i ? ", " : "",
                                addr_to_text(address, &resolution->addresses[i]));
    }
    if (i < resolution->cnt)
        snprintf(out + len, LIST_MAX - len, " and %zu more", resolution->cnt - i);
}

static void tell_addresses(const char *name, const char *type, const struct resolution *resolution, bool is_first)
{
    char text[LIST_MAX];
    list_text(text, resolution);
    log_write(is_first ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE, "host \"%s\" %s: %s", name, type, text);
}

static const char *addresses_are(const struct resolution *resolution)
{
    return resolution->cnt == 1 ? "its address is" : "its addresses are";
}

/* Most hosts have no addresses of one family: that is no news. */
static void tell_problem(const char *name, const char *type, const struct host_family *f, bool other_has)
{
    const struct resolution *r = &f->resolution;
    bool is_denied = r->outcome == RESOLUTION_NONE;
    char hold[OPT_DURATION_TEXT_MAX];
    if (!r->cnt)
        log_write(is_denied && other_has ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "host \"%s\" %s: %s", name, type,
                  r->problem);
    else if (is_denied)
        log_warning("host \"%s\" %s: %s; %s kept for %s", name, type, r->problem, addresses_are(r),
                    opt_duration_to_text(hold, f->hold_ms));
    else
        log_warning("host \"%s\" %s: %s; %s kept", name, type, r->problem, addresses_are(r));
}

/* What is said of it is another thing than before. */
static bool is_news(const struct resolution *before, const struct resolution *now,
                    const struct resolution_answer *change)
{
    return change || !before->known || before->problem != now->problem;
}

static bool may_tell(struct balance_hosts *hosts, bool is_good)
{
    return log_rate_ok(&hosts->rates[is_good ? 0 : 1], LINES_MOST);
}

static void tell_sifted(struct balance_hosts *hosts, const char *name, const char *type,
                        const struct resolution_answer *answer)
{
    if (answer->dropped && may_tell(hosts, false))
        log_warning("host \"%s\" %s: %zu addresses that can be no server's are left out", name, type, answer->dropped);
    if (answer->cut && may_tell(hosts, false))
        log_warning("host \"%s\" %s: %zu addresses beyond the first %d are left out", name, type, answer->cut,
                    RESOLUTION_ADDRESSES_MAX);
}

void hosts_tell(struct balance_hosts *hosts, const struct balance_host *host, unsigned family,
                const struct resolution *before, const struct resolution_answer *change)
{
    const struct host_family *f = &host->families[family];
    const struct resolution *r = &f->resolution;
    const char *type = balance_types[family];
    char name[NAME_TEXT_MAX];
    if (!is_news(before, r, change))
        return;
    name_to_text_bare(name, host->name);
    if (change)
        tell_sifted(hosts, name, type, change);
    if (!may_tell(hosts, !r->problem))
        return;
    if (change && !r->cnt)
        log_error("host \"%s\" %s: %s; %s used no more", name, type, r->problem, addresses_are(before));
    else if (change)
        tell_addresses(name, type, r, !before->known);
    else if (r->problem)
        tell_problem(name, type, f, host->families[!family].resolution.cnt);
    else
        log_notice("host \"%s\" %s: answered again", name, type);
}

void hosts_tell_cut(const struct balance_family *family, size_t cnt)
{
    char owner[NAME_TEXT_MAX];
    if (may_tell(family->pool->balance->hosts, false))
        log_warning("pool \"%s\": %zu %s addresses of its hosts are left out, for it may have %d members",
                    name_to_text_bare(owner, family->pool->owner), cnt, balance_types[family->index],
                    POOL_MEMBERS_MAX);
}
