#include "answer/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf.h"

static const struct opt_table *const tables[] = {&answer_opt_table};

static struct conf *load(const char *keys)
{
    char *text = mem_printf("server: {\n%s\n};\n", keys);
    struct diag *diag = diag_new(10);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), tables, 1, diag), ERR_OK);
    diag_free(diag);
    free(text);
    return conf;
}

/* One error, in the line given. */
static void expect_error(const char *keys, unsigned line, const char *expected)
{
    char *text = mem_printf("server: {\n%s\n};\n", keys);
    struct diag *diag = diag_new(10);
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "t", text, strlen(text), tables, 1, diag), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    assert_string_equal(diag_at(diag, 0)->text, expected);
    assert_int_equal(diag_at(diag, 0)->line, line);
    conf_free(conf);
    diag_free(diag);
    free(text);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf *conf = load("");
    const struct answer_options *options = conf_group(conf, &answer_opt_table);
    assert_int_equal(options->udp_payload, 1232);
    assert_true(options->cookies);
    assert_int_equal(options->cookie_secrets.cnt, 0);
    assert_int_equal(options->require_cookie, ANSWER_COOKIE_ATTACK);
    assert_string_equal(options->nsid, "");
    assert_null(options->identity);
    assert_string_equal(options->version, "");
    assert_int_equal(options->ecs_trusted.cnt, 0);
    conf_free(conf);
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = load("cookies = false; require_cookie = \"never\"; nsid = \"ns1\"; identity = \"\";\n"
                             "version = \"a name server\"; ecs_trusted = [ \"192.0.2.0/24\", \"2001:db8::\" ];\n"
                             "cookie_secrets = [ \"000102030405060708090a0b0c0d0e0f\",\n"
                             "\"000102030405060708090A0B0C0D0E0F\", \"ffffffffffffffffffffffffffffffff\" ];");
    const struct answer_options *options = conf_group(conf, &answer_opt_table);
    assert_false(options->cookies);
    assert_int_equal(options->require_cookie, ANSWER_COOKIE_NEVER);
    assert_string_equal(options->nsid, "ns1");
    assert_string_equal(options->identity, "");
    assert_string_equal(options->version, "a name server");
    const struct cookie_secret *secrets = options->cookie_secrets.items;
    assert_int_equal(options->cookie_secrets.cnt, 3);
    assert_memory_equal(secrets[0].bytes, "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", COOKIE_SECRET_LEN);
    assert_memory_equal(&secrets[0], &secrets[1], sizeof secrets[0]);
    assert_int_equal(secrets[2].bytes[15], 255);
    const struct prefix *networks = options->ecs_trusted.items;
    assert_int_equal(options->ecs_trusted.cnt, 2);
    assert_int_equal(networks[0].len, 24);
    assert_int_equal(networks[1].len, 128);
    conf_free(conf);
    conf = load("require_cookie = \"always\"; cookie_secrets = \"000102030405060708090a0b0c0d0e0f\";");
    options = conf_group(conf, &answer_opt_table);
    assert_int_equal(options->cookie_secrets.cnt, 1);
    assert_int_equal(options->require_cookie, ANSWER_COOKIE_ALWAYS);
    conf_free(conf);
}

/* A secret is in no message, however wrong it is. */
static void test_bad_secrets(void **state)
{
    (void)state;
    static const char expected[] = "\"server.cookie_secrets\": expected 32 hexadecimal digits in quotes, such as "
                                   "\"openssl rand -hex 16\" prints, got another value, which is not shown";
    expect_error("cookies = true;\ncookie_secrets = \"00112233\";", 3, expected);
    expect_error("cookie_secrets = [ \"000102030405060708090a0b0c0d0e0f\",\n"
                 "                   \"000102030405060708090a0b0c0d0e0g\" ];", 3, expected);
    expect_error("cookie_secrets = 1234567890;", 2, expected);
    expect_error("cookie_secrets = { secret = \"000102030405060708090a0b0c0d0e0f\"; };", 2, expected);
#define SECRET "\"000102030405060708090a0b0c0d0e0f\""
    expect_error("\ncookie_secrets = [ " SECRET ", " SECRET ", " SECRET ", " SECRET " ];", 3,
                 "\"server.cookie_secrets\": expected at most three secrets");
}

static void test_bad_values(void **state)
{
    (void)state;
    char *long_nsid = mem_printf("nsid = \"%0129d\";", 0), *long_version = mem_printf("version = \"%0256d\";", 0);
    expect_error("require_cookie = \"atack\";", 2,
                 "\"server.require_cookie\": expected \"never\", \"attack\" or \"always\", got \"atack\"; did you mean "
                 "\"attack\"?");
    expect_error("cookies = false;\nrequire_cookie = \"always\";", 3,
                 "\"server.require_cookie\": \"always\" needs \"cookies = true\"");
    expect_error("ecs_trusted = [ \"192.0.2.0/24\",\n\"192.0.2.1/24\" ];", 3,
                 "\"server.ecs_trusted\": expected an address or a network, such as \"192.0.2.0/24\" or "
                 "\"2001:db8::/32\", with no bits set behind the prefix, got \"192.0.2.1/24\"");
    expect_error("ecs_trusted = \"any\";", 2,
                 "\"server.ecs_trusted\": expected an address or a network, such as \"192.0.2.0/24\" or "
                 "\"2001:db8::/32\", with no bits set behind the prefix, got \"any\"");
    expect_error(long_nsid, 2,
                 "\"server.nsid\": expected a string of 0 to 128 bytes, got "
                 "\"000000000000000000000000000000000000000000000000000000000000...\"");
    expect_error(long_version, 2,
                 "\"server.version\": expected a string of 0 to 255 bytes, got "
                 "\"000000000000000000000000000000000000000000000000000000000000...\"");
    free(long_nsid);
    free(long_version);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_secrets),
        cmocka_unit_test(test_bad_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
