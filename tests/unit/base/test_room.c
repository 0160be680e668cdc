#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/room.h"

static uint64_t available_kib(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %llu", &kib) != 1)
        continue;
    fclose(file);
    return kib;
}

static void test_no_more_than_the_system_has(void **state)
{
    (void)state;
    uint64_t before = available_kib() * 1024, room = room_bytes(), after = available_kib() * 1024;
    uint64_t most = before > after ? before : after;
    assert_true(room > 0);
    assert_true(room <= most + (256 << 20)); /* others take and give meanwhile */
}

/* In a child, whose limit is its own. A sanitizer's shadow is larger than any limit. */
static void test_no_more_than_the_limit(void **state)
{
    enum { LIMIT = 1 << 30 };
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {LIMIT, LIMIT};
        if (setrlimit(RLIMIT_AS, &limit))
            _exit(2);
        _exit(room_bytes() < LIMIT ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_more_than_the_system_has),
        cmocka_unit_test(test_no_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
