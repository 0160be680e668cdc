#include "loop/spawn_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"

/* ---- output */

void spawn_line_feed(struct spawn_line *line, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !line->is_whole; i++) {
        bool is_blank = strchr(" \t\r\n", bytes[i]) && bytes[i];
        if (!line->len && is_blank)
            continue;
        if (bytes[i] == '\n' || line->len == sizeof line->bytes)
            line->is_whole = true;
        else
            line->bytes[line->len++] = bytes[i];
    }
}

/* Taken out of the epoll set by hand: a process that was forked and has not come to its exec has the descriptor too,
 * and the set would go on telling of it. */
static void close_output(struct spawn_process *process, unsigned output)
{
    int fd = process->output_fds[output];
    if (fd < 0)
        return;
    (void)epoll_ctl(process->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
    process->output_fds[output] = -1;
}

/* What is beyond the line is read too, or a command that says much would wait for us. */
bool spawn_process_read(struct spawn_process *process, unsigned output)
{
    char bytes[16 * 1024];
    ssize_t done;
    if (process->output_fds[output] < 0)
        return false;
    do
        done = read(process->output_fds[output], bytes, sizeof bytes);
    while (done < 0 && errno == EINTR);
    if (done > 0)
        spawn_line_feed(&process->lines[output], bytes, (size_t)done);
    if (done > 0 || (done < 0 && errno == EAGAIN))
        return true;
    close_output(process, output);
    return false;
}

/* ---- start */

/* Ours, but for variables of the same name in `variables`, and these. */
static char **make_environment(const char *const *variables, size_t cnt)
{
    size_t ours = 0, used = 0;
    while (environ[ours])
        ours++;
    char **made = mem_zalloc(ours + cnt + 1, sizeof *made);
    for (size_t i = 0; i < ours; i++) {
        size_t name_len = strcspn(environ[i], "=") + 1;
        bool is_replaced = false;
        for (size_t v = 0; v < cnt; v++)
            is_replaced |= !strncmp(variables[v], environ[i], name_len);
        if (!is_replaced)
            made[used++] = environ[i];
    }
    for (size_t v = 0; v < cnt; v++)
        made[used++] = (char *)(uintptr_t)variables[v];
    return made;
}

/* All that lies between the fork and the program. Whatever fails is told through the status pipe, which exec closes. */
static void ATTR_NORETURN run(pid_t helper, const int *outputs, int status_fd, const char **argv, char **environment)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != helper) /* it died before it could be told to */
        _exit(127);
    /* Standard input is /dev/null for the helper too; everything above is closed by exec. */
    if (!setpgid(0, 0) && dup2(outputs[SPAWN_OUT], STDOUT_FILENO) >= 0 && dup2(outputs[SPAWN_ERR], STDERR_FILENO) >= 0)
        execve(argv[0], (char **)(uintptr_t)argv, environment);
    int error = errno;
    ssize_t told = write(status_fd, &error, sizeof error);
    _exit(told == (ssize_t)sizeof error ? 127 : 126);
}

struct pipes {
    int ends[SPAWN_OUTPUT_CNT + 1][2]; /* the last is the status' */
};

static void close_side(struct pipes *pipes, unsigned side)
{
    for (unsigned i = 0; i <= SPAWN_OUTPUT_CNT; i++) {
        if (pipes->ends[i][side] >= 0)
            close(pipes->ends[i][side]);
        pipes->ends[i][side] = -1;
    }
}

static int open_pipes(struct pipes *pipes)
{
    memset(pipes, -1, sizeof *pipes);
    for (unsigned i = 0; i <= SPAWN_OUTPUT_CNT; i++)
        if (pipe2(pipes->ends[i], O_CLOEXEC) || fcntl(pipes->ends[i][0], F_SETFL, O_NONBLOCK))
            return errno;
    return 0;
}

static pid_t fork_one(const struct pipes *pipes, const struct spawn_message *run_message)
{
    const char *argv[SPAWN_ARGUMENTS_MAX + 1], *variables[SPAWN_VARIABLES_MAX + 1];
    const int outputs[] = {pipes->ends[SPAWN_OUT][1], pipes->ends[SPAWN_ERR][1]};
    spawn_message_lists(run_message, argv, variables);
    char **environment = make_environment(variables, run_message->run.variable_cnt);
    pid_t helper = getpid(), pid = fork();
    if (!pid)
        run(helper, outputs, pipes->ends[SPAWN_OUTPUT_CNT][1], argv, environment);
    int error = errno;
    free(environment);
    if (pid > 0)
        (void)setpgid(pid, pid); /* whoever of us is first: it is to be killed with its group from now on */
    errno = error;
    return pid;
}

/* Where the set takes it not, its output is read at its end. */
static void watch(struct spawn_process *process, void *const tags[SPAWN_OUTPUT_CNT])
{
    for (unsigned i = 0; i < SPAWN_OUTPUT_CNT; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = tags[i]};
        (void)epoll_ctl(process->epoll_fd, EPOLL_CTL_ADD, process->output_fds[i], &event);
    }
}

int spawn_process_start(struct spawn_process *process, const struct spawn_message *run_message, int epoll_fd,
                        void *const tags[SPAWN_OUTPUT_CNT])
{
    struct pipes pipes;
    *process = (struct spawn_process){.output_fds = {-1, -1}, .epoll_fd = epoll_fd, .status_fd = -1};
    int error = open_pipes(&pipes);
    pid_t pid = error ? -1 : fork_one(&pipes, run_message);
    if (!error && pid < 0)
        error = errno;
    close_side(&pipes, 1);
    if (error) {
        close_side(&pipes, 0);
        return error;
    }
    process->pid = pid;
    for (unsigned i = 0; i < SPAWN_OUTPUT_CNT; i++)
        process->output_fds[i] = pipes.ends[i][0];
    process->status_fd = pipes.ends[SPAWN_OUTPUT_CNT][0];
    watch(process, tags);
    return 0;
}

/* ---- end */

void spawn_process_kill(const struct spawn_process *process)
{
    if (process->pid > 1) /* 0 and -1 would be all of us, and all there are */
        (void)kill(-process->pid, SIGKILL);
}

/* What it had said when it ended, but no more than a pipe holds: somebody whom it left behind may go on. */
static void read_rest(struct spawn_process *process, unsigned output)
{
    enum { PIECES_MOST = 8 };
    for (unsigned i = 0; i < PIECES_MOST && !process->lines[output].is_whole; i++)
        if (!spawn_process_read(process, output))
            break;
    close_output(process, output);
}

static bool could_not_run(struct spawn_process *process, uint32_t *number)
{
    int error = 0;
    bool told = read(process->status_fd, &error, sizeof error) == (ssize_t)sizeof error;
    close(process->status_fd);
    process->status_fd = -1;
    *number = (uint32_t)error;
    return told;
}

void spawn_process_end(struct spawn_process *process, int status, struct spawn_result *result)
{
    for (unsigned i = 0; i < SPAWN_OUTPUT_CNT; i++)
        read_rest(process, i);
    const struct spawn_line *line = &process->lines[process->lines[SPAWN_OUT].len ? SPAWN_OUT : SPAWN_ERR];
    utf8_clean(result->line, sizeof result->line, line->bytes, line->len);
    process->pid = 0;
    if (could_not_run(process, &result->number)) {
        result->how = SPAWN_NOT_RUN;
    } else if (WIFSIGNALED(status)) {
        result->how = SPAWN_SIGNALLED;
        result->number = (uint32_t)WTERMSIG(status);
    } else {
        result->how = SPAWN_EXITED;
        result->number = (uint32_t)WEXITSTATUS(status);
    }
}
