//! The log on stderr: lines for people on a terminal, JSON for machines elsewhere. Scripts' own lines come with target `plugin`.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{LogFormat, LogSettings};

/// The target of what scripts log.
const PLUGIN: &str = "plugin";

/// The log while it runs.
#[derive(Clone)]
pub(crate) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Whether lines are for people.
    pub(crate) is_pretty: bool,
}

impl Log {
    /// Starts logging; once per process.
    pub(crate) fn start(settings: &LogSettings) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let is_pretty = match settings.format {
            LogFormat::Auto => is_terminal,
            LogFormat::Pretty => true,
            LogFormat::Json => false,
        };
        let (filter, handle) = reload::Layer::new(filter(&settings.level));
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            // Whoever reads the log may go away; to say so on stderr would only end the broker too.
            .log_internal_errors(false);
        let lines = if is_pretty {
            let has_color =
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            layer.event_format(Pretty { has_color }).boxed()
        } else {
            layer.json().flatten_event(true).boxed()
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .init();
        Self {
            filter: handle,
            is_pretty,
        }
    }

    /// Changes how much is logged.
    pub(crate) fn set_level(&self, level: &str) {
        if let Err(error) = self.filter.reload(filter(level)) {
            tracing::error!("the log level was not changed: {error}");
        }
    }
}

/// How much is logged. The store's engine speaks of its own files at every start, which says nothing to an operator; what it warns of does. Its log of batches only repeats, in
/// greater words, what the broker says of a store that fails.
fn filter(level: &str) -> EnvFilter {
    let asked = EnvFilter::new(level);
    if asked.max_level_hint() <= Some(LevelFilter::WARN) {
        return asked;
    }
    // Named first, so that a level which names them counts more.
    EnvFilter::new(format!(
        "fjall=warn,fjall::batch=off,lsm_tree=warn,sfa=warn,{level}"
    ))
}

/// One line per event: `2026-01-31 12:00:00.123Z INFO  [auth] message key=value (auth.lua:12)`.
struct Pretty {
    has_color: bool,
}

impl<S, N> FormatEvent<S, N> for Pretty
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        // Microseconds are more than people read.
        let time = format!("{}Z", time.get(..23).unwrap_or(&time).replacen('T', " ", 1));
        let mut fields = Fields {
            is_plugin: event.metadata().target() == PLUGIN,
            ..Fields::default()
        };
        event.record(&mut fields);
        let level = *event.metadata().level();
        let (name, color) = match level {
            Level::ERROR => ("ERROR", "31"),
            Level::WARN => ("WARN ", "33"),
            Level::INFO => ("INFO ", "32"),
            Level::DEBUG => ("DEBUG", "34"),
            Level::TRACE => ("TRACE", "35"),
        };
        let (dim, on, off) = if self.has_color {
            ("\x1b[2m", format!("\x1b[{color}m"), "\x1b[0m")
        } else {
            ("", String::new(), "")
        };
        write!(out, "{dim}{time}{off} {on}{name}{off} ")?;
        if !fields.plugin.is_empty() {
            write!(out, "[{}] ", fields.plugin)?;
        }
        out.write_str(&fields.message)?;
        if !fields.others.is_empty() {
            write!(out, "{dim}{}{off}", fields.others)?;
        }
        if !fields.place.is_empty() {
            write!(out, " {dim}({}){off}", fields.place)?;
        }
        writeln!(out)
    }
}

/// An event's fields as text in which nothing that a client sent can look like a line of the broker's.
#[derive(Default)]
struct Fields {
    is_plugin: bool,
    message: String,
    plugin: String,
    place: String,
    others: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => plain(&mut self.message, value),
            "plugin" if self.is_plugin => plain(&mut self.plugin, value),
            "place" if self.is_plugin => plain(&mut self.place, value),
            name => {
                let quote =
                    if value.contains(|letter: char| letter.is_whitespace() || letter == '"') {
                        "\""
                    } else {
                        ""
                    };
                // Writing to a text cannot fail.
                let _ = write!(self.others, " {name}={quote}");
                plain(&mut self.others, value);
                self.others.push_str(quote);
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

/// Lines after the first are indented, and control characters, which move a terminal's cursor, are written out.
fn plain(out: &mut String, text: &str) {
    for letter in text.trim_end().chars() {
        match letter {
            '\n' => out.push_str("\n    "),
            '\t' => out.push('\t'),
            control if control.is_control() => out.extend(control.escape_default()),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_logged_can_pretend_to_be_another_line() {
        let mut out = String::new();
        plain(&mut out, "客户端【a】\n2026 ERROR forged\x1b[2J\r");
        assert_eq!(out, "客户端【a】\n    2026 ERROR forged\\u{1b}[2J");
    }
}
