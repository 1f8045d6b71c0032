//! The disk under a store's folder: what is certainly on it, what may be, and an image of what it has when the power goes.
//!
//! The model is ext4 with `data=ordered`, as hard as that may be. What a sync covered is there. Of what was written to a file after
//! its last sync, any part may be there: each page (4096 bytes) or not, pages torn between sectors (512 bytes), an older one of two
//! writes to a sector, a length without what was written before it. Names (made, renamed, removed, by a folder's order) are one
//! journal: some first part of them is there, and at least all before the last sync of a file or folder that had something to
//! journal; an `fdatasync` of a file that kept its length has not. `strict` is what POSIX promises and no more: only a folder's own
//! sync keeps its names, and folders lose them independently of each other.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use fastrand::Rng;

use super::pages::{PAGE, Pages};
use super::trace::Record;
use crate::Outcome;

/// Bytes that a disk writes as a whole.
const SECTOR: u64 = 512;

/// How names reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// In order, with any sync.
    Journal,
    /// By the sync of their folder.
    Strict,
}

/// See the module.
pub(super) struct Disk {
    names: Names,
    /// Whether syncs do nothing, as on a disk that lies.
    is_lying: bool,
    files: Vec<File>,
    /// Names as they were at first.
    base: BTreeMap<String, Node>,
    /// Names as the broker sees them.
    now: BTreeMap<String, Node>,
    changes: Vec<Change>,
    inodes: HashMap<u64, usize>,
    open: HashMap<u64, Open>,
    syncs: HashMap<u64, Sync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

#[derive(Debug, Clone)]
enum Open {
    File(usize),
    Folder(String),
}

/// One change of names, whole or not at all.
struct Change {
    edits: Vec<Edit>,
    /// Folders whose sync keeps it, by what they are called now.
    folders: Vec<String>,
    is_kept: bool,
}

enum Edit {
    Make(String, Node),
    Remove(String),
    /// With everything below.
    Move(String, String),
}

#[derive(Default)]
struct File {
    /// What is certainly there.
    kept: Pages,
    /// What may be, in order.
    ops: Vec<Op>,
    /// How many of all its operations are certainly there.
    n_kept: usize,
}

#[derive(Clone)]
enum Op {
    Write(u64, Vec<u8>),
    Resize(u64),
}

struct Sync {
    of: Open,
    n_ops: usize,
    n_changes: usize,
    /// Whether it writes the journal of names as well.
    is_journaled: bool,
}

/// How much of what may be there is.
#[derive(Clone, Copy)]
enum Fate {
    Nothing,
    All,
    /// The first part, torn at a sector.
    Prefix,
    /// Any pages.
    Pages,
    /// Any sectors.
    Sectors,
}

impl Disk {
    /// A folder as it is, all of it on the disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(root: &Path, names: Names, is_lying: bool) -> Outcome<Self> {
        let mut disk = Self {
            names,
            is_lying,
            files: Vec::new(),
            base: BTreeMap::new(),
            now: BTreeMap::new(),
            changes: Vec::new(),
            inodes: HashMap::new(),
            open: HashMap::new(),
            syncs: HashMap::new(),
        };
        if root.exists() {
            disk.read_folder(root, "")?;
        }
        disk.now = disk.base.clone();
        Ok(disk)
    }

    fn read_folder(&mut self, folder: &Path, path: &str) -> Outcome {
        self.base.insert(path.to_owned(), Node::Folder);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| format!("{} is no text", name.display()))?;
            let (path, kind) = (format!("{path}/{name}"), entry.metadata()?);
            if kind.is_dir() {
                self.read_folder(&entry.path(), &path)?;
            } else {
                let file = File {
                    kept: Pages::read(&entry.path())?,
                    ..File::default()
                };
                self.inodes.insert(kind.ino(), self.files.len());
                self.base.insert(path, Node::File(self.files.len()));
                self.files.push(file);
            }
        }
        Ok(())
    }

    /// What was done next.
    ///
    /// # Errors
    /// When it cannot be understood: then the trace does not show everything.
    pub(super) fn take(&mut self, record: &Record<'_>) -> Outcome {
        match record {
            Record::Opened {
                fd,
                inode,
                is_new,
                is_emptied,
                is_folder,
                path,
            } => {
                if *is_folder {
                    self.open.insert(*fd, Open::Folder((*path).to_owned()));
                    return Ok(());
                }
                let file = self.opened(*inode, *is_new, path)?;
                if *is_emptied && !*is_new {
                    self.op(file, Op::Resize(0));
                }
                self.open.insert(*fd, Open::File(file));
            }
            Record::Closed(fd) => {
                self.open.remove(fd);
            }
            Record::Twin(fd, other) => {
                let open = self.open(*fd)?.clone();
                self.open.insert(*other, open);
            }
            Record::Written { fd, at, bytes } => {
                let file = self.open_file(*fd)?;
                self.op(file, Op::Write(*at, bytes.to_vec()));
            }
            Record::Resized { fd, len } => {
                let file = self.open_file(*fd)?;
                self.op(file, Op::Resize(*len));
            }
            Record::SyncBegins { fd, sync, is_data } => self.sync_begins(*fd, *sync, *is_data)?,
            Record::SyncEnds { sync } => {
                if let Some(sync) = self.syncs.remove(sync)
                    && !self.is_lying
                {
                    self.sync_ends(&sync);
                }
            }
            Record::Names { fd, names } => {
                if let Open::Folder(path) = self.open(*fd)?.clone() {
                    self.reconcile(&path, names);
                }
            }
            Record::Renamed(from, to) => {
                if !self.now.contains_key(*from) {
                    return Err(format!("{from} is renamed, which is not there").into());
                }
                self.change(vec![Edit::Move((*from).to_owned(), (*to).to_owned())]);
                self.rename_open(from, to);
            }
            Record::Removed(path) => self.change(vec![Edit::Remove((*path).to_owned())]),
            Record::MadeFolder(path) => {
                self.change(vec![Edit::Make((*path).to_owned(), Node::Folder)]);
            }
            Record::Unknown(what) => return Err(format!("the store does {what}").into()),
        }
        Ok(())
    }

    fn opened(&mut self, inode: u64, is_new: bool, path: &str) -> Outcome<usize> {
        if is_new {
            let file = self.files.len();
            self.files.push(File::default());
            self.inodes.insert(inode, file);
            self.change(vec![Edit::Make(path.to_owned(), Node::File(file))]);
            return Ok(file);
        }
        // By its number rather than its name: it may have been renamed unseen.
        match (self.inodes.get(&inode), self.now.get(path)) {
            (Some(file), _) => Ok(*file),
            (None, Some(Node::File(file))) => Ok(*file),
            _ => Err(format!("{path} is opened, which is not there").into()),
        }
    }

    /// What a folder has, where that is not what was seen: something was renamed or removed unseen.
    fn reconcile(&mut self, folder: &str, names: &[(u64, &str)]) {
        let mut edits = Vec::new();
        let mut there = BTreeMap::new();
        for (inode, name) in names {
            there.insert(format!("{folder}/{name}"), *inode);
        }
        for path in self.now.keys().filter(|path| parent(path) == Some(folder)) {
            if !there.contains_key(path) {
                edits.push(Edit::Remove(path.clone()));
            }
        }
        for (path, inode) in there {
            if let Some(file) = self.inodes.get(&inode)
                && self.now.get(&path) != Some(&Node::File(*file))
                && self.now.get(&path) != Some(&Node::Folder)
            {
                edits.push(Edit::Make(path, Node::File(*file)));
            }
        }
        if !edits.is_empty() {
            self.change(edits);
        }
    }

    fn open(&self, fd: u64) -> Outcome<&Open> {
        let open = self.open.get(&fd);
        open.ok_or_else(|| format!("file {fd} is used, which is not open").into())
    }

    fn open_file(&self, fd: u64) -> Outcome<usize> {
        match self.open(fd)? {
            Open::File(file) => Ok(*file),
            Open::Folder(path) => Err(format!("the folder {path} is written").into()),
        }
    }

    fn op(&mut self, file: usize, op: Op) {
        self.files[file].ops.push(op);
    }

    fn change(&mut self, edits: Vec<Edit>) {
        let mut folders = Vec::new();
        for edit in &edits {
            edit.apply(&mut self.now);
            for path in edit.paths() {
                folders.extend(parent(path).map(str::to_owned));
            }
        }
        folders.sort_unstable();
        folders.dedup();
        self.changes.push(Change {
            edits,
            folders,
            is_kept: false,
        });
    }

    /// What is open keeps what it is when it, or a folder above, gets another name.
    fn rename_open(&mut self, from: &str, to: &str) {
        let open = self.open.values_mut().filter_map(|open| match open {
            Open::Folder(path) => Some(path),
            Open::File(_) => None,
        });
        let folders = self.changes.iter_mut().flat_map(|one| &mut one.folders);
        for path in open.chain(folders) {
            if let Some(moved) = moved(path, from, to) {
                *path = moved;
            }
        }
    }

    fn sync_begins(&mut self, fd: u64, sync: u64, is_data: bool) -> Outcome {
        let of = self.open(fd)?.clone();
        let (n_ops, is_journaled) = match &of {
            Open::Folder(_) => (0, true),
            Open::File(file) => {
                let file = &self.files[*file];
                (
                    file.n_kept + file.ops.len(),
                    !is_data || file.has_new_length(),
                )
            }
        };
        self.syncs.insert(
            sync,
            Sync {
                of,
                n_ops,
                n_changes: self.changes.len(),
                is_journaled,
            },
        );
        Ok(())
    }

    fn sync_ends(&mut self, sync: &Sync) {
        if let Open::File(file) = sync.of {
            self.files[file].keep(sync.n_ops);
        }
        let before = self.changes.iter_mut().take(sync.n_changes);
        match (self.names, &sync.of) {
            (Names::Journal, _) if sync.is_journaled => before.for_each(|one| one.is_kept = true),
            (Names::Strict, Open::Folder(folder)) => {
                for change in before {
                    change.is_kept |= change.folders.contains(folder);
                }
            }
            _ => {}
        }
    }

    /// Writes a folder that has everything, as after a clean end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save_all(&self, root: &Path) -> Outcome {
        let files: Vec<Pages> = self
            .files
            .iter()
            .map(|file| file.image(Fate::All, &mut Rng::new()))
            .collect();
        save(root, &self.now, &files)
    }

    /// Writes a folder as it may be after the power went.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save_cut(&self, root: &Path, rng: &mut Rng) -> Outcome {
        let files: Vec<Pages> = self
            .files
            .iter()
            .map(|file| {
                let fate = match rng.u8(..5) {
                    0 => Fate::Nothing,
                    1 => Fate::All,
                    2 => Fate::Prefix,
                    3 => Fate::Pages,
                    _ => Fate::Sectors,
                };
                file.image(fate, rng)
            })
            .collect();
        let mut names = self.base.clone();
        // How many changes of each folder are there that need not be; of all together in a journal.
        let mut luck: BTreeMap<&str, usize> = BTreeMap::new();
        let folders = |change: &Change| match self.names {
            Names::Journal => vec![String::new()],
            Names::Strict => change.folders.clone(),
        };
        let open: Vec<(&Change, Vec<String>)> =
            self.changes.iter().map(|one| (one, folders(one))).collect();
        for (_, folders) in open.iter().filter(|(change, _)| !change.is_kept) {
            for folder in folders {
                *luck.entry(folder).or_default() += 1;
            }
        }
        for n in luck.values_mut() {
            *n = match rng.u8(..4) {
                0 => 0,
                1 => *n,
                _ => rng.usize(..=*n),
            };
        }
        for (change, folders) in &open {
            let is_there = change.is_kept
                || folders
                    .iter()
                    .all(|folder| luck.get(folder.as_str()).is_some_and(|n| *n > 0));
            if is_there {
                change.edits.iter().for_each(|edit| edit.apply(&mut names));
            }
            if !change.is_kept {
                for folder in folders {
                    if let Some(n) = luck.get_mut(folder.as_str()) {
                        *n = if is_there { n.saturating_sub(1) } else { 0 };
                    }
                }
            }
        }
        save(root, &names, &files)
    }
}

impl File {
    /// Everything up to there is certainly on the disk.
    fn keep(&mut self, n_ops: usize) {
        let n = n_ops.saturating_sub(self.n_kept);
        for op in self.ops.drain(..n.min(self.ops.len())) {
            op.apply(&mut self.kept);
        }
        self.n_kept = self.n_kept.max(n_ops);
    }

    fn has_new_length(&self) -> bool {
        let mut len = self.kept.len();
        for op in &self.ops {
            match op {
                Op::Write(at, bytes) => len = len.max(at + bytes.len() as u64),
                Op::Resize(to) => len = *to,
            }
        }
        len != self.kept.len()
    }

    fn image(&self, fate: Fate, rng: &mut Rng) -> Pages {
        let mut pages = self.kept.clone();
        let n_first = rng.usize(..=self.ops.len());
        for (number, op) in self.ops.iter().enumerate() {
            match (fate, op) {
                (Fate::Nothing, _) => break,
                (Fate::All, op) => op.apply(&mut pages),
                (Fate::Prefix, op) if number < n_first => op.apply(&mut pages),
                (Fate::Prefix, Op::Write(at, bytes)) => {
                    let torn = torn(*at, bytes.len(), rng);
                    pages.write(*at, &bytes[..torn]);
                    break;
                }
                (Fate::Prefix, Op::Resize(_)) => break,
                // Lengths are in the journal, in order.
                (_, op @ Op::Resize(_)) if number < n_first => op.apply(&mut pages),
                (_, Op::Resize(_)) => {}
                (Fate::Pages, Op::Write(at, bytes)) => {
                    parts(&mut pages, *at, bytes, PAGE as u64, rng);
                }
                (Fate::Sectors, Op::Write(at, bytes)) => parts(&mut pages, *at, bytes, SECTOR, rng),
            }
        }
        pages
    }
}

impl Op {
    fn apply(&self, pages: &mut Pages) {
        match self {
            Self::Write(at, bytes) => pages.write(*at, bytes),
            Self::Resize(len) => pages.resize(*len),
        }
    }
}

/// How many bytes of a write are there that was torn at a sector's border.
fn torn(at: u64, len: usize, rng: &mut Rng) -> usize {
    let end = at + rng.u64(..=len as u64);
    let border = end / SECTOR * SECTOR;
    usize::try_from(border.saturating_sub(at))
        .unwrap_or(len)
        .min(len)
}

/// Writes some parts, each of this size and on its border. A part that is there has the length with it, to the end of its page.
fn parts(pages: &mut Pages, at: u64, bytes: &[u8], size: u64, rng: &mut Rng) {
    let end = at + bytes.len() as u64;
    let mut from = at;
    while from < end {
        let to = ((from / size + 1) * size).min(end);
        if rng.bool() {
            let (first, last) = ((from - at) as usize, (to - at) as usize);
            pages.write(from, &bytes[first..last]);
            let page_end = (from / PAGE as u64 + 1) * PAGE as u64;
            if pages.len() < end.min(page_end) {
                pages.resize(end.min(page_end));
            }
        }
        from = to;
    }
}

impl Edit {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Make(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Move(from, to) => {
                let all: Vec<String> = names.keys().cloned().collect();
                for path in all {
                    if let Some(new) = moved(&path, from, to)
                        && let Some(node) = names.remove(&path)
                    {
                        names.insert(new, node);
                    }
                }
            }
        }
    }

    fn paths(&self) -> Vec<&str> {
        match self {
            Self::Make(path, _) | Self::Remove(path) => vec![path],
            Self::Move(from, to) => vec![from, to],
        }
    }
}

/// What a path is called when `from`, which may be a folder above it, is called `to`.
fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let below = path.strip_prefix(from)?;
    (below.is_empty() || below.starts_with('/')).then(|| format!("{to}{below}"))
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

fn save(root: &Path, names: &BTreeMap<String, Node>, files: &[Pages]) -> Outcome {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder.create(root)?;
    // A folder sorts before what it has. What has no folder was lost with it.
    for (path, node) in names.iter().filter(|(path, _)| !path.is_empty()) {
        let at = root.join(path.trim_start_matches('/'));
        if !at.parent().is_some_and(Path::is_dir) {
            continue;
        }
        match node {
            Node::Folder => builder.create(at)?,
            Node::File(file) => files[*file].save(&at)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn folder(name: usize) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-disk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn new<'a>(fd: u64, path: &'a str) -> Record<'a> {
        Record::Opened {
            fd,
            inode: fd + 100,
            is_new: true,
            is_emptied: false,
            is_folder: false,
            path,
        }
    }

    fn folder_opened(fd: u64, path: &str) -> Record<'_> {
        Record::Opened {
            fd,
            inode: 1,
            is_new: false,
            is_emptied: false,
            is_folder: true,
            path,
        }
    }

    fn synced(fd: u64, sync: u64) -> [Record<'static>; 2] {
        let begins = Record::SyncBegins {
            fd,
            sync,
            is_data: false,
        };
        [begins, Record::SyncEnds { sync }]
    }

    /// The images of many cuts: of each file its bytes, or none.
    fn cuts(
        names: Names,
        is_lying: bool,
        records: &[Record<'_>],
        path: &str,
    ) -> Vec<Option<Vec<u8>>> {
        static N_FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let root = folder(N_FOLDERS.fetch_add(1, Ordering::Relaxed));
        let mut disk = Disk::read(&root, names, is_lying).expect("empty");
        for record in records {
            disk.take(record).expect("understood");
        }
        let mut images = Vec::new();
        for seed in 0..60 {
            disk.save_cut(&root, &mut Rng::with_seed(seed))
                .expect("written");
            images.push(fs::read(root.join(path)).ok());
            fs::remove_dir_all(&root).expect("ours");
        }
        images
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_may_be() {
        let first = vec![1; 5000];
        let second = vec![2; 5000];
        let mut records = vec![
            new(3, "/a"),
            Record::Written {
                fd: 3,
                at: 0,
                bytes: &first,
            },
        ];
        records.extend(synced(3, 1));
        records.push(Record::Written {
            fd: 3,
            at: 5000,
            bytes: &second,
        });
        let images = cuts(Names::Journal, false, &records, "a");
        let mut lengths = std::collections::BTreeSet::new();
        for image in images {
            let image = image.expect("its sync keeps its name");
            assert_eq!(&image[..5000], &first);
            assert!(image[5000..].iter().all(|byte| [0, 2].contains(byte)));
            lengths.insert(image.len());
        }
        assert!(lengths.contains(&5000) && lengths.contains(&10_000) && lengths.len() > 3);
    }

    #[test]
    fn a_name_needs_its_folders_sync_only_where_that_is_strict() {
        let mut records = vec![
            new(3, "/a"),
            Record::Written {
                fd: 3,
                at: 0,
                bytes: b"x",
            },
        ];
        records.extend(synced(3, 1));
        let is_lost = |image: &Option<Vec<u8>>| image.is_none();
        assert!(
            !cuts(Names::Journal, false, &records, "a")
                .iter()
                .any(is_lost)
        );
        assert!(
            cuts(Names::Strict, false, &records, "a")
                .iter()
                .any(is_lost)
        );
        assert!(
            cuts(Names::Journal, true, &records, "a")
                .iter()
                .any(is_lost)
        );
        records.push(folder_opened(4, ""));
        records.extend(synced(4, 2));
        assert!(
            !cuts(Names::Strict, false, &records, "a")
                .iter()
                .any(is_lost)
        );
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began() {
        let records = [
            new(3, "/a"),
            Record::Written {
                fd: 3,
                at: 0,
                bytes: b"x",
            },
            Record::SyncBegins {
                fd: 3,
                sync: 1,
                is_data: true,
            },
            Record::Written {
                fd: 3,
                at: 1,
                bytes: b"y",
            },
            Record::SyncEnds { sync: 1 },
        ];
        let images = cuts(Names::Journal, false, &records, "a");
        assert!(
            images
                .iter()
                .all(|image| image.as_ref().is_some_and(|image| image[0] == b'x'))
        );
        assert!(images.contains(&Some(b"x".to_vec())) && images.contains(&Some(b"xy".to_vec())));
    }

    #[test]
    fn a_folder_takes_along_what_is_in_it() {
        let mut records = vec![
            Record::MadeFolder("/new"),
            new(3, "/new/a"),
            Record::Written {
                fd: 3,
                at: 0,
                bytes: b"x",
            },
            folder_opened(4, "/new"),
        ];
        records.extend(synced(3, 1));
        records.push(Record::Renamed("/new", "/db"));
        records.extend(synced(4, 2));
        records.push(folder_opened(5, ""));
        records.extend(synced(5, 3));
        for names in [Names::Journal, Names::Strict] {
            let images = cuts(names, false, &records, "db/a");
            let is_whole = |image: &Option<Vec<u8>>| image.as_deref() == Some(b"x");
            assert!(images.iter().all(is_whole));
        }
        records.truncate(7);
        let images = cuts(Names::Journal, false, &records, "db/a");
        assert!(images.iter().any(Option::is_none) && images.iter().any(Option::is_some));
    }

    #[test]
    fn a_rename_that_was_not_seen_is_found_by_its_folders_sync() {
        let mut records = vec![
            folder_opened(9, ""),
            new(3, "/old"),
            Record::Written {
                fd: 3,
                at: 0,
                bytes: b"old",
            },
            new(4, "/temporary"),
            Record::Written {
                fd: 4,
                at: 0,
                bytes: b"new",
            },
        ];
        records.extend(synced(3, 1));
        records.extend(synced(4, 2));
        records.push(Record::Names {
            fd: 9,
            names: vec![(104, "old")],
        });
        records.extend(synced(9, 3));
        let images = cuts(Names::Strict, false, &records, "old");
        assert!(images.iter().all(|image| image.as_deref() == Some(b"new")));
    }
}
