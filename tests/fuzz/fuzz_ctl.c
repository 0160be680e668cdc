/* Both sides of the control protocol: the input, cut into pieces of a length that its first byte gives, is read as a
 * request and as an answer; what can be read must come back the same when formatted. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

/* True when the pieces make a whole frame. */
static bool feed(struct ctl_frame *frame, const uint8_t *data, size_t len, size_t piece)
{
    bool complete = false;
    for (size_t at = 0; at < len; at += piece) {
        if (ctl_frame_feed(frame, data + at, len - at < piece ? len - at : piece, &complete))
            return false;
        must(frame->len <= frame->most + 4);
    }
    return complete;
}

static void request_back(const struct ctl_request *request)
{
    struct ctl_request again;
    struct ctl_frame frame;
    char why[200];
    size_t len;
    char *bytes = ctl_request_format(&len, request->command, request->args, request->arg_cnt);
    ctl_frame_init(&frame, CTL_ANSWER_MAX);
    must(feed(&frame, (const uint8_t *)bytes, len, len));
    must(ctl_request_parse(&again, &frame, why, sizeof why) == ERR_OK);
    must(strcmp(again.command, request->command) == 0 && again.arg_cnt == request->arg_cnt);
    for (size_t i = 0; i < again.arg_cnt; i++)
        must(strcmp(again.args[i], request->args[i]) == 0);
    ctl_request_fini(&again);
    ctl_frame_fini(&frame);
    free(bytes);
}

static void answer_back(const struct ctl_answer *answer)
{
    struct ctl_answer again;
    struct ctl_frame frame;
    char why[200];
    size_t len;
    char *bytes = ctl_answer_format(&len, answer->status, answer->error, answer->data);
    ctl_frame_init(&frame, CTL_ANSWER_MAX);
    must(feed(&frame, (const uint8_t *)bytes, len, len));
    must(ctl_answer_parse(&again, &frame, why, sizeof why) == ERR_OK);
    must(again.status == answer->status && !again.error == !answer->error);
    must(!again.data == !answer->data && (!again.data || json_equal(again.data, answer->data)));
    ctl_answer_fini(&again);
    ctl_frame_fini(&frame);
    free(bytes);
}

static void text_is_utf8(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    memcpy(text, data, len);
    text[len] = 0;
    json_t *json = ctl_json_text(text);
    json_t *checked = json_string(json_string_value(json));
    must(checked != NULL);
    json_decref(checked);
    json_decref(json);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ctl_frame frame;
    struct ctl_request request;
    struct ctl_answer answer;
    char why[200];
    if (!len)
        return 0;
    size_t piece = data[0] ? data[0] : 4096;
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    if (feed(&frame, data + 1, len - 1, piece)) {
        if (!ctl_request_parse(&request, &frame, why, sizeof why)) {
            request_back(&request);
            ctl_request_fini(&request);
        }
        if (!ctl_answer_parse(&answer, &frame, why, sizeof why)) {
            answer_back(&answer);
            ctl_answer_fini(&answer);
        }
    }
    ctl_frame_fini(&frame);
    text_is_utf8(data, len);
    return 0;
}
