//! The table of `cargo xtask parity`, as a test.

use hookmq_parity::table;
use hookmq_plugin_api::Hook;

#[test]
fn every_hook_is_the_same_in_every_runtime() {
    let report = table::run("").expect("every runtime loads the policy");
    assert_eq!(report.rows.len(), Hook::COUNT);
    assert!(
        report.is_perfect(),
        "{}\n{report}",
        report.failures.join("\n")
    );
}
