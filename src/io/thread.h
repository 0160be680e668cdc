/* The life of a worker thread: its name, its signals and its end. [control] */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct thread {
    pthread_t id;
    bool running;
};

/* Runs `run(arg)` in a new thread called `name` (at most 15 bytes are shown) that takes no signal but the one of
 * thread_stop. `run` returns soon after *stop is set and a blocking call of its has ended with EINTR. ERR_IO when
 * there can be no thread. */
enum err thread_start(struct thread *thread, void *(*run)(void *arg), void *arg, const char *name)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Sets *stop and waits until the running ones among `cnt` threads have ended. */
void thread_stop_all(struct thread *threads, size_t cnt, bool *stop) ATTR_NONNULL(3);

static inline bool thread_stopped(const bool *stop) { return __atomic_load_n(stop, __ATOMIC_RELAXED); }
