#include "base/err.h"

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define X(name, text) [ERR_##name] = text,
        ERR_MAP(X)
#undef X
    };
    unsigned i = (unsigned)e;
    return i < sizeof texts / sizeof *texts ? texts[i] : "unknown error";
}
