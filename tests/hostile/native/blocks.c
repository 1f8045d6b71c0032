/* Blocks its thread for half a minute where a message says so. */
#include <time.h>

#include "hookmq.h"

HOOKMQ_ON(intercept_publish, payload)
{
    if (hookmq_equals(payload, "block")) {
        struct timespec left = {30, 0};
        nanosleep(&left, &left);
    }
    return HOOKMQ_PASS;
}

HOOKMQ_PLUGIN("blocks", "1.0.0", HOOKMQ_LISTEN_BLOCKING(intercept_publish));
