/* Answers of commands on one zone as people read them. One thread. */
#pragma once

#include <jansson.h>

void show_refresh(const json_t *data);
void show_retransfer(const json_t *data);
void show_notify(const json_t *data);
void show_dump(const json_t *data);
void show_sync(const json_t *data);
void show_freeze(const json_t *data);
