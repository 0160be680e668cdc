#include "loop/spawn_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/packet.h"
#include "loop/spawn_message.h"
#include "loop/spawn_runner.h"

_Static_assert((int)SPAWN_HELPER_CHANNELS_MAX == (int)SPAWN_RUNNER_CHANNELS_MAX, "what is forked can be run");

enum {
    FIRST_FD = STDERR_FILENO + 1, /* of the helper's channels */
    AGAIN_MS = 1000,              /* a runner that lived for less is not followed at once */
    END_WAIT_MS = 500,
};

/* ---- the keeper: alone */

/* The daemon's own session would have a terminal's signals and its stops come here too, its folder would stay in use.
 * Standard error stays: what ought not to happen is told there. */
static bool isolate(int *fds, size_t cnt)
{
    int null = open("/dev/null", O_RDWR);
    bool ok = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 && !chdir("/");
    for (size_t i = 0; ok && i < cnt; i++) /* away from where they are to come */
        ok = (fds[i] = fcntl(fds[i], F_DUPFD, FIRST_FD + (int)cnt)) >= 0;
    for (size_t i = 0; ok && i < cnt; i++)
        ok = dup2(fds[i], FIRST_FD + (int)i) >= 0 && !fcntl(FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC);
    for (size_t i = 0; i < cnt; i++)
        fds[i] = FIRST_FD + (int)i;
    closefrom(FIRST_FD + (int)cnt);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "rondo-spawn");
    return ok;
}

static void set_signals(sigset_t *heard)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it: then nobody could be waited for */
    sigemptyset(heard);
    sigaddset(heard, SIGCHLD);
    sigaddset(heard, SPAWN_PARENT_GONE);
    (void)sigprocmask(SIG_SETMASK, heard, NULL);
}

/* Who to be; NULL: the daemon has ended before it said so. */
static const char *wait_for_user(int fd)
{
    static uint8_t bytes[SPAWN_SHORT_MAX];
    struct spawn_message message;
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    size_t len;
    enum err err;
    do {
        (void)poll(&pollfd, 1, -1);
        err = packet_receive(fd, bytes, sizeof bytes, &len);
    } while (err == ERR_BUSY);
    return err || spawn_message_read(&message, bytes, len) || message.type != SPAWN_BECOME ? NULL : message.user;
}

/* ---- the keeper: its runner */

static pid_t fork_runner(const int *fds, const struct spawn_helper_setup *setup, unsigned previous_signal)
{
    pid_t keeper = getpid(), pid = fork();
    if (pid)
        return pid;
    const struct spawn_runner_setup runner = {
        .fds = fds,
        .most = setup->most,
        .channel_cnt = setup->channel_cnt,
        .keeper = keeper,
        .previous_signal = previous_signal,
    };
    _exit(spawn_runner_run(&runner));
}

/* Reaps whoever has ended; what commands of a dead runner have left in their groups is killed, while the number of the
 * group is nobody else's. True: the runner was among them. */
static bool reap(pid_t runner, int *status)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        int ended;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
            return false;
        if (info.si_pid > 1 && info.si_pid != runner)
            (void)kill(-info.si_pid, SIGKILL);
        if (waitpid(info.si_pid, &ended, WNOHANG) == runner) {
            *status = ended;
            return true;
        }
    }
}

/* Until the runner has ended, or `most_ms` are over (-1: never), as there is none; false: the daemon is gone. */
static bool watch_over(pid_t runner, const sigset_t *heard, int most_ms, int *status)
{
    const struct timespec most = {most_ms / 1000, most_ms % 1000 * 1000000L};
    while (!reap(runner, status)) {
        int number = sigtimedwait(heard, NULL, most_ms < 0 ? NULL : &most);
        if (number == SPAWN_PARENT_GONE) {
            if (runner > 0)
                (void)kill(runner, SPAWN_PARENT_GONE);
            return false;
        }
        if (number < 0 && errno == EAGAIN)
            break;
    }
    return true;
}

/* Until a runner ends as it should, because nobody needs one any more. */
static void keep(const int *fds, const struct spawn_helper_setup *setup, const sigset_t *heard)
{
    for (unsigned signal_number = 0;;) {
        uint64_t start_ms = clock_mono_ms();
        int status = 0;
        pid_t runner = fork_runner(fds, setup, signal_number);
        if (runner > 0 && (!watch_over(runner, heard, -1, &status) || (WIFEXITED(status) && !WEXITSTATUS(status))))
            return;
        signal_number = WIFSIGNALED(status) ? (unsigned)WTERMSIG(status) : SIGABRT;
        if (clock_mono_ms() - start_ms < AGAIN_MS && !watch_over(-1, heard, AGAIN_MS, &status))
            return;
    }
}

static void ATTR_NORETURN be_keeper(int *fds, const struct spawn_helper_setup *setup, pid_t parent)
{
    sigset_t heard;
    if (!isolate(fds, setup->channel_cnt)) {
        log_error("cannot make the process that runs commands: %s", strerror(errno));
        _exit(1);
    }
    set_signals(&heard);
    const char *user = wait_for_user(fds[0]);
    if (!user)
        _exit(0);
    if (!setup->become(user))
        _exit(1);
    /* After it has become the user, which clears the first of them. */
    (void)prctl(PR_SET_PDEATHSIG, SPAWN_PARENT_GONE);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (getppid() == parent)
        keep(fds, setup, &heard);
    _exit(0);
}

/* ---- the daemon */

static void close_fds(int *fds, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static bool open_channels(int *ours, int *theirs, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
            return false;
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    return true;
}

enum err spawn_helper_fork(struct spawn_helper *helper, const struct spawn_helper_setup *setup)
{
    int theirs[SPAWN_HELPER_CHANNELS_MAX];
    memset(theirs, -1, sizeof theirs);
    *helper = (struct spawn_helper){.channel_cnt = setup->channel_cnt};
    memset(helper->fds, -1, sizeof helper->fds);
    pid_t parent = getpid();
    pid_t pid = open_channels(helper->fds, theirs, setup->channel_cnt) ? fork() : -1;
    if (!pid)
        be_keeper(theirs, setup, parent);
    int error = errno;
    close_fds(theirs, setup->channel_cnt);
    if (pid > 0) {
        helper->pid = pid;
        return ERR_OK;
    }
    log_error("cannot make the process that runs commands: %s", strerror(error));
    close_fds(helper->fds, setup->channel_cnt);
    return ERR_IO;
}

enum err spawn_helper_begin(struct spawn_helper *helper, const char *user)
{
    uint8_t bytes[SPAWN_SHORT_MAX]; /* server.user is at most 255 bytes long */
    struct packet_queue queue;
    size_t len = spawn_message_become(bytes, sizeof bytes, user);
    packet_queue_init(&queue); /* stays empty: it is the first packet of all */
    enum err err = len ? packet_send(&queue, helper->fds[0], bytes, len) : ERR_LIMIT;
    packet_queue_fini(&queue);
    return err;
}

void spawn_helper_end(struct spawn_helper *helper)
{
    enum { LOOK_MS = 2 };
    close_fds(helper->fds, helper->channel_cnt);
    if (helper->pid <= 0)
        return;
    for (int waited_ms = 0; waited_ms < END_WAIT_MS; waited_ms += LOOK_MS) {
        if (waitpid(helper->pid, NULL, WNOHANG))
            break;
        (void)poll(NULL, 0, LOOK_MS);
    }
    helper->pid = 0;
}
