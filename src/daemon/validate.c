#include "daemon/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/configuration.h"
#include "daemon/privileges.h"
#include "loop/job.h"

struct validation {
    size_t errors, warnings, zones;
};

static void print_entry(const struct diag_entry *entry)
{
    char small[1024];
    size_t len = diag_format(small, sizeof small, entry);
    if (len < sizeof small) {
        fprintf(stderr, "%s\n", small);
        return;
    }
    char *text = mem_zalloc(len + 1, 1);
    diag_format(text, len + 1, entry);
    fprintf(stderr, "%s\n", text);
    free(text);
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

static void zones_loaded(void *arg, const struct store_report *report)
{
    struct validation *v = arg;
    print_diag(v, report->diag);
    v->zones = report->loaded + report->failed;
    if (report->failed && !diag_cnt(report->diag, DIAG_ERROR))
        v->errors += report->failed;
}

static void load_zones(struct validation *v, struct configuration *configuration)
{
    uv_loop_t loop;
    struct answer_shared shared = {0};
    hash_key_random(&shared.key);
    int err = uv_loop_init(&loop);
    if (err) {
        fprintf(stderr, "error: cannot make an event loop: %s\n", uv_strerror(err));
        v->errors++;
        return;
    }
    struct store *store = store_new(&loop, &shared);
    store_set_quiet(store);
    if (store_load(store, &configuration->plan, zones_loaded, v))
        abort(); /* no other load runs */
    while (store_loading(store))
        uv_run(&loop, UV_RUN_ONCE);
    store_free(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

/* Root can read what the daemon's user cannot. */
static void become_user(struct validation *v, const char *user)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    struct privileges privileges;
    if (geteuid() == 0 && *user && !privileges_find(&privileges, user))
        (void)!privileges_drop(&privileges, user, diag);
    print_diag(v, diag);
    diag_free(diag);
}

int validate_run(const char *conf_path)
{
    struct validation v = {0};
    struct configuration *configuration;
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    job_pool_size();
    enum err err = configuration_load(&configuration, conf_path, diag);
    print_diag(&v, diag);
    diag_free(diag);
    if (!err) {
        become_user(&v, configuration->daemon->user);
        load_zones(&v, configuration);
        configuration_free(configuration);
    }
    bool good = !err && !v.errors;
    if (good)
        printf("%s is valid, %zu zone%s, %zu warning%s\n", conf_path, v.zones, v.zones == 1 ? "" : "s", v.warnings,
               v.warnings == 1 ? "" : "s");
    else
        fprintf(stderr, "%s is not valid, %zu error%s, %zu warning%s\n", conf_path, v.errors, v.errors == 1 ? "" : "s", v.warnings,
                v.warnings == 1 ? "" : "s");
    return good ? 0 : 1;
}
