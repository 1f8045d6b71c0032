---@meta broker
-- Types of HookMQ scripts, for LuaLS: add plugin-api/luau to workspace.library.
-- Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

---Bytes that can change in place, as in Luau.
---@class buffer

---A Reason Code, or the standard's name of it: 0x87 or "not_authorized".
---@alias broker.ReasonCode number|string

---User Properties as a handler gets them: p.name is the first value of that name, p[1] is { name, value }.
---@alias broker.UserProperties table<string|number, any>

---User Properties as a script gives them: by name, or as a list of { name, value } where order or repeated names matter.
---@alias broker.Pairs broker.UserProperties|table<string, string>|string[][]

---Fields of a log line.
---@alias broker.LogFields table<string, any>

---What a handler answers; made by broker.pass, broker.deny and the like.
---@class broker.Verdict
---@field kind string
---@field reason_code? number
---@field reason_string? string

---The type of broker.none, which stands for absent.
---@class broker.None

---Events that a script wants: by topic filter, client identifier, listener, QoS, payload size in bytes.
---@class broker.Filter
---@field topics? string|string[]
---@field clients? string|string[]
---@field listeners? string|string[]
---@field qos? number|number[]
---@field min_size? number
---@field max_size? number

---What a refusal can say beside code and reason.
---@class broker.RefusalOptions
---@field user_properties? broker.Pairs
---@field server_reference? string

---What a deny can say beside code and reason; ttl and tags as in Keep.
---@class broker.DenyOptions
---@field user_properties? broker.Pairs
---@field server_reference? string
---@field ttl? number
---@field tags? string|string[]

---For how many seconds the broker may decide like events by this answer without calling, and what it depends on; only authorize_publish and authorize_subscribe.
---@class broker.Keep
---@field ttl? number
---@field tags? string|string[]

---How a key is written; expires_in in seconds.
---@class broker.KvOptions
---@field expires_in? number
---@field only_if_absent? boolean
---@field only_if? string

---A message to publish.
---@class broker.OutgoingMessage
---@field topic string
---@field payload? string|buffer
---@field qos? number
---@field retain? boolean
---@field message_expiry_interval? number
---@field content_type? string
---@field response_topic? string
---@field correlation_data? string
---@field user_properties? broker.Pairs

---A connected client; connected_at in seconds since 1970-01-01 UTC.
---@class broker.ClientView
---@field client_id string
---@field username? string
---@field endpoint string
---@field listener string
---@field protocol_version number
---@field keep_alive number
---@field connected_at number

---A session, connected or not.
---@class broker.SessionView
---@field client_id string
---@field connected boolean
---@field session_expiry_interval number
---@field n_queued number
---@field n_inflight number
---@field subscriptions { topic_filter: string, qos: number }[]

---A retained message.
---@class broker.RetainedView
---@field topic string
---@field payload string
---@field qos number

---One entry of `subscriptions`.
---@class broker.SubscriptionRecord
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field qos? number QoS of the message or of the subscription: 0, 1 or 2.
---@field no_local? boolean No Local: do not send the client its own messages.
---@field retain_as_published? boolean Retain As Published: keep the RETAIN flag.
---@field retain_handling? number Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
---@field subscription_identifier? number|broker.None Subscription Identifier, 1 to 268 435 455.

---One entry of `messages`.
---@class broker.MessageRecord
---@field topic string Topic Name.
---@field payload? string|buffer Payload of the message, any bytes.
---@field qos? number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain? boolean RETAIN flag.
---@field payload_format? number|broker.None Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number|broker.None Seconds that the message still lives.
---@field content_type? string|broker.None Content Type, MIME or the application's own.
---@field response_topic? string|broker.None Topic Name for a response.
---@field correlation_data? string|buffer|broker.None Handed back with the response.
---@field user_properties? broker.Pairs User Properties of the packet or message, in order; names may repeat.
---@field sender_client_id? string|broker.None Client Identifier of the publisher; absent for what no client published.

---The client that an event is about, as a handler's `client`; a hook shows those fields that it has.
---@class broker.Client
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field secure? boolean Whether the Network Connection is encrypted.

---Everything that some hook can change; what each can is told at its handler in `broker.Plugin`.
---@class broker.Changes
---@field client_id? string|broker.None Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string|broker.None Username that the client sent in CONNECT.
---@field keep_alive? number Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
---@field session_expiry_interval? number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field receive_maximum? number QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.
---@field maximum_packet_size? number|broker.None Largest packet that the client takes, in bytes; absent: no limit of its own.
---@field topic_alias_maximum? number Topic Aliases that the client takes, 0 to 65 535.
---@field maximum_qos? number Highest QoS that the client may publish with: 0, 1 or 2.
---@field response_information? string|broker.None Response Information for CONNACK, if the client asked for it.
---@field authentication_data? string|buffer|broker.None Authentication Data; changed: sent back.
---@field user_properties? broker.Pairs User Properties of the packet or message, in order; names may repeat.
---@field response_user_properties? broker.Pairs User Properties of the answering packet.
---@field will_delay_interval? number|broker.None Seconds between the end of the Network Connection and the Will Message.
---@field topic? string Topic Name.
---@field payload? string|buffer Payload of the message, any bytes.
---@field qos? number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain? boolean RETAIN flag.
---@field payload_format? number|broker.None Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number|broker.None Seconds that the message still lives.
---@field content_type? string|broker.None Content Type, MIME or the application's own.
---@field response_topic? string|broker.None Topic Name for a response.
---@field correlation_data? string|buffer|broker.None Handed back with the response.
---@field topic_filter? string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field no_local? boolean No Local: do not send the client its own messages.
---@field retain_as_published? boolean Retain As Published: keep the RETAIN flag.
---@field retain_handling? number Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
---@field subscription_identifier? number|broker.None Subscription Identifier, 1 to 268 435 455.
---@field reason_code? broker.ReasonCode MQTT 5 Reason Code of the packet or event.
---@field reason_string? string|broker.None Reason String.
---@field subscriptions? broker.SubscriptionRecord[] Subscriptions of the Session.
---@field messages? broker.MessageRecord[] Messages, oldest first; those of an answer are added to what is there.

---What broker.accept takes.
---@class broker.Acceptance: broker.Changes, broker.Keep

---The event of `broker_started`, as a handler's `msg`. All listeners are bound.
---@class broker.BrokerStartedEvent
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `broker_stopping`, as a handler's `msg`. A stop was asked for; clients are being disconnected, and nothing can be published any more.
---@class broker.BrokerStoppingEvent
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `broker_stopped`, as a handler's `msg`. The last client is gone.
---@class broker.BrokerStoppedEvent
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `config_reloaded`, as a handler's `msg`. A new set of plugins or a new configuration is live.
---@class broker.ConfigReloadedEvent
---@field generation number Number of the plugin set, one more at every reload.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `validate_connection`, as a handler's `msg`. CONNECT is decoded and CONNACK not yet sent.
---@class broker.ValidateConnectionEvent
---@field password? string Password that the client sent in CONNECT.
---@field secure boolean Whether the Network Connection is encrypted.
---@field clean_start boolean Clean Start (3.1.1: Clean Session).
---@field keep_alive number Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field receive_maximum number QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.
---@field maximum_packet_size? number Largest packet that the client takes, in bytes; absent: no limit of its own.
---@field topic_alias_maximum number Topic Aliases that the client takes, 0 to 65 535.
---@field request_response_information boolean Whether the client wants Response Information.
---@field request_problem_information boolean Whether the client wants Reason Strings and User Properties on failures.
---@field authentication_method? string Authentication Method of CONNECT.
---@field authentication_data? string Authentication Data; changed: sent back.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field will_topic? string Topic Name of the Will Message.
---@field will_payload? string Payload of the Will Message.
---@field will_qos? number QoS of the Will Message.
---@field will_retain? boolean RETAIN of the Will Message.
---@field will_delay_interval? number Seconds between the end of the Network Connection and the Will Message.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `prepare_session`, as a handler's `msg`. The connection is allowed; its Session is about to be created or resumed.
---@class broker.PrepareSessionEvent
---@field session_present boolean Whether the Session existed before this CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field will_delay_interval? number Seconds between the end of the Network Connection and the Will Message.
---@field n_queued number Messages that wait in the Session.
---@field subscriptions broker.SubscriptionRecord[] Subscriptions of the Session.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `client_connected`, as a handler's `msg`. CONNACK was sent.
---@class broker.ClientConnectedEvent
---@field session_present boolean Whether the Session existed before this CONNECT.
---@field clean_start boolean Clean Start (3.1.1: Clean Session).
---@field keep_alive number Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `client_disconnected`, as a handler's `msg`. The Network Connection of a connected client is gone.
---@class broker.ClientDisconnectedEvent
---@field reason_code number MQTT 5 Reason Code of the packet or event.
---@field reason_string? string Reason String.
---@field disconnect_type string Clean, NotClean, Takeover, Kicked or Rejected.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_created`, as a handler's `msg`. A new Session exists.
---@class broker.SessionCreatedEvent
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_resumed`, as a handler's `msg`. A client came back to its Session.
---@class broker.SessionResumedEvent
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_taken_over`, as a handler's `msg`. A second connection with the same Client Identifier took the Session.
---@class broker.SessionTakenOverEvent
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_offline`, as a handler's `msg`. The Network Connection is gone and the Session stays.
---@class broker.SessionOfflineEvent
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_expired`, as a handler's `msg`. The Session Expiry Interval has passed.
---@class broker.SessionExpiredEvent
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `session_deleted`, as a handler's `msg`. The Session State is removed.
---@class broker.SessionDeletedEvent
---@field reason? string Why, as one word: queue_full, expired, too_large, no_local, quota, plugin, inflight_lost, session_ended, offline_qos0, taken_over, clean_start, disconnected.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field session_expiry_interval number Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
---@field n_queued number Messages that wait in the Session.
---@field n_subscriptions number Subscriptions that the Session holds.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `intercept_subscription`, as a handler's `msg`. Once per Topic Filter of a SUBSCRIBE, in the packet's order, Shared Subscriptions too.
---@class broker.InterceptSubscriptionEvent
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field share_name? string Share Name of a Shared Subscription.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field no_local boolean No Local: do not send the client its own messages.
---@field retain_as_published boolean Retain As Published: keep the RETAIN flag.
---@field retain_handling number Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
---@field subscription_identifier? number Subscription Identifier, 1 to 268 435 455.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `authorize_subscribe`, as a handler's `msg`. After intercept_subscription, on the final Topic Filter.
---@class broker.AuthorizeSubscribeEvent
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field share_name? string Share Name of a Shared Subscription.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field no_local boolean No Local: do not send the client its own messages.
---@field retain_as_published boolean Retain As Published: keep the RETAIN flag.
---@field retain_handling number Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
---@field subscription_identifier? number Subscription Identifier, 1 to 268 435 455.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `client_subscribed`, as a handler's `msg`. The subscription is active.
---@class broker.ClientSubscribedEvent
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field share_name? string Share Name of a Shared Subscription.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field no_local boolean No Local: do not send the client its own messages.
---@field retain_as_published boolean Retain As Published: keep the RETAIN flag.
---@field retain_handling number Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
---@field subscription_identifier? number Subscription Identifier, 1 to 268 435 455.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `intercept_unsubscription`, as a handler's `msg`. Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
---@class broker.InterceptUnsubscriptionEvent
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `client_unsubscribed`, as a handler's `msg`. A subscription was really removed: by the client, or because it lost its right; then the reason says why.
---@class broker.ClientUnsubscribedEvent
---@field topic_filter string Topic Filter as the client sent it, `$share/{ShareName}/` included.
---@field reason_code number MQTT 5 Reason Code of the packet or event.
---@field reason_string? string Reason String.
---@field plugin? string Name of the plugin that caused it.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `intercept_inbound_packet`, as a handler's `msg`. A packet is decoded, CONNECT included.
---@class broker.InterceptInboundPacketEvent
---@field packet_type string Name of the control packet in lower case: connect, publish, puback, ...
---@field packet_identifier? number Packet Identifier, 1 to 65 535.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field dup boolean DUP flag as received.
---@field reason_code number MQTT 5 Reason Code of the packet or event.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `intercept_outbound_packet`, as a handler's `msg`. A packet is about to be written, a refusing CONNACK included.
---@class broker.InterceptOutboundPacketEvent
---@field packet_type string Name of the control packet in lower case: connect, publish, puback, ...
---@field packet_identifier? number Packet Identifier, 1 to 65 535.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field dup boolean DUP flag as received.
---@field reason_code number MQTT 5 Reason Code of the packet or event.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `intercept_publish`, as a handler's `msg`. A message has arrived: from a client, as a will, from a plugin or an embedding program.
---@class broker.InterceptPublishEvent
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field dup boolean DUP flag as received.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.

---The event of `authorize_publish`, as a handler's `msg`. After intercept_publish, on the final message; wills too.
---@class broker.AuthorizePublishEvent
---@field topic string Topic Name.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.

---The event of `intercept_enqueue`, as a handler's `msg`. Once per receiver, before the message is handed to its Session; retained messages too.
---@class broker.InterceptEnqueueEvent
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.

---The event of `intercept_delivery`, as a handler's `msg`. A PUBLISH for one receiver leaves its queue.
---@class broker.InterceptDeliveryEvent
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.

---The event of `message_enqueued`, as a handler's `msg`. After each attempt to hand a message to a Session; `dropped` tells how it ended.
---@class broker.MessageEnqueuedEvent
---@field dropped boolean Whether the message was dropped instead of being enqueued.
---@field reason? string Why, as one word: queue_full, expired, too_large, no_local, quota, plugin, inflight_lost, session_ended, offline_qos0, taken_over, clean_start, disconnected.
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `message_overwritten`, as a handler's `msg`. The oldest message of a full queue made room for a new one.
---@class broker.MessageOverwrittenEvent
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `message_not_consumed`, as a handler's `msg`. No Session received the message.
---@class broker.MessageNotConsumedEvent
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field all_receivers_filtered boolean There were receivers, and plugins filtered every one of them.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `message_dropped`, as a handler's `msg`. A message, or one receiver's copy of it, was lost; `reason` says why.
---@class broker.MessageDroppedEvent
---@field reason? string Why, as one word: queue_full, expired, too_large, no_local, quota, plugin, inflight_lost, session_ended, offline_qos0, taken_over, clean_start, disconnected.
---@field plugin? string Name of the plugin that caused it.
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `message_expired`, as a handler's `msg`. A waiting message was dropped because its Message Expiry Interval has passed.
---@class broker.MessageExpiredEvent
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field receiver_client_id string Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
---@field receiver_username? string Username of the receiving client.
---@field source string Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `message_acknowledged`, as a handler's `msg`. The receiver sent PUBACK or PUBCOMP, or a PUBREC that refuses.
---@class broker.MessageAcknowledgedEvent
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field packet_type string Name of the control packet in lower case: connect, publish, puback, ...
---@field reason_code number MQTT 5 Reason Code of the packet or event.
---@field completed boolean Whether the delivery ended well.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `load_retained`, as a handler's `msg`. At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
---@class broker.LoadRetainedEvent
---@field n_messages number How many messages.

---The event of `retained_changed`, as a handler's `msg`. A retained message was set, replaced or removed.
---@class broker.RetainedChangedEvent
---@field change string What happened to the retained message: set, replaced or removed.
---@field sender_client_id? string Client Identifier of the publisher; absent for what no client published.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `retained_cleared`, as a handler's `msg`. All retained messages were removed at once.
---@class broker.RetainedClearedEvent
---@field n_messages number How many messages.
---@field sequence number Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
---@field timestamp number Milliseconds since 1970-01-01 UTC.

---The event of `intercept_will`, as a handler's `msg`. A Will Message is due, before it takes the way of every message.
---@class broker.InterceptWillEvent
---@field will_delay_interval? number Seconds between the end of the Network Connection and the Will Message.
---@field client_id? string Client Identifier of the client that this is about; absent for what no client caused.
---@field username? string Username that the client sent in CONNECT.
---@field endpoint? string Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
---@field listener? string Name of the listener that accepted the connection.
---@field protocol_version? number 4 for MQTT 3.1.1, 5 for MQTT 5.0.
---@field topic string Topic Name.
---@field payload string Payload of the message, any bytes.
---@field payload_size number Length of the payload in bytes.
---@field qos number QoS of the message or of the subscription: 0, 1 or 2.
---@field retain boolean RETAIN flag.
---@field payload_format? number Payload Format Indicator: 0 bytes, 1 UTF-8 text.
---@field message_expiry_interval? number Seconds that the message still lives.
---@field content_type? string Content Type, MIME or the application's own.
---@field response_topic? string Topic Name for a response.
---@field correlation_data? string Handed back with the response.
---@field user_properties broker.UserProperties User Properties of the packet or message, in order; names may repeat.

---What a script returns: a handler per hook, under the hook's name. Parameters are fields of the hook, in any order.
---@class broker.Plugin
---@field priority? number Plugins with a higher one are asked first.
---@field timeout? string Time that one call may take, as in "50ms"; units are us, ms and s.
---@field on_error? "deny"|"pass" What a failure counts as, instead of each hook's own rule.
---@field filter? broker.Filter Which events the script is asked about at all.
---@field config? table<string, any> Keys that the operator can set, with their defaults; broker.required(kind) where there is none.
---@field awaits? string|string[] Hot hooks whose handlers await; handlers of other hooks that may await need no word.
---@field version? string The script's own version.
---@field description? string What the script does, in a sentence.
---@field broker_started? fun(...) All listeners are bound. A notice. Parameters, by name: endpoint, sequence, timestamp.
---@field broker_stopping? fun(...) A stop was asked for; clients are being disconnected, and nothing can be published any more. A notice. Parameters, by name: endpoint, sequence, timestamp.
---@field broker_stopped? fun(...) The last client is gone. A notice. Parameters, by name: endpoint, sequence, timestamp.
---@field config_reloaded? fun(...) A new set of plugins or a new configuration is live. A notice. Parameters, by name: generation, sequence, timestamp.
---@field validate_connection? fun(...): broker.Verdict? CONNECT is decoded and CONNACK not yet sent. A gate: it may answer pass, accept, deny or disconnect. It may change client_id, username, keep_alive, session_expiry_interval, receive_maximum, maximum_packet_size, topic_alias_maximum, maximum_qos, response_information, response_user_properties, reason_string, authentication_data. It may await. Parameters, by name: password, secure, clean_start, keep_alive, session_expiry_interval, receive_maximum, maximum_packet_size, topic_alias_maximum, request_response_information, request_problem_information, authentication_method, authentication_data, user_properties, will_topic, will_payload, will_qos, will_retain, will_delay_interval, client_id, username, endpoint, listener, protocol_version.
---@field prepare_session? fun(...): broker.Verdict? The connection is allowed; its Session is about to be created or resumed. A filter: it may answer pass or deny. It may change subscriptions, messages, session_expiry_interval, will_delay_interval. It may await. Parameters, by name: session_present, session_expiry_interval, will_delay_interval, n_queued, subscriptions, client_id, username, endpoint, listener, protocol_version.
---@field client_connected? fun(...) CONNACK was sent. A notice. Parameters, by name: session_present, clean_start, keep_alive, session_expiry_interval, user_properties, client_id, username, endpoint, listener, protocol_version, sequence, timestamp.
---@field client_disconnected? fun(...) The Network Connection of a connected client is gone. A notice. Parameters, by name: reason_code, reason_string, disconnect_type, session_expiry_interval, user_properties, client_id, username, endpoint, listener, protocol_version, sequence, timestamp.
---@field session_created? fun(...) A new Session exists. A notice. Parameters, by name: client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field session_resumed? fun(...) A client came back to its Session. A notice. Parameters, by name: client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field session_taken_over? fun(...) A second connection with the same Client Identifier took the Session. A notice. Parameters, by name: endpoint, client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field session_offline? fun(...) The Network Connection is gone and the Session stays. A notice. Parameters, by name: client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field session_expired? fun(...) The Session Expiry Interval has passed. A notice. Parameters, by name: client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field session_deleted? fun(...) The Session State is removed. A notice. Parameters, by name: reason, client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp.
---@field intercept_subscription? fun(...): broker.Verdict? Once per Topic Filter of a SUBSCRIBE, in the packet's order, Shared Subscriptions too. A filter: it may answer pass, accept, deny, drop or disconnect. It may change topic_filter, qos, no_local, retain_as_published, retain_handling, subscription_identifier, reason_string, response_user_properties. It may await. Parameters, by name: user_properties, topic_filter, share_name, qos, no_local, retain_as_published, retain_handling, subscription_identifier, client_id, username, endpoint, listener, protocol_version.
---@field authorize_subscribe? fun(...): broker.Verdict? After intercept_subscription, on the final Topic Filter. A gate: it may answer pass, accept, deny or disconnect. It may change qos, retain_handling. It may await. An accept or deny of it may be kept: ttl, tags. Parameters, by name: topic_filter, share_name, qos, no_local, retain_as_published, retain_handling, subscription_identifier, client_id, username, endpoint, listener, protocol_version.
---@field client_subscribed? fun(...) The subscription is active. A notice. Parameters, by name: topic_filter, share_name, qos, no_local, retain_as_published, retain_handling, subscription_identifier, client_id, username, endpoint, listener, protocol_version, sequence, timestamp.
---@field intercept_unsubscription? fun(...): broker.Verdict? Once per Topic Filter of an UNSUBSCRIBE, in the packet's order. A filter: it may answer pass, accept, deny, drop or disconnect. It may change topic_filter, reason_string, response_user_properties. It may await. Parameters, by name: topic_filter, user_properties, client_id, username, endpoint, listener, protocol_version.
---@field client_unsubscribed? fun(...) A subscription was really removed: by the client, or because it lost its right; then the reason says why. A notice. Parameters, by name: topic_filter, reason_code, reason_string, plugin, client_id, username, endpoint, listener, protocol_version, sequence, timestamp.
---@field intercept_inbound_packet? fun(...): broker.Verdict? A packet is decoded, CONNECT included. A filter: it may answer pass, drop or disconnect. It may change topic, payload, retain, user_properties. Parameters, by name: packet_type, packet_identifier, topic, payload, payload_size, qos, retain, dup, reason_code, user_properties, client_id, username, endpoint, listener, protocol_version.
---@field intercept_outbound_packet? fun(...): broker.Verdict? A packet is about to be written, a refusing CONNACK included. A filter: it may answer pass or drop. It may change topic, payload, retain, user_properties. Parameters, by name: packet_type, packet_identifier, topic, payload, payload_size, qos, retain, dup, reason_code, user_properties, client_id, username, endpoint, listener, protocol_version.
---@field intercept_publish? fun(...): broker.Verdict? A message has arrived: from a client, as a will, from a plugin or an embedding program. A filter: it may answer pass, accept, deny, drop, consume or disconnect. It may change topic, payload, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, reason_code, reason_string, response_user_properties. It may await. Parameters, by name: source, dup, client_id, username, endpoint, listener, protocol_version, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties.
---@field authorize_publish? fun(...): broker.Verdict? After intercept_publish, on the final message; wills too. A gate: it may answer pass, accept, deny, drop or disconnect. It may change qos, retain. It may await. An accept or deny of it may be kept: ttl, tags. Parameters, by name: topic, payload_size, qos, retain, source, client_id, username, endpoint, listener, protocol_version.
---@field intercept_enqueue? fun(...): broker.Verdict? Once per receiver, before the message is handed to its Session; retained messages too. A filter: it may answer pass, drop or disconnect. It may change topic, payload, qos, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties. Parameters, by name: sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties.
---@field intercept_delivery? fun(...): broker.Verdict? A PUBLISH for one receiver leaves its queue. A filter: it may answer pass or drop. It may change topic, payload, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties. Parameters, by name: sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties.
---@field message_enqueued? fun(...) After each attempt to hand a message to a Session; `dropped` tells how it ended. A notice. Parameters, by name: dropped, reason, sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field message_overwritten? fun(...) The oldest message of a full queue made room for a new one. A notice. Parameters, by name: sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field message_not_consumed? fun(...) No Session received the message. A notice. Parameters, by name: sender_client_id, source, all_receivers_filtered, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field message_dropped? fun(...) A message, or one receiver's copy of it, was lost; `reason` says why. A notice. Parameters, by name: reason, plugin, sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field message_expired? fun(...) A waiting message was dropped because its Message Expiry Interval has passed. A notice. Parameters, by name: sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field message_acknowledged? fun(...) The receiver sent PUBACK or PUBCOMP, or a PUBREC that refuses. A notice. Parameters, by name: client_id, username, sender_client_id, packet_type, reason_code, completed, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field load_retained? fun(...): broker.Verdict? At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then. A supply: it may answer pass. It may change messages. It may await. Parameters, by name: n_messages.
---@field retained_changed? fun(...) A retained message was set, replaced or removed. A notice. Parameters, by name: change, sender_client_id, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp.
---@field retained_cleared? fun(...) All retained messages were removed at once. A notice. Parameters, by name: n_messages, sequence, timestamp.
---@field intercept_will? fun(...): broker.Verdict? A Will Message is due, before it takes the way of every message. A filter: it may answer pass or drop. It may change topic, payload, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties. It may await. Parameters, by name: will_delay_interval, client_id, username, endpoint, listener, protocol_version, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties.

---What a script can do beside answering.
---@class broker
---@field name string Name of this plugin in the broker's config.
---@field none broker.None Stands for absent in a table of changes: removes the property. The same value as broker.json.null.
broker = {}

---No opinion, the next plugin is asked; with changes, they are applied. Returning nothing is the same as broker.pass().
---@param changes? broker.Changes
---@return broker.Verdict
function broker.pass(changes) end

---Allowed by this plugin; another plugin's deny still wins. With ttl, the broker need not ask again for so many seconds.
---@param changes? broker.Acceptance
---@return broker.Verdict
function broker.accept(changes) end

---Refused. The reason code is a number or the standard's name, as in "not_authorized"; left out, the broker chooses.
---@param reason_code? broker.ReasonCode
---@param reason_string? string
---@param options? broker.DenyOptions
---@return broker.Verdict
function broker.deny(reason_code, reason_string, options) end

---Acknowledged but not routed; counted as dropped. Of the changes only those to the acknowledgement have an effect.
---@param reason_string? string
---@param changes? broker.Changes
---@return broker.Verdict
function broker.drop(reason_string, changes) end

---Acknowledged but not routed; counted as consumed by this plugin. Changes as with drop.
---@param changes? broker.Changes
---@return broker.Verdict
function broker.consume(changes) end

---Refused, and the Network Connection of the client whose packet this is ends. See disconnect_client to end another's.
---@param reason_code? broker.ReasonCode
---@param reason_string? string
---@param options? broker.RefusalOptions
---@return broker.Verdict
function broker.disconnect(reason_code, reason_string, options) end

---Waits; others go on meanwhile. Waits, so only handlers of hooks that may await can call it.
---@param seconds number
function broker.sleep(seconds) end

---Publishes a message. It goes through every hook like any other, with source = "plugin". Needs the grant "publish".
---@param message broker.OutgoingMessage
function broker.publish(message) end

---Delivers to one client's session, whether it subscribed or not; false if there is no such session. Needs the grant "publish".
---@param client_id string
---@param message broker.OutgoingMessage
---@return boolean
function broker.publish_to(client_id, message) end

---Ends a client's Network Connection; false if it is not connected. Needs the grant "disconnect".
---@param client_id string
---@param reason_code? broker.ReasonCode
---@param reason_string? string
---@return boolean
function broker.disconnect_client(client_id, reason_code, reason_string) end

---The same, and the broker asks again about every subscription that was allowed with this tag; one that is refused now is removed. Needs the grant "cache".
---@param tag string
---@return number
function broker.reauthorize(tag) end

---A connected client. Needs the grant "query".
---@param client_id string
---@return broker.ClientView?
function broker.client(client_id) end

---A session, connected or not. Needs the grant "query".
---@param client_id string
---@return broker.SessionView?
function broker.session(client_id) end

---Retained messages that match, at most limit (100 unless told, 1000 at most). Needs the grant "query".
---@param topic_filter string
---@param limit? number
---@return broker.RetainedView[]
function broker.retained(topic_filter, limit) end

---Seconds since 1970-01-01 UTC, with a fraction.
---@return number
function broker.time() end

---In the config table of a script: a key without a default, which the operator must set; kind is its type.
---@param kind string
---@return any
function broker.required(kind) end

---@class broker.json
---@field null broker.None JSON's null.
broker.json = {}

---A Lua value as JSON. An empty table is an object unless broker.json.array marked it.
---@param value any
---@return string
function broker.json.encode(value) end

---JSON as a Lua value; null is broker.json.null. An error tells line and column.
---@param text string|buffer
---@return any
function broker.json.decode(text) end

---Whether it is JSON. Takes a payload_buffer with its size too.
---@param text string|buffer
---@param size? number
---@return boolean
function broker.json.valid(text, size) end

---Marks a table as a JSON array, so that it is one even when empty; without an argument a new one.
---@param list? any[]
---@return any[]
function broker.json.array(list) end

---@class broker.log
broker.log = {}

---Writes to the broker's log, for whoever looks for a fault.
---@param message string
---@param fields? broker.LogFields
function broker.log.debug(message, fields) end

---Writes to the broker's log. print does the same.
---@param message string
---@param fields? broker.LogFields
function broker.log.info(message, fields) end

---Writes to the broker's log: something is odd.
---@param message string
---@param fields? broker.LogFields
function broker.log.warn(message, fields) end

---Writes to the broker's log: something failed.
---@param message string
---@param fields? broker.LogFields
function broker.log.error(message, fields) end

---@class broker.kv
broker.kv = {}

---The value of a key in the map that all plugins' VMs share. Needs the grant "kv".
---@param key string
---@return string?
function broker.kv.get(key) end

---Writes a key, for expires_in seconds if given; false if only_if_absent or only_if (the value it must have now) did not hold. Needs the grant "kv".
---@param key string
---@param value string|number
---@param options? broker.KvOptions
---@return boolean
function broker.kv.set(key, value, options) end

---Adds to a whole number (absent counts as 0) in one step and returns the sum; expires_in counts from when the key is new. Needs the grant "kv".
---@param key string
---@param amount? number
---@param options? broker.KvOptions
---@return number
function broker.kv.add(key, amount, options) end

---Removes a key; false if it was absent. Needs the grant "kv".
---@param key string
---@return boolean
function broker.kv.delete(key) end

---@class broker.base64
broker.base64 = {}

---Base64 with the standard alphabet and padding.
---@param bytes string|buffer
---@return string
function broker.base64.encode(bytes) end

---The bytes, or nil if it is not base64.
---@param text string
---@return string?
function broker.base64.decode(text) end

---@class broker.hash
broker.hash = {}

---SHA-256 in hexadecimal.
---@param bytes string|buffer
---@return string
function broker.hash.sha256(bytes) end

---HMAC-SHA-256 in hexadecimal.
---@param key string
---@param bytes string|buffer
---@return string
function broker.hash.hmac_sha256(key, bytes) end

---Compares in a time that does not depend on where they differ.
---@param left string
---@param right string
---@return boolean
function broker.hash.equal(left, right) end

---@class broker.password
broker.password = {}

---Whether a password fits a hash: argon2 ($argon2id$...), bcrypt ($2b$...) or mosquitto_passwd's PBKDF2 ($7$...). Waits, so only handlers of hooks that may await can call it.
---@param password string?
---@param hash string
---@return boolean
function broker.password.verify(password, hash) end

---@class broker.cache
broker.cache = {}

---Forgets every answer that is kept with this tag, whichever plugin gave it; returns how many. Needs the grant "cache".
---@param tag string
---@return number
function broker.cache.invalidate(tag) end

---@class broker.topic
broker.topic = {}

---Whether a topic filter matches a topic, by the standard's rules; what is a filter instead of a topic is an error.
---@param topic_filter string
---@param topic string
---@return boolean
function broker.topic.matches(topic_filter, topic) end

---Whether there is a topic that both filters match; of a Shared Subscription the filter behind the Share Name counts.
---@param topic_filter string
---@param other string
---@return boolean
function broker.topic.overlaps(topic_filter, other) end

---Whether the first filter matches every topic that the other one matches; shared ones as with overlaps.
---@param topic_filter string
---@param other string
---@return boolean
function broker.topic.covers(topic_filter, other) end

---The levels of a topic.
---@param topic string
---@return string[]
function broker.topic.levels(topic) end
