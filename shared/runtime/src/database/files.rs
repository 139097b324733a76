//! The files of a store on SQLite, which only their owner may read.

use std::{
    fs::{OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use sea_orm::DbErr;

/// Owner: read and write; others: nothing.
const PRIVATE: u32 = 0o600;

/// Creates the file if it does not exist, and lets only its owner read it. SQLite gives the files beside it the
/// same permissions.
pub(super) fn make_private(path: &Path) -> Result<(), DbErr> {
    restrict(path).map_err(|error| {
        DbErr::Custom(format!(
            "cannot make {} readable by its owner alone: {error}",
            path.display()
        ))
    })
}

fn restrict(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PRIVATE)
        .open(path)?;
    let beside = ["-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        name
    });
    for file in [path.as_os_str()]
        .into_iter()
        .chain(beside.iter().map(AsRef::as_ref))
    {
        match std::fs::set_permissions(file, Permissions::from_mode(PRIVATE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Database, Location};

    #[tokio::test]
    async fn only_the_owner_reads_the_files_of_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let location = Location::Sqlite(path);
        let _open = Database::open(&location, &[]).await.unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap();
        let modes: Vec<_> = files
            .map(|file| file.unwrap().metadata().unwrap().permissions().mode() & 0o777)
            .collect();
        assert_eq!(modes, [PRIVATE; 3]);
    }
}
