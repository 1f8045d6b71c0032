//! Prints the table; `cargo xtask parity` builds what it needs and calls it.
#![allow(
    clippy::print_stdout,
    reason = "a command line tool talks on standard output"
)]

use std::process::ExitCode;

use hookmq_parity::column::Column;
use hookmq_parity::column::Runtime;
use hookmq_parity::table;
use hookmq_parity::transcript::Transcript;
use hookmq_parity::trial::Trial;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("--transcript") => show(arguments.get(1..).unwrap_or_default()),
        filter => compare(filter.unwrap_or_default()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The table, of all hooks or of those whose names contain a text.
fn compare(filter: &str) -> Result<bool, String> {
    let report = table::run(filter)?;
    for failure in &report.failures {
        println!("  {failure}");
    }
    println!("{report}");
    Ok(report.is_perfect())
}

/// One trial as it goes in one runtime.
fn show(arguments: &[String]) -> Result<bool, String> {
    let [runtime, name] = arguments else {
        return Err("--transcript RUNTIME \"HOOK: ACT\"".to_owned());
    };
    let runtime = Runtime::ALL
        .into_iter()
        .find(|known| known.name() == runtime)
        .ok_or("no such runtime")?;
    let trial = hookmq_plugin_api::catalogue::HOOKS
        .iter()
        .flat_map(Trial::of)
        .find(|trial| trial.name() == *name)
        .ok_or("no such trial")?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let column = Column::load(runtime, folder.path())?;
    println!("{}", Transcript::of(trial, &column));
    Ok(true)
}
