//! Rules: what matches, and what becomes of it.

use serde::Deserialize;

/// Where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Messages that arrive.
    Publish,
    /// Topic Filters of SUBSCRIBE and UNSUBSCRIBE.
    Subscribe,
    /// Messages on their way to a subscriber.
    Deliver,
}

/// `[plugin.config]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    rules: Vec<Written>,
}

/// A rule as the operator writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    r#match: String,
    to: String,
    #[serde(default = "usual_places")]
    on: Vec<Place>,
}

fn usual_places() -> Vec<Place> {
    vec![Place::Publish, Place::Subscribe]
}

/// All rules, in their order.
#[derive(Debug)]
pub struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Vec<Level>,
    to: Vec<Piece>,
    on: Vec<Place>,
}

/// A level of `match`.
#[derive(Debug, PartialEq, Eq)]
enum Level {
    /// This very text.
    Text(String),
    /// `+`
    One,
    /// `#`
    Rest,
}

/// A piece of `to`.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{1}` is 0.
    Capture(usize),
}

impl Rules {
    /// From the configuration as JSON.
    ///
    /// # Errors
    /// What is wrong, with the rule's number.
    pub fn parse(config: &str) -> Result<Self, String> {
        let config: Config = serde_json::from_str(config).map_err(|error| error.to_string())?;
        let rules = config.rules.into_iter().enumerate();
        rules
            .map(|(at, written)| Rule::parse(&written).map_err(|why| format!("rules[{at}]: {why}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The new name of a topic, if a rule has one for it.
    #[must_use]
    pub fn topic(&self, place: Place, topic: &str) -> Option<String> {
        self.at(place).find_map(|rule| rule.apply(topic))
    }

    /// The new form of a Topic Filter, if a rule covers it; a Shared Subscription's is the one behind its Share Name.
    #[must_use]
    pub fn filter(&self, filter: &str) -> Option<String> {
        let (share, inner) = shared(filter);
        let rewritten = self
            .at(Place::Subscribe)
            .find_map(|rule| rule.apply(inner))?;
        // A `#` that came to stand in the middle asks for what no filter can say, so the client gets what it asked for.
        let is_filter = !rewritten
            .strip_suffix('#')
            .unwrap_or(&rewritten)
            .contains('#');
        is_filter.then(|| format!("{share}{rewritten}"))
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.on.contains(&place))
    }
}

/// `$share/{ShareName}/` and what follows it.
fn shared(filter: &str) -> (&str, &str) {
    let start = filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.find('/'))
        .map_or(0, |slash| "$share/".len() + slash + 1);
    filter.split_at(start)
}

impl Rule {
    fn parse(written: &Written) -> Result<Self, String> {
        let levels: Vec<&str> = written.r#match.split('/').collect();
        if written.r#match.is_empty() {
            return Err("match is empty".to_owned());
        }
        let last = levels.len() - 1;
        let pattern = levels
            .iter()
            .enumerate()
            .map(|(at, level)| match *level {
                "+" => Ok(Level::One),
                "#" if at == last => Ok(Level::Rest),
                text if text.contains(['+', '#']) => Err(format!(
                    "match: '+' and '#' have their level alone, and '#' is the last one; found \"{text}\""
                )),
                text => Ok(Level::Text(text.to_owned())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let wildcards = pattern
            .iter()
            .filter(|level| !matches!(level, Level::Text(_)));
        let to = pieces(&written.to, wildcards.count())?;
        if written.on.is_empty() {
            return Err("on: name publish, subscribe or deliver, or leave it out".to_owned());
        }
        Ok(Self {
            pattern,
            to,
            on: written.on.clone(),
        })
    }

    /// What becomes of a topic, or of a filter whose wildcards are taken for levels: a `+` fits where the rule has a wildcard, a `#` only
    /// where it has a `#`. So a filter is rewritten only if the rule covers all that it asks for.
    fn apply(&self, topic: &str) -> Option<String> {
        let captured = self.captured(topic)?;
        let mut text = String::with_capacity(topic.len() + 16);
        for piece in &self.to {
            match piece {
                Piece::Text(own) => text.push_str(own),
                // A `#` that stood for no level takes the slash in front of it along.
                Piece::Capture(at) => match captured.get(*at)? {
                    Some(part) => text.push_str(part),
                    None if text.ends_with('/') => {
                        text.pop();
                    }
                    None => {}
                },
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn captured<'t>(&self, topic: &'t str) -> Option<Vec<Option<&'t str>>> {
        // Wildcards in front do not match what begins with a dollar sign [MQTT-4.7.2-1].
        if topic.starts_with('$') && !matches!(self.pattern.first(), Some(Level::Text(_))) {
            return None;
        }
        let mut captured = Vec::new();
        let mut rest = Some(topic);
        for level in &self.pattern {
            if *level == Level::Rest {
                captured.push(rest);
                return Some(captured);
            }
            let (first, after) = match rest?.split_once('/') {
                Some((first, after)) => (first, Some(after)),
                None => (rest?, None),
            };
            match level {
                Level::Text(text) if text == first => {}
                Level::One if first != "#" => captured.push(Some(first)),
                _ => return None,
            }
            rest = after;
        }
        rest.is_none().then_some(captured)
    }
}

fn pieces(to: &str, captures: usize) -> Result<Vec<Piece>, String> {
    if to.is_empty() {
        return Err("to is empty".to_owned());
    }
    if to.contains(['+', '#']) {
        return Err("to: a wildcard comes in by its number, as in {1}".to_owned());
    }
    let mut pieces = Vec::new();
    let mut rest = to;
    while let Some((text, after)) = rest.split_once('{') {
        let (number, after) = after
            .split_once('}')
            .ok_or_else(|| format!("to: no '}}' follows the '{{' in \"{to}\""))?;
        let at = number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1))
            .ok_or_else(|| format!("to: {{{number}}} is no number from 1"))?;
        if at >= captures {
            return Err(format!(
                "to: {{{number}}} stands for a wildcard that match does not have, it has {captures}"
            ));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(Piece::Capture(at));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &str) -> Rules {
        Rules::parse(&format!("{{\"rules\": [{rules}]}}")).expect("the rules are right")
    }

    #[test]
    fn a_topic_is_put_together_of_what_the_wildcards_stood_for() {
        let rules = rules(
            r##"{"match": "v1/+/#", "to": "site/{2}/of/{1}"}, {"match": "a/#", "to": "b/{1}"}, {"match": "x", "to": "y"}"##,
        );
        for (topic, expected) in [
            ("v1/pump/temp/now", Some("site/temp/now/of/pump")),
            ("v1//x", Some("site/x/of/")),
            ("v1", None),
            ("v2/pump/temp", None),
            ("a/b/c", Some("b/b/c")),
            ("a", Some("b")),
            ("a/", Some("b/")),
            ("x", Some("y")),
            ("x/", None),
            ("X", None),
        ] {
            let rewritten = rules.topic(Place::Publish, topic);
            assert_eq!(rewritten.as_deref(), expected, "{topic}");
        }
    }

    #[test]
    fn a_filter_is_rewritten_if_the_rule_covers_it() {
        let rules = rules(
            r##"{"match": "v1/+/#", "to": "site/{1}/{2}"}, {"match": "w/#", "to": "{1}/w"}"##,
        );
        for (filter, expected) in [
            ("v1/+/#", Some("site/+/#")),
            ("v1/pump/+/now", Some("site/pump/+/now")),
            ("$share/group/v1/pump/#", Some("$share/group/site/pump/#")),
            ("v1/#", None),
            ("#", None),
            ("+/pump/x", None),
            ("w/a", Some("a/w")),
            ("w/+", Some("+/w")),
            ("w/#", None),
        ] {
            assert_eq!(rules.filter(filter).as_deref(), expected, "{filter}");
        }
    }

    #[test]
    fn rules_apply_where_they_are_told_and_the_first_one_counts() {
        let rules = rules(
            r##"{"match": "a", "to": "one"}, {"match": "a", "to": "two"}, {"match": "b", "to": "out", "on": ["deliver"]}"##,
        );
        assert_eq!(rules.topic(Place::Publish, "a").as_deref(), Some("one"));
        assert_eq!(rules.topic(Place::Deliver, "a"), None);
        assert_eq!(rules.topic(Place::Publish, "b"), None);
        assert_eq!(rules.topic(Place::Deliver, "b").as_deref(), Some("out"));
        assert_eq!(rules.filter("b"), None);
    }

    #[test]
    fn wildcards_in_front_leave_system_topics_alone() {
        let rules = rules(r##"{"match": "#", "to": "all/{1}"}"##);
        assert_eq!(rules.topic(Place::Publish, "$SYS/x"), None);
        assert_eq!(rules.topic(Place::Publish, "x").as_deref(), Some("all/x"));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        for (rule, why) in [
            (
                r##"{"match": "a/+", "to": "b/{2}"}"##,
                "rules[0]: to: {2} stands for a wildcard that match does not have, it has 1",
            ),
            (
                r##"{"match": "a", "to": "b/#"}"##,
                "rules[0]: to: a wildcard comes in by its number, as in {1}",
            ),
            (
                r##"{"match": "a/#/b", "to": "c"}"##,
                "rules[0]: match: '+' and '#' have their level alone",
            ),
            (r##"{"match": "", "to": "c"}"##, "rules[0]: match is empty"),
            (r##"{"match": "a", "to": ""}"##, "rules[0]: to is empty"),
            (
                r##"{"match": "a", "to": "{x}"}"##,
                "rules[0]: to: {x} is no number from 1",
            ),
            (
                r##"{"match": "a", "to": "{0}"}"##,
                "rules[0]: to: {0} is no number from 1",
            ),
            (
                r##"{"match": "a", "to": "b{1"}"##,
                "rules[0]: to: no '}' follows",
            ),
            (
                r##"{"match": "a", "to": "b", "on": []}"##,
                "rules[0]: on: name publish",
            ),
            (
                r##"{"match": "a", "to": "b", "on": ["read"]}"##,
                "unknown variant `read`",
            ),
            (r##"{"match": "a", "too": "b"}"##, "unknown field `too`"),
        ] {
            let config = format!("{{\"rules\": [{rule}]}}");
            let found = Rules::parse(&config).expect_err(rule);
            assert!(found.contains(why), "{rule}: {found}");
        }
    }
}
