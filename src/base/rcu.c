#include "base/rcu.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>

#if defined(RCU_TSAN) && !defined(RCU_TOY_NO_ORDER)
char rcu_tsan_order;
#endif

_Static_assert(offsetof(struct rcu_deferred, head) == 0, "run() casts the head to its struct");

static void run(struct rcu_head *head)
{
    struct rcu_deferred *self = (struct rcu_deferred *)(void *)head;
    RCU_ORDER_ACQUIRE();
    self->fn(self);
    RCU_ORDER_RELEASE(); /* to rcu_drain */
}

/* liburcu makes its thread with the signal mask of whoever calls call_rcu first, so it is made here, deaf: the
 * process's signals belong to the control thread. */
static void start_reclaimer(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct call_rcu_data *reclaimer = get_default_call_rcu_data();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_setname_np(get_call_rcu_thread(reclaimer), "rondo-rcu");
}

void rcu_defer(struct rcu_deferred *self, void (*fn)(struct rcu_deferred *self))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_reclaimer);
    self->fn = fn;
    RCU_ORDER_RELEASE();
    /* call_rcu asks its caller to be a registered reader only for the sake of per-CPU reclaimers, which we don't
     * have. */
    call_rcu(&self->head, run);
}

struct drain {
    struct rcu_deferred deferred;
    sem_t done;
};

static void tell_drained(struct rcu_deferred *self)
{
    struct drain *drain = (struct drain *)(void *)self;
    sem_post(&drain->done);
}

_Static_assert(offsetof(struct drain, deferred) == 0, "tell_drained() casts it to its struct");

/* The one reclaimer runs callbacks in order of call_rcu, so the last one's turn is everyone's. liburcu's own
 * rcu_barrier does the same, but TSan takes its inner book-keeping for a race. */
void rcu_drain(void)
{
    struct drain drain;
    sem_init(&drain.done, 0, 0);
    rcu_defer(&drain.deferred, tell_drained);
    while (sem_wait(&drain.done) != 0)
        continue; /* EINTR */
    sem_destroy(&drain.done);
    RCU_ORDER_ACQUIRE();
}
