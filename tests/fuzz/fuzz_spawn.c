/* What the daemon and the spawn helper say to each other, and lines of output of commands: the input is read as a
 * message, what can be read must come back the same when written; as output in pieces of a length that its first byte
 * gives, whose line must be clean; and as a template. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/utf8.h"
#include "loop/spawn_process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

static void run_back(uint8_t *out, const struct spawn_message *m, const uint8_t *data, size_t len)
{
    const char *argv[SPAWN_ARGUMENTS_MAX + 1], *variables[SPAWN_VARIABLES_MAX + 1];
    spawn_message_lists(m, argv, variables);
    const struct spawn_request request = {argv,          m->run.arg_cnt,    variables, m->run.variable_cnt,
                                          m->run.timeout_ms, m->run.hung_before};
    size_t again = spawn_message_run(out, SPAWN_MESSAGE_MAX, m->id, &request);
    must(again == len);
    out[9] = data[9]; /* any byte but 0 is true */
    must(!memcmp(out, data, len));
}

static void read_message(const uint8_t *data, size_t len)
{
    static uint8_t out[SPAWN_MESSAGE_MAX];
    struct spawn_message m;
    if (len > sizeof out || spawn_message_read(&m, data, len))
        return;
    size_t again = len;
    switch (m.type) {
    case SPAWN_BECOME:
        again = spawn_message_become(out, sizeof out, m.user);
        break;
    case SPAWN_RUN:
        run_back(out, &m, data, len);
        break;
    case SPAWN_STOP:
        again = spawn_message_stop(out, sizeof out, m.id);
        break;
    case SPAWN_HELLO:
        again = spawn_message_hello(out, sizeof out, m.signal);
        break;
    case SPAWN_ENDED:
        again = spawn_message_ended(out, SPAWN_SHORT_MAX, m.id, &m.result);
        break;
    }
    must(again == len);
}

static void read_output(const uint8_t *data, size_t len)
{
    struct spawn_line line = {.len = 0};
    char text[SPAWN_LINE_MAX];
    size_t piece = len && data[0] ? data[0] : 256;
    uint32_t code;
    for (size_t at = 1; at < len; at += piece)
        spawn_line_feed(&line, (const char *)data + at, len - at < piece ? len - at : piece);
    const char *at = utf8_clean(text, sizeof text, line.bytes, line.len);
    for (unsigned step; *at; at += step)
        must((step = utf8_next(at, &code)) != 0 && !utf8_is_harmful(code));
}

static void read_template(const uint8_t *data, size_t len)
{
    static const struct template_word words[] = {{"address", "192.0.2.1"}, {"port", "80"}};
    char problem[TEMPLATE_PROBLEM_MAX];
    char *text = malloc(len + 1);
    memcpy(text, data, len);
    text[len] = '\0';
    bool bad = template_has_problem(problem, text, words, 2);
    char *filled = template_fill(text, words, 2);
    must(bad || strlen(filled) <= 2 * strlen(text));
    must(!template_uses(filled, "address"));
    free(filled);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    read_message(data, len);
    read_output(data, len);
    read_template(data, len);
    return 0;
}
