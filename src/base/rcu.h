/* Read-copy-update, the QSBR flavour of liburcu, and the only file that names it: readers never wait, one thread
 * (control) publishes. A reader thread registers, reads pointers with rcu_read, is quiescent between batches and
 * goes offline before it blocks. What was replaced is given to rcu_defer.
 *
 * Under TSan, liburcu 0.13 shows false races: its own publish and read use barriers that TSan does not know. Hence
 * publish and read are __atomic release and consume here, and the order "reader is done with it → callback frees
 * it" is told by __tsan_release before the quiescent state and __tsan_acquire in the callback. Coming online tells
 * nothing: what a reader may see it gets by rcu_read alone, so that TSan still finds a publish that was forgotten.
 *
 * tests/unit/base/test_rcu.c is the toy that proves it: built with -DRCU_TOY_NO_ORDER, which leaves the
 * annotations out, TSan reports it; without, it doesn't. */
#pragma once

#include "base/attr.h"

#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif

/* Inlined, or, under TSan, called: only what our own compiler makes is looked at. */
#ifndef RCU_TSAN
#define _LGPL_SOURCE
#endif
#include <urcu-qsbr.h>
#undef _LGPL_SOURCE

#if defined(RCU_TSAN) && !defined(RCU_TOY_NO_ORDER)
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char rcu_tsan_order; /* only its address is used */
#define RCU_ORDER_RELEASE() __tsan_release(&rcu_tsan_order)
#define RCU_ORDER_ACQUIRE() __tsan_acquire(&rcu_tsan_order)
#else
#define RCU_ORDER_RELEASE() ((void)0)
#define RCU_ORDER_ACQUIRE() ((void)0)
#endif

/* Reads a published pointer; what it points to stays until the reader is quiescent or offline. [reader threads] */
#define rcu_read(ptr) __atomic_load_n(&(ptr), __ATOMIC_CONSUME)
/* Publishes `value`. [control] */
#define rcu_publish(ptr, value) __atomic_store_n(&(ptr), (value), __ATOMIC_RELEASE)

/* Makes the calling thread a reader, online. */
static inline void rcu_reader_start(void) { rcu_register_thread(); }
static inline void rcu_reader_stop(void)
{
    RCU_ORDER_RELEASE();
    rcu_unregister_thread();
}
/* Once a batch: "I hold nothing". */
static inline void rcu_reader_quiescent(void)
{
    RCU_ORDER_RELEASE();
    rcu_quiescent_state();
}
/* Around anything that may block. A pair of them costs two full barriers more than a quiescent state. */
static inline void rcu_reader_offline(void)
{
    RCU_ORDER_RELEASE();
    rcu_thread_offline();
}
static inline void rcu_reader_online(void) { rcu_thread_online(); }

/* Embed in what will be deferred. */
struct rcu_deferred {
    struct rcu_head head;
    void (*fn)(struct rcu_deferred *self);
};
/* Calls `fn` on the reclaimer thread (started with the first call) once no reader can still see what was
 * unpublished before this call. `fn` must not block and may free the memory that holds `self`. [any thread but
 * readers] */
void rcu_defer(struct rcu_deferred *self, void (*fn)(struct rcu_deferred *self)) ATTR_NONNULL_ALL;
/* Waits until all callbacks deferred before have run. Never on the control loop; for shutdown and tests. A reader
 * that calls it must be offline. */
void rcu_drain(void);
