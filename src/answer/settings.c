#include "answer/settings.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/mem.h"

void answer_settings_free(struct answer_settings *settings)
{
    free(settings);
}

struct answer_settings *answer_settings_new(const struct answer_options *options)
{
    struct answer_settings *settings = mem_zalloc(1, sizeof *settings);
    settings->udp_payload = (uint16_t)options->udp_payload;
    return settings;
}

static void free_deferred(struct rcu_deferred *deferred)
{
    answer_settings_free(container_of(deferred, struct answer_settings, deferred));
}

void answer_settings_retire(struct answer_settings *settings)
{
    rcu_defer(&settings->deferred, free_deferred);
}
