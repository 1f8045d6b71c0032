//! Where things that are not whole are kept as they were: under a name that is free, so that nothing goes that somebody may want.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// A path in `folder` for something of this name, with a number behind it if there is one already; makes the folder.
pub(crate) fn free_path(folder: &Path, name: &OsStr) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let mut aside = folder.join(name);
    for number in 1.. {
        if std::fs::symlink_metadata(&aside).is_err() {
            break;
        }
        let mut numbered = name.to_owned();
        numbered.push(format!(".{number}"));
        aside = folder.join(numbered);
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let damaged = folder.path().join("damaged");
        for expected in ["db", "db.1", "db.2"] {
            let path = free_path(&damaged, OsStr::new("db")).expect("there is one");
            assert_eq!(path, damaged.join(expected));
            std::fs::create_dir(path).expect("created");
        }
    }
}
