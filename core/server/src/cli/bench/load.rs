//! Full windows: p2p, fan-in, fan-out, many and subscriptions, which differ in who listens to whom.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hookmq_mqtt::QoS;
use tokio::task::{JoinHandle, spawn_local};

use super::BenchError;
use super::args::{BenchArgs, Scenario};
use super::flow::{Flow, Totals};
use super::peers;
use super::process::Process;
use super::report::{Figure, Outcome};
use super::wire::{Dialect, Ring};

/// How long messages may take to arrive after the load has ended, without one arriving.
const DRAIN: Duration = Duration::from_secs(2);

/// Who listens to whom.
struct Shape {
    /// Topics of each publisher, all of one length.
    topics: Vec<Vec<String>>,
    /// Filters of each subscriber.
    filters: Vec<Vec<String>>,
    /// Subscribers of each publisher's messages.
    n_receivers: usize,
    window: usize,
}

impl Shape {
    fn new(args: &BenchArgs, scenario: Scenario) -> Self {
        let topic = |i: usize| format!("devices/{i:06}");
        let n = args.publishers.unwrap_or(match scenario {
            Scenario::FanOut => 1,
            Scenario::Many => 500,
            _ => 10,
        });
        let window = args
            .window
            .unwrap_or(if scenario == Scenario::Many { 1 } else { 100 });
        let own: Vec<Vec<String>> = (0..n).map(|i| vec![topic(i)]).collect();
        match scenario {
            Scenario::FanIn => Self {
                topics: own,
                filters: vec![vec!["devices/+".to_owned()]],
                n_receivers: 1,
                window,
            },
            Scenario::FanOut => {
                let n_receivers = args.subscribers.unwrap_or(100);
                let all: Vec<String> = own.iter().flatten().cloned().collect();
                Self {
                    topics: own,
                    filters: vec![all; n_receivers],
                    n_receivers,
                    window,
                }
            }
            Scenario::Subscriptions => {
                // Each publisher walks over the filters of its subscriber; every topic matches one filter.
                let each = (args.filters / n).max(1);
                let topics = |i| {
                    (0..each)
                        .map(move |k| format!("devices/{i:04}/{k:06}/a/x"))
                        .collect()
                };
                let filter = |i: usize, k: usize| match k % 2 {
                    0 => format!("devices/{i:04}/{k:06}/+/x"),
                    _ => format!("devices/{i:04}/{k:06}/#"),
                };
                Self {
                    topics: (0..n).map(topics).collect(),
                    filters: (0..n)
                        .map(|i| (0..each).map(|k| filter(i, k)).collect())
                        .collect(),
                    n_receivers: 1,
                    window,
                }
            }
            _ => Self {
                filters: own.clone(),
                topics: own,
                n_receivers: 1,
                window,
            },
        }
    }

    /// Which receiver of its publishers a subscriber is.
    fn receiver(&self, subscriber: usize) -> usize {
        if self.n_receivers > 1 { subscriber } else { 0 }
    }
}

/// Runs one of the scenarios with full windows.
pub(super) async fn run(
    args: &BenchArgs,
    scenario: Scenario,
    dialect: Dialect,
    process: &mut Process,
) -> Result<Outcome, BenchError> {
    let shape = Shape::new(args, scenario);
    let totals = Rc::new(Totals::default());
    let flows: Rc<[Rc<Flow>]> = shape
        .topics
        .iter()
        .map(|_| Rc::new(Flow::new(shape.window, shape.n_receivers)))
        .collect();
    let mut figures = Vec::new();

    let (rss_before, subscribing) = (process.rss_bytes(), Instant::now());
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    for (i, filters) in shape.filters.iter().enumerate() {
        let mut stream = dialect.connect(&format!("bench-s{i}")).await?;
        dialect.subscribe(&mut stream, filters).await?;
        let (totals, flows, receiver) = (Rc::clone(&totals), Rc::clone(&flows), shape.receiver(i));
        tasks.push(spawn_local(async move {
            let ended =
                peers::subscribe(&stream, dialect.version, receiver, &flows, &totals, None).await;
            if let Err(error) = ended {
                totals.fail("a subscriber", &error);
            }
        }));
    }
    if scenario == Scenario::Subscriptions {
        let n_filters: usize = shape.filters.iter().map(Vec::len).sum();
        let n_filters = n_filters as f64;
        figures.push(Figure {
            name: "subscribe/s",
            value: n_filters / subscribing.elapsed().as_secs_f64(),
        });
        if let (Some(before), Some(after)) = (rss_before, process.rss_bytes()) {
            figures.push(Figure {
                name: "RSS B/filter",
                value: (after - before) / n_filters,
            });
        }
    }
    for (i, topics) in shape.topics.iter().enumerate() {
        let stream = dialect.connect(&format!("bench-p{i}")).await?;
        let (totals, flow) = (
            Rc::clone(&totals),
            Rc::clone(flows.get(i).ok_or(BenchError::Unexpected("a flow"))?),
        );
        let n_halves_around = topics.len().div_ceil(flow.half as usize).max(1);
        let window = flow.half * flow.n_halves;
        let n_packets = (n_halves_around * flow.half as usize).next_multiple_of(window as usize);
        let n_identifiers = u16::try_from(window).map_err(|_| BenchError::Window)?;
        let publisher = u32::try_from(i).unwrap_or(u32::MAX);
        let ring = Ring::new(
            dialect,
            publisher,
            topics,
            n_packets,
            n_identifiers,
            args.payload,
        )?;
        let n_receivers = shape.n_receivers as u64;
        tasks.push(spawn_local(async move {
            let answered = dialect.qos != QoS::AtMostOnce;
            let ended = peers::publish(&stream, ring, &flow, &totals, answered, n_receivers).await;
            if let Err(error) = ended {
                totals.fail("a publisher", &error);
            }
        }));
    }

    tokio::time::sleep(Duration::from_secs_f64(args.warmup)).await;
    process.check()?;
    let own = Process::running(Some(std::process::id()));
    let own_before = own.cpu_seconds();
    let (received_before, cpu_before, began) =
        (totals.received.get(), process.cpu_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    let (received, cpu, seconds) = (
        totals.received.get() - received_before,
        process.cpu_seconds(),
        began.elapsed().as_secs_f64(),
    );
    let (rss, own_after) = (process.rss_bytes(), own.cpu_seconds());
    totals.stopped.set(true);
    drain(&totals).await;
    for task in tasks {
        task.abort();
    }

    let received = received as f64;
    figures.insert(
        0,
        Figure {
            name: "msg/s",
            value: received / seconds,
        },
    );
    if let (Some(before), Some(after)) = (cpu_before, cpu) {
        let us = if received > 0.0 {
            (after - before) * 1e6 / received
        } else {
            f64::NAN
        };
        figures.insert(
            1,
            Figure {
                name: "CPU us/msg",
                value: us,
            },
        );
        figures.push(Figure {
            name: "broker cores",
            value: (after - before) / seconds,
        });
    }
    if let (Some(before), Some(after)) = (own_before, own_after) {
        // Near 1 the generator is the limit, and not the broker.
        figures.push(Figure {
            name: "generator cores",
            value: (after - before) / seconds,
        });
    }
    if let Some(rss) = rss {
        figures.push(Figure {
            name: "RSS MiB",
            value: rss / f64::from(1 << 20),
        });
    }
    Ok(Outcome {
        title: args.title(scenario),
        figures,
        counts: totals.counts(),
    })
}

/// Waits until everything sent has come, or nothing comes any more.
pub(super) async fn drain(totals: &Totals) {
    let mut last = (totals.received.get(), Instant::now());
    while totals.received.get() < totals.expected.get() && last.1.elapsed() < DRAIN {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if totals.received.get() != last.0 {
            last = (totals.received.get(), Instant::now());
        }
    }
    // A little longer, for a message that comes twice.
    tokio::time::sleep(Duration::from_millis(50)).await;
}
