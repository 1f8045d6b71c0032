//! A folder with a config and scripts, and commands run in it to their end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A config that listens on a free port.
pub(crate) const LISTENER: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\n";

pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// With a config that listens on a free port, and this behind it.
    pub(crate) fn with_config(more: &str) -> Self {
        let folder = Self::new();
        folder.write("broker.toml", &format!("{LISTENER}\n{more}"));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, as an editor does that knows what it does: beside, then renamed over.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        let beside = file.with_extension("new~");
        fs::write(&beside, text).expect("a file can be written");
        fs::rename(&beside, &file).expect("a file can be renamed");
    }

    /// Writes into the file that is there, as an editor does that does not.
    pub(crate) fn overwrite(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file can be written");
    }

    /// The binary, to be run in this folder, with nothing of our own environment that concerns it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookmq"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKMQ__") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// The same with variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        Ended::of(self.command(arguments).envs(variables.iter().copied()))
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("the binary runs");
        Self {
            code: status.code().expect("an exit code"),
            out: String::from_utf8(stdout).expect("UTF-8"),
            err: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    /// What it printed, if it went well.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
