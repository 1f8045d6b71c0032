//! Delay at a fixed rate, counted from when a message was due, so that a broker that stalls is charged for every
//! message it held up and not only for the one it stopped at.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hookmq_mqtt::QoS;
use tokio::task::spawn_local;

use super::BenchError;
use super::args::{BenchArgs, Scenario};
use super::flow::{Flow, Totals, add};
use super::load::drain;
use super::peers::{self, Answers, Watch, nanoseconds};
use super::process::Process;
use super::report::{Figure, Outcome};
use super::wire::{Dialect, Ring};

/// Messages on their way per publisher that have identifiers of their own.
const IDENTIFIERS: u16 = 60_000;

/// Sends single messages at `args.rate`, spread over the publishers, each with a subscriber of its own.
pub(super) async fn run(
    args: &BenchArgs,
    dialect: Dialect,
    process: &mut Process,
) -> Result<Outcome, BenchError> {
    let n = args.publishers.unwrap_or(10);
    let totals = Rc::new(Totals::default());
    // The window is not used: nothing waits.
    let flows: Rc<[Rc<Flow>]> = (0..n).map(|_| Rc::new(Flow::new(1, 1))).collect();
    let epoch = Instant::now();
    let watch = Watch {
        epoch,
        delays: Histogram::new_with_bounds(100, 60_000_000_000, 3)
            .map_err(|_| BenchError::Unexpected("a histogram"))?,
        from_ns: u64::MAX,
    };
    let watch = Rc::new(RefCell::new(watch));

    let mut publishers = Vec::new();
    let mut tasks = Vec::new();
    for i in 0..n {
        let topic = format!("devices/{i:06}");
        let mut stream = dialect.connect(&format!("bench-s{i}")).await?;
        dialect
            .subscribe(&mut stream, std::slice::from_ref(&topic))
            .await?;
        let (own_totals, own_flows, own_watch) =
            (Rc::clone(&totals), Rc::clone(&flows), Rc::clone(&watch));
        tasks.push(spawn_local(async move {
            let ended = peers::subscribe(
                &stream,
                dialect.version,
                0,
                &own_flows,
                &own_totals,
                Some(&own_watch),
            )
            .await;
            if let Err(error) = ended {
                own_totals.fail("a subscriber", &error);
            }
        }));
        let stream = Rc::new(dialect.connect(&format!("bench-p{i}")).await?);
        let publisher = u32::try_from(i).unwrap_or(u32::MAX);
        let n_packets = if dialect.qos == QoS::AtMostOnce {
            1
        } else {
            usize::from(IDENTIFIERS)
        };
        let ring = Ring::new(
            dialect,
            publisher,
            &[topic],
            n_packets,
            IDENTIFIERS,
            args.payload,
        )?;
        publishers.push((Rc::clone(&stream), ring, Vec::new()));
        let own_totals = Rc::clone(&totals);
        tasks.push(spawn_local(async move {
            let mut answers = Answers::new();
            loop {
                let ready = stream.readable().await;
                let mut ended = ready.and_then(|()| answers.read(&stream, &own_totals));
                if ended.is_ok() && !answers.out.is_empty() {
                    ended = peers::write(&stream, &mut answers.out);
                }
                if let Err(error) = ended {
                    own_totals.fail("a publisher", &error);
                    return;
                }
            }
        }));
    }

    let warmup_ns = nanoseconds(Duration::from_secs_f64(args.warmup));
    let begin_ns = nanoseconds(epoch.elapsed()) + 10_000_000;
    let measured_ns = begin_ns + warmup_ns;
    let end_ns = measured_ns + nanoseconds(Duration::from_secs_f64(args.seconds));
    watch.borrow_mut().from_ns = measured_ns;
    let mut cpu_before = None;
    for k in 0.. {
        let due_ns = begin_ns + k * 1_000_000_000 / args.rate.max(1);
        if due_ns >= end_ns {
            break;
        }
        if due_ns >= measured_ns && cpu_before.is_none() {
            cpu_before = process
                .cpu_seconds()
                .map(|cpu| (cpu, totals.received.get()));
        }
        // Timers are too coarse for this, so the generator spins; it has a core of its own.
        while nanoseconds(epoch.elapsed()) < due_ns {
            tokio::task::yield_now().await;
        }
        let Some((stream, ring, unsent)) = publishers.get_mut((k % n as u64) as usize) else {
            break;
        };
        let range = ring.next(1, due_ns);
        unsent.extend_from_slice(ring.bytes(range));
        add(&totals.expected, 1);
        if let Err(error) = peers::write(stream, unsent) {
            totals.fail("a publisher", &error);
            break;
        }
    }
    let cpu_after = process
        .cpu_seconds()
        .map(|cpu| (cpu, totals.received.get()));
    drain(&totals).await;
    for task in tasks {
        task.abort();
    }

    let mut figures = Vec::new();
    {
        let delays = &watch.borrow().delays;
        for (name, quantile) in [("p50 us", 0.5), ("p99 us", 0.99), ("p99.9 us", 0.999)] {
            figures.push(Figure {
                name,
                value: delays.value_at_quantile(quantile) as f64 / 1e3,
            });
        }
        figures.push(Figure {
            name: "max us",
            value: delays.max() as f64 / 1e3,
        });
    }
    if let (Some((cpu, n_before)), Some((cpu_end, n_end))) = (cpu_before, cpu_after)
        && n_end > n_before
    {
        figures.push(Figure {
            name: "CPU us/msg",
            value: (cpu_end - cpu) * 1e6 / (n_end - n_before) as f64,
        });
    }
    Ok(Outcome {
        title: args.title(Scenario::Latency),
        figures,
        counts: totals.counts(),
    })
}
