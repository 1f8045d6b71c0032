/* A library that is no plugin. */
int hookmq_plugin_v0(void);
int hookmq_plugin_v0(void)
{
    return 0;
}
