/* A configuration of any bytes: never a crash or an exit, errors told whenever it is refused, and nothing in the text
 * we give to libconfig that could make it include a file or stop at a syntax error. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/conf/toy.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth, const char *what)
{
    if (!truth) {
        log_error("%s", what);
        abort();
    }
}

/* In a folder that does not exist, so that relative includes fail. */
static const char name[] = "/nonexistent/fuzz.conf";

static void check_text(const char *text, size_t len)
{
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_text(source, name, text, len);
    must(!source->failed || diag_cnt(diag, DIAG_ERROR), "refused without an error");
    must(source->failed || !strchr(source->text, '@'), "an \"@\" reaches libconfig");
    conf_source_free(source);
    diag_free(diag);
}

static int is_of_libconfig(const char *text)
{
    static const char end[] = ", here or just before";
    size_t len = strlen(text);
    return len >= sizeof end - 1 && !strcmp(text + len - (sizeof end - 1), end);
}

static void check_load(const char *text, size_t len)
{
    struct diag *diag = diag_new(10);
    struct conf *conf;
    enum err e = conf_load_text(&conf, name, text, len, toy_tables, TOY_TABLE_CNT, diag);
    must((e != ERR_OK || conf) && (e == ERR_OK) == !diag_cnt(diag, DIAG_ERROR),
         "code, configuration and errors differ");
    if (conf)
        must(!conf_restart_needed(conf, conf, diag), "a configuration differs from itself");
    for (size_t i = 0; diag_at(diag, i); i++)
        must(!is_of_libconfig(diag_at(diag, i)->text), "libconfig met a syntax error that we did not");
    conf_free(conf);
    diag_free(diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_text((const char *)data, len);
    check_load((const char *)data, len);
    return 0;
}
