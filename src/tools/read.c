#include "tools/read.h"

#include <stdio.h>
#include <string.h>

const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

unsigned long long count_of(const json_t *object, const char *key)
{
    return number_of(object, key);
}

bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

const char *time_text(char out[HUMAN_MAX], const json_t *object, const char *key)
{
    const char *iso = text_of(object, key);
    if (!iso || strlen(iso) != strlen("2025-11-30T12:00:00Z"))
        return iso;
    snprintf(out, HUMAN_MAX, "%.10s %.8s UTC", iso, iso + 11);
    return out;
}
