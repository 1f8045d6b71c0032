/* Calls the handlers of my_plugin.c as the broker does. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "my_plugin.c"

static char why[64];

static void refuse(hookmq_answer *answer, const hookmq_refusal *refusal)
{
    (void)answer;
    snprintf(why, sizeof why, "%.*s", (int)refusal->reason_string.len, refusal->reason_string.data);
}

static int32_t publish(const char *topic)
{
    hookmq_value field = hookmq_of_text(hookmq_str(topic));
    hookmq_answer_calls calls = {0};
    hookmq_event event = {0};
    hookmq_answer answer = {0};
    calls.size = sizeof calls;
    calls.refuse = refuse;
    event.size = sizeof event;
    event.hook = hookmq_hook_intercept_publish;
    event.count = 1;
    event.fields = &field;
    answer.size = sizeof answer;
    answer.calls = &calls;
    return hookmq_on_intercept_publish(NULL, &event, &answer);
}

int main(void)
{
    assert(publish("devices/1") == HOOKMQ_PASS);
    assert(publish("elsewhere") == HOOKMQ_DENY);
    assert(hookmq_equals(hookmq_str(why), "publish below devices/"));
    assert(publish("") == HOOKMQ_DENY);
    puts("4 passed");
    return 0;
}
