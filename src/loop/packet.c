#include "loop/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

struct packet {
    struct packet *next;
    size_t len;
    uint8_t bytes[];
};

void packet_queue_init(struct packet_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void drop_first(struct packet_queue *queue)
{
    struct packet *packet = queue->first;
    queue->first = packet->next;
    if (!queue->first)
        queue->last = &queue->first;
    free(packet);
}

void packet_queue_fini(struct packet_queue *queue)
{
    while (queue->first)
        drop_first(queue);
}

/* ERR_BUSY: not now. The socket says ENOBUFS where the system has no memory for it; another try may go well. */
static enum err send_one(int fd, const void *bytes, size_t len)
{
    for (;;) {
        if (send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return ERR_OK;
        if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
            return ERR_BUSY;
        if (errno != EINTR)
            return ERR_CLOSED;
    }
}

enum err packet_flush(struct packet_queue *queue, int fd)
{
    while (queue->first) {
        enum err err = send_one(fd, queue->first->bytes, queue->first->len);
        if (err)
            return err == ERR_BUSY ? ERR_OK : err;
        drop_first(queue);
    }
    return ERR_OK;
}

enum err packet_send(struct packet_queue *queue, int fd, const void *bytes, size_t len)
{
    enum err err = queue->first ? ERR_BUSY : send_one(fd, bytes, len);
    if (err != ERR_BUSY)
        return err;
    struct packet *packet = mem_zalloc(1, sizeof *packet + len);
    packet->len = len;
    memcpy(packet->bytes, bytes, len);
    *queue->last = packet;
    queue->last = &packet->next;
    return ERR_OK;
}

enum err packet_receive(int fd, uint8_t *buffer, size_t cap, size_t *len)
{
    ssize_t done;
    do
        done = recv(fd, buffer, cap, MSG_DONTWAIT | MSG_TRUNC);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
    if (done == 0) /* nobody sends empty ones */
        return ERR_CLOSED;
    *len = (size_t)done;
    return *len > cap ? ERR_LIMIT : ERR_OK;
}
