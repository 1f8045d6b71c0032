//! `broker_stopping` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::BrokerStopping;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &BrokerStopping<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("broker_stopping");
    sight.see("endpoint", event.endpoint());
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
