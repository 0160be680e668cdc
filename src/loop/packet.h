/* Packets over a socket of type SOCK_SEQPACKET between two processes: each arrives whole or not at all, and nobody
 * waits for the other: what the socket does not take yet is kept in order. Whoever owns the socket watches it, for
 * writing while packet_waits. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct packet;

/* What is still to be sent. Embed. */
struct packet_queue {
    struct packet *first, **last;
};

void packet_queue_fini(struct packet_queue *queue) ATTR_NONNULL_ALL;
void packet_queue_init(struct packet_queue *queue) ATTR_NONNULL_ALL;
static inline bool packet_waits(const struct packet_queue *queue) { return queue->first != NULL; }

/* Sends behind what waits, or lets it wait. ERR_CLOSED: nobody will ever read it. */
enum err packet_send(struct packet_queue *queue, int fd, const void *bytes, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Sends what waits, as far as the socket takes it. ERR_CLOSED. */
enum err packet_flush(struct packet_queue *queue, int fd) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The next packet. ERR_BUSY: none is there; ERR_LIMIT: it was longer than `cap` and is lost; ERR_CLOSED: no more will
 * come. */
enum err packet_receive(int fd, uint8_t *buffer, size_t cap, size_t *len) ATTR_NONNULL_ALL ATTR_MUST_USE;
