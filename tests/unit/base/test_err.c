#include "base/err.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_error_has_its_own_sentence(void **state)
{
    (void)state;
    static const enum err all[] = {
#define X(name, text) ERR_##name,
        ERR_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(strlen(err_text(all[i])) > 3);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(err_text(all[i]), err_text(all[j]));
    }
    assert_int_equal(ERR_OK, 0);
    assert_string_equal(err_text(ERR_SYNTAX), "malformed input");
}

static void an_unknown_error_has_a_sentence_too(void **state)
{
    (void)state;
    assert_string_equal(err_text((enum err)9999), "unknown error");
    assert_string_equal(err_text((enum err) - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_own_sentence),
        cmocka_unit_test(an_unknown_error_has_a_sentence_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
