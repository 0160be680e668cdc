#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void zalloc_gives_zeros(void **state)
{
    (void)state;
    unsigned char *p = mem_zalloc(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    free(p);
    p = mem_zalloc(0, 8);
    assert_non_null(p);
    free(p);
}

static void realloc_keeps_what_was_there(void **state)
{
    (void)state;
    uint32_t *p = mem_realloc(NULL, 2, sizeof *p);
    p[0] = 7;
    p[1] = 9;
    p = mem_realloc(p, 2000, sizeof *p);
    p[1999] = 1;
    assert_int_equal(p[0], 7);
    assert_int_equal(p[1], 9);
    free(p);
}

static void copies_are_equal_and_terminated(void **state)
{
    (void)state;
    char *p = mem_strdup("rondo");
    assert_string_equal(p, "rondo");
    free(p);
    p = mem_strndup("rondo", 3);
    assert_string_equal(p, "ron");
    free(p);
    p = mem_strndup("ro", 30);
    assert_string_equal(p, "ro");
    free(p);
    p = mem_dup("a\0b", 3);
    assert_memory_equal(p, "a\0b", 3);
    free(p);
    p = mem_printf("%s-%d", "a", 5);
    assert_string_equal(p, "a-5");
    free(p);
}

/* How a child that runs `fn` ends. */
static int status_of(void (*fn)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void overflow(void)
{
    free(mem_realloc(NULL, SIZE_MAX / 4, 8));
}
static void overflow_zeroed(void)
{
    free(mem_zalloc(SIZE_MAX / 2, 3));
}

static void an_overflowing_product_ends_the_process(void **state)
{
    (void)state;
    int status = status_of(overflow);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = status_of(overflow_zeroed);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zalloc_gives_zeros),
        cmocka_unit_test(realloc_keeps_what_was_there),
        cmocka_unit_test(copies_are_equal_and_terminated),
        cmocka_unit_test(an_overflowing_product_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
