#include "daemon/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/configuration.h"
#include "daemon/privileges.h"
#include "daemon/validate_pools.h"
#include "loop/job.h"
#include "store/state_dir.h"

struct validation {
    size_t errors, warnings, zones;
    bool verbose;
};

/* Control characters are escaped, as in the log: a configuration can hold any, and shall not talk to a terminal. */
static void print_entry(const struct diag_entry *entry)
{
    char none[1];
    size_t len = diag_format(none, sizeof none, entry), shown = 0;
    char *text = mem_zalloc(len + 1, 1), *out = mem_zalloc(len + 1, sizeof "\\000");
    diag_format(text, len + 1, entry);
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= ' ' && c != 127)
            out[shown++] = *at;
        else
            shown += (size_t)sprintf(out + shown, "\\%03u", c);
    }
    fprintf(stderr, "%s\n", out);
    free(text);
    free(out);
}

static void print_diag(struct validation *v, const struct diag *diag)
{
    size_t shown = 0;
    for (const struct diag_entry *entry; (entry = diag_at(diag, shown)) != NULL; shown++)
        print_entry(entry);
    size_t all = diag_cnt(diag, DIAG_ERROR) + diag_cnt(diag, DIAG_WARNING);
    if (all > shown)
        fprintf(stderr, "%zu more errors and warnings not shown\n", all - shown);
    v->errors += diag_cnt(diag, DIAG_ERROR);
    v->warnings += diag_cnt(diag, DIAG_WARNING);
}

static void zones_loaded(void *arg, struct store_report *report)
{
    struct validation *v = arg;
    print_diag(v, report->diag);
    v->zones = report->loaded + report->failed + report->empty;
    if (report->failed && !diag_cnt(report->diag, DIAG_ERROR))
        v->errors += report->failed;
}

static void check_pools(struct validation *v, const struct balance *balance)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    validate_pools_check(balance, diag);
    print_diag(v, diag);
    diag_free(diag);
    validate_pools_print(balance, v->verbose);
}

static void load_zones(struct validation *v, struct configuration *configuration, uv_loop_t *loop,
                       struct answer_shared *shared)
{
    struct balance *balance = balance_new(loop, shared->pools, false);
    struct store *store = balance ? store_new(loop, shared, balance) : NULL;
    if (store) {
        store_set_quiet(store);
        balance_set_plan(balance, &configuration->annotations);
        if (store_load(store, &configuration->plan, zones_loaded, v))
            abort(); /* no other load runs */
        while (store_loading(store))
            uv_run(loop, UV_RUN_ONCE);
        check_pools(v, balance);
    } else {
        v->errors++; /* said already */
    }
    store_free(store);
    balance_free(balance);
}

/* Zones and their pools as a start would make them; nothing is probed. */
static void check_zones(struct validation *v, struct configuration *configuration)
{
    uv_loop_t loop;
    struct pool_directory pools;
    struct answer_shared shared = {.pools = &pools};
    hash_key_random(&shared.key);
    int err = uv_loop_init(&loop);
    if (err) {
        fprintf(stderr, "error: cannot make an event loop: %s\n", uv_strerror(err));
        v->errors++;
        return;
    }
    pool_directory_init(&pools);
    load_zones(v, configuration, &loop, &shared);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    pool_directory_fini(&pools);
}

/* Root can read what the daemon's user cannot. True: we were root and are that user now. */
static bool become_user(struct validation *v, const char *user)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    struct privileges privileges;
    bool became =
        geteuid() == 0 && *user && !privileges_find(&privileges, user) && !privileges_drop(&privileges, user, diag);
    print_diag(v, diag);
    diag_free(diag);
    return became;
}

/* A start reads the configuration as whoever starts it, a reload as the user: both must be able to. *configuration is
 * NULL on errors, which have been printed. */
static void load_configuration(struct validation *v, struct configuration **configuration, const char *conf_path)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    struct configuration *first = NULL;
    enum err err = configuration_load(&first, conf_path, NULL, diag);
    bool is_root = geteuid() == 0;
    *configuration = first;
    if (!err && become_user(v, first->daemon->user)) {
        diag_free(diag); /* its warnings come again */
        diag = diag_new(CONFIGURATION_DIAG_MOST);
        err = configuration_load(configuration, conf_path, NULL, diag);
        if (err)
            diag_error(diag, conf_path, 0, "refused when read as user \"%s\", as reloads do", first->daemon->user);
        configuration_free(first);
    }
    /* Whoever else we are, the daemon may have rights that we have not. */
    if (*configuration && (is_root || !*(*configuration)->daemon->user))
        state_dir_check((*configuration)->daemon->state_dir, diag);
    print_diag(v, diag);
    diag_free(diag);
}

int validate_run(const char *conf_path, bool verbose)
{
    struct validation v = {.verbose = verbose};
    struct configuration *configuration;
    job_pool_size();
    load_configuration(&v, &configuration, conf_path);
    if (configuration)
        check_zones(&v, configuration);
    bool good = configuration && !v.errors;
    configuration_free(configuration);
    if (good)
        printf("%s is valid, %zu zone%s, %zu warning%s\n", conf_path, v.zones, v.zones == 1 ? "" : "s", v.warnings,
               v.warnings == 1 ? "" : "s");
    else
        fprintf(stderr, "%s is not valid, %zu error%s, %zu warning%s\n", conf_path, v.errors, v.errors == 1 ? "" : "s",
                v.warnings, v.warnings == 1 ? "" : "s");
    return good ? 0 : 1;
}
