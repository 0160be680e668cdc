#include "answer/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/container.h"
#include "base/mem.h"

void answer_settings_free(struct answer_settings *settings)
{
    if (!settings)
        return;
    prefix_table_free(settings->ecs_trusted);
    limit_settings_fini(&settings->limit);
    tsig_keys_free(settings->keys);
    answer_sites_free(settings->sites);
    free(settings);
}

/* Without a key the host's name, cut as the system has it. */
static void identity_from(char out[ANSWER_TEXT_MAX + 1], const char *option)
{
    if (option)
        snprintf(out, ANSWER_TEXT_MAX + 1, "%s", option);
    else if (gethostname(out, ANSWER_TEXT_MAX))
        *out = 0;
}

static void cookies_from(struct answer_settings *settings, const struct answer_options *options,
                         const struct answer_settings *before)
{
    struct cookie_secrets *secrets = &settings->cookie_secrets;
    settings->require_cookie = (enum answer_require_cookie)options->require_cookie;
    settings->cookie_secrets_random = options->cookies && !options->cookie_secrets.cnt;
    if (!options->cookies)
        return;
    if (!settings->cookie_secrets_random) {
        secrets->cnt = (unsigned)options->cookie_secrets.cnt;
        memcpy(secrets->secrets, options->cookie_secrets.items, secrets->cnt * sizeof *secrets->secrets);
    } else if (before && before->cookie_secrets_random) {
        *secrets = before->cookie_secrets;
    } else {
        cookie_secrets_random(secrets);
    }
}

struct answer_settings *answer_settings_new(const struct answer_options *options, const struct answer_settings *before)
{
    struct answer_settings *settings = mem_zalloc(1, sizeof *settings);
    settings->udp_payload = (uint16_t)options->udp_payload;
    settings->nsid_len = (uint8_t)strlen(options->nsid);
    memcpy(settings->nsid, options->nsid, settings->nsid_len);
    snprintf(settings->version, sizeof settings->version, "%s", options->version);
    identity_from(settings->identity, options->identity);
    cookies_from(settings, options, before);
    if (options->ecs_trusted.cnt)
        settings->ecs_trusted = prefix_table_new(options->ecs_trusted.items, options->ecs_trusted.cnt);
    limit_settings_init(&settings->limit, &options->limit);
    return settings;
}

void answer_settings_take_keys(struct answer_settings *settings, struct tsig_keys **keys)
{
    tsig_keys_free(settings->keys);
    settings->keys = *keys;
    *keys = NULL;
}

void answer_settings_take_sites(struct answer_settings *settings, struct answer_sites **sites)
{
    answer_sites_free(settings->sites);
    settings->sites = *sites;
    *sites = NULL;
}

static void free_deferred(struct rcu_deferred *deferred)
{
    answer_settings_free(container_of(deferred, struct answer_settings, deferred));
}

void answer_settings_retire(struct answer_settings *settings)
{
    rcu_defer(&settings->deferred, free_deferred);
}
