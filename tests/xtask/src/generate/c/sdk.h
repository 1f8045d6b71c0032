/* ---- Texts. ---- */

/* A NUL-terminated string; NULL is absent. */
static inline hookmq_bytes hookmq_str(const char *text)
{
    hookmq_bytes bytes = {text, 0};
    if (text)
        while (text[bytes.len])
            bytes.len++;
    return bytes;
}

/* So many bytes. */
static inline hookmq_bytes hookmq_slice(const void *data, size_t len)
{
    hookmq_bytes bytes = {(const char *)data, len};
    return bytes;
}

/* Whether both are the same bytes; an absent one equals an empty one. */
static inline bool hookmq_same(hookmq_bytes left, hookmq_bytes right)
{
    if (left.len != right.len)
        return false;
#if __STDC_HOSTED__
    return right.len == 0 || memcmp(left.data, right.data, right.len) == 0;
#else
    /* There is no C library to ask. */
    for (size_t at = 0; at < right.len; at++)
        if (left.data[at] != right.data[at])
            return false;
    return true;
#endif
}

static inline bool hookmq_equals(hookmq_bytes bytes, const char *text)
{
    return hookmq_same(bytes, hookmq_str(text));
}

static inline bool hookmq_starts_with(hookmq_bytes bytes, const char *text)
{
    hookmq_bytes start = hookmq_str(text);
    if (bytes.len < start.len)
        return false;
    bytes.len = start.len;
    return hookmq_same(bytes, start);
}

/* ---- Values. ---- */

/* A text or bytes; data is NULL only if it is absent or something else. */
static inline hookmq_bytes hookmq_value_bytes(const hookmq_value *value)
{
    hookmq_bytes bytes = {NULL, 0};
    if (value->tag == HOOKMQ_TEXT || value->tag == HOOKMQ_BYTES) {
        bytes = value->body.bytes;
        if (!bytes.data)
            bytes.data = "";
    }
    return bytes;
}

/* A whole number; -1 if it is absent or something else. */
static inline int64_t hookmq_value_integer(const hookmq_value *value)
{
    return value->tag == HOOKMQ_INTEGER ? value->body.integer : -1;
}

/* A truth; false if it is absent or something else. */
static inline bool hookmq_value_bool(const hookmq_value *value)
{
    return value->tag == HOOKMQ_BOOL && value->body.integer != 0;
}

/* User Properties, in order; names may repeat. */
typedef struct hookmq_pairs {
    const hookmq_pair *items;
    size_t count;
} hookmq_pairs;

static inline hookmq_pairs hookmq_value_pairs(const hookmq_value *value)
{
    hookmq_pairs pairs = {NULL, 0};
    if (value->tag == HOOKMQ_PAIRS) {
        pairs.items = (const hookmq_pair *)value->body.list.items;
        pairs.count = value->body.list.count;
    }
    return pairs;
}

/* The first value of this name; absent if there is none. */
static inline hookmq_bytes hookmq_find(hookmq_pairs pairs, const char *name)
{
    size_t at;
    for (at = 0; at < pairs.count; at++)
        if (hookmq_equals(pairs.items[at].name, name))
            return pairs.items[at].value;
    return hookmq_str(NULL);
}

/* Subscriptions, messages. */
typedef struct hookmq_records {
    const hookmq_record *items;
    size_t count;
} hookmq_records;

static inline hookmq_records hookmq_value_records(const hookmq_value *value)
{
    hookmq_records records = {NULL, 0};
    if (value->tag == HOOKMQ_RECORDS) {
        records.items = (const hookmq_record *)value->body.list.items;
        records.count = value->body.list.count;
    }
    return records;
}

/* One field of a record. */
static inline hookmq_value hookmq_part_of(const hookmq_record *record, uint32_t field)
{
    hookmq_value none = {HOOKMQ_NIL, 0, {0}};
    size_t at;
    for (at = 0; at < record->count; at++)
        if (record->parts[at].field == field)
            return record->parts[at].value;
    return none;
}

/* A value to hand over: as a part of a record, or to hookmq_change. */
static inline hookmq_value hookmq_of_nil(void)
{
    hookmq_value value = {HOOKMQ_NIL, 0, {0}};
    return value;
}

static inline hookmq_value hookmq_of_bool(bool truth)
{
    hookmq_value value = {HOOKMQ_BOOL, 0, {0}};
    value.body.integer = truth;
    return value;
}

static inline hookmq_value hookmq_of_integer(int64_t number)
{
    hookmq_value value = {HOOKMQ_INTEGER, 0, {0}};
    value.body.integer = number;
    return value;
}

static inline hookmq_value hookmq_of_text(hookmq_bytes text)
{
    hookmq_value value = {HOOKMQ_TEXT, 0, {0}};
    value.body.bytes = text;
    return value;
}

static inline hookmq_value hookmq_of_bytes(hookmq_bytes bytes)
{
    hookmq_value value = {HOOKMQ_BYTES, 0, {0}};
    value.body.bytes = bytes;
    return value;
}

static inline hookmq_value hookmq_of_pairs(const hookmq_pair *items, size_t count)
{
    hookmq_value value = {HOOKMQ_PAIRS, 0, {0}};
    value.body.list.items = items;
    value.body.list.count = count;
    return value;
}

static inline hookmq_value hookmq_of_records(const hookmq_record *items, size_t count)
{
    hookmq_value value = {HOOKMQ_RECORDS, 0, {0}};
    value.body.list.items = items;
    value.body.list.count = count;
    return value;
}

/* A part of a record. */
static inline hookmq_part hookmq_part_with(uint32_t field, hookmq_value part_value)
{
    hookmq_part part = {field, 0, {HOOKMQ_NIL, 0, {0}}};
    part.value = part_value;
    return part;
}

/* ---- The border: calls of the host's tables in a dynamic library, imports in a WASM core module. ---- */

#ifdef __wasm__

HOOKMQ_IMPORTS_HERE
#define HOOKMQ_SET_HOST_(host) (void)(host)
#define HOOKMQ_SHARED_DEFINED                                                                                                          \
    HOOKMQ_SHARED hookmq_memory hookmq_inbox_;                                                                                         \
    HOOKMQ_SHARED hookmq_memory hookmq_arena_;                                                                                         \
    static void *hookmq_instance_;

#define HOOKMQ_MODULE_EXPORTS                                                                                                          \
    HOOKMQ_EXPORT(hookmq_create) int32_t hookmq_create(const char *config, size_t len);                                                \
    HOOKMQ_EXPORT(hookmq_create) int32_t hookmq_create(const char *config, size_t len)                                                 \
    {                                                                                                                                  \
        hookmq_arena_.used = 0;                                                                                                        \
        return hookmq_create_(NULL, hookmq_slice(config, len), &hookmq_instance_);                                                     \
    }                                                                                                                                  \
    HOOKMQ_EXPORT(hookmq_inbox) void *hookmq_inbox(size_t size);                                                                       \
    HOOKMQ_EXPORT(hookmq_inbox) void *hookmq_inbox(size_t size)                                                                        \
    {                                                                                                                                  \
        hookmq_inbox_.used = 0;                                                                                                        \
        return hookmq_take_(&hookmq_inbox_, size);                                                                                     \
    }                                                                                                                                  \
    HOOKMQ_EXPORT(hookmq_call) int32_t hookmq_call(uint32_t listen, const hookmq_event *event);                                        \
    HOOKMQ_EXPORT(hookmq_call) int32_t hookmq_call(uint32_t listen, const hookmq_event *event)                                         \
    {                                                                                                                                  \
        hookmq_arena_.used = 0;                                                                                                        \
        return hookmq_listens_[listen].call(hookmq_instance_, event, NULL);                                                            \
    }

/* Some memory of the module's own, so that no libc is needed: it grows by pages and is used from the start again at every call. */
typedef struct hookmq_memory {
    char *start;
    size_t used;
    size_t size;
} hookmq_memory;

extern HOOKMQ_SHARED hookmq_memory hookmq_inbox_;
extern HOOKMQ_SHARED hookmq_memory hookmq_arena_;

/* Room for so many bytes behind what is used, aligned to 8; NULL if there is no memory. It is not marked as used. */
static inline char *hookmq_room_(hookmq_memory *memory, size_t len)
{
    memory->used = (memory->used + 7) & ~(size_t)7;
    if (memory->used > memory->size || memory->size - memory->used < len) {
        size_t size = memory->size * 2 > len ? memory->size * 2 : len;
        size_t pages = size / 65536 + 1;
        size_t old = __builtin_wasm_memory_grow(0, pages);
        if (old == (size_t)-1)
            return NULL;
        /* What lies in the old place stays readable until the call ends. */
        memory->start = (char *)(old * 65536);
        memory->size = pages * 65536;
        memory->used = 0;
    }
    return memory->start + memory->used;
}

static inline void *hookmq_take_(hookmq_memory *memory, size_t len)
{
    char *room = hookmq_room_(memory, len);
    if (room)
        memory->used += len;
    return room;
}

static inline hookmq_value hookmq_get(const hookmq_event *event HOOKMQ_UNUSED, uint32_t field)
{
    hookmq_value none = {HOOKMQ_NIL, 0, {0}};
    size_t needed = sizeof(hookmq_value);
    char *room;
    for (;;) {
        room = hookmq_room_(&hookmq_arena_, needed);
        if (!room)
            return none;
        needed = (size_t)hookmq_import_get((int32_t)field, room, (int32_t)(hookmq_arena_.size - hookmq_arena_.used));
        if (needed <= hookmq_arena_.size - hookmq_arena_.used)
            break;
    }
    hookmq_arena_.used += needed;
    return *(const hookmq_value *)(const void *)room;
}

static inline size_t hookmq_payload_slice(const hookmq_event *event HOOKMQ_UNUSED, size_t offset, void *buffer, size_t len)
{
    return (size_t)hookmq_import_payload_slice((int32_t)offset, buffer, (int32_t)len);
}

static inline bool hookmq_payload_is_json(const hookmq_event *event HOOKMQ_UNUSED)
{
    return hookmq_import_payload_is_json() != 0;
}

static inline void hookmq_refuse_with(hookmq_answer *answer HOOKMQ_UNUSED, const hookmq_refusal *refusal)
{
    hookmq_import_answer_refuse(refusal);
}

static inline void hookmq_change(hookmq_answer *answer HOOKMQ_UNUSED, uint32_t field, hookmq_value value)
{
    hookmq_import_answer_change((int32_t)field, &value);
}

static inline void hookmq_keep(hookmq_answer *answer HOOKMQ_UNUSED, uint64_t ttl_ms, const hookmq_bytes *tags, size_t count)
{
    hookmq_import_answer_keep((int64_t)ttl_ms, tags, (int32_t)count);
}

static inline int32_t hookmq_fail(hookmq_answer *answer HOOKMQ_UNUSED, const char *why)
{
    hookmq_import_answer_fail(why, (int32_t)hookmq_str(why).len);
    return HOOKMQ_ERROR;
}

static inline int32_t hookmq_fail_create(const char *why)
{
    return hookmq_fail(NULL, why);
}

static inline void hookmq_log_at(uint32_t level, const char *place, hookmq_bytes message)
{
    hookmq_import_log((int32_t)level, place, (int32_t)hookmq_str(place).len, message.data, (int32_t)message.len);
}

static inline size_t hookmq_error(char *buffer, size_t capacity)
{
    return (size_t)hookmq_import_error(buffer, (int32_t)capacity);
}

static inline int32_t hookmq_publish(const hookmq_event *event HOOKMQ_UNUSED, const hookmq_message *message)
{
    return hookmq_import_publish(message);
}

static inline int32_t hookmq_publish_to(const hookmq_event *event HOOKMQ_UNUSED, hookmq_bytes client_id, const hookmq_message *message)
{
    return hookmq_import_publish_to(client_id.data, (int32_t)client_id.len, message);
}

static inline int32_t hookmq_disconnect_client(hookmq_bytes client_id, uint8_t reason_code, const char *why)
{
    return hookmq_import_disconnect(client_id.data, (int32_t)client_id.len, reason_code, why, (int32_t)hookmq_str(why).len);
}

static inline int64_t hookmq_kv_get(hookmq_bytes key, void *buffer, size_t capacity)
{
    return hookmq_import_kv_get(key.data, (int32_t)key.len, buffer, (int32_t)capacity);
}

static inline int32_t hookmq_kv_set_if(hookmq_bytes key, hookmq_bytes value, uint64_t expires_ms, uint32_t condition, hookmq_bytes expected)
{
    return hookmq_import_kv_set(key.data, (int32_t)key.len, value.data, (int32_t)value.len, (int64_t)expires_ms, (int32_t)condition,
        expected.data, (int32_t)expected.len);
}

static inline int32_t hookmq_kv_delete(hookmq_bytes key)
{
    return hookmq_import_kv_delete(key.data, (int32_t)key.len);
}

static inline int32_t hookmq_kv_add(hookmq_bytes key, int64_t amount, uint64_t expires_ms, int64_t *sum)
{
    return hookmq_import_kv_add(key.data, (int32_t)key.len, amount, (int64_t)expires_ms, sum);
}

static inline int64_t hookmq_client(hookmq_bytes client_id, void *buffer, size_t capacity)
{
    return hookmq_import_client(client_id.data, (int32_t)client_id.len, buffer, (int32_t)capacity);
}

static inline int64_t hookmq_session(hookmq_bytes client_id, void *buffer, size_t capacity)
{
    return hookmq_import_session(client_id.data, (int32_t)client_id.len, buffer, (int32_t)capacity);
}

static inline int64_t hookmq_retained(hookmq_bytes topic_filter, uint32_t limit, void *buffer, size_t capacity)
{
    return hookmq_import_retained(topic_filter.data, (int32_t)topic_filter.len, (int32_t)limit, buffer, (int32_t)capacity);
}

static inline int64_t hookmq_cache_invalidate(hookmq_bytes tag)
{
    return hookmq_import_invalidate(tag.data, (int32_t)tag.len);
}

static inline int64_t hookmq_reauthorize(hookmq_bytes tag)
{
    return hookmq_import_reauthorize(tag.data, (int32_t)tag.len);
}

/* Wants the grant clock. */
static inline int64_t hookmq_now_ms(void)
{
    return hookmq_import_now_ms();
}

#else

/* The broker, from the start of create on. */
extern HOOKMQ_SHARED const hookmq_host *hookmq_host_;

#define HOOKMQ_SET_HOST_(host) hookmq_host_ = (host)
#define HOOKMQ_SHARED_DEFINED HOOKMQ_SHARED const hookmq_host *hookmq_host_;
#define HOOKMQ_MODULE_EXPORTS

/* A table of functions by its name; NULL if it is not granted or not known. */
static inline const void *hookmq_extension(const char *name)
{
    return hookmq_host_ ? hookmq_host_->calls->extension(hookmq_host_, name) : NULL;
}

/* Any field of the hook, declared or not; valid until the handler returns. */
static inline hookmq_value hookmq_get(const hookmq_event *event, uint32_t field)
{
    hookmq_value value = {HOOKMQ_NIL, 0, {0}};
    event->calls->get(event, field, &value);
    return value;
}

/* Copies a part of the payload, as much as there is; returns how many bytes. */
static inline size_t hookmq_payload_slice(const hookmq_event *event, size_t offset, void *buffer, size_t len)
{
    hookmq_value value = hookmq_get(event, hookmq_field_payload);
    hookmq_bytes payload = hookmq_value_bytes(&value);
    size_t at;
    if (offset >= payload.len)
        return 0;
    if (len > payload.len - offset)
        len = payload.len - offset;
    for (at = 0; at < len; at++)
        ((char *)buffer)[at] = payload.data[offset + at];
    return len;
}

/* Whether the payload is one JSON text. */
static inline bool hookmq_payload_is_json(const hookmq_event *event)
{
    return event->calls->payload_is_json(event) != 0;
}

/* Says why the handler refuses, in full. */
static inline void hookmq_refuse_with(hookmq_answer *answer, const hookmq_refusal *refusal)
{
    answer->calls->refuse(answer, refusal);
}

/* Changes a field; the last change of a field counts. */
static inline void hookmq_change(hookmq_answer *answer, uint32_t field, hookmq_value value)
{
    answer->calls->change(answer, field, &value);
}

/* The broker may keep this accept or deny for so many milliseconds; the tags name it for hookmq_cache_invalidate. */
static inline void hookmq_keep(hookmq_answer *answer, uint64_t ttl_ms, const hookmq_bytes *tags, size_t count)
{
    answer->calls->keep(answer, ttl_ms, tags, count);
}

/* Why the handler failed: return hookmq_fail(answer, "why"); */
static inline int32_t hookmq_fail(hookmq_answer *answer, const char *why)
{
    answer->calls->fail(answer, hookmq_str(why));
    return HOOKMQ_ERROR;
}

/* Why create failed: return hookmq_fail_create("why"); */
static inline int32_t hookmq_fail_create(const char *why)
{
    hookmq_host_->calls->fail(hookmq_host_, hookmq_str(why));
    return HOOKMQ_ERROR;
}

/* A line for the broker's log, see hookmq_log. */
static inline void hookmq_log_at(uint32_t level, const char *place, hookmq_bytes message)
{
    const hookmq_log_calls *calls = (const hookmq_log_calls *)hookmq_extension("hookmq.log.1");
    if (calls)
        calls->log(hookmq_host_, level, hookmq_str(place), message);
}

/* The words of the last host function that refused on this thread, written if they fit; their length in any case. */
static inline size_t hookmq_error(char *buffer, size_t capacity)
{
    return hookmq_host_->calls->error(hookmq_host_, buffer, capacity);
}

/* Publishes; event is the one that is being handled, NULL outside of a handler. 0 or a status below 0. */
static inline int32_t hookmq_publish(const hookmq_event *event, const hookmq_message *message)
{
    const hookmq_publish_calls *calls = (const hookmq_publish_calls *)hookmq_extension("hookmq.publish.1");
    return calls ? calls->publish(hookmq_host_, event, message) : HOOKMQ_NOT_GRANTED;
}

/* Delivers to one client's session, whether it subscribed or not. 1, 0 if there is none, or a status below 0. */
static inline int32_t hookmq_publish_to(const hookmq_event *event, hookmq_bytes client_id, const hookmq_message *message)
{
    const hookmq_publish_calls *calls = (const hookmq_publish_calls *)hookmq_extension("hookmq.publish.1");
    return calls ? calls->publish_to(hookmq_host_, event, client_id, message) : HOOKMQ_NOT_GRANTED;
}

/* Ends a client's Network Connection. 1, 0 if it is not connected, or a status below 0. */
static inline int32_t hookmq_disconnect_client(hookmq_bytes client_id, uint8_t reason_code, const char *why)
{
    const hookmq_disconnect_calls *calls = (const hookmq_disconnect_calls *)hookmq_extension("hookmq.disconnect.1");
    return calls ? calls->disconnect(hookmq_host_, client_id, reason_code, hookmq_str(why)) : HOOKMQ_NOT_GRANTED;
}

/* Reads the shared map: the value's length, written if it fits; or a status below 0 (HOOKMQ_ABSENT). */
static inline int64_t hookmq_kv_get(hookmq_bytes key, void *buffer, size_t capacity)
{
    const hookmq_kv_calls *calls = (const hookmq_kv_calls *)hookmq_extension("hookmq.kv.1");
    return calls ? calls->get(hookmq_host_, key, (char *)buffer, capacity) : HOOKMQ_NOT_GRANTED;
}

/* Writes the shared map if the condition holds. 1, 0 if it does not, or a status below 0. */
static inline int32_t hookmq_kv_set_if(hookmq_bytes key, hookmq_bytes value, uint64_t expires_ms, uint32_t condition, hookmq_bytes expected)
{
    const hookmq_kv_calls *calls = (const hookmq_kv_calls *)hookmq_extension("hookmq.kv.1");
    return calls ? calls->set(hookmq_host_, key, value, expires_ms, condition, expected) : HOOKMQ_NOT_GRANTED;
}

/* Removes a key. 1, 0 if it was absent, or a status below 0. */
static inline int32_t hookmq_kv_delete(hookmq_bytes key)
{
    const hookmq_kv_calls *calls = (const hookmq_kv_calls *)hookmq_extension("hookmq.kv.1");
    return calls ? calls->erase(hookmq_host_, key) : HOOKMQ_NOT_GRANTED;
}

/* Adds to a whole number (absent counts as 0); the expiry counts only when the key is new. 0 or a status below 0. */
static inline int32_t hookmq_kv_add(hookmq_bytes key, int64_t amount, uint64_t expires_ms, int64_t *sum)
{
    const hookmq_kv_calls *calls = (const hookmq_kv_calls *)hookmq_extension("hookmq.kv.1");
    return calls ? calls->add(hookmq_host_, key, amount, expires_ms, sum) : HOOKMQ_NOT_GRANTED;
}

/* A connected client: a hookmq_client_info at the start of buffer, which must be aligned to 8. The length of all of it, written if it
 * fits; or a status below 0 (HOOKMQ_ABSENT). */
static inline int64_t hookmq_client(hookmq_bytes client_id, void *buffer, size_t capacity)
{
    const hookmq_query_calls *calls = (const hookmq_query_calls *)hookmq_extension("hookmq.query.1");
    return calls ? calls->client(hookmq_host_, client_id, (char *)buffer, capacity) : HOOKMQ_NOT_GRANTED;
}

/* A session: a hookmq_session_info, as above. */
static inline int64_t hookmq_session(hookmq_bytes client_id, void *buffer, size_t capacity)
{
    const hookmq_query_calls *calls = (const hookmq_query_calls *)hookmq_extension("hookmq.query.1");
    return calls ? calls->session(hookmq_host_, client_id, (char *)buffer, capacity) : HOOKMQ_NOT_GRANTED;
}

/* Retained messages, at most limit: a hookmq_list of hookmq_retained_info, as above. */
static inline int64_t hookmq_retained(hookmq_bytes topic_filter, uint32_t limit, void *buffer, size_t capacity)
{
    const hookmq_query_calls *calls = (const hookmq_query_calls *)hookmq_extension("hookmq.query.1");
    return calls ? calls->retained(hookmq_host_, topic_filter, limit, (char *)buffer, capacity) : HOOKMQ_NOT_GRANTED;
}

/* Forgets the kept answers with this tag. How many, or a status below 0. */
static inline int64_t hookmq_cache_invalidate(hookmq_bytes tag)
{
    const hookmq_cache_calls *calls = (const hookmq_cache_calls *)hookmq_extension("hookmq.cache.1");
    return calls ? calls->invalidate(hookmq_host_, tag) : HOOKMQ_NOT_GRANTED;
}

/* The same, and asks again for what live clients hold. How many, or a status below 0. */
static inline int64_t hookmq_reauthorize(hookmq_bytes tag)
{
    const hookmq_cache_calls *calls = (const hookmq_cache_calls *)hookmq_extension("hookmq.cache.1");
    return calls ? calls->reauthorize(hookmq_host_, tag) : HOOKMQ_NOT_GRANTED;
}

/* Milliseconds since 1970-01-01 UTC. */
static inline int64_t hookmq_now_ms(void)
{
    struct timespec now;
    return timespec_get(&now, TIME_UTC) == TIME_UTC ? (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 : 0;
}

#endif

/* ---- Fields by number, declared or not. ---- */

static inline hookmq_bytes hookmq_text(const hookmq_event *event, uint32_t field)
{
    hookmq_value value = hookmq_get(event, field);
    return hookmq_value_bytes(&value);
}

static inline int64_t hookmq_integer(const hookmq_event *event, uint32_t field)
{
    hookmq_value value = hookmq_get(event, field);
    return hookmq_value_integer(&value);
}

static inline bool hookmq_bool(const hookmq_event *event, uint32_t field)
{
    hookmq_value value = hookmq_get(event, field);
    return hookmq_value_bool(&value);
}

static inline hookmq_pairs hookmq_properties(const hookmq_event *event, uint32_t field)
{
    hookmq_value value = hookmq_get(event, field);
    return hookmq_value_pairs(&value);
}

/* ---- Changes. ---- */

static inline void hookmq_change_bool(hookmq_answer *answer, uint32_t field, bool truth)
{
    hookmq_change(answer, field, hookmq_of_bool(truth));
}

static inline void hookmq_change_integer(hookmq_answer *answer, uint32_t field, int64_t number)
{
    hookmq_change(answer, field, hookmq_of_integer(number));
}

static inline void hookmq_change_text(hookmq_answer *answer, uint32_t field, hookmq_bytes text)
{
    hookmq_change(answer, field, hookmq_of_text(text));
}

static inline void hookmq_change_bytes(hookmq_answer *answer, uint32_t field, hookmq_bytes bytes)
{
    hookmq_change(answer, field, hookmq_of_bytes(bytes));
}

static inline void hookmq_change_pairs(hookmq_answer *answer, uint32_t field, const hookmq_pair *items, size_t count)
{
    hookmq_change(answer, field, hookmq_of_pairs(items, count));
}

static inline void hookmq_change_records(hookmq_answer *answer, uint32_t field, const hookmq_record *items, size_t count)
{
    hookmq_change(answer, field, hookmq_of_records(items, count));
}

/* Takes the property away. */
static inline void hookmq_remove(hookmq_answer *answer, uint32_t field)
{
    hookmq_change(answer, field, hookmq_of_nil());
}

/* ---- Verdicts: return hookmq_deny(answer, 0x87, "why"); a Reason Code of 0 lets the broker choose. ---- */

#define hookmq_deny(answer, reason_code, why) hookmq_refuse_at(answer, HOOKMQ_DENY, reason_code, why, HOOKMQ_PLACE)
#define hookmq_drop(answer, reason_code, why) hookmq_refuse_at(answer, HOOKMQ_DROP, reason_code, why, HOOKMQ_PLACE)
#define hookmq_disconnect(answer, reason_code, why) hookmq_refuse_at(answer, HOOKMQ_DISCONNECT, reason_code, why, HOOKMQ_PLACE)

/* A line for the broker's log: hookmq_log(HOOKMQ_LOG_WARN, "words"); */
#define hookmq_log(level, text) hookmq_log_at(level, HOOKMQ_PLACE, hookmq_str(text))

#define HOOKMQ_QUOTE_(token) #token
#define HOOKMQ_QUOTE(token) HOOKMQ_QUOTE_(token)
#ifdef __FILE_NAME__
#define HOOKMQ_PLACE __FILE_NAME__ ":" HOOKMQ_QUOTE(__LINE__)
#else
#define HOOKMQ_PLACE __FILE__ ":" HOOKMQ_QUOTE(__LINE__)
#endif

/* A refusal without anything; for what hookmq_deny has no parameter for. */
static inline hookmq_refusal hookmq_refusal_of(uint8_t reason_code, const char *why)
{
    hookmq_refusal refusal = {sizeof(hookmq_refusal), reason_code, {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}};
    refusal.reason_string = hookmq_str(why);
    return refusal;
}

static inline int32_t hookmq_refuse_at(hookmq_answer *answer, int32_t verdict, uint8_t reason_code, const char *why, const char *place)
{
    hookmq_refusal refusal = hookmq_refusal_of(reason_code, why);
    refusal.place = hookmq_str(place);
    hookmq_refuse_with(answer, &refusal);
    return verdict;
}

/* ---- Host functions in their short form. ---- */

/* A message to publish; what else it shall have is set afterwards. */
static inline hookmq_message hookmq_message_of(hookmq_bytes topic, hookmq_bytes payload)
{
    hookmq_message message = {sizeof(hookmq_message), 0, 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, 0};
    message.topic = topic;
    message.payload = payload;
    return message;
}

/* Writes the shared map; expires_ms is 0 for never. 1 or a status below 0. */
static inline int32_t hookmq_kv_set(hookmq_bytes key, hookmq_bytes value, uint64_t expires_ms)
{
    return hookmq_kv_set_if(key, value, expires_ms, HOOKMQ_ALWAYS, hookmq_str(NULL));
}
