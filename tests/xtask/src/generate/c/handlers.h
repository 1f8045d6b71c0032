/* A handler of a hook that gets these fields with every event: HOOKMQ_ON(hook, field, ...) { ... return HOOKMQ_PASS; } */
#define HOOKMQ_ON(...) HOOKMQ_ON_(HOOKMQ_FIRST(__VA_ARGS__, _), HOOKMQ_EACH(__VA_ARGS__), HOOKMQ_COUNT(__VA_ARGS__), __VA_ARGS__)

/* A handler among those of HOOKMQ_PLUGIN. */
#define HOOKMQ_LISTEN(hook_name) HOOKMQ_LISTEN_(hook_name, 0)

/* The same, for one that may block (files, network): it is called on a thread of its own, and only the client whose packet it is waits.
 * Only for hooks that may await. */
#define HOOKMQ_LISTEN_BLOCKING(hook_name) HOOKMQ_LISTEN_(hook_name, HOOKMQ_MAY_BLOCK)

/* What the library is: its name and version, and its handlers. Once per plugin. */
#define HOOKMQ_PLUGIN(plugin_name, plugin_version, ...) HOOKMQ_PLUGIN_WITH(plugin_name, plugin_version, NULL, NULL, __VA_ARGS__)

/* The same, with what makes and ends the instance: int32_t create(hookmq_bytes config, void **instance), void destroy(void *instance);
 * either may be NULL. config is the [plugin.config] section as JSON. */
#define HOOKMQ_PLUGIN_WITH(plugin_name, plugin_version, plugin_create, plugin_destroy, ...)                                            \
    HOOKMQ_SHARED_DEFINED                                                                                                              \
    static const hookmq_listen hookmq_listens_[] = {__VA_ARGS__};                                                                      \
    static int32_t hookmq_create_(const hookmq_host *hookmq_h_, hookmq_bytes hookmq_c_, void **hookmq_i_)                              \
    {                                                                                                                                  \
        HOOKMQ_SET_HOST_(hookmq_h_);                                                                                                   \
        return hookmq_made_by_(plugin_create, hookmq_c_, hookmq_i_);                                                                   \
    }                                                                                                                                  \
    static const hookmq_plugin hookmq_plugin_ = {sizeof(hookmq_plugin), HOOKMQ_ABI_VERSION, {plugin_name, sizeof(plugin_name) - 1},    \
        {plugin_version, sizeof(plugin_version) - 1}, hookmq_listens_, sizeof(hookmq_listens_) / sizeof(hookmq_listens_[0]),           \
        hookmq_create_, plugin_destroy};                                                                                               \
    HOOKMQ_EXPORT(hookmq_plugin_v1) const hookmq_plugin *hookmq_plugin_v1(void);                                                       \
    HOOKMQ_EXPORT(hookmq_plugin_v1) const hookmq_plugin *hookmq_plugin_v1(void)                                                        \
    {                                                                                                                                  \
        return &hookmq_plugin_;                                                                                                        \
    }                                                                                                                                  \
    HOOKMQ_MODULE_EXPORTS                                                                                                              \
    struct hookmq_plugin

static inline int32_t hookmq_made_by_(int32_t (*create)(hookmq_bytes, void **), hookmq_bytes config, void **instance)
{
    return create ? create(config, instance) : HOOKMQ_PASS;
}

#define HOOKMQ_LISTEN_(hook_name, listen_flags)                                                                                        \
    {                                                                                                                                  \
        sizeof(hookmq_listen), hookmq_hook_##hook_name, listen_flags, hookmq_count_##hook_name, hookmq_fields_##hook_name,             \
            hookmq_on_##hook_name                                                                                                      \
    }

#define HOOKMQ_ON_(hook_name, each, count, ...) HOOKMQ_ON__(hook_name, each, count, __VA_ARGS__)
#define HOOKMQ_ON__(hook_name, each, field_count, ...)                                                                                 \
    enum { hookmq_count_##hook_name = field_count };                                                                                   \
    static const uint32_t hookmq_fields_##hook_name[] = {each(HOOKMQ_NUMBER_, __VA_ARGS__) 0};                                         \
    static inline int32_t hookmq_do_##hook_name(void *instance, const hookmq_event *event,                                             \
        hookmq_answer *answer each(HOOKMQ_PARAMETER_, __VA_ARGS__));                                                                   \
    static int32_t hookmq_on_##hook_name(void *instance, const hookmq_event *event, hookmq_answer *answer)                             \
    {                                                                                                                                  \
        return hookmq_do_##hook_name(instance, event, answer each(HOOKMQ_ARGUMENT_, __VA_ARGS__));                                     \
    }                                                                                                                                  \
    static inline int32_t hookmq_do_##hook_name(void *instance HOOKMQ_UNUSED, const hookmq_event *event HOOKMQ_UNUSED,                 \
        hookmq_answer *answer HOOKMQ_UNUSED each(HOOKMQ_PARAMETER_, __VA_ARGS__))

#define HOOKMQ_NUMBER_(at, field_name) hookmq_field_##field_name,
#define HOOKMQ_PARAMETER_(at, field_name) , hookmq_type_##field_name field_name HOOKMQ_UNUSED
#define HOOKMQ_ARGUMENT_(at, field_name) , HOOKMQ_READ_##field_name(&event->fields[at])

