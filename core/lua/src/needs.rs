//! What a script will ask the broker for, as far as its source shows it: calls that need a grant.

use hookmq_plugin_api::Grant;
use hookmq_plugin_api::surface::FUNCTIONS;

use crate::sources::Sources;

/// The first place where a script names something of `broker` that needs this grant. Whether it ever comes there is not known, nor
/// whether it uses such things under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What the plugin's section must grant.
    pub grant: Grant,
    /// File, relative to the script's folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What stands there: `broker.kv.add`.
    pub name: String,
}

/// One need per grant, in the order of [`Grant::ALL`].
pub(crate) fn of(sources: &Sources) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for (file, source) in sources.all() {
        for (name, line) in &source.outline.broker {
            if let Some(grant) = grant_of(name)
                && !needs.iter().any(|need| need.grant == grant)
            {
                needs.push(Need {
                    grant,
                    file: file.clone(),
                    line: *line,
                    name: format!("broker.{name}"),
                });
            }
        }
    }
    needs.sort_by_key(|need| Grant::ALL.iter().position(|grant| *grant == need.grant));
    needs
}

/// The grant of a function, or of the table that it stands in.
fn grant_of(name: &str) -> Option<Grant> {
    let found = FUNCTIONS.iter().find(|function| {
        let in_table = function.name.strip_prefix(name);
        in_table.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    found?.grant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_their_tables_need_what_the_surface_says() {
        for function in FUNCTIONS {
            assert_eq!(grant_of(function.name), function.grant, "{}", function.name);
        }
        assert_eq!(grant_of("kv"), Some(Grant::Kv));
        assert_eq!(grant_of("cache"), Some(Grant::Cache));
        assert_eq!(grant_of("k"), None);
        assert_eq!(grant_of("kv.gett"), None);
        assert_eq!(grant_of("log"), None);
    }
}
