//! Connections made per second, and what an idle one costs.

use std::cell::{Cell, RefCell};
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet};

use super::BenchError;
use super::args::{BenchArgs, Scenario};
use super::process::Process;
use super::report::{Counts, Figure, Outcome};
use super::wire::Dialect;

/// Connections being made at once.
const AT_ONCE: usize = 50;

/// Makes `args.connections` connections, keeps them, and looks at the broker while they are idle.
pub(super) async fn run(
    args: &BenchArgs,
    dialect: Dialect,
    process: &mut Process,
) -> Result<Outcome, BenchError> {
    let wanted = args.connections;
    check_open_files(wanted)?;
    // One of them first, so that what the broker allocates once is not counted.
    let _first = dialect.connect("bench-first").await?;
    let (rss_before, cpu_before, began) =
        (process.rss_bytes(), process.cpu_seconds(), Instant::now());

    let open = Rc::new(RefCell::new(Vec::with_capacity(wanted)));
    let next = Rc::new(Cell::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE.min(wanted) {
        let (open, next) = (Rc::clone(&open), Rc::clone(&next));
        workers.spawn_local(async move {
            while next.get() < wanted {
                let i = next.replace(next.get() + 1);
                let stream = dialect.connect(&format!("bench-c{i}")).await?;
                open.borrow_mut().push(stream);
            }
            Ok::<_, BenchError>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| BenchError::Unexpected("no panic"))??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = process.cpu_seconds();
    process.check()?;

    // Let the broker come to rest, then watch it doing nothing.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rss = process.rss_bytes();
    let (idle_before, idle_began) = (process.cpu_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(args.seconds.min(1.0))).await;
    let idle = process.cpu_seconds();

    let n = wanted as f64;
    let mut figures = vec![Figure {
        name: "conn/s",
        value: n / seconds,
    }];
    if let (Some(before), Some(after)) = (cpu_before, cpu) {
        figures.push(Figure {
            name: "CPU us/conn",
            value: (after - before) * 1e6 / n,
        });
    }
    if let (Some(before), Some(after)) = (rss_before, rss) {
        figures.push(Figure {
            name: "RSS B/conn",
            value: (after - before) / n,
        });
    }
    if let (Some(before), Some(after)) = (idle_before, idle) {
        figures.push(Figure {
            name: "idle cores",
            value: (after - before) / idle_began.elapsed().as_secs_f64(),
        });
    }
    let still_open = open
        .borrow()
        .iter()
        .filter(|stream| is_open(stream))
        .count();
    let mut counts = Counts::default();
    if still_open < wanted {
        counts.failed = Some(format!(
            "the broker ended {} of {wanted} connections",
            wanted - still_open
        ));
    }
    Ok(Outcome {
        title: args.title(Scenario::Connect),
        figures,
        counts,
    })
}

/// True unless the broker has said something or closed.
fn is_open(stream: &tokio::net::TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// The limit of open files says how many connections there can be.
fn check_open_files(wanted: usize) -> Result<(), BenchError> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    match limit {
        Some(limit) if limit < wanted + 50 => Err(BenchError::OpenFiles { limit, wanted }),
        _ => Ok(()),
    }
}

/// Runs a future that spawns local tasks.
pub(super) fn local<F: Future>(future: F) -> Result<F::Output, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}
