/* Attributes of the compiler, under one name each. No code, any thread. */
#pragma once

#define ATTR_MUST_USE __attribute__((warn_unused_result))
#define ATTR_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define ATTR_NONNULL_ALL __attribute__((nonnull))
#define ATTR_RETURNS_NONNULL __attribute__((returns_nonnull))
#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_HOT __attribute__((hot))
#define ATTR_COLD __attribute__((cold, noinline))
#define ATTR_NOINLINE __attribute__((noinline))
#define ATTR_PURE __attribute__((pure))
#define ATTR_ALIGNED(bytes) __attribute__((aligned(bytes)))

/* The function that releases what this one returns; clang 14 knows no argument to `malloc`. */
#if defined(__GNUC__) && !defined(__clang__)
#define ATTR_FREED_BY(fn) __attribute__((malloc, malloc(fn, 1)))
#else
#define ATTR_FREED_BY(fn) __attribute__((malloc))
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
