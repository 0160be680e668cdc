#include "questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 1200 };

static const struct {
    const char *text;
    uint16_t type;
} types[] = {{"A", 1}, {"NS", 2}, {"SOA", 6}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}, {"DS", 43}, {"DNSKEY", 48}};

static void refuse(const char *path, size_t line, const char *why)
{
    fprintf(stderr, "%s:%zu: %s\n", path, line, why);
    exit(1);
}

/* 0 for one that is not in the table. */
static uint16_t type_from_text(const char *text)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].text, text) == 0)
            return types[i].type;
    return 0;
}

/* A name without escapes, with a final dot or without. Returns its length on the wire, 0 when it is none. */
static size_t name_from_text(uint8_t out[255], const char *text)
{
    size_t at = 0;
    while (*text) {
        size_t len = strcspn(text, ".");
        if (len == 0 || len > 63 || at + 1 + len + 1 > 255)
            return 0;
        out[at] = (uint8_t)len;
        memcpy(out + at + 1, text, len);
        at += 1 + len;
        text += len + (text[len] == '.');
    }
    out[at] = 0;
    return at + 1;
}

/* Room for one question more; both arrays grow by doubling. */
static void grow(struct questions *q, size_t *cap)
{
    if (q->cnt < *cap)
        return;
    *cap = *cap ? *cap * 2 : 1024;
    q->bytes = reallocarray(q->bytes, *cap, QUESTION_MAX);
    q->starts = reallocarray(q->starts, *cap + 1, sizeof(*q->starts));
    if (!q->bytes || !q->starts)
        abort();
    q->starts[0] = 0;
}

void questions_read(struct questions *questions, const char *path)
{
    char line[LINE_MAX_LEN], name[LINE_MAX_LEN], type[16];
    size_t cap = 0, line_cnt = 0;
    FILE *file = fopen(path, "r");
    *questions = (struct questions){0};
    if (!file) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), file)) {
        line_cnt++;
        if (sscanf(line, "%1199s %15s", name, type) != 2)
            refuse(path, line_cnt, "expected NAME TYPE");
        grow(questions, &cap);
        uint8_t *out = questions->bytes + questions->starts[questions->cnt];
        size_t len = name_from_text(out, name);
        uint16_t code = type_from_text(type);
        if (len == 0 || code == 0)
            refuse(path, line_cnt, len ? "this type is not known here" : "this is no name");
        memcpy(out + len, (const uint8_t[]){(uint8_t)(code >> 8), (uint8_t)code, 0, 1}, 4);
        questions->cnt++;
        questions->starts[questions->cnt] = questions->starts[questions->cnt - 1] + len + 4;
    }
    fclose(file);
    if (questions->cnt == 0)
        refuse(path, line_cnt, "no question");
}

void questions_free(struct questions *questions)
{
    free(questions->bytes);
    free(questions->starts);
    *questions = (struct questions){0};
}

size_t questions_put(uint8_t *out, const struct questions *questions, uint64_t number, uint16_t id)
{
    const size_t *start = questions->starts + number % questions->cnt;
    size_t len = start[1] - start[0];
    memset(out, 0, QUERY_HEADER_LEN);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[5] = 1; /* QDCOUNT */
    memcpy(out + QUERY_HEADER_LEN, questions->bytes + start[0], len);
    return QUERY_HEADER_LEN + len;
}
