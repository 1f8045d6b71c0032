//! The properties of MQTT 5.0 by the names that conversations use (section 2.2.2.2 of the standard).

/// How a property's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One byte.
    Byte,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// A Variable Byte Integer.
    Variable,
    /// A string or binary data: two bytes of length, then the bytes.
    Bytes,
    /// Two strings.
    Pair,
}

/// One row of the standard's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// The identifier on the wire.
    pub id: u8,
    /// The name in conversations.
    pub name: &'static str,
    /// How the value is written.
    pub kind: Kind,
}

const TABLE: &[(u8, &str, Kind)] = &[
    (0x01, "payload_format", Kind::Byte),
    (0x02, "message_expiry", Kind::Four),
    (0x03, "content_type", Kind::Bytes),
    (0x08, "response_topic", Kind::Bytes),
    (0x09, "correlation_data", Kind::Bytes),
    (0x0B, "subscription_identifier", Kind::Variable),
    (0x11, "session_expiry", Kind::Four),
    (0x12, "assigned_client_id", Kind::Bytes),
    (0x13, "server_keep_alive", Kind::Two),
    (0x15, "authentication_method", Kind::Bytes),
    (0x16, "authentication_data", Kind::Bytes),
    (0x17, "request_problem_information", Kind::Byte),
    (0x18, "will_delay", Kind::Four),
    (0x19, "request_response_information", Kind::Byte),
    (0x1A, "response_information", Kind::Bytes),
    (0x1C, "server_reference", Kind::Bytes),
    (0x1F, "reason_string", Kind::Bytes),
    (0x21, "receive_maximum", Kind::Two),
    (0x22, "topic_alias_maximum", Kind::Two),
    (0x23, "topic_alias", Kind::Two),
    (0x24, "maximum_qos", Kind::Byte),
    (0x25, "retain_available", Kind::Byte),
    (0x26, "user_property", Kind::Pair),
    (0x27, "maximum_packet_size", Kind::Four),
    (0x28, "wildcard_subscription_available", Kind::Byte),
    (0x29, "subscription_identifiers_available", Kind::Byte),
    (0x2A, "shared_subscription_available", Kind::Byte),
];

/// The property with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Property> {
    TABLE
        .iter()
        .find(|row| row.1 == name)
        .map(|&(id, name, kind)| Property { id, name, kind })
}

/// The property with this identifier.
#[must_use]
pub fn by_id(id: u8) -> Option<Property> {
    TABLE
        .iter()
        .find(|row| row.0 == id)
        .map(|&(id, name, kind)| Property { id, name, kind })
}
