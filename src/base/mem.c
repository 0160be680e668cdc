#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void mem_exhausted(void)
{
    log_error("out of memory");
    abort();
}

static void *checked(void *p)
{
    if (unlikely(!p))
        mem_exhausted();
    return p;
}

static size_t product(size_t cnt, size_t size)
{
    size_t total;
    if (unlikely(__builtin_mul_overflow(cnt, size, &total)))
        mem_exhausted();
    return total ? total : 1;
}

void *mem_zalloc(size_t cnt, size_t size)
{
    return checked(calloc(1, product(cnt, size)));
}

void *mem_realloc(void *p, size_t cnt, size_t size)
{
    return checked(realloc(p, product(cnt, size)));
}

void *mem_dup(const void *src, size_t len)
{
    void *p = checked(malloc(len ? len : 1));
    if (len)
        memcpy(p, src, len);
    return p;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

char *mem_strndup(const char *s, size_t len)
{
    size_t used = strnlen(s, len);
    char *p = checked(malloc(used + 1));
    memcpy(p, s, used);
    p[used] = '\0';
    return p;
}

char *mem_vprintf(const char *fmt, va_list args)
{
    char *out = NULL;
    int len = vasprintf(&out, fmt, args);
    return checked(len < 0 ? NULL : out);
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *out = mem_vprintf(fmt, args);
    va_end(args);
    return out;
}
