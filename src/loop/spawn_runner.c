/* Places and turns: a channel has a number of places, and a command holds one from its start until it is reaped, so
 * that no number of commands that cannot even be killed (a dead NFS server) adds up. Who waits is served in order,
 * commands whose like ran into their timeout last time after the others (base/places.h). A command's time counts from
 * its start; who has not had a place within its timeout is told so. */
#include "loop/spawn_runner.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "base/places.h"
#include "loop/packet.h"
#include "loop/spawn_process.h"

enum {
    EVENTS_MAX = 256, /* more than there are descriptors, so that a turn hears everybody */
    SWEEP_MS = 100,      /* how often those that wait are looked through for whom has waited too long */
    WAITING_MOST = 16384, /* of a channel; more are told so at once */
    REAPED_MOST = 256,   /* in a turn: a command may leave any number of processes behind */
};

/* What a descriptor in the epoll set is for. */
struct source {
    void (*fn)(struct source *source, uint32_t events);
};

struct command {
    struct command *before, *after; /* of its list */
    struct channel *channel;
    uint32_t id;
    bool hung_before;
    bool is_told;                  /* how it ended, or nobody wants to know any more */
    uint64_t arrived_us, start_us, deadline_us;
    uint8_t *packet; /* of its RUN, while it waits */
    size_t packet_len;
    struct spawn_process process;
    struct source outputs[SPAWN_OUTPUT_CNT];
};

struct list {
    struct command *first, *last;
};

struct channel {
    struct runner *runner;
    struct source source;
    int fd; /* -1: closed at the other end */
    bool watches_writing;
    struct packet_queue out;
    unsigned running_cnt, most;
    struct places places;
    struct list running, waiting[2]; /* by hung_before */
    size_t waiting_cnt;
};

struct runner {
    const struct spawn_runner_setup *setup;
    int epoll_fd, signal_fd;
    struct source signal_source;
    struct channel channels[SPAWN_RUNNER_CHANNELS_MAX];
    struct list ended; /* whose events may still lie in the batch that is being worked off */
    uint64_t now_us, sweep_us;
    bool ending, may_reap;
    uint8_t buffer[SPAWN_MESSAGE_MAX];
};

/* ---- lists */

static void list_add(struct list *list, struct command *command)
{
    command->before = list->last;
    command->after = NULL;
    *(list->last ? &list->last->after : &list->first) = command;
    list->last = command;
}

static void list_remove(struct list *list, struct command *command)
{
    *(command->before ? &command->before->after : &list->first) = command->after;
    *(command->after ? &command->after->before : &list->last) = command->before;
}

static struct command *list_find(const struct list *list, uint32_t id)
{
    struct command *command = list->first;
    while (command && command->id != id)
        command = command->after;
    return command;
}

/* ---- answers */

static bool watch(struct runner *runner, int fd, int how, uint32_t events, struct source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return !epoll_ctl(runner->epoll_fd, how, fd, &event);
}

static void close_channel(struct channel *channel);

static void after_send(struct channel *channel, enum err err)
{
    bool wants = packet_waits(&channel->out);
    if (err) {
        close_channel(channel);
    } else if (wants != channel->watches_writing) {
        uint32_t events = wants ? (uint32_t)EPOLLIN | EPOLLOUT : (uint32_t)EPOLLIN;
        (void)watch(channel->runner, channel->fd, EPOLL_CTL_MOD, events, &channel->source);
        channel->watches_writing = wants;
    }
}

static void send_bytes(struct channel *channel, const uint8_t *bytes, size_t len)
{
    if (channel->fd >= 0)
        after_send(channel, packet_send(&channel->out, channel->fd, bytes, len));
}

static void tell(struct command *command, struct spawn_result *result)
{
    struct channel *channel = command->channel;
    uint8_t bytes[SPAWN_SHORT_MAX];
    if (command->is_told)
        return;
    command->is_told = true;
    uint64_t took_us = command->start_us ? channel->runner->now_us - command->start_us : 0;
    result->duration_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
    send_bytes(channel, bytes, spawn_message_ended(bytes, sizeof bytes, command->id, result));
}

/* ---- ends */

static void free_command(struct command *command)
{
    free(command->packet);
    free(command);
}

static void free_list(struct list *list)
{
    while (list->first) {
        struct command *command = list->first;
        list_remove(list, command);
        free_command(command);
    }
}

static void leave_waiting(struct command *command)
{
    command->channel->waiting_cnt--;
    list_remove(&command->channel->waiting[command->hung_before], command);
}

static void leave_places(struct command *command)
{
    struct channel *channel = command->channel;
    list_remove(&channel->running, command);
    channel->running_cnt--;
    places_leave(&channel->places, command->hung_before);
    list_add(&channel->runner->ended, command);
}

static void reaped(struct command *command, int status)
{
    struct spawn_result result = {.how = SPAWN_EXITED};
    spawn_process_end(&command->process, status, &result);
    tell(command, &result);
    leave_places(command);
}

static struct command *find_process(struct runner *runner, pid_t pid)
{
    for (size_t i = 0; i < runner->setup->channel_cnt; i++)
        for (struct command *c = runner->channels[i].running.first; c; c = c->after)
            if (c->process.pid == pid)
                return c;
    return NULL;
}

/* While it is a zombie its number, and with it that of its group, is nobody else's: so first the group is killed, then
 * it is reaped. Other children are what commands have left behind (we are their "subreaper"). */
static void reap(struct runner *runner)
{
    runner->may_reap = false;
    for (unsigned n = 0; n < REAPED_MOST; n++) {
        siginfo_t info = {.si_pid = 0};
        int status = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
            return;
        struct command *command = find_process(runner, info.si_pid);
        if (command)
            spawn_process_kill(&command->process);
        (void)waitpid(info.si_pid, &status, WNOHANG);
        if (command)
            reaped(command, status);
    }
    runner->may_reap = true;
}

static void come_late(struct command *command)
{
    struct spawn_result result = {.how = SPAWN_LATE};
    spawn_process_kill(&command->process);
    tell(command, &result);
    command->deadline_us = UINT64_MAX; /* until it is reaped, whenever that may be */
}

/* ---- starts */

static void on_output(struct source *source, unsigned output)
{
    struct command *command = container_of(source, struct command, outputs[output]);
    (void)spawn_process_read(&command->process, output);
}
static void on_out(struct source *source, uint32_t events)
{
    (void)events;
    on_output(source, SPAWN_OUT);
}
static void on_err(struct source *source, uint32_t events)
{
    (void)events;
    on_output(source, SPAWN_ERR);
}

static void start(struct command *command)
{
    struct channel *channel = command->channel;
    struct spawn_message run;
    void *const tags[] = {&command->outputs[SPAWN_OUT], &command->outputs[SPAWN_ERR]};
    command->outputs[SPAWN_OUT].fn = on_out;
    command->outputs[SPAWN_ERR].fn = on_err;
    leave_waiting(command);
    list_add(&channel->running, command);
    channel->running_cnt++;
    places_take(&channel->places, command->hung_before, channel->waiting[true].first);
    channel->runner->now_us = command->start_us = clock_mono_us();
    int error = spawn_message_read(&run, command->packet, command->packet_len)
                    ? EINVAL
                    : spawn_process_start(&command->process, &run, channel->runner->epoll_fd, tags);
    command->deadline_us = command->start_us + (uint64_t)run.run.timeout_ms * 1000;
    free(command->packet);
    command->packet = NULL;
    if (error) {
        struct spawn_result result = {.how = SPAWN_NOT_RUN, .number = (uint32_t)error};
        tell(command, &result);
        leave_places(command);
    }
}

/* NULL: nobody waits, or none may. */
static struct command *may_start(const struct channel *channel)
{
    const struct list *waiting = channel->waiting;
    enum places_turn turn =
        places_next(&channel->places, channel->running_cnt, channel->most, waiting[false].first, waiting[true].first);
    return turn == PLACES_NOBODY ? NULL : waiting[turn].first;
}

static void take_run(struct channel *channel, const struct spawn_message *message, size_t len)
{
    struct runner *runner = channel->runner;
    struct command *command = mem_zalloc(1, sizeof *command);
    command->channel = channel;
    command->id = message->id;
    command->hung_before = message->run.hung_before;
    command->packet = mem_dup(runner->buffer, len);
    command->packet_len = len;
    command->arrived_us = runner->now_us;
    command->deadline_us = runner->now_us + (uint64_t)message->run.timeout_ms * 1000; /* for its start */
    if (channel->waiting_cnt >= WAITING_MOST) {
        struct spawn_result result = {.how = SPAWN_NO_PLACE};
        tell(command, &result);
        free_command(command);
        return;
    }
    channel->waiting_cnt++;
    list_add(&channel->waiting[command->hung_before], command);
}

static void take_stop(struct channel *channel, uint32_t id)
{
    struct command *command = list_find(&channel->running, id);
    if (command) {
        command->is_told = true;
        spawn_process_kill(&command->process);
        return;
    }
    for (unsigned hung = 0; hung < 2; hung++) {
        command = list_find(&channel->waiting[hung], id);
        if (!command)
            continue;
        leave_waiting(command);
        free_command(command);
        return;
    }
}

/* ---- channels */

static void close_channel(struct channel *channel)
{
    if (channel->fd < 0)
        return;
    (void)epoll_ctl(channel->runner->epoll_fd, EPOLL_CTL_DEL, channel->fd, NULL); /* as of outputs */
    close(channel->fd);
    channel->fd = -1;
    packet_queue_fini(&channel->out);
    free_list(&channel->waiting[false]);
    free_list(&channel->waiting[true]);
    channel->waiting_cnt = 0;
    for (struct command *c = channel->running.first; c; c = c->after) {
        c->is_told = true;
        spawn_process_kill(&c->process);
    }
}

static void on_channel(struct source *source, uint32_t events)
{
    struct channel *channel = container_of(source, struct channel, source);
    struct runner *runner = channel->runner;
    struct spawn_message message;
    size_t len;
    enum err err = ERR_OK;
    if (channel->fd >= 0 && events & EPOLLOUT)
        after_send(channel, packet_flush(&channel->out, channel->fd));
    while (channel->fd >= 0 && !err) {
        err = packet_receive(channel->fd, runner->buffer, sizeof runner->buffer, &len);
        if (err == ERR_CLOSED)
            close_channel(channel);
        if (err || spawn_message_read(&message, runner->buffer, len))
            continue;
        if (message.type == SPAWN_RUN)
            take_run(channel, &message, len);
        else if (message.type == SPAWN_STOP)
            take_stop(channel, message.id);
    }
}

static bool all_closed(const struct runner *runner)
{
    for (size_t i = 0; i < runner->setup->channel_cnt; i++)
        if (runner->channels[i].fd >= 0)
            return false;
    return true;
}

/* ---- time and signals */

static void on_signal(struct source *source, uint32_t events)
{
    struct runner *runner = container_of(source, struct runner, signal_source);
    struct signalfd_siginfo info;
    (void)events;
    while (read(runner->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SPAWN_PARENT_GONE)
            runner->ending = true;
    runner->may_reap = true;
}

static void sweep(struct channel *channel)
{
    for (unsigned hung = 0; hung < 2; hung++) {
        for (struct command *command = channel->waiting[hung].first, *after; command; command = after) {
            struct spawn_result result = {.how = SPAWN_NO_PLACE};
            after = command->after;
            if (command->deadline_us > channel->runner->now_us)
                continue;
            leave_waiting(command);
            tell(command, &result);
            free_command(command);
            if (channel->fd < 0) /* telling failed: all are gone */
                return;
        }
    }
}

static void look_at_time(struct runner *runner)
{
    bool sweeps = runner->now_us >= runner->sweep_us;
    for (size_t i = 0; i < runner->setup->channel_cnt; i++) {
        struct channel *channel = &runner->channels[i];
        for (struct command *c = channel->running.first; c; c = c->after)
            if (c->deadline_us <= runner->now_us)
                come_late(c);
        if (sweeps)
            sweep(channel);
        for (struct command *next; (next = may_start(channel)) != NULL;)
            start(next);
    }
    if (sweeps)
        runner->sweep_us = runner->now_us + (uint64_t)SWEEP_MS * 1000;
}

/* Rounded up: too early would only find nothing to do. */
static int wait_ms(const struct runner *runner)
{
    uint64_t next_us = UINT64_MAX;
    if (runner->may_reap)
        return 0;
    for (size_t i = 0; i < runner->setup->channel_cnt; i++) {
        const struct channel *channel = &runner->channels[i];
        if (channel->waiting_cnt && runner->sweep_us < next_us)
            next_us = runner->sweep_us;
        for (const struct command *c = channel->running.first; c; c = c->after)
            if (c->deadline_us < next_us)
                next_us = c->deadline_us;
    }
    if (next_us == UINT64_MAX)
        return -1;
    if (next_us <= runner->now_us)
        return 0;
    uint64_t ms = (next_us - runner->now_us + 999) / 1000;
    return ms < 60000 ? (int)ms : 60000;
}

/* What commands did comes first, and only then are they late: what ended in time was in time, however late we look. */
static void turn(struct runner *runner)
{
    struct epoll_event events[EVENTS_MAX];
    int cnt = epoll_wait(runner->epoll_fd, events, EVENTS_MAX, wait_ms(runner));
    runner->now_us = clock_mono_us();
    for (int i = 0; i < cnt; i++) {
        struct source *source = events[i].data.ptr;
        source->fn(source, events[i].events);
    }
    if (runner->may_reap)
        reap(runner);
    look_at_time(runner);
    free_list(&runner->ended);
}

/* ---- beginning and end */

static bool open_signals(struct runner *runner)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SPAWN_PARENT_GONE);
    (void)sigprocmask(SIG_SETMASK, &ours, NULL);
    runner->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    runner->signal_source.fn = on_signal;
    return runner->signal_fd >= 0 &&
           watch(runner, runner->signal_fd, EPOLL_CTL_ADD, EPOLLIN, &runner->signal_source);
}

static bool open_channels(struct runner *runner)
{
    uint8_t hello[SPAWN_SHORT_MAX];
    size_t len = spawn_message_hello(hello, sizeof hello, runner->setup->previous_signal);
    for (size_t i = 0; i < runner->setup->channel_cnt; i++) {
        struct channel *channel = &runner->channels[i];
        channel->runner = runner;
        channel->fd = runner->setup->fds[i];
        channel->most = runner->setup->most[i];
        channel->source.fn = on_channel;
        packet_queue_init(&channel->out);
        if (!watch(runner, channel->fd, EPOLL_CTL_ADD, EPOLLIN, &channel->source))
            return false;
        send_bytes(channel, hello, len);
    }
    return true;
}

static bool open_all(struct runner *runner)
{
    (void)prctl(PR_SET_PDEATHSIG, SPAWN_PARENT_GONE);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    runner->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return runner->epoll_fd >= 0 && open_signals(runner) && open_channels(runner) &&
           getppid() == runner->setup->keeper;
}

int spawn_runner_run(const struct spawn_runner_setup *setup)
{
    struct runner *runner = mem_zalloc(1, sizeof *runner);
    runner->setup = setup;
    if (!open_all(runner))
        return 1;
    while (!runner->ending && !all_closed(runner))
        turn(runner);
    for (size_t i = 0; i < setup->channel_cnt; i++)
        close_channel(&runner->channels[i]);
    return 0;
}
