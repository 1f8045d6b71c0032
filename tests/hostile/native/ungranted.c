/* Asks for every table of functions that it was not granted, and denies with the names of those that it got. */
#include <string.h>

#include "hookmq.h"

static const char *const tables[] = {"hookmq.publish.1", "hookmq.disconnect.1", "hookmq.query.1", "hookmq.kv.1", "hookmq.cache.1",
                                     "hookmq.kv.2",      "hookmq.log.999",      "",               "../hookmq.kv.1"};

HOOKMQ_ON(intercept_publish, topic)
{
    char got[256] = "";
    for (size_t at = 0; at < sizeof tables / sizeof *tables; at++) {
        if (hookmq_extension(tables[at]) != NULL) {
            strcat(got, " ");
            strcat(got, tables[at]);
        }
    }
    if (got[0] != '\0')
        return hookmq_deny(answer, 0x87, got);
    return HOOKMQ_PASS;
}

HOOKMQ_PLUGIN("ungranted", "1.0.0", HOOKMQ_LISTEN(intercept_publish));
