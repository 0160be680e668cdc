#include "answer/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf.h"

/* 32 bytes, 0 to 31. */
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define MARK "AAECAwQF" /* what no message may have of it */

static const struct opt_table *const tables[] = {&answer_key_opt_table};
static char folder[] = "/tmp/rondo-keys-XXXXXX";

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

/* Loads the group's text, each row a line from the second on, as if its file lay in the folder. All that was said goes
 * to `said` ("2: error …\n"). NULL: refused. */
static struct tsig_keys *load(char said[4096], const char *rows)
{
    char *text = mem_printf("keys = (\n%s\n);\n", rows), *name = mem_printf("%s/rondo.conf", folder);
    struct diag *diag = diag_new(20);
    struct conf *conf;
    struct tsig_keys *keys = NULL;
    enum err loaded = conf_load_text(&conf, name, text, strlen(text), tables, 1, diag);
    if (conf) {
        struct opt_list list = conf_list(conf, &answer_key_opt_table);
        enum err made = answer_keys_make(&keys, &list, diag);
        assert_int_equal(made == ERR_OK, keys != NULL);
        if (loaded) {
            tsig_keys_free(keys);
            keys = NULL;
        }
        conf_free(conf);
    }
    size_t at = 0;
    said[0] = 0;
    diag_sort(diag);
    for (size_t i = 0; diag_at(diag, i); i++) {
        const struct diag_entry *entry = diag_at(diag, i);
        at += (size_t)snprintf(said + at, 4096 - at, "%u: %s\n", entry->line, entry->text);
    }
    assert_int_equal(keys == NULL, diag_cnt(diag, DIAG_ERROR) > 0);
    assert_null(strstr(said, MARK));
    diag_free(diag);
    free(text);
    free(name);
    return keys;
}

static const struct tsig_key *find(const struct tsig_keys *keys, const char *text)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(name, &len, text, strlen(text), NULL), ERR_OK);
    return tsig_keys_find(keys, name);
}

static void put_file(const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static void remove_file(const char *name)
{
    char *path = mem_printf("%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
    free(path);
}

static void assert_secret(const struct tsig_key *key, enum tsig_algorithm algorithm)
{
    struct tsig_key wanted;
    uint8_t secret[32];
    for (unsigned i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)i;
    assert_non_null(key);
    tsig_key_init(&wanted, key->name, algorithm, secret, sizeof secret);
    assert_int_equal(key->algorithm, algorithm);
    assert_memory_equal(&key->hmac, &wanted.hmac, sizeof wanted.hmac);
}

static void test_good(void **state)
{
    (void)state;
    char said[4096];
    struct tsig_keys *keys = load(said, "{ name = \"Xfr.\"; secret = \"" SECRET "\"; },\n"
                                        "{ name = \"ddns.example\"; algorithm = \"hmac-sha224\";"
                                        " secret = \"" SECRET "\"; }");
    assert_string_equal(said, "");
    assert_int_equal(tsig_keys_cnt(keys), 2);
    assert_secret(find(keys, "xfr."), TSIG_HMAC_SHA256);
    assert_secret(find(keys, "ddns.example."), TSIG_HMAC_SHA224);
    assert_null(find(keys, "ddns."));
    tsig_keys_free(keys);
}

static void test_none(void **state)
{
    (void)state;
    struct opt_list none = {0};
    struct tsig_keys *keys;
    struct diag *diag = diag_new(1);
    assert_int_equal(answer_keys_make(&keys, &none, diag), ERR_OK);
    assert_int_equal(tsig_keys_cnt(keys), 0);
    tsig_keys_free(keys);
    diag_free(diag);
}

/* The names of the configuration are those of the algorithms, in their order. */
static void test_algorithms(void **state)
{
    (void)state;
    for (enum tsig_algorithm i = 0; i < TSIG_ALGORITHMS; i++) {
        char said[4096], *row = mem_printf("{ name = \"a.\"; algorithm = \"%s\"; secret = \"%s\"; }",
                                           tsig_algorithm_text(i), SECRET);
        struct tsig_keys *keys = load(said, row);
        assert_secret(find(keys, "a."), i);
        assert_int_equal(strstr(said, "that know nothing better") != NULL, i == TSIG_HMAC_MD5);
        assert_int_equal(strstr(said, "fewer than its hash") != NULL, hmac_len(tsig_algorithm_hash(i)) > 32);
        tsig_keys_free(keys);
        free(row);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *said; /* how it begins */
    } cases[] = {
        {"{ name = \"a.\"; secret = \"" MARK "!!!!\"; }", "2: \"keys.secret\": expected base64 text of 1 to 512 bytes"},
        {"{ name = \"a.\"; secret = \"\"; }", "2: \"keys.secret\": expected base64"},
        {"{ name = \"a..b\"; secret = \"" SECRET "\"; }", "2: \"keys.name\": expected a domain name"},
        {"{ name = \"\"; secret = \"" SECRET "\"; }", "2: \"keys.name\": expected a domain name"},
        {"{ name = \"a.\"; algorithm = \"hmac-sha257\"; secret = \"" SECRET "\"; }",
         "2: \"keys.algorithm\": expected \"hmac-md5\", \"hmac-sha1\", \"hmac-sha224\""},
        {"{ name = \"a.\"; }", "2: \"keys\": expected a \"secret\" or a \"secret_file\"\n"},
        {"{ name = \"a.\"; secret = \"" SECRET "\";\n secret_file = \"f\"; }",
         "3: \"keys.secret_file\": expected either this or \"secret\", not both\n"},
        {"{ secret = \"" SECRET "\"; }", "2: \"keys.name\" is missing"},
        {"{ name = \"a.\"; secret = \"" SECRET "\"; },\n{ name = \"b.\"; secret = \"" SECRET "\"; },\n"
         "{ name = \"A\"; secret = \"" SECRET "\"; }", "4: key \"A.\" stands twice, first at "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[4096];
        assert_null(load(said, cases[i].rows));
        if (strncmp(said, cases[i].said, strlen(cases[i].said)) != 0)
            fail_msg("said: %s", said);
        assert_ptr_equal(strchr(said, '\n') + 1, said + strlen(said)); /* one error, nothing that follows from it */
    }
}

static void test_short_secret(void **state)
{
    (void)state;
    char said[4096];
    tsig_keys_free(load(said, "{ name = \"a.\"; secret = \"AAECAwQFBgcICQoLDA0ODw==\"; }"));
    assert_string_equal(said, "2: the secret of key \"a.\" has 16 bytes, fewer than its hash, which has 32\n");
}

static void test_file(void **state)
{
    (void)state;
    static const char row[] = "{ name = \"a.\"; secret_file = \"the.key\"; }";
    static const char *const bad[] = {"", " \n", "x", SECRET " " SECRET, "key\n" SECRET " };"};
    char said[4096], *path = mem_printf("%s/the.key", folder);
    put_file("the.key", "\n  " SECRET "\n\n");
    struct tsig_keys *keys = load(said, row);
    assert_string_equal(said, "");
    assert_secret(find(keys, "a."), TSIG_HMAC_SHA256);
    tsig_keys_free(keys);
    char lines[128];
    snprintf(lines, sizeof lines, "%.20s\n%.10s\r\n%s\n", SECRET, &SECRET[20], &SECRET[30]);
    put_file("the.key", lines);
    keys = load(said, row);
    assert_string_equal(said, "");
    assert_secret(find(keys, "a."), TSIG_HMAC_SHA256);
    tsig_keys_free(keys);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file("the.key", bad[i]);
        assert_null(load(said, row));
        assert_non_null(strstr(said, "the.key\" has to hold base64 text of 1 to 512 bytes and nothing else\n"));
    }
    char *much = mem_zalloc(1, 4001);
    memset(much, 'A', 4000);
    put_file("the.key", much);
    free(much);
    assert_null(load(said, row));
    assert_non_null(strstr(said, "has to hold base64"));
    remove_file("the.key");

    assert_null(load(said, row));
    assert_non_null(strstr(said, "/the.key\" cannot be read: No such file or directory\n"));
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: that must not hold us up */
    assert_null(load(said, row));
    assert_non_null(strstr(said, "/the.key\" cannot be read: Invalid argument\n"));
    remove_file("the.key");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(load(said, row));
    assert_non_null(strstr(said, "/the.key\" cannot be read: Is a directory\n"));
    remove_file("the.key");
    free(path);
}

#define A "algorithm hmac-sha256; "
#define S "secret \"" SECRET "\"; "

static void test_key_file(void **state)
{
    (void)state;
    static const char row[] = "{ name = \"a.b\"; secret_file = \"the.key\"; }";
    static const char *const good[] = {
        "key \"a.b\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};\n",
        "# to be kept\n/* secret */ // here\nkey A.B. { secret " SECRET "; algorithm \"HMAC-SHA256.\";};#",
        "key\"a.b\"{secret\"" SECRET "\";" A "};",
    };
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"key \"a.b\" { " A "};", "one key"},
        {"key \"a.b\" { " S "};", "one key"},
        {"key \"a.b\" { " S S "};", "one key"},
        {"key \"a.b\" { " A S A "};", "one key"},
        {"key \"a.b\" { " A S "}", "one key"},
        {"key \"a.b\" { " A S "};\nkey \"b\" { " A S "};", "one key"},
        {"key \"a.b\" { " A S "}; " SECRET, "one key"},
        {"key \"a.b { " A S "};\n", "one key"},
        {"key \"\" { " A S "};", "one key"},
        {"key { " A S "};", "one key"},
        {"key \"a.b\" { " A "secret \"" SECRET "\n\"; };", "one key"},
        {"key \"a.b\" { " A "secret \"\"; };", "one key"},
        {"key \"a.b\" { " A "secret \"" SECRET "A\"; };", "one key"},
        {"key \"a.b\" { " A "secret \"" SECRET, "one key"},
        {"key \"a.b\" { /* " A S "};", "one key"},
        {"key ", "one key"},
        {"key \"a.c\" { " A S "};", "the.key\" has a key of another name than \"a.b.\"\n"},
        {"key \"a..b\" { " A S "};", "of another name"},
        {"key \"a.b\" { algorithm hmac-sha512; " S "};", "of another \"algorithm\" than hmac-sha256\n"},
        {"key \"a.b\" { algorithm hmac-sha25; " S "};", "of another \"algorithm\""},
        {"key \"a.b\" { algorithm \".\"; " S "};", "of another \"algorithm\""},
    };
    char said[4096];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        put_file("the.key", good[i]);
        struct tsig_keys *keys = load(said, row);
        assert_string_equal(said, "");
        assert_secret(find(keys, "a.b."), TSIG_HMAC_SHA256);
        tsig_keys_free(keys);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file("the.key", bad[i].text);
        assert_null(load(said, row));
        if (!strstr(said, bad[i].said))
            fail_msg("%s: %s", bad[i].text, said);
    }
    put_file("the.key", "key a.b { " S "algorithm hmac-md5.sig-alg.reg.int; };");
    tsig_keys_free(load(said, "{ name = \"a.b\"; algorithm = \"hmac-md5\"; secret_file = \"the.key\"; }"));
    assert_null(strstr(said, "another"));
    remove_file("the.key");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_none),         cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_short_secret), cmocka_unit_test(test_file),
        cmocka_unit_test(test_key_file),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
