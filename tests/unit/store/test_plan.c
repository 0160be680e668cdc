#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "store/store.h"

enum { ROWS_MOST = 8 };

struct fixture {
    struct store_zone_options zones[ROWS_MOST], templates[ROWS_MOST];
    struct opt_list zone_list, template_list;
    struct store_options server;
    struct store_plan *plan;
    struct diag *diag;
};

static struct fixture fixture(void)
{
    return (struct fixture){.server.zone_dir = (char *)(uintptr_t)"/zones", .diag = diag_new(100)};
}

static void zone(struct fixture *f, const char *name, const char *file, const char *template)
{
    size_t i = f->zone_list.cnt++;
    f->zones[i] = (struct store_zone_options){
        .name = (char *)(uintptr_t)name, .file = (char *)(uintptr_t)file, .template = (char *)(uintptr_t)template,
        .where = {"rondo.conf", (unsigned)i + 1, false}};
}

static void template(struct fixture *f, const char *name, const char *file)
{
    size_t i = f->template_list.cnt++;
    f->templates[i] = (struct store_zone_options){
        .name = (char *)(uintptr_t)name, .file = (char *)(uintptr_t)file,
        .where = {"rondo.conf", (unsigned)i + 101, false}};
}

static enum err plan(struct fixture *f)
{
    f->zone_list.items = f->zones;
    f->template_list.items = f->templates;
    return store_plan_make(&f->plan, &f->server, &f->zone_list, &f->template_list, f->diag);
}

static void done(struct fixture *f)
{
    store_plan_free(f->plan);
    diag_free(f->diag);
}

static void expect_zone(const struct fixture *f, size_t i, const char *name, const char *path)
{
    char text[NAME_TEXT_MAX];
    assert_true(i < f->plan->cnt);
    assert_string_equal(name_to_text(text, f->plan->zones[i].apex), name);
    assert_string_equal(f->plan->zones[i].path, path);
}

static void expect_error(const struct fixture *f, size_t i, unsigned line, const char *part)
{
    const struct diag_entry *entry = diag_at(f->diag, i);
    assert_non_null(entry);
    assert_string_equal(entry->file, "rondo.conf");
    assert_int_equal(entry->line, line);
    if (!strstr(entry->text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, entry->text);
}

static void test_paths(void **state)
{
    (void)state;
    struct fixture f = fixture();
    zone(&f, "Example.COM", NULL, NULL);
    zone(&f, "example.net.", "net.zone", NULL);
    zone(&f, "example.org", "/srv/org", NULL);
    zone(&f, "100.example", "100%%-%s", NULL);
    assert_int_equal(plan(&f), ERR_OK);
    assert_int_equal(f.plan->cnt, 4);
    expect_zone(&f, 0, "example.com.", "/zones/example.com.zone");
    expect_zone(&f, 1, "100.example.", "/zones/100%-100.example");
    expect_zone(&f, 2, "example.net.", "/zones/net.zone");
    expect_zone(&f, 3, "example.org.", "/srv/org");
    done(&f);
}

/* Canonical order is not the order of text: labels count from the right. */
static void test_order(void **state)
{
    (void)state;
    struct fixture f = fixture();
    zone(&f, "z.example", NULL, NULL);
    zone(&f, "a.org", NULL, NULL);
    zone(&f, "example", NULL, NULL);
    zone(&f, ".", "root", NULL);
    assert_int_equal(plan(&f), ERR_OK);
    expect_zone(&f, 0, ".", "/zones/root");
    expect_zone(&f, 1, "example.", "/zones/example.zone");
    expect_zone(&f, 2, "z.example.", "/zones/z.example.zone");
    expect_zone(&f, 3, "a.org.", "/zones/a.org.zone");
    done(&f);
}

static void test_templates(void **state)
{
    (void)state;
    struct fixture f = fixture();
    template(&f, "sub", "sub/%s");
    template(&f, "plain", NULL);
    zone(&f, "a.example", NULL, "sub");
    zone(&f, "b.example", "own", "sub");
    zone(&f, "c.example", NULL, "plain");
    assert_int_equal(plan(&f), ERR_OK);
    expect_zone(&f, 0, "a.example.", "/zones/sub/a.example");
    expect_zone(&f, 1, "b.example.", "/zones/own");
    expect_zone(&f, 2, "c.example.", "/zones/c.example.zone");
    done(&f);
}

/* A zone of RFC 2317 has a slash in its name, and a hostile one could have "..": neither may choose a folder. */
static void test_slash(void **state)
{
    (void)state;
    struct fixture f = fixture();
    zone(&f, "0/25.2.0.192.in-addr.arpa", NULL, NULL);
    zone(&f, "\\.\\./\\.\\./etc/passwd", "%s", NULL);
    assert_int_equal(plan(&f), ERR_OK);
    expect_zone(&f, 1, "0/25.2.0.192.in-addr.arpa.", "/zones/0\\04725.2.0.192.in-addr.arpa.zone");
    for (size_t i = 0; i < f.plan->cnt; i++)
        assert_ptr_equal(strrchr(f.plan->zones[i].path, '/'), f.plan->zones[i].path + strlen("/zones"));
    done(&f);
}

static void test_all_errors(void **state)
{
    (void)state;
    struct fixture f = fixture();
    template(&f, "t", NULL);
    template(&f, "t", NULL);
    zone(&f, "a..example", NULL, NULL);
    zone(&f, "b.example", "%d.zone", NULL);
    zone(&f, "c.example", NULL, "none");
    zone(&f, "d.example", NULL, NULL);
    zone(&f, "D.Example.", NULL, NULL);
    zone(&f, "@", NULL, NULL);
    zone(&f, "B.example", "%d.zone", NULL);
    assert_int_equal(plan(&f), ERR_INVALID);
    assert_null(f.plan);
    assert_int_equal(diag_cnt(f.diag, DIAG_ERROR), 8);
    expect_error(&f, 0, 102, "template \"t\" stands twice");
    expect_error(&f, 1, 1, "\"a..example\" is no zone name");
    expect_error(&f, 2, 2, "%d.zone");
    expect_error(&f, 3, 3, "there is no template \"none\"");
    expect_error(&f, 4, 6, "\"@\" is no zone name");
    expect_error(&f, 5, 7, "%d.zone");
    expect_error(&f, 6, 7, "zone \"B.example\" stands twice, first at rondo.conf:2");
    expect_error(&f, 7, 5, "zone \"D.Example.\" stands twice, first at rondo.conf:4");
    done(&f);
}

/* Rows whose names were refused, which conf has told: nothing more is said of them, or for want of them. */
static void test_rows_without_names(void **state)
{
    (void)state;
    struct fixture f = fixture();
    template(&f, "t", NULL);
    zone(&f, NULL, "%d", "u");
    zone(&f, "b.example", NULL, "t");
    assert_int_equal(plan(&f), ERR_INVALID);
    assert_int_equal(diag_cnt(f.diag, DIAG_ERROR), 1);
    assert_string_equal(diag_at(f.diag, 0)->text, "there is no template \"u\"");
    template(&f, NULL, "x");
    diag_free(f.diag);
    f.diag = diag_new(10);
    store_plan_free(f.plan);
    assert_int_equal(plan(&f), ERR_OK);
    assert_int_equal(f.plan->cnt, 1);
    done(&f);
}

static void test_nearest_template(void **state)
{
    (void)state;
    struct fixture f = fixture();
    template(&f, "customers", NULL);
    template(&f, "ours", NULL);
    zone(&f, "a.example", NULL, "custmers");
    assert_int_equal(plan(&f), ERR_INVALID);
    expect_error(&f, 0, 1, "zone \"a.example\": there is no template \"custmers\"; did you mean \"customers\"?");
    done(&f);
}

static void test_percent_at_end(void **state)
{
    (void)state;
    struct fixture f = fixture();
    zone(&f, "example", "zone%", NULL);
    assert_int_equal(plan(&f), ERR_INVALID);
    expect_error(&f, 0, 1, "only %s and %% may follow");
    done(&f);
}

static void test_none(void **state)
{
    (void)state;
    struct fixture f = fixture();
    assert_int_equal(plan(&f), ERR_OK);
    assert_int_equal(f.plan->cnt, 0);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_slash),
        cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_percent_at_end),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_rows_without_names),
        cmocka_unit_test(test_nearest_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
