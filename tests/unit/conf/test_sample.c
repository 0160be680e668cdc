#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "toy.h"

static void the_sample_loads_and_holds_the_defaults(void **state)
{
    (void)state;
    char *text = conf_sample_text(toy_tables, TOY_TABLE_CNT);
    struct diag *diag = diag_new(100);
    struct conf *conf;
    enum err e = conf_load_text(&conf, "sample", text, strlen(text), toy_tables, TOY_TABLE_CNT, diag);
    for (size_t i = 0; diag_at(diag, i); i++)
        print_message("%u: %s\n", diag_at(diag, i)->line, diag_at(diag, i)->text);
    assert_int_equal(e, ERR_OK);
    const struct toy_server *server = conf_group(conf, &toy_server_table);
    assert_int_equal(server->listen.cnt, 2);
    assert_int_equal(server->idle_ms, 10000);
    assert_string_equal(server->host, "ns1\\x");
    assert_null(server->user);
    assert_true(((const struct toy_more *)conf_group(conf, &toy_more_table))->most == 4294967297);
    assert_int_equal(conf_list(conf, &toy_zone_table).cnt, 1);
    const struct toy_balance *balance = conf_list(conf, &toy_balance_table).items;
    const struct toy_rule *rule = balance->rules.items;
    assert_int_equal(rule->members.cnt, 1);
    conf_free(conf);
    diag_free(diag);
    free(text);
}

static void every_key_stands_in_the_sample_with_its_help(void **state)
{
    (void)state;
    char *text = conf_sample_text(toy_tables, TOY_TABLE_CNT);
    for (size_t t = 0; t < TOY_TABLE_CNT; t++)
        for (size_t i = 0; i < toy_tables[t]->cnt; i++)
            assert_non_null(strstr(text, toy_tables[t]->opts[i].name));
    assert_non_null(strstr(
        text, "    # Threads.\n"
              "    # Expected: a whole number from 0 to 1024. Default: 0. A change needs a restart.\n"
              "    workers = 0;\n"));
    assert_non_null(strstr(text, "    # user = ...;\n"));
    assert_non_null(strstr(text, "\n        # Expected: a string of 1 to 255 bytes. Required.\n"
                                 "        name = \"example.com\";\n"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 120);
    free(text);
}

static void both_texts_are_the_same_each_time(void **state)
{
    (void)state;
    char *a = conf_sample_text(toy_tables, TOY_TABLE_CNT), *b = conf_sample_text(toy_tables, TOY_TABLE_CNT);
    assert_string_equal(a, b);
    free(a);
    free(b);
    a = conf_man_text(toy_tables, TOY_TABLE_CNT);
    b = conf_man_text(toy_tables, TOY_TABLE_CNT);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void the_man_text_has_every_group_and_key(void **state)
{
    (void)state;
    static const char *const parts[] = {".Ss server\n",        ".Ss zones\n",
                                        ".Ss zones.balance\n", ".Ss zones.balance.members\n",
                                        ".Ss zones.limits\n",  ".It Ic listen\n",
                                        ".It Ic weight\n",     ".It Ic tags\n"};
    char *text = conf_man_text(toy_tables, TOY_TABLE_CNT);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_non_null(strstr(text, parts[i]));
    assert_non_null(strstr(text, "Default: 0. A change needs a restart.\n"));
    /* Each group once, with the keys of both its tables. */
    assert_null(strstr(strstr(text, ".Ss server\n") + 1, ".Ss server\n"));
    assert_true(strstr(text, ".It Ic most\n") < strstr(text, ".Ss zones\n"));
    free(text);
}

static void roff_reads_the_man_text_as_text(void **state)
{
    (void)state;
    char *text = conf_man_text(toy_tables, TOY_TABLE_CNT);
    assert_non_null(strstr(text, "\n\\&.Starts like a request, and has a \\e and a\\-b.\n"));
    static const char *const requests[] = {".Ss ", ".It ", ".Bl ", ".El", ".br", ".Pp"};
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        bool known = *line != '.' && *line != '\'';
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            known = known || !strncmp(line, requests[i], strlen(requests[i]));
        assert_true(known);
    }
    free(text);
}

static void no_tables_give_no_groups(void **state)
{
    (void)state;
    char *text = conf_man_text(toy_tables, 0);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_loads_and_holds_the_defaults),
        cmocka_unit_test(every_key_stands_in_the_sample_with_its_help),
        cmocka_unit_test(both_texts_are_the_same_each_time),
        cmocka_unit_test(the_man_text_has_every_group_and_key),
        cmocka_unit_test(roff_reads_the_man_text_as_text),
        cmocka_unit_test(no_tables_give_no_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
