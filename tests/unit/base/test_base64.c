#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

/* From and into memory of just that size. */
static enum err decode(uint8_t *out, size_t *out_len, size_t cap, const char *text)
{
    size_t len = strlen(text);
    char *exact = malloc(len + 1);
    uint8_t *room = malloc(cap + 1);
    memcpy(exact, text, len);
    enum err e = base64_decode(room + 1, out_len, cap, exact, len);
    memcpy(out, room + 1, cap);
    free(room);
    free(exact);
    return e;
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } cases[] = { /* RFC 4648 section 10 */
        {"", ""},           {"Zg==", "f"},        {"Zm8=", "fo"},        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[16];
        size_t len;
        assert_int_equal(decode(out, &len, strlen(cases[i].bytes), cases[i].text), ERR_OK);
        assert_int_equal(len, strlen(cases[i].bytes));
        assert_memory_equal(out, cases[i].bytes, len);
        if (len)
            assert_int_equal(decode(out, &len, strlen(cases[i].bytes) - 1, cases[i].text), ERR_RANGE);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9v=", "Zm 9v",
                                        "Zm9\n", "Zm-_", "=Zm9", "Zm=v", "Zm9v\xc3\xa4zz"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t out[16];
        size_t len;
        assert_int_equal(decode(out, &len, sizeof out, texts[i]), ERR_SYNTAX);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
