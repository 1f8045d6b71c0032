//! The golden transcript again, from the closures: the same session, the same words as `scripts/helper.lua`.

#[path = "../../../core/server/tests/transcript/session.rs"]
mod session;

use std::process::Command;

use session::Line;

#[test]
fn closures_write_the_golden_transcript() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_embed"));
    session::run(program.arg("127.0.0.1:0").env("NO_COLOR", "1"), "INT", read);
}

/// `2026-01-31T12:00:00.000000Z  INFO embed::server_helper: message`.
fn read(line: &str) -> Line {
    if let Some((_, message)) = line.split_once(" embed::server_helper: ") {
        return Line::Helper(message.to_owned());
    }
    match line
        .split_once(" embed: listening on ")
        .map(|(_, address)| address.parse())
    {
        Some(Ok(address)) => Line::Address(address),
        _ => Line::Other,
    }
}
