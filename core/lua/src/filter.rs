//! How topic filters lie to each other. Scripts that judge subscriptions need it: a filter with wildcards is no topic.

/// Whether a name is a filter for sure: it has a wildcard or shares a subscription.
pub(crate) fn is_filter(name: &str) -> bool {
    name.contains(['+', '#']) || name.starts_with("$share/")
}

/// Whether there is a topic that both match. `$share/{ShareName}/` prefixes are ignored.
pub(crate) fn overlaps(left: &str, right: &str) -> bool {
    let (left, right) = (unshared(left), unshared(right));
    if left.starts_with('$') != right.starts_with('$') {
        return false;
    }
    let (mut left, mut right) = (left.split('/'), right.split('/'));
    loop {
        match (left.next(), right.next()) {
            // Behind `a`, too: a/# matches a.
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(one), Some(other)) if one == "+" || other == "+" || one == other => {}
            _ => return false,
        }
    }
}

/// Whether `outer` matches every topic that `inner` matches. `$share/{ShareName}/` prefixes are ignored.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (unshared(outer), unshared(inner));
    // Wildcards at the first level do not match topics that begin with $ [MQTT-4.7.2-1].
    if outer.starts_with('$') != inner.starts_with('$') {
        return false;
    }
    // There is no topic without a level, so these two match the same.
    if (outer, inner) == ("+/#", "#") {
        return true;
    }
    let mut inner = inner.split('/');
    for wanted in outer.split('/') {
        if wanted == "#" {
            return true;
        }
        match inner.next() {
            Some("#") | None => return false,
            Some(level) if wanted == "+" || wanted == level => {}
            Some(_) => return false,
        }
    }
    inner.next().is_none()
}

fn unshared(filter: &str) -> &str {
    filter
        .strip_prefix("$share/")
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, filter)| filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::matches;

    /// Every row of one to `n` of these levels.
    fn rows(levels: &[&str], n: usize) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
        let mut last = all.clone();
        for _ in 1..n {
            last = last
                .iter()
                .flat_map(|row| levels.iter().map(move |level| format!("{row}/{level}")))
                .collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn filters_lie_to_each_other_as_the_topics_that_they_match() {
        // A level more, and a name more, than any filter has, so that a difference always shows in some topic.
        let topics = rows(&["a", "b", "$c", ""], 4);
        let filters: Vec<String> = rows(&["a", "$c", "+", "#"], 3)
            .into_iter()
            .filter(|filter| crate::range::topic_filter(filter).is_ok())
            .collect();
        for one in &filters {
            for other in &filters {
                let both = topics
                    .iter()
                    .any(|topic| matches(one, topic) && matches(other, topic));
                assert_eq!(overlaps(one, other), both, "{one} overlaps {other}");
                let all = topics
                    .iter()
                    .all(|topic| matches(one, topic) || !matches(other, topic));
                assert_eq!(covers(one, other), all, "{one} covers {other}");
            }
        }
    }

    #[test]
    fn shared_subscriptions_are_judged_by_what_they_share() {
        assert!(overlaps("secret/#", "$share/g/secret/x"));
        assert!(covers("secret/#", "$share/g/secret/+"));
        assert!(!covers("secret/#", "$share/secret/#"));
        assert!(is_filter("$share/g/a") && is_filter("a/+") && !is_filter("a/b"));
    }
}
