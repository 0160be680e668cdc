#include "probe/agent_line.h"

#include <string.h>
#include <strings.h>

struct word {
    const char *at;
    size_t len;
};

static bool is(const struct word *word, const char *text)
{
    return word->len == strlen(text) && !strncasecmp(word->at, text, word->len);
}

static bool begins(const struct word *word, const char *text)
{
    return word->len > strlen(text) && !strncasecmp(word->at, text, strlen(text));
}

static bool is_between(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* "75%" */
static bool read_percent(const struct word *word, uint32_t *percent)
{
    *percent = 0;
    for (size_t i = 0; i + 1 < word->len; i++) {
        if (word->at[i] < '0' || word->at[i] > '9' || *percent > AGENT_PERCENT_MAX)
            return false;
        *percent = *percent * 10 + (uint32_t)(word->at[i] - '0');
    }
    return word->len > 1 && word->at[word->len - 1] == '%' && *percent <= AGENT_PERCENT_MAX;
}

static bool take_load(struct agent_said *said, struct health_measure *measure, const struct word *word)
{
    uint32_t percent;
    if (!read_percent(word, &percent))
        return false;
    measure->load = percent;
    measure->load_kind = HEALTH_LOAD_PERCENT;
    said->has_load = true;
    return true;
}

static void administer(struct health_measure *measure, uint8_t bit)
{
    measure->agent &= (uint8_t)~(HEALTH_AGENT_DRAIN | HEALTH_AGENT_MAINT);
    measure->agent |= bit;
}

static bool take_state(struct agent_said *said, struct health_measure *measure, const struct word *word)
{
    if (is(word, "ready")) {
        administer(measure, 0);
    } else if (is(word, "drain")) {
        administer(measure, HEALTH_AGENT_DRAIN);
    } else if (is(word, "maint")) {
        administer(measure, HEALTH_AGENT_MAINT);
    } else if (is(word, "up")) {
        measure->agent &= (uint8_t)~HEALTH_AGENT_DOWN;
        said->why = NULL;
    } else if (is(word, "down") || is(word, "fail") || is(word, "failed") || is(word, "stopped")) {
        measure->agent |= HEALTH_AGENT_DOWN;
        said->why = word->at;
        said->why_len = word->len;
    } else {
        return false;
    }
    return true;
}

static void take_word(struct agent_said *said, struct health_measure *measure, const struct word *word)
{
    said->any |= take_load(said, measure, word) || take_state(said, measure, word) || begins(word, "maxconn:");
}

void agent_line_read(struct agent_said *said, struct health_measure *measure, const char *line, size_t len)
{
    const char *sharp = memchr(line, '#', len);
    size_t words_len = sharp ? (size_t)(sharp - line) : len, at = 0;
    *said = (struct agent_said){.text = sharp ? sharp + 1 : NULL, .text_len = sharp ? len - words_len - 1 : 0};
    while (at < words_len) {
        struct word word = {line + at, 0};
        while (at + word.len < words_len && !is_between(word.at[word.len]))
            word.len++;
        if (word.len)
            take_word(said, measure, &word);
        at += word.len + 1;
    }
    measure->drains = measure->agent & HEALTH_AGENT_DRAIN ||
                      (measure->load_kind == HEALTH_LOAD_PERCENT && !measure->load);
}
