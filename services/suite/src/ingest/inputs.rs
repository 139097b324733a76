//! The inputs given on the command line: files, folders and standard input. Each can be read
//! repeatedly, always in the same order.

use std::{
    fs,
    io::{self, Read, Seek as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest as _, Sha256};

use super::{
    formats::File,
    item::{Flow, Item, Place, Sink},
    lines::Defaults,
};

/// The longest part of a file's name in the name of its feed.
const MAX_NAME_CHARS: usize = 60;

/// An input given on the command line.
pub(super) enum Input {
    /// A file or a folder.
    Path(PathBuf),
    /// Standard input or a pipe, copied so that it can be read again.
    Spooled {
        /// The name in messages.
        name: String,
        file: fs::File,
        /// Of the content, in hexadecimal.
        sha256: String,
    },
}

impl Input {
    /// A path, or `-` for standard input. An input that can be read only once is copied.
    pub(super) fn of(path: PathBuf) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::spool("standard input".to_owned(), io::stdin().lock());
        }
        let is_stream = |found: fs::Metadata| !found.is_file() && !found.is_dir();
        if fs::metadata(&path).is_ok_and(is_stream) {
            let name = path.display().to_string();
            return Self::spool(name, fs::File::open(path)?);
        }
        Ok(Self::Path(path))
    }

    fn spool(name: String, input: impl Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        let mut copied = Hashing {
            input,
            hash: Sha256::new(),
        };
        io::copy(&mut copied, &mut file)?;
        let sha256 = hex::encode(copied.hash.finalize());
        Ok(Self::Spooled { name, file, sha256 })
    }

    /// The name of the input's own feed. A file keeps its feed when its content changes; standard
    /// input has no name, so its content names the feed.
    pub(super) fn feed(&self) -> String {
        match self {
            Self::Spooled { sha256, .. } => format!("stdin:{}", &sha256[..16]),
            Self::Path(path) => {
                let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                let digest = Sha256::digest(absolute.as_os_str().as_encoded_bytes());
                let name = absolute.file_name().unwrap_or_default().to_string_lossy();
                let plain = |sign: char| match sign {
                    sign if sign.is_ascii_alphanumeric() => sign,
                    '.' | '_' => sign,
                    _ => '-',
                };
                let name: String = name.chars().take(MAX_NAME_CHARS).map(plain).collect();
                format!("{name}:{}", &hex::encode(digest)[..16])
            }
        }
    }

    /// The size in bytes; unreadable inputs count as empty.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Path(path) => bytes_of(path),
            Self::Spooled { file, .. } => file.metadata().map_or(0, |found| found.len()),
        }
    }

    /// Passes all items to `sink`, counting the bytes read.
    pub(super) fn visit(
        &mut self,
        owner: &Defaults,
        read: &AtomicU64,
        sink: &mut Sink<'_>,
    ) -> Flow {
        let mut visit = Visit { owner, read, sink };
        match self {
            Self::Path(path) => visit.path(path),
            Self::Spooled { name, file, .. } => match file.rewind() {
                Ok(()) => visit.file(name, file),
                Err(error) => visit.refuse(name, &error.to_string()),
            },
        }
    }
}

fn bytes_of(path: &Path) -> u64 {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).map_or(0, |entries| {
            let each = entries.flatten().filter(|entry| !is_link_to_folder(entry));
            each.map(|entry| bytes_of(&entry.path())).sum()
        }),
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

/// Links to folders are not followed, because they could form a loop.
fn is_link_to_folder(entry: &fs::DirEntry) -> bool {
    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
    is_link && entry.path().is_dir()
}

/// A visit to all files of one input.
struct Visit<'a, 'b> {
    owner: &'a Defaults,
    read: &'a AtomicU64,
    sink: &'a mut Sink<'b>,
}

impl Visit<'_, '_> {
    fn path(&mut self, path: &Path) -> Flow {
        let name = path.display().to_string();
        match fs::metadata(path) {
            Err(error) => self.refuse(&name, &format!("cannot be read: {error}")),
            Ok(found) if found.is_dir() => self.folder(path),
            Ok(found) if !found.is_file() => self.refuse(&name, "is neither a file nor a folder"),
            Ok(_) => match fs::File::open(path) {
                Ok(file) => self.file(&name, &file),
                Err(error) => self.refuse(&name, &format!("cannot be read: {error}")),
            },
        }
    }

    /// Visits all entries sorted by name, including subfolders; skips hidden ones.
    fn folder(&mut self, path: &Path) -> Flow {
        let listed: io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                let text = format!("cannot be listed: {error}");
                return self.refuse(&path.display().to_string(), &text);
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let flow = if is_link_to_folder(&entry) {
                let text = "is a link to a folder; links are not followed";
                self.refuse(&path.display().to_string(), text)
            } else {
                self.path(&path)
            };
            if flow.is_break() {
                return flow;
            }
        }
        Flow::Continue(())
    }

    fn file(&mut self, name: &str, file: &fs::File) -> Flow {
        let counted = Counted {
            input: file,
            read: self.read,
        };
        let mut reading = File {
            name: Arc::from(name),
            owner: self.owner,
            sink: &mut *self.sink,
        };
        reading.read(counted)
    }

    fn refuse(&mut self, name: &str, reason: &str) -> Flow {
        let place = Place {
            file: Arc::from(name),
            line: None,
            serial: None,
        };
        (self.sink)(Item::refused(place, reason))
    }
}

struct Counted<'a> {
    input: &'a fs::File,
    read: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read
            .fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

struct Hashing<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
