//! One test for each conversation of `golden/flows` and each version that it is held in.
//!
//! `HOOKMQ_TEST_TARGET` holds them with another broker; conversations that need settings, much time or rest on a
//! choice of ours are ignored then.

use std::time::Duration;

use hookmq_tests::step::Action;
use hookmq_tests::target::Target;
use hookmq_tests::{Flow, flow, play};
use libtest_mimic::{Arguments, Trial};

/// The longest that a conversation with another broker may really wait.
const REAL_TIME: Duration = Duration::from_secs(4);

fn main() {
    let mut arguments = Arguments::from_args();
    let flows = match flow::load_all() {
        Ok(flows) => flows,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    let target = Target::named();
    if target.parse::<std::net::SocketAddr>().is_ok() {
        // One broker for all of them: they use the same names.
        arguments.test_threads = Some(1);
    }
    let trials = flows.into_iter().flat_map(|flow| {
        let ignored = !target.is_empty() && !fits_elsewhere(&flow);
        let target = target.clone();
        flow.versions.clone().into_iter().map(move |version| {
            let sentence: String = flow
                .name
                .chars()
                .map(|c| if c.is_alphanumeric() { c } else { '_' })
                .collect();
            let name = format!(
                "{}::{}::v{}",
                flow.chapter,
                sentence,
                version.name().replace('.', "")
            );
            let (flow, target) = (flow.clone(), target.clone());
            Trial::test(name, move || {
                play::play(&flow, version, &target).map_err(Into::into)
            })
            .with_ignored_flag(ignored)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn fits_elsewhere(flow: &Flow) -> bool {
    let waits = flow.steps.iter().map(|step| {
        if let Action::Advance(time) = step.action {
            time
        } else {
            Duration::ZERO
        }
    });
    flow.settings.is_empty() && flow.ours.is_none() && waits.sum::<Duration>() <= REAL_TIME
}
