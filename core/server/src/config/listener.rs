//! `[[listener]]`: where the broker listens, and whether anybody may come in.

use std::net::SocketAddr;

use hookmq_broker::ListenerSettings;
use hookmq_broker::settings::Durability;

use super::form::{Address, Choice, Flag, Form, OrWord, Text, Whole};
use super::reader::{Origin, Section};

/// A level, or what `[storage]` says.
const DURABILITY: OrWord<Choice<Durability>> = OrWord {
    form: super::storage::LEVELS,
    word: "storage",
};

/// Where a broker without config listens: only this machine reaches it.
const DEFAULT_BIND: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1883);

const RATES: OrWord<Whole<u32>> = OrWord {
    form: Whole(1..=1_000_000),
    word: "any",
};

/// One listener, and whether the operator decided about anonymous clients.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) settings: ListenerSettings,
    /// Where its section stands, for what is found out later.
    pub(crate) place: Option<String>,
}

impl Listener {
    /// Whether clients may come in from other machines.
    pub(crate) fn is_public(&self) -> bool {
        !self.settings.bind.ip().is_loopback()
    }
}

/// All listeners: those of the file, or the default one.
pub(super) fn read_all(root: &mut Section<'_>, has_store: bool) -> Vec<Listener> {
    let mut names: Vec<String> = Vec::new();
    let mut binds: Vec<SocketAddr> = Vec::new();
    let listeners = root.list("listener", |section| {
        let default_name = if names.is_empty() {
            "default".to_owned()
        } else {
            format!("listener{}", names.len() + 1)
        };
        let (listener, bind) = read(section, default_name, has_store);
        if names.contains(&listener.settings.name) {
            section.refuse_key(
                "name",
                format!("another listener is called \"{}\"", listener.settings.name),
            );
        }
        if let Some(bind) = bind.filter(|bind| bind.port() != 0 && binds.contains(bind)) {
            section.refuse_key("bind", format!("another listener has {bind}"));
        }
        names.push(listener.settings.name.clone());
        binds.extend(bind);
        listener
    });
    match listeners {
        Some(listeners) => {
            if listeners.is_empty() {
                root.refuse_key(
                    "listener",
                    "a broker needs at least one listener".to_owned(),
                );
            }
            listeners
        }
        None => vec![default(root)],
    }
}

/// A listener, and its address if it has a good one.
fn read(
    section: &mut Section<'_>,
    default_name: String,
    has_store: bool,
) -> (Listener, Option<SocketAddr>) {
    let name = section.get("name", &Text, default_name);
    let bind = section.required("bind", &Address);
    let mut settings = ListenerSettings::new(&name, bind.unwrap_or(DEFAULT_BIND));
    settings.allow_anonymous = section.get("allow_anonymous", &Flag, settings.allow_anonymous);
    settings.durability = section.get("durability", &DURABILITY, settings.durability);
    if !has_store
        && settings
            .durability
            .is_some_and(|level| level != Durability::None)
    {
        section.refuse_key("durability", super::storage::NOWHERE.to_owned());
    }
    settings.maximum_handshakes = section.get(
        "maximum_handshakes",
        &Whole(1..=usize::MAX),
        settings.maximum_handshakes,
    );
    settings.maximum_connect_rate = section.get(
        "maximum_connect_rate",
        &RATES,
        settings.maximum_connect_rate,
    );
    let place = match section.origin(&section.place("bind")) {
        Origin::File(place) | Origin::Environment(place) => Some(place),
        Origin::Default | Origin::Arguments => None,
    };
    (Listener { settings, place }, bind)
}

fn default(root: &Section<'_>) -> Listener {
    let settings = ListenerSettings::new("default", DEFAULT_BIND);
    for (key, value) in [
        ("name", super::form::quoted(&settings.name)),
        ("bind", super::form::quoted(&settings.bind.to_string())),
        ("allow_anonymous", settings.allow_anonymous.to_string()),
        ("durability", super::form::quoted("storage")),
        (
            "maximum_handshakes",
            settings.maximum_handshakes.to_string(),
        ),
        (
            "maximum_connect_rate",
            RATES.show(&settings.maximum_connect_rate),
        ),
    ] {
        root.show_default("[[listener]]", "listener[0]", key, value);
    }
    Listener {
        settings,
        place: None,
    }
}
