/* The rows of the tables themselves: defaults are values that the rows accept, samples too. */
#include "sync/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "dns/name.h"

static void test_key_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        size_t len;
    } rows[] = {
        {"xfr", "\3xfr", 5},
        {"XFR.Example.", "\3xfr\7example", 13},
        {"a\\.b", "\3a.b", 5},
        {".", "", 1},
        {"a..b", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t key[ACL_KEY_MAX];
        size_t len = 0;
        enum err e = sync_key_from_text(key, &len, rows[i].text);
        assert_int_equal(e == ERR_OK, rows[i].name != NULL);
        assert_int_equal(len, rows[i].len);
        if (!e)
            assert_memory_equal(key, rows[i].name, len);
    }
}

/* Both tables have the same keys, and what the sample configuration will show of them is accepted. */
static void test_rows(void **state)
{
    (void)state;
    assert_ptr_equal(sync_zone_opt_table.opts, sync_template_opt_table.opts);
    for (size_t i = 0; i < sync_zone_opt_table.cnt; i++) {
        const struct opt *opt = &sync_zone_opt_table.opts[i];
        const struct opt_table *const tables[] = {&sync_zone_opt_table};
        const char *value = opt->text_default ? opt->text_default : opt->sample;
        assert_non_null(value);
        char *text = mem_printf("zones = ( { %s = %s; } );", opt->name, value);
        struct diag *diag = diag_new(3);
        struct conf *conf;
        if (conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, 1, diag))
            fail_msg("%s: %s", text, diag_at(diag, 0)->text);
        conf_free(conf);
        diag_free(diag);
        free(text);
    }
}

static void test_resolve(void **state)
{
    (void)state;
    struct acl_peer peer = {.key_len = 0};
    struct sync_zone_options zone = {.refresh_min_ms = 5, .notify = {&peer, 0}}, out;
    struct sync_zone_options template = {
        .refresh_min_ms = 6, .refresh_max_ms = 7, .notify = {&peer, 1}, .primaries = {&peer, 1}, .notify_ns = SYNC_NO};
    sync_options_resolve(&out, &zone, &template);
    assert_int_equal(out.refresh_min_ms, 5);
    assert_int_equal(out.refresh_max_ms, 7);
    assert_int_equal(out.retry_min_ms, 10000);
    assert_int_equal(out.notify.cnt, 0);
    assert_int_equal(out.primaries.cnt, 1);
    assert_int_equal(out.notify_ns, SYNC_NO);
    sync_options_resolve(&out, &zone, NULL);
    assert_int_equal(out.primaries.cnt, 0);
    assert_int_equal(out.notify_ns, SYNC_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_names),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_resolve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
