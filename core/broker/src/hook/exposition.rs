//! Writes the counters of the hook engine in the text format that Prometheus and its kin read.

use std::fmt::{self, Write};

use hookmq_plugin_api::{Cause, Kind, VerdictKind};

use super::breaker::BreakerState;
use super::kept::KeptTally;
use super::metrics::{HookMetrics, N_BUCKETS};

/// Upper bounds of the latency histogram's buckets as powers of two, in ns: 64 ns to 8.6 s, eight times as much each.
const BOUNDS: std::ops::RangeInclusive<usize> = 6..=33;

/// Appends all metrics, with their help and type lines. Names begin with `hookmq_hook_`; labels are `plugin`, `runtime` and `hook`.
pub fn render(metrics: &[HookMetrics], out: &mut String) {
    // Writing to a string does not fail.
    let _ = write_all(metrics, out);
}

fn write_all(metrics: &[HookMetrics], out: &mut String) -> fmt::Result {
    head(
        out,
        "calls_total",
        "counter",
        "Valid answers, by verdict; a notice taken is a pass.",
    )?;
    for seen in metrics {
        for verdict in VerdictKind::ALL {
            let possible = match seen.hook.spec().kind {
                Kind::Notice => verdict == VerdictKind::Pass,
                Kind::Gate | Kind::Filter | Kind::Supply => seen.hook.spec().may_answer(verdict),
            };
            if possible {
                let label = format!(",verdict=\"{}\"", verdict.name());
                line(out, "calls_total", seen, &label, seen.verdict(verdict))?;
            }
        }
    }
    head(out, "errors_total", "counter", "Failed calls, by cause.")?;
    for seen in metrics {
        for cause in Cause::ALL {
            let label = format!(",cause=\"{}\"", cause.name());
            line(out, "errors_total", seen, &label, seen.error(cause))?;
        }
    }
    type Count = fn(&HookMetrics) -> u64;
    let counts: [(&str, &str, &str, Count); 7] = [
        (
            "filtered_total",
            "counter",
            "Not asked, because the plugin's filter does not admit it.",
            |seen| seen.filtered,
        ),
        (
            "short_circuited_total",
            "counter",
            "Not asked: the breaker was open, or what this client sent had cost too much time.",
            |seen| seen.short_circuited,
        ),
        (
            "slow_total",
            "counter",
            "Timed calls that took longer than their budget.",
            |seen| seen.slow,
        ),
        (
            "breaker_opened_total",
            "counter",
            "Times that the breaker has opened.",
            |seen| seen.breaker_opened,
        ),
        (
            "breaker_state",
            "gauge",
            "0 closed, 1 half open, 2 open.",
            |seen| match seen.breaker {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            },
        ),
        (
            "notices_queued",
            "gauge",
            "Notices that wait for the plugin.",
            |seen| seen.notices_queued,
        ),
        (
            "notices_dropped_total",
            "counter",
            "Notices that the plugin did not get: its queue was full or its breaker open.",
            |seen| seen.notices_dropped,
        ),
    ];
    for (name, kind, help, count) in counts {
        head(out, name, kind, help)?;
        for seen in metrics {
            line(out, name, seen, "", count(seen))?;
        }
    }
    type OfKept = fn(&KeptTally) -> u64;
    let kept: [(&str, &str, &str, OfKept); 4] = [
        (
            "kept_hits_total",
            "counter",
            "Events decided by a kept answer, without a call.",
            |kept| kept.hits,
        ),
        (
            "kept_misses_total",
            "counter",
            "Events that no kept answer decided, of a plugin that has its answers kept.",
            |kept| kept.misses,
        ),
        ("kept_entries", "gauge", "Answers that are kept.", |kept| {
            kept.entries
        }),
        (
            "kept_bytes",
            "gauge",
            "Bytes that kept answers hold.",
            |kept| kept.bytes,
        ),
    ];
    for (name, kind, help, count) in kept {
        head(out, name, kind, help)?;
        for seen in metrics {
            if let Some(kept) = &seen.kept {
                line(out, name, seen, "", count(kept))?;
            }
        }
    }
    head(
        out,
        "duration_seconds",
        "histogram",
        "Duration of timed calls; of hot hooks one in 16 is timed.",
    )?;
    for seen in metrics {
        for bound in BOUNDS.step_by(3) {
            let below = seen.latency.iter().take(bound.min(N_BUCKETS) + 1).sum();
            let label = format!(",le=\"{}\"", seconds(1 << bound));
            line(out, "duration_seconds_bucket", seen, &label, below)?;
        }
        line(
            out,
            "duration_seconds_bucket",
            seen,
            ",le=\"+Inf\"",
            seen.timed(),
        )?;
        labels(out, "duration_seconds_sum", seen, "")?;
        writeln!(out, " {}", seconds(seen.latency_sum_ns))?;
        line(out, "duration_seconds_count", seen, "", seen.timed())?;
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP hookmq_hook_{name} {help}")?;
    writeln!(out, "# TYPE hookmq_hook_{name} {kind}")
}

fn line(out: &mut String, name: &str, seen: &HookMetrics, more: &str, value: u64) -> fmt::Result {
    labels(out, name, seen, more)?;
    writeln!(out, " {value}")
}

fn labels(out: &mut String, name: &str, seen: &HookMetrics, more: &str) -> fmt::Result {
    write!(out, "hookmq_hook_{name}{{plugin=\"")?;
    for character in seen.plugin.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    write!(
        out,
        "\",runtime=\"{}\",hook=\"{}\"{more}}}",
        seen.kind,
        seen.hook.name()
    )
}

/// Nanoseconds as decimal seconds, exactly.
fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::metrics::Metrics;
    use hookmq_plugin_api::Hook;
    use std::time::Duration;

    #[test]
    fn it_reads_as_prometheus_wants_it() {
        let metrics = Metrics::new();
        metrics.verdict(VerdictKind::Pass);
        metrics.error(Cause::Timeout);
        metrics.took(Duration::from_nanos(100));
        metrics.took(Duration::from_secs(3));
        let seen = metrics.snapshot(
            &"a \"b\"".into(),
            "lua",
            Hook::ClientConnected,
            BreakerState::Open,
        );
        let mut out = String::new();
        render(&[seen], &mut out);
        let of = |name: &str| -> Vec<&str> {
            out.lines()
                .filter_map(|line| line.strip_prefix(&format!("hookmq_hook_{name}")))
                .collect()
        };
        let labels = "{plugin=\"a \\\"b\\\"\",runtime=\"lua\",hook=\"client_connected\"";
        assert_eq!(
            of("calls_total"),
            [format!("{labels},verdict=\"pass\"}} 1")]
        );
        assert_eq!(of("errors_total").len(), Cause::ALL.len());
        assert_eq!(of("breaker_state"), [format!("{labels}}} 2")]);
        assert_eq!(
            of("duration_seconds_sum"),
            [format!("{labels}}} 3.0000001")]
        );
        let buckets = of("duration_seconds_bucket");
        for (at, expected) in [
            (0, ",le=\"0.000000064\"} 0"),
            (1, ",le=\"0.000000512\"} 1"),
            (8, ",le=\"1.073741824\"} 1"),
            (9, ",le=\"8.589934592\"} 2"),
            (10, ",le=\"+Inf\"} 2"),
        ] {
            assert_eq!(buckets[at], format!("{labels}{expected}"));
        }
        for line in out.lines().filter(|line| !line.starts_with('#')) {
            let value = line.rsplit_once(' ').expect("a value").1;
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
