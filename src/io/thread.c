#include "io/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum {
    /* Its only use is that system calls end with EINTR. SIGURG because the default is to ignore it: one that comes
     * too early or too late does nothing. */
    WAKE_SIGNAL = SIGURG,
    WAKE_AGAIN_NS = 2000000,
};

static void wake(int signal_number) { (void)signal_number; }

static void install_wake(void)
{
    struct sigaction action = {.sa_handler = wake}; /* no SA_RESTART */
    sigemptyset(&action.sa_mask);
    (void)sigaction(WAKE_SIGNAL, &action, NULL);
}

/* All but the wake signal and what the thread does to itself: those would kill the process without the report that
 * a debugger or sanitizer wants to give. */
static void fill_blocked(sigset_t *blocked)
{
    static const int let_through[] = {WAKE_SIGNAL, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigfillset(blocked);
    for (size_t i = 0; i < sizeof(let_through) / sizeof(let_through[0]); i++)
        sigdelset(blocked, let_through[i]);
}

enum err thread_start(struct thread *thread, void *(*run)(void *arg), void *arg, const char *name)
{
    char shown[16];
    sigset_t blocked, before;
    install_wake();
    fill_blocked(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before); /* inherited by the thread */
    int error = pthread_create(&thread->id, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        log_error("cannot start thread \"%s\": %s", name, strerrordesc_np(error));
        return ERR_IO;
    }
    strncpy(shown, name, sizeof(shown) - 1);
    shown[sizeof(shown) - 1] = '\0';
    (void)pthread_setname_np(thread->id, shown);
    thread->running = true;
    return ERR_OK;
}

/* The signal may come between a thread's look at *stop and its blocking call, and is lost then. So it is sent
 * again and again until the thread is gone; only a thread that hit the gap needs the second one. (ppoll with a
 * signal mask has no gap but costs every batch a system call.) */
void thread_stop_all(struct thread *threads, size_t cnt, bool *stop)
{
    __atomic_store_n(stop, true, __ATOMIC_RELAXED);
    for (size_t left = cnt; left > 0;) {
        left = 0;
        for (size_t i = 0; i < cnt; i++) {
            if (!threads[i].running)
                continue;
            (void)pthread_kill(threads[i].id, WAKE_SIGNAL);
            threads[i].running = pthread_tryjoin_np(threads[i].id, NULL) == EBUSY;
            left += threads[i].running;
        }
        if (left > 0)
            nanosleep(&(struct timespec){.tv_nsec = WAKE_AGAIN_NS}, NULL);
    }
}
