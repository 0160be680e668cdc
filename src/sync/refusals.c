/* What the workers have refused, in the log. */
#include "answer/refusals.h"

#include <string.h>

#include "base/container.h"
#include "dns/name.h"
#include "dns/tsig.h"
#include "sync/unit.h"

enum { LOOK_MS = 1000, LINES = 20 };

/* A request and where it came from, as the beginning of a line. */
struct about {
    char name[NAME_TEXT_MAX], client[ADDR_TEXT_MAX], key[NAME_TEXT_MAX];
    const struct refusal *refusal;
};

static void log_signature(const struct about *about)
{
    const struct refusal *r = about->refusal;
    switch (r->tsig_error) {
    case TSIG_BADKEY:
        log_notice("%s from %s for \"%s\" refused: there is no key \"%s\" here, or it is of another algorithm", r->what,
                   about->client, about->name, about->key);
        break;
    case TSIG_BADTIME:
        log_notice("%s from %s for \"%s\" refused: the time of the signature, key \"%s\", differs from ours by more "
                   "than %u s", r->what, about->client, about->name, about->key, (unsigned)r->fudge_sec);
        break;
    case TSIG_BADTRUNC:
        log_notice("%s from %s for \"%s\" refused: the signature, key \"%s\", is cut too short", r->what, about->client,
                   about->name, about->key);
        break;
    default:
        log_notice("%s from %s for \"%s\" refused: wrong signature, key \"%s\": the secrets may differ", r->what,
                   about->client, about->name, about->key);
        break;
    }
}

static void log_denied(const struct about *about)
{
    const struct refusal *r = about->refusal;
    const char *key = r->is_signed ? about->key : "", *before = r->is_signed ? ", signed with key \"" : ", not signed";
    const char *after = r->is_signed ? "\"" : "";
    if (!strcmp(r->what, "UPDATE"))
        log_notice("zone \"%s\": UPDATE from %s refused: \"allow_update\" does not let it%s%s%s", about->name,
                   about->client, before, key, after);
    else if (!strcmp(r->what, "NOTIFY"))
        log_notice("zone \"%s\": NOTIFY from %s refused: it is no primary, and \"allow_notify\" does not let it%s%s%s",
                   about->name, about->client, before, key, after);
    else
        log_notice("zone \"%s\": transfer (%s) to %s refused: \"allow_transfer\" does not let it%s%s%s", about->name,
                   r->what, about->client, before, key, after);
}

static void log_refusal(struct sync *sync, const struct refusal *refusal)
{
    struct about about = {.refusal = refusal};
    if (!log_rate_ok(&sync->refusal_rate, LINES))
        return;
    name_to_text_bare(about.name, refusal->zone);
    addr_to_text(about.client, &refusal->client);
    name_to_text(about.key, refusal->key);
    if (refusal->why == REFUSAL_SIGNATURE)
        log_signature(&about);
    else if (refusal->why == REFUSAL_NO_ZONE)
        log_notice("%s from %s for \"%s\" refused: no such zone is served here", refusal->what, about.client,
                   about.name);
    else
        log_denied(&about);
}

static void on_timer(uv_timer_t *timer)
{
    struct sync *sync = container_of(timer, struct sync, refusals);
    struct refusal refusal;
    for (unsigned n = 0; n < LINES && io_take_refusal(sync->io, &refusal); n++)
        log_refusal(sync, &refusal);
}

void refusals_watch(struct sync *sync)
{
    uv_timer_init(sync->loop, &sync->refusals);
    uv_timer_start(&sync->refusals, on_timer, LOOK_MS, LOOK_MS);
    uv_unref((uv_handle_t *)&sync->refusals);
}
