/* The prefix check of the research, and ways to make it dearer. */
#include "hookmq.h"

HOOKMQ_ON(intercept_publish, topic, client_id)
{
    if (hookmq_starts_with(topic, "devices/") && client_id.len > 0)
        return HOOKMQ_PASS;
    return hookmq_deny(answer, 0x87, "publish below devices/");
}

HOOKMQ_ON(authorize_publish, topic)
{
    (void)topic;
    return hookmq_text(event, hookmq_field_client_id).data ? HOOKMQ_PASS : HOOKMQ_DENY;
}

HOOKMQ_ON(intercept_enqueue, topic, payload, qos, retain, sender_client_id, receiver_client_id)
{
    (void)qos;
    (void)retain;
    return topic.len + payload.len + sender_client_id.len + receiver_client_id.len > 0 ? HOOKMQ_PASS : HOOKMQ_DROP;
}

HOOKMQ_ON(intercept_delivery, topic)
{
    (void)topic;
    hookmq_change_text(answer, hookmq_field_topic, hookmq_str("devices/elsewhere"));
    return HOOKMQ_PASS;
}

HOOKMQ_PLUGIN("prefix", "1", HOOKMQ_LISTEN(intercept_publish), HOOKMQ_LISTEN(authorize_publish), HOOKMQ_LISTEN(intercept_enqueue),
    HOOKMQ_LISTEN(intercept_delivery));
