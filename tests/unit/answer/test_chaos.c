/* Questions of class CH (RFC 4892): what the configuration gives a text for, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "helpers/table.h"

#define CH(qname, qtype) {.name = qname, .type = qtype, .class = RR_CLASS_CH}

static void run(const char *version, const char *identity, const struct row *rows, size_t cnt)
{
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\n");
    world_add(&world, "bind", "version TXT \"a zone's\"\n");
    strcpy(world.settings.version, version);
    strcpy(world.settings.identity, identity);
    world_start(&world);
    assert_int_equal(table_run(&world, rows, cnt), 0);
    world_fini(&world);
}
#define RUN(version, identity, rows) run(version, identity, rows, sizeof(rows) / sizeof *(rows))

static void test_names(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {CH("version.bind", RR_TXT), "noerror aa\nan version.bind. 0 16 ch 03312e30\n"},
        {CH("VERSION.bind", RR_TXT), "noerror aa\nan VERSION.bind. 0 16 ch 03312e30\n"},
        {CH("version.server", RR_ANY), "noerror aa\nan version.server. 0 16 ch 03312e30\n"},
        {CH("hostname.bind", RR_TXT), "noerror aa\nan hostname.bind. 0 16 ch 036e7331\n"},
        {CH("id.server", RR_TXT), "noerror aa\nan id.server. 0 16 ch 036e7331\n"},
        {CH("version.bind", RR_A), "refused\n"},
        {CH("x.version.bind", RR_TXT), "refused\n"},
        {CH("bind", RR_TXT), "refused\n"},
        {CH("www.example", RR_A), "refused\n"},
        {CH(".", RR_TXT), "refused\n"},
        /* In class IN these are names like others. */
        {{.name = "version.bind", .type = RR_TXT}, "noerror aa\nan version.bind. 60 16 0861207a6f6e652773\n"},
        {{.name = "id.server", .type = RR_TXT}, "refused\n"},
    };
    RUN("1.0", "ns1", rows);
}

static void test_off(void **state)
{
    (void)state;
    static const struct row no_version[] = {
        {CH("version.bind", RR_TXT), "refused\n"},
        {CH("version.server", RR_TXT), "refused\n"},
        {CH("id.server", RR_TXT), "noerror aa\nan id.server. 0 16 ch 036e7331\n"},
    };
    static const struct row no_identity[] = {
        {CH("version.server", RR_TXT), "noerror aa\nan version.server. 0 16 ch 03312e30\n"},
        {CH("hostname.bind", RR_TXT), "refused\n"},
        {CH("id.server", RR_TXT), "refused\n"},
    };
    RUN("", "ns1", no_version);
    RUN("1.0", "", no_identity);
}

/* The longest text that a TXT string takes. */
static void test_long(void **state)
{
    (void)state;
    char text[ANSWER_TEXT_MAX + 1], answer[1024];
    memset(text, 'x', ANSWER_TEXT_MAX);
    text[ANSWER_TEXT_MAX] = 0;
    size_t n = (size_t)sprintf(answer, "noerror aa\nan id.server. 0 16 ch ff");
    for (unsigned i = 0; i < ANSWER_TEXT_MAX; i++)
        n += (size_t)sprintf(answer + n, "78");
    sprintf(answer + n, "\n");
    const struct row rows[] = {{CH("id.server", RR_TXT), answer}};
    RUN("", text, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
