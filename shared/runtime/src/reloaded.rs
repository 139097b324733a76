//! A value made of files, which are read again while the process runs. A faulty new version changes nothing:
//! the value in force stays, and the log says why.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};

use crate::rarely::Rarely;

/// How often the files are read.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The contents of the files, in their order, become the value, or a text that says what is wrong and where.
pub(crate) type Parse<T> = fn(&[Contents]) -> Result<T, String>;

/// A file as it was read.
pub(crate) struct Contents {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// The value in force.
#[derive(Debug)]
pub(crate) struct Reloaded<T> {
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files, and again every [`RELOAD_INTERVAL`] until the value is dropped.
    ///
    /// # Errors
    /// Why there is no value: a file cannot be read, or `parse` refuses its contents.
    pub(crate) async fn open(files: Vec<PathBuf>, parse: Parse<T>) -> Result<Arc<Self>, String> {
        let contents = read(&files).await?;
        let value = parse(&contents)?;
        let reloaded = Arc::new(Self {
            current: ArcSwap::from_pointee(value),
        });
        let in_force = digest(&contents);
        tokio::spawn(reload(Arc::downgrade(&reloaded), files, parse, in_force));
        Ok(reloaded)
    }

    /// The value now.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }
}

async fn reload<T: Send + Sync>(
    reloaded: Weak<Reloaded<T>>,
    files: Vec<PathBuf>,
    parse: Parse<T>,
    mut in_force: [u8; 32],
) {
    let names: Vec<_> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let names = names.join(", ");
    let faults = Rarely::new();
    loop {
        tokio::time::sleep(RELOAD_INTERVAL).await;
        let read = read(&files).await;
        let Some(reloaded) = reloaded.upgrade() else {
            return;
        };
        let parsed = match read {
            Ok(contents) if digest(&contents) == in_force => continue,
            Ok(contents) => parse(&contents).map(|value| (value, digest(&contents))),
            Err(error) => Err(error),
        };
        match parsed {
            Ok((value, found)) => {
                reloaded.current.store(Arc::new(value));
                in_force = found;
                tracing::info!(files = names, "the new version of the files is in force");
            }
            Err(error) => {
                if faults.permits(&error) {
                    tracing::error!(
                        "the files {names} have changed, but the version before stays in force: {error}"
                    );
                }
            }
        }
    }
}

async fn read(files: &[PathBuf]) -> Result<Vec<Contents>, String> {
    let mut contents = Vec::new();
    let mut faults = Vec::new();
    for path in files {
        match tokio::fs::read(path).await {
            Ok(bytes) => contents.push(Contents {
                path: path.clone(),
                bytes,
            }),
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        }
    }
    if faults.is_empty() {
        Ok(contents)
    } else {
        Err(faults.join("; "))
    }
}

fn digest(contents: &[Contents]) -> [u8; 32] {
    let mut whole = Sha256::new();
    for file in contents {
        whole.update(Sha256::digest(&file.bytes));
    }
    whole.finalize().into()
}
