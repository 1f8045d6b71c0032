/* Lets clients publish below one topic only. `make test` runs my_plugin_test.c. */
#include "hookmq.h"

#define BELOW "devices/"

/* Behind the hook's name: the fields that this handler reads, any that docs/hooks.md lists for the hook. */
HOOKMQ_ON(intercept_publish, topic)
{
    if (hookmq_starts_with(topic, BELOW))
        return HOOKMQ_PASS;
    return hookmq_deny(answer, 0x87, "publish below " BELOW);
}

HOOKMQ_PLUGIN("my-plugin", "0.1.0", HOOKMQ_LISTEN(intercept_publish));
