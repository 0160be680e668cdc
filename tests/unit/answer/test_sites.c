#include "answer/sites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "answer/networks.h"
#include "base/mem.h"
#include "conf/conf.h"

static const struct opt_table *const tables[] = {&answer_site_opt_table};
static char folder[] = "/tmp/rondo-sites-XXXXXX";

static int start(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    return rmdir(folder);
}

static char *path_of(const char *name) { return mem_printf("%s/%s", folder, name); }

static void put_file(const char *name, const char *text)
{
    char *path = path_of(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    free(path);
}

static void drop_file(const char *name)
{
    char *path = path_of(name);
    assert_int_equal(remove(path), 0);
    free(path);
}

/* Loads the group's text, each row a line from the second on, as if its file lay in the folder. All that was said goes
 * to `said` ("FILE:2: …\n", the folder left out). NULL: refused. */
static struct answer_sites *load_after(char said[4096], const char *rows, const struct answer_sites *before)
{
    char *text = mem_printf("sites = (\n%s\n);\n", rows), *name = path_of("rondo.conf");
    struct diag *diag = diag_new(20);
    struct conf *conf;
    struct answer_sites *sites = NULL;
    enum err loaded = conf_load_text(&conf, name, text, strlen(text), tables, 1, diag), made = ERR_OK;
    if (conf) {
        struct opt_list list = conf_list(conf, &answer_site_opt_table);
        made = answer_sites_make(&sites, &list, before, diag);
        assert_non_null(sites);
        conf_free(conf); /* they need it no more */
    }
    size_t at = 0;
    said[0] = 0;
    diag_sort(diag);
    for (size_t i = 0; diag_at(diag, i); i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        const char *file = entry->file && strrchr(entry->file, '/') ? strrchr(entry->file, '/') + 1 : "";
        at += (size_t)snprintf(said + at, 4096 - at, "%s:%u: %s\n", file, entry->line, entry->text);
    }
    assert_int_equal(loaded || made, diag_cnt(diag, DIAG_ERROR) > 0);
    if (loaded || made) {
        answer_sites_free(sites);
        sites = NULL;
    }
    diag_free(diag);
    free(text);
    free(name);
    return sites;
}

static struct answer_sites *load(char said[4096], const char *rows) { return load_after(said, rows, NULL); }

static const char *site_of(const struct answer_sites *sites, const char *address)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, address), ERR_OK);
    uint16_t number = prefix_map_find(sites->map, &addr, addr_len(&addr) * 8).value;
    return number ? answer_sites_name(sites, number) : "none";
}

static void sites_have_networks(void **state)
{
    (void)state;
    char said[4096];
    put_file("us.txt", "# ours\n198.51.100.0/24\n\n  203.0.113.0/25 # half\r\n2001:db8:5::/48\n192.0.2.0/24\n");
    struct answer_sites *sites =
        load(said, "{ name = \"eu\"; networks = [ \"192.0.2.0/25\", \"2001:db8::/32\", \"192.0.2.0/25\" ]; },\n"
                   "{ name = \"us\"; networks_file = \"us.txt\"; networks = \"10.0.0.0/8\"; }");
    assert_string_equal(said, "");
    assert_non_null(sites);
    assert_string_equal(site_of(sites, "192.0.2.1"), "eu");
    assert_string_equal(site_of(sites, "192.0.2.200"), "us");
    assert_string_equal(site_of(sites, "198.51.100.1"), "us");
    assert_string_equal(site_of(sites, "203.0.113.127"), "us");
    assert_string_equal(site_of(sites, "203.0.113.128"), "none");
    assert_string_equal(site_of(sites, "10.9.9.9"), "us");
    assert_string_equal(site_of(sites, "2001:db8::1"), "eu");
    assert_string_equal(site_of(sites, "2001:db8:5::1"), "us");
    assert_string_equal(site_of(sites, "::1"), "none");
    assert_int_equal(answer_sites_number(sites, "asia"), 0);
    assert_null(answer_sites_name(sites, 999));
    assert_string_equal(answer_sites_nearest(sites, "uss"), "us");
    assert_null(answer_sites_nearest(sites, "antarctica"));
    answer_sites_free(sites);
    answer_sites_free(NULL);
    drop_file("us.txt");
}

static void no_sites_at_all(void **state)
{
    (void)state;
    char said[4096];
    struct answer_sites *sites = load(said, "");
    assert_string_equal(said, "");
    assert_int_equal(sites->cnt, 0);
    assert_string_equal(site_of(sites, "192.0.2.1"), "none");
    answer_sites_free(sites);
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    (void)state;
    char said[4096];
    put_file("bad.txt", "192.0.2.0/24\n192.0.2.1/24\n\nexample.com # no\n10.0.0.0/8\n2001:db8::/129\n");
    assert_null(load(said, "{ name = \"eu\"; networks = [ \"10.0.0.0/8\", \"192.0.2.0/24\" ]; },\n"
                           "{ name = \"us\"; networks_file = \"bad.txt\"; },\n"
                           "{ name = \"eu\"; networks = \"198.51.100.0/24\"; },\n"
                           "{ name = \"asia\"; networks_file = \"missing.txt\"; },\n"
                           "{ name = \"none\"; },\n"
                           "{ name = \"here\"; networks_file = \".\"; },\n"
                           "{ name = \"typo\"; networks = [ \"192.0.2.9/24\" ]; }"));
    assert_non_null(strstr(said, "bad.txt:2: expected an address or a network, such as"));
    assert_non_null(strstr(said, "got \"192.0.2.1/24\""));
    assert_non_null(strstr(said, "bad.txt:4: "));
    assert_non_null(strstr(said, "got \"example.com\""));
    assert_non_null(strstr(said, "bad.txt:6: "));
    assert_non_null(strstr(said, "bad.txt:1: site \"us\": network 192.0.2.0/24 is in site \"eu\" too, at "));
    assert_non_null(strstr(said, "bad.txt:5: site \"us\": network 10.0.0.0/8 is in site \"eu\" too, at "));
    assert_non_null(strstr(said, "rondo.conf:2\n"));
    assert_non_null(strstr(said, "rondo.conf:4: site \"eu\" stands twice, first at "));
    assert_non_null(strstr(said, "missing.txt:0: cannot be read: No such file or directory"));
    assert_non_null(strstr(said, "rondo.conf:6: site \"none\" has no networks: no client is in it"));
    assert_non_null(strstr(said, ":0: cannot be read: Is a directory"));
    assert_non_null(strstr(said, "rondo.conf:8: \"sites.networks\""));
    assert_null(strstr(said, "site \"typo\""));
    drop_file("bad.txt");
}

static void long_lines_are_cut_where_they_are_shown(void **state)
{
    (void)state;
    char said[4096], text[3000];
    memset(text, '1', sizeof text - 2);
    memcpy(text + sizeof text - 2, "\n", 2);
    put_file("long.txt", text);
    assert_null(load(said, "{ name = \"eu\"; networks_file = \"long.txt\"; }"));
    assert_non_null(strstr(said, "111...\"\n"));
    assert_true(strlen(said) < 400);
    drop_file("long.txt");
}

/* Pools follow a reload later than settings do: a number must not become another site's. */
static void numbers_stay(void **state)
{
    (void)state;
    char said[4096];
    struct answer_sites *first = load(said, "{ name = \"a\"; networks = \"10.0.0.0/8\"; },\n"
                                            "{ name = \"b\"; networks = \"11.0.0.0/8\"; },\n"
                                            "{ name = \"c\"; networks = \"12.0.0.0/8\"; }");
    struct answer_sites *second = load_after(said, "{ name = \"new\"; networks = \"13.0.0.0/8\"; },\n"
                                                   "{ name = \"c\"; networks = \"12.0.0.0/8\"; },\n"
                                                   "{ name = \"a\"; networks = \"11.0.0.0/8\"; }", first);
    assert_int_equal(answer_sites_number(second, "a"), answer_sites_number(first, "a"));
    assert_int_equal(answer_sites_number(second, "c"), answer_sites_number(first, "c"));
    assert_int_equal(answer_sites_number(second, "new"), 4); /* 2 was b's */
    assert_string_equal(site_of(second, "11.0.0.1"), "a");
    struct answer_sites *third = load_after(said, "{ name = \"d\"; networks = \"10.0.0.0/8\"; }", second);
    assert_int_equal(answer_sites_number(third, "d"), 2); /* free by now */
    answer_sites_free(first);
    answer_sites_free(second);
    answer_sites_free(third);
}

/* As many as there may be, all others than before. */
static void numbers_run_out_and_are_used_again(void **state)
{
    (void)state;
    struct answer_site_options *rows = mem_zalloc(ANSWER_SITES_MAX + 1, sizeof *rows);
    char (*names)[16] = mem_zalloc(ANSWER_SITES_MAX + 1, sizeof *names);
    struct answer_sites *before = NULL;
    for (unsigned round = 0; round < 2; round++) {
        bool has[ANSWER_SITES_MAX + 1] = {false};
        struct diag *diag = diag_new(2);
        struct answer_sites *sites;
        for (unsigned i = 0; i <= ANSWER_SITES_MAX; i++) {
            snprintf(names[i], sizeof names[i], "%u-%u", round, i);
            rows[i].name = names[i];
        }
        struct opt_list list = {rows, ANSWER_SITES_MAX};
        assert_int_equal(answer_sites_make(&sites, &list, before, diag), ERR_OK);
        for (unsigned i = 0; i < ANSWER_SITES_MAX; i++) {
            unsigned number = answer_sites_number(sites, names[i]);
            assert_in_range(number, 1, ANSWER_SITES_MAX);
            assert_false(has[number]);
            has[number] = true;
        }
        answer_sites_free(before);
        before = sites;
        diag_free(diag);
    }
    struct diag *diag = diag_new(2);
    struct opt_list list = {rows, ANSWER_SITES_MAX + 1};
    struct answer_sites *sites;
    assert_int_equal(answer_sites_make(&sites, &list, NULL, diag), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    answer_sites_free(sites);
    answer_sites_free(before);
    diag_free(diag);
    free(rows);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_have_networks),
        cmocka_unit_test(no_sites_at_all),
        cmocka_unit_test(all_that_is_wrong_is_told_at_once),
        cmocka_unit_test(long_lines_are_cut_where_they_are_shown),
        cmocka_unit_test(numbers_stay),
        cmocka_unit_test(numbers_run_out_and_are_used_again),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
