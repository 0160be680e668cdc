/* What the workers have refused, in the log. */
#include "answer/refusals.h"

#include <string.h>

#include "base/container.h"
#include "dns/name.h"
#include "sync/unit.h"

enum { LOOK_MS = 1000, LINES = 20 };

static void log_refusal(struct sync *sync, const struct refusal *refusal)
{
    char name[NAME_TEXT_MAX], client[ADDR_TEXT_MAX];
    const char *with_key = refusal->is_signed ? ", with its key" : "";
    if (!log_rate_ok(&sync->refusal_rate, LINES))
        return;
    name_to_text_bare(name, refusal->zone);
    addr_to_text(client, &refusal->client);
    if (!strcmp(refusal->what, "UPDATE"))
        log_notice("zone \"%s\": UPDATE from %s refused: \"allow_update\" does not let it%s", name, client, with_key);
    else if (strcmp(refusal->what, "NOTIFY"))
        log_notice("zone \"%s\": transfer (%s) to %s refused: \"allow_transfer\" does not let it%s", name,
                   refusal->what, client, with_key);
    else
        log_notice("zone \"%s\": NOTIFY from %s refused: it is no primary, and \"allow_notify\" does not let it%s",
                   name, client, with_key);
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
