/* A UDP worker: one thread on one socket that reads a batch, has it answered, sends it, and does nothing else.
 * Made and freed by the control thread while it doesn't run. */
#pragma once

#include <stdbool.h>

#include "answer/answer.h"
#include "base/attr.h"
#include "io/io.h"

struct handoffs;
struct udp_worker;

void udp_worker_free(struct udp_worker *worker);
/* `fd` (blocking; with packet information when `wildcard`), `shared`, `handoffs` and `stop` are borrowed. */
struct udp_worker *udp_worker_new(int fd, bool wildcard, const struct answer_shared *shared, struct handoffs *handoffs,
                                  const bool *stop)
    ATTR_FREED_BY(udp_worker_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The thread; `worker` is a struct udp_worker. Returns NULL once *stop is set. */
void *udp_run(void *worker) ATTR_NONNULL_ALL;
/* See answer_take_refusal. [control] */
bool udp_take_refusal(struct udp_worker *worker, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Adds what was counted so far. [control], while it runs too. */
void udp_add_counters(const struct udp_worker *worker, struct answer_counters *answers, struct io_counters *sockets)
    ATTR_NONNULL_ALL;
