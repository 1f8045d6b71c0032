/* The prefix filter in C, and what else the header offers in a few lines. */
#include "hookmq.h"

HOOKMQ_ON(intercept_publish, topic)
{
    if (hookmq_starts_with(topic, "devices/"))
        return HOOKMQ_PASS;
    return hookmq_deny(answer, 0x87, "only devices/ may be published to");
}

HOOKMQ_PLUGIN("c-prefix", "1.0.0", HOOKMQ_LISTEN(intercept_publish));
