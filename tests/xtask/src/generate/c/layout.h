/* ---- What lies where. Structs that may grow begin with their size as their maker knows it. ---- */

/* Some bytes; UTF-8 where the contract says text; not NUL-terminated. */
typedef struct hookmq_bytes {
    const char *data;
    size_t len;
} hookmq_bytes;

/* One User Property. */
typedef struct hookmq_pair {
    hookmq_bytes name;
    hookmq_bytes value;
} hookmq_pair;

/* An array: of hookmq_pair, hookmq_record, or of what a query writes. */
typedef struct hookmq_list {
    const void *items;
    size_t count;
} hookmq_list;

/* A value of any type; its tag says which. */
typedef struct hookmq_value {
    uint32_t tag;
    uint32_t reserved;
    union {
        int64_t integer;
        hookmq_bytes bytes;
        hookmq_list list;
    } body;
} hookmq_value;

/* One field of a record. */
typedef struct hookmq_part {
    uint32_t field;
    uint32_t reserved;
    hookmq_value value;
} hookmq_part;

/* One entry of a records field. */
typedef struct hookmq_record {
    const hookmq_part *parts;
    size_t count;
} hookmq_record;

typedef struct hookmq_event_calls hookmq_event_calls;
typedef struct hookmq_answer_calls hookmq_answer_calls;
typedef struct hookmq_host_calls hookmq_host_calls;

/* One occurrence of a hook, lent for one call. */
typedef struct hookmq_event {
    uint32_t size;
    uint32_t hook;
    uint32_t depth; /* How many plugins' publishes led here. */
    uint32_t count; /* As many fields as the listen declared, in its order. */
    const hookmq_value *fields;
    const void *context;
    const hookmq_event_calls *calls;
} hookmq_event;

/* What an event can be asked (dynamic libraries only). */
struct hookmq_event_calls {
    uint32_t size;
    uint32_t reserved;
    void (*get)(const hookmq_event *event, uint32_t field, hookmq_value *value);
    int32_t (*payload_is_json)(const hookmq_event *event);
};

/* Why a plugin refuses; with deny, drop and disconnect. */
typedef struct hookmq_refusal {
    uint32_t size;
    uint32_t reason_code;          /* MQTT Reason Code; 0 lets the broker choose. */
    hookmq_bytes reason_string;    /* Empty for none. */
    hookmq_bytes server_reference; /* Another server; empty for none. */
    const hookmq_pair *user_properties;
    size_t user_property_count;
    hookmq_bytes place; /* File and line in the plugin's source; empty for none. */
} hookmq_refusal;

/* The answer that a handler makes, beside what it returns. In a WASM core module a null pointer. */
typedef struct hookmq_answer {
    uint32_t size;
    uint32_t reserved;
    void *context;
    const hookmq_answer_calls *calls;
} hookmq_answer;

/* What can be done with an answer (dynamic libraries only). */
struct hookmq_answer_calls {
    uint32_t size;
    uint32_t reserved;
    void (*refuse)(hookmq_answer *answer, const hookmq_refusal *refusal);
    void (*change)(hookmq_answer *answer, uint32_t field, const hookmq_value *value);
    void (*keep)(hookmq_answer *answer, uint64_t ttl_ms, const hookmq_bytes *tags, size_t count);
    void (*fail)(hookmq_answer *answer, hookmq_bytes message);
};

/* A handler; returns a verdict, HOOKMQ_ERROR or HOOKMQ_PANIC. */
typedef int32_t (*hookmq_handler)(void *instance, const hookmq_event *event, hookmq_answer *answer);

/* One hook that the plugin answers. */
typedef struct hookmq_listen {
    uint32_t size;
    uint32_t hook;
    uint32_t flags; /* HOOKMQ_MAY_BLOCK or 0. */
    uint32_t count;
    const uint32_t *fields;
    hookmq_handler call;
} hookmq_listen;

/* The broker as a plugin sees it (dynamic libraries only); valid until destroy returns. */
typedef struct hookmq_host {
    uint32_t size;
    uint32_t abi_version;
    const void *context;
    const hookmq_host_calls *calls;
} hookmq_host;

/* What a plugin is: what hookmq_plugin_v1 returns. Static. */
typedef struct hookmq_plugin {
    uint32_t size;
    uint32_t abi_version;
    hookmq_bytes name;
    hookmq_bytes version;
    const hookmq_listen *listens;
    size_t listen_count;
    int32_t (*create)(const hookmq_host *host, hookmq_bytes config, void **instance);
    void (*destroy)(void *instance);
} hookmq_plugin;

/* What a host offers by itself (dynamic libraries only). */
struct hookmq_host_calls {
    uint32_t size;
    uint32_t reserved;
    void (*fail)(const hookmq_host *host, hookmq_bytes message);
    const void *(*extension)(const hookmq_host *host, const char *name);
    size_t (*error)(const hookmq_host *host, char *buffer, size_t capacity);
};

/* A message that a plugin publishes; absent where data is NULL. */
typedef struct hookmq_message {
    uint32_t size;
    uint32_t qos;
    uint32_t flags; /* HOOKMQ_RETAIN, HOOKMQ_EXPIRES. */
    uint32_t message_expiry_interval;
    hookmq_bytes topic;
    hookmq_bytes payload;
    hookmq_bytes content_type;
    hookmq_bytes response_topic;
    hookmq_bytes correlation_data;
    const hookmq_pair *user_properties;
    size_t user_property_count;
} hookmq_message;

/* A connected client, as hookmq_client writes it. */
typedef struct hookmq_client_info {
    uint32_t size;
    uint32_t protocol_version; /* 4 for MQTT 3.1.1, 5 for 5.0. */
    uint32_t keep_alive;       /* Seconds; 0 is off. */
    uint32_t reserved;
    uint64_t connected_at_ms; /* Since the epoch. */
    hookmq_bytes client_id;
    hookmq_bytes username; /* Absent where data is NULL. */
    hookmq_bytes endpoint;
    hookmq_bytes listener;
} hookmq_client_info;

/* A subscription of a session. */
typedef struct hookmq_subscription_info {
    hookmq_bytes topic_filter;
    uint32_t qos;
    uint32_t reserved;
} hookmq_subscription_info;

/* A session, as hookmq_session writes it. */
typedef struct hookmq_session_info {
    uint32_t size;
    uint32_t connected;
    uint32_t session_expiry_interval; /* Seconds. */
    uint32_t reserved;
    uint64_t n_queued;
    uint64_t n_inflight;
    hookmq_bytes client_id;
    const hookmq_subscription_info *subscriptions;
    size_t subscription_count;
} hookmq_session_info;

/* A retained message, as hookmq_retained writes a list of them. */
typedef struct hookmq_retained_info {
    hookmq_bytes topic;
    hookmq_bytes payload;
    uint32_t qos;
    uint32_t reserved;
} hookmq_retained_info;

/* The tables of hookmq_host_calls.extension (dynamic libraries only); the functions below use them. */
typedef struct hookmq_log_calls {
    uint32_t size;
    uint32_t reserved;
    void (*log)(const hookmq_host *host, uint32_t level, hookmq_bytes place, hookmq_bytes message);
} hookmq_log_calls;

typedef struct hookmq_publish_calls {
    uint32_t size;
    uint32_t reserved;
    int32_t (*publish)(const hookmq_host *host, const hookmq_event *event, const hookmq_message *message);
    int32_t (*publish_to)(const hookmq_host *host, const hookmq_event *event, hookmq_bytes client_id, const hookmq_message *message);
} hookmq_publish_calls;

typedef struct hookmq_disconnect_calls {
    uint32_t size;
    uint32_t reserved;
    int32_t (*disconnect)(const hookmq_host *host, hookmq_bytes client_id, uint32_t reason_code, hookmq_bytes reason_string);
} hookmq_disconnect_calls;

typedef struct hookmq_kv_calls {
    uint32_t size;
    uint32_t reserved;
    int64_t (*get)(const hookmq_host *host, hookmq_bytes key, char *buffer, size_t capacity);
    int32_t (*set)(const hookmq_host *host, hookmq_bytes key, hookmq_bytes value, uint64_t expires_ms, uint32_t condition, hookmq_bytes expected);
    int32_t (*erase)(const hookmq_host *host, hookmq_bytes key);
    int32_t (*add)(const hookmq_host *host, hookmq_bytes key, int64_t amount, uint64_t expires_ms, int64_t *sum);
} hookmq_kv_calls;

typedef struct hookmq_query_calls {
    uint32_t size;
    uint32_t reserved;
    int64_t (*client)(const hookmq_host *host, hookmq_bytes client_id, char *buffer, size_t capacity);
    int64_t (*session)(const hookmq_host *host, hookmq_bytes client_id, char *buffer, size_t capacity);
    int64_t (*retained)(const hookmq_host *host, hookmq_bytes topic_filter, uint32_t limit, char *buffer, size_t capacity);
} hookmq_query_calls;

typedef struct hookmq_cache_calls {
    uint32_t size;
    uint32_t reserved;
    int64_t (*invalidate)(const hookmq_host *host, hookmq_bytes tag);
    int64_t (*reauthorize)(const hookmq_host *host, hookmq_bytes tag);
} hookmq_cache_calls;

