/* Tells AddressSanitizer which bytes of an allocator of our own nobody may touch, so that a use after free is found
 * there as it is with malloc. Nothing without AddressSanitizer. Any thread. */
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN_PRESENT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN_PRESENT 1
#endif
#endif

#ifdef ASAN_PRESENT
void __asan_poison_memory_region(void const volatile *addr, size_t size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#define ASAN_FORBID(addr, size) __asan_poison_memory_region((addr), (size))
#define ASAN_ALLOW(addr, size) __asan_unpoison_memory_region((addr), (size))
#else
#define ASAN_FORBID(addr, size) ((void)(addr), (void)(size))
#define ASAN_ALLOW(addr, size) ((void)(addr), (void)(size))
#endif
