#include "loop/spawn.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/packet.h"

/* An id is a seat and how often it was taken, so that an answer to a job that was stopped is not taken for one to the
 * next in its seat. */
enum { SEAT_BITS = 20, SEATS_MOST = 1 << SEAT_BITS };

struct seat {
    struct spawn_job *job; /* NULL: free */
    uint32_t turn;
    uint32_t next; /* seat + 1, of the free ones */
};

struct spawn {
    int fd; /* -1: nobody is there */
    const char *what;
    struct packet_queue out;
    struct seat *seats;
    uint32_t seat_cnt, seat_cap, free_seat /* + 1 */, running_cnt;
    uint8_t buffer[SPAWN_MESSAGE_MAX];
};

/* ---- seats */

static uint32_t take_seat(struct spawn *spawn)
{
    uint32_t seat = spawn->free_seat;
    if (seat) {
        spawn->free_seat = spawn->seats[seat - 1].next;
        return seat - 1;
    }
    if (spawn->seat_cnt == spawn->seat_cap) {
        spawn->seat_cap = spawn->seat_cap ? spawn->seat_cap * 2 : 16;
        spawn->seats = mem_realloc(spawn->seats, spawn->seat_cap, sizeof *spawn->seats);
    }
    spawn->seats[spawn->seat_cnt] = (struct seat){.turn = 0};
    return spawn->seat_cnt++;
}

static uint32_t id_of(const struct spawn *spawn, uint32_t seat)
{
    return spawn->seats[seat].turn << SEAT_BITS | (seat + 1);
}

static void sit(struct spawn *spawn, struct spawn_job *job)
{
    uint32_t seat = take_seat(spawn);
    spawn->seats[seat].job = job;
    spawn->running_cnt++;
    job->id = id_of(spawn, seat);
}

/* The job with this id, which leaves its seat; NULL: there is none any more. */
static struct spawn_job *stand(struct spawn *spawn, uint32_t id)
{
    uint32_t seat = (id & (SEATS_MOST - 1)) - 1;
    if (seat >= spawn->seat_cnt || !spawn->seats[seat].job || id_of(spawn, seat) != id)
        return NULL;
    struct spawn_job *job = spawn->seats[seat].job;
    spawn->seats[seat].job = NULL;
    spawn->seats[seat].turn++;
    spawn->seats[seat].next = spawn->free_seat;
    spawn->free_seat = seat + 1;
    spawn->running_cnt--;
    job->id = 0;
    return job;
}

/* ---- the helper's death */

/* Those that `done` hands in are not among them: they get ids of their own. */
static void lose_all(struct spawn *spawn)
{
    const struct spawn_result lost = {.how = SPAWN_LOST};
    uint32_t cnt = 0, *ids = mem_zalloc(spawn->running_cnt, sizeof *ids);
    for (uint32_t seat = 0; seat < spawn->seat_cnt; seat++)
        if (spawn->seats[seat].job)
            ids[cnt++] = spawn->seats[seat].job->id;
    for (uint32_t i = 0; i < cnt; i++) {
        struct spawn_job *job = stand(spawn, ids[i]);
        if (job)
            job->done(job, &lost);
    }
    free(ids);
}

static void close_all(struct spawn *spawn)
{
    log_error("the process that runs commands is gone: there will be no %s until rondod is started again", spawn->what);
    spawn->fd = -1;
    packet_queue_fini(&spawn->out);
    lose_all(spawn);
}

static void hear_hello(struct spawn *spawn, uint32_t signal)
{
    if (!signal)
        return;
    log_error("the process that runs commands was ended by signal %u and has begun anew, with %u %s lost", signal,
              spawn->running_cnt, spawn->what);
    lose_all(spawn);
}

/* ---- use */

static void hear(struct spawn *spawn, const struct spawn_message *message)
{
    struct spawn_job *job = NULL;
    if (message->type == SPAWN_HELLO)
        hear_hello(spawn, message->signal);
    if (message->type == SPAWN_ENDED)
        job = stand(spawn, message->id);
    if (job)
        job->done(job, &message->result);
}

void spawn_serve(struct spawn *spawn)
{
    struct spawn_message message;
    size_t len;
    enum err err = spawn->fd < 0 ? ERR_BUSY : packet_flush(&spawn->out, spawn->fd);
    while (!err && spawn->fd >= 0) {
        err = packet_receive(spawn->fd, spawn->buffer, sizeof spawn->buffer, &len);
        if (!err && !spawn_message_read(&message, spawn->buffer, len))
            hear(spawn, &message);
    }
    if (err == ERR_CLOSED && spawn->fd >= 0)
        close_all(spawn);
}

/* That it is gone is told by spawn_serve, which is called for it: here nobody expects to be called back. */
enum err spawn_run(struct spawn *spawn, struct spawn_job *job, const struct spawn_request *request)
{
    if (spawn->fd < 0)
        return ERR_CLOSED;
    if (spawn->running_cnt >= SEATS_MOST - 1)
        return ERR_LIMIT;
    sit(spawn, job);
    size_t len = spawn_message_run(spawn->buffer, sizeof spawn->buffer, job->id, request);
    enum err err = len ? packet_send(&spawn->out, spawn->fd, spawn->buffer, len) : ERR_LIMIT;
    if (err)
        (void)stand(spawn, job->id);
    return err;
}

void spawn_stop(struct spawn *spawn, struct spawn_job *job)
{
    uint8_t bytes[SPAWN_SHORT_MAX];
    uint32_t id = job->id;
    if (!id || !stand(spawn, id) || spawn->fd < 0)
        return;
    size_t len = spawn_message_stop(bytes, sizeof bytes, id);
    (void)!packet_send(&spawn->out, spawn->fd, bytes, len);
}

bool spawn_wants_write(const struct spawn *spawn) { return spawn->fd >= 0 && packet_waits(&spawn->out); }
bool spawn_is_open(const struct spawn *spawn) { return spawn->fd >= 0; }
int spawn_fd(const struct spawn *spawn) { return spawn->fd; }

struct spawn *spawn_new(int fd, const char *what)
{
    struct spawn *spawn = mem_zalloc(1, sizeof *spawn);
    spawn->fd = fd;
    spawn->what = what;
    packet_queue_init(&spawn->out);
    return spawn;
}

void spawn_free(struct spawn *spawn)
{
    if (!spawn)
        return;
    packet_queue_fini(&spawn->out);
    free(spawn->seats);
    free(spawn);
}
