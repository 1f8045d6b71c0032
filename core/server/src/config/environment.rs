//! The environment laid over a config: `HOOKMQ__SESSION__MAXIMUM_SESSIONS=5`, and `HOOKMQ__LISTENER__0__BIND=...` for lists.

use super::document::{Content, Entry, Node, Place};
use super::error::ConfigError;

/// What the name of a variable begins with to mean the config.
pub(crate) const PREFIX: &str = "HOOKMQ__";

/// Sets every key that a variable names, and makes the tables that are missing on the way.
pub(super) fn overlay(
    root: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<ConfigError> {
    let mut variables: Vec<_> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    // The order of places in a list decides which elements are there to be set; names of equal length sort by number.
    variables
        .sort_by_key(|(name, _)| (segments(name).map(order).collect::<Vec<_>>(), name.clone()));
    let mut errors = Vec::new();
    for (name, value) in variables {
        let path: Vec<_> = segments(&name).collect();
        if path.iter().any(|segment| segment.is_empty()) {
            errors.push(refuse(
                &name,
                "between two double underscores stands a section or a key".to_owned(),
            ));
        } else if let Err(why) = set(root, &path, &name, value) {
            errors.push(refuse(&name, why));
        }
    }
    errors
}

fn refuse(name: &str, message: String) -> ConfigError {
    ConfigError {
        place: Some(name.to_owned()),
        offset: usize::MAX,
        ..ConfigError::new(message)
    }
}

fn segments(name: &str) -> impl Iterator<Item = &str> {
    name.strip_prefix(PREFIX).unwrap_or_default().split("__")
}

/// Numbers by value, names by text.
fn order(segment: &str) -> (u64, String) {
    (segment.parse().unwrap_or(u64::MAX), segment.to_owned())
}

fn set(node: &mut Node, path: &[&str], name: &str, value: String) -> Result<(), String> {
    let place = || Place::Variable(name.to_owned());
    let Some((first, rest)) = path.split_first() else {
        *node = Node {
            content: Content::Raw(value),
            place: place(),
        };
        return Ok(());
    };
    // Two variables may name a key and something inside it; that is seen here, whichever comes first.
    match &mut node.content {
        Content::Table(entries) => {
            let at = entries
                .iter()
                .position(|entry| entry.key.eq_ignore_ascii_case(first))
                .unwrap_or_else(|| {
                    let empty = if rest
                        .first()
                        .is_some_and(|next| next.parse::<usize>().is_ok())
                    {
                        Content::List(Vec::new())
                    } else {
                        Content::Table(Vec::new())
                    };
                    let value = Node {
                        content: empty,
                        place: place(),
                    };
                    entries.push(Entry {
                        key: first.to_lowercase(),
                        place: place(),
                        value,
                    });
                    entries.len() - 1
                });
            match entries.get_mut(at) {
                Some(entry) => {
                    if rest.is_empty() {
                        entry.place = place();
                    }
                    set(&mut entry.value, rest, name, value)
                }
                None => Ok(()),
            }
        }
        Content::List(items) => {
            let Ok(at) = first.parse::<usize>() else {
                return Err(format!(
                    "{first} stands where a list needs a number, the first element being 0"
                ));
            };
            let n_items = items.len();
            if at == n_items {
                items.push(Node {
                    content: Content::Table(Vec::new()),
                    place: place(),
                });
            }
            match items.get_mut(at) {
                Some(item) => set(item, rest, name, value),
                None => Err(format!(
                    "the list has {n_items} elements, so the next one is {n_items}, not {at}"
                )),
            }
        }
        _ => Err(format!(
            "there is no {first} here, because this is {} and no section",
            node.words()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(variables: &[(&str, &str)]) -> (Node, Vec<ConfigError>) {
        let mut root = Node {
            content: Content::Table(Vec::new()),
            place: Place::None,
        };
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let errors = overlay(&mut root, variables);
        (root, errors)
    }

    #[test]
    fn elements_of_lists_are_made_in_order() {
        let listeners: Vec<_> = (0..12)
            .map(|at| (format!("HOOKMQ__LISTENER__{at}__NAME"), at.to_string()))
            .collect();
        let listeners: Vec<_> = listeners
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .rev()
            .collect();
        let (root, errors) = lay(&listeners);
        assert_eq!(errors, []);
        let Content::List(items) = &root.entry("listener").unwrap().value.content else {
            panic!("no list")
        };
        let names: Vec<_> = items
            .iter()
            .map(|item| item.entry("name").unwrap().value.words())
            .collect();
        assert_eq!(
            names,
            (0..12).map(|at| format!("\"{at}\"")).collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_cannot_be_set_is_an_error() {
        for (variables, expected) in [
            (
                &[("HOOKMQ__LISTENER__1__NAME", "x")][..],
                "the list has 0 elements, so the next one is 0, not 1",
            ),
            (
                &[("HOOKMQ__SESSION____X", "x")][..],
                "between two double underscores",
            ),
            (
                &[("HOOKMQ__LOG", "x"), ("HOOKMQ__LOG__LEVEL", "x")][..],
                "no section",
            ),
            (
                &[
                    ("HOOKMQ__PLUGIN__0__NAME", "x"),
                    ("HOOKMQ__PLUGIN__AUTH__NAME", "x"),
                ][..],
                "needs a number",
            ),
        ] {
            let (_, errors) = lay(variables);
            assert_eq!(errors.len(), 1, "{variables:?}");
            assert!(errors[0].message.contains(expected), "{:?}", errors[0]);
        }
        assert_eq!(lay(&[("HOOKMQ_OTHER", "x"), ("PATH", "x")]).1, []);
    }
}
