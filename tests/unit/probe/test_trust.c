/* Files of trusted certificates: which are good, what is said of those that are not, and when a file is read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki.h"
#include "probe/trust.h"

static const uint64_t HOUR_US = UINT64_C(3600) * 1000000;

static char path[64], text[8192];
static uint8_t digest[PROBE_CA_DIGEST_LEN];

static int set_up(void **state)
{
    struct pki pki;
    const struct pki_wish wish = {.name = "root", .to_days = 10};
    (void)state;
    pki_make(&pki, &wish);
    pki_save(&pki, path);
    pki_fini(&pki);
    FILE *file = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void write_file(const char *what)
{
    FILE *file = fopen(path, "w");
    fputs(what, file);
    fclose(file);
}

static const char *check(const char *at)
{
    static char problem[TRUST_PROBLEM_MAX];
    bool good = trust_check_file(digest, problem, at);
    assert_int_equal(good, !problem[0]);
    return problem;
}

static void test_what_is_good(void **state)
{
    uint8_t first[PROBE_CA_DIGEST_LEN];
    char more[2 * sizeof text + 100];
    (void)state;
    assert_string_equal(check(path), "");
    memcpy(first, digest, sizeof first);
    assert_string_equal(check(path), "");
    assert_memory_equal(first, digest, sizeof first);
    /* Others' words around it, and one that stands twice. */
    snprintf(more, sizeof more, "# ours\n%s\n# again\n%s# end", text, text);
    write_file(more);
    assert_string_equal(check(path), "");
    assert_memory_not_equal(first, digest, sizeof first);
}

static void test_what_is_not(void **state)
{
    char broken[2 * sizeof text];
    (void)state;
    write_file("");
    assert_string_equal(check(path), "expected certificates in PEM, found none");
    write_file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_string_equal(check(path), "expected certificates in PEM, found none");
    snprintf(broken, sizeof broken, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", text);
    write_file(broken);
    assert_string_equal(check(path), "certificate 2 in it is malformed");
    snprintf(broken, sizeof broken, "%.*s", (int)strlen(text) / 2, text);
    write_file(broken);
    assert_string_equal(check(path), "certificate 1 in it is malformed");
    assert_string_equal(check("/tmp"), "cannot be read: Is a directory");
    assert_string_equal(check("/dev/zero"), "cannot be read: Invalid argument");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_string_equal(check(path), "cannot be read: Invalid argument");
    unlink(path);
    assert_string_equal(check(path), "cannot be read: No such file or directory");
    write_file("");
    assert_int_equal(truncate(path, 5 * 1024 * 1024), 0);
    assert_string_equal(check(path), "cannot be read: File too large");
}

static void test_when_it_is_read(void **state)
{
    struct trust trust = {NULL};
    uint8_t other[PROBE_CA_DIGEST_LEN] = "other";
    int error = 0;
    (void)state;
    struct x509_store_st *first = trust_get(&trust, path, digest, 1000, &error);
    assert_non_null(first);
    assert_ptr_equal(trust_get(&trust, path, digest, 2000, &error), first);
    /* Known by that digest, it is not read again, and then it can't be. */
    unlink(path);
    assert_ptr_equal(trust_get(&trust, path, digest, 3000, &error), first);
    assert_null(trust_get(&trust, path, other, 3000, &error));
    assert_int_equal(error, ENOENT);
    write_file("nothing");
    assert_null(trust_get(&trust, path, other, 3000, &error));
    assert_int_equal(error, EBADMSG);
    write_file(text);
    assert_non_null(trust_get(&trust, path, other, HOUR_US, &error));
    /* In use within an hour each time: kept; then out of use: forgotten, so read. */
    unlink(path);
    assert_ptr_equal(trust_get(&trust, path, digest, HOUR_US + 3000, &error), first);
    assert_null(trust_get(&trust, path, digest, 3 * HOUR_US, &error));
    assert_null(trust.first);
    trust_fini(&trust);
}

static void test_the_systems(void **state)
{
    struct trust trust = {NULL};
    static const uint8_t none[PROBE_CA_DIGEST_LEN];
    int error;
    (void)state;
    struct x509_store_st *first = trust_get(&trust, "", none, 0, &error);
    if (!first) { /* a system without any */
        assert_true(error == ENOENT || error == EBADMSG);
        return;
    }
    const struct trusted *read = trust.first;
    assert_ptr_equal(trust_get(&trust, "", none, HOUR_US, &error), first);
    assert_ptr_equal(trust.first, read);
    assert_non_null(trust_get(&trust, "", none, HOUR_US + 1, &error));
    trust_fini(&trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_when_it_is_read, set_up, tear_down),
        cmocka_unit_test(test_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
