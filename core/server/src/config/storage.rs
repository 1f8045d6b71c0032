//! `[storage]`: what survives the broker, and where it is kept.

use std::path::{Path, PathBuf};

use hookmq_broker::settings::{Durability, StorageSettings};
use hookmq_mqtt::TopicFilter;

use super::form::{Choice, Flag, OrWord, Size, Text};
use super::reader::Section;

/// Where the store is, and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Storage {
    pub(crate) path: PathBuf,
    /// Start even if the store has lost what was acknowledged.
    pub(crate) accept_data_loss: bool,
}

pub(super) const LEVELS: Choice<Durability> = Choice(&[
    ("none", Durability::None),
    ("os", Durability::Os),
    ("disk", Durability::Disk),
]);

/// A promise that nothing stands behind is refused.
pub(super) const NOWHERE: &str = "nothing is kept without storage.path";

/// A store only where a path says where.
pub(super) fn read(section: &mut Section<'_>, folder: &Path) -> (Option<Storage>, StorageSettings) {
    let default = StorageSettings::default();
    let folder_or_off = OrWord {
        form: Text,
        word: "off",
    };
    let path = section.get("path", &folder_or_off, None);
    let accept_data_loss = section.get("accept_data_loss", &Flag, false);
    let durability = section.get("durability", &LEVELS, default.durability);
    let maximum_waiting_bytes = super::session::size(
        section,
        "maximum_waiting_bytes",
        &Size(1 << 20..=u64::MAX),
        default.maximum_waiting_bytes,
    );
    let topics = section.list("topic", |rule| {
        let filter = rule.required("filter", &Text);
        let durability = rule.required("durability", &LEVELS);
        if path.is_none() && durability.is_some_and(|level| level != Durability::None) {
            rule.refuse_key("durability", NOWHERE.to_owned());
        }
        match TopicFilter::parse(&filter?) {
            Ok(filter) if !filter.is_shared() => Some((filter, durability?)),
            Ok(_) => {
                rule.refuse_key("filter", "a rule has no Share Name".to_owned());
                None
            }
            Err(error) => {
                rule.refuse_key("filter", error.to_string());
                None
            }
        }
    });
    if path.is_none() && durability == Durability::Disk {
        section.refuse_key("durability", NOWHERE.to_owned());
    }
    let settings = StorageSettings {
        durability,
        maximum_waiting_bytes,
        topics: topics.unwrap_or_default().into_iter().flatten().collect(),
        ..default
    };
    let storage = path.map(|path| Storage {
        path: folder.join(path),
        accept_data_loss,
    });
    (storage, settings)
}
