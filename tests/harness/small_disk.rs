//! A small file system that a test can fill and empty. It is a tmpfs, so the test needs permission to mount
//! one.

use std::{
    fs::{File, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A mounted file system, unmounted when it is dropped.
pub(crate) struct SmallDisk {
    around: TempDir,
}

impl SmallDisk {
    /// Mounts one, or returns the system's message if it is not permitted.
    pub(crate) fn mount(megabytes: u32) -> Result<Self, String> {
        let around = tempfile::tempdir().unwrap();
        // The database's user needs access as well.
        std::fs::set_permissions(around.path(), Permissions::from_mode(0o755)).unwrap();
        let this = Self { around };
        std::fs::create_dir(this.folder()).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(this.folder())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Ok(this),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("mount: {error}")),
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.around.path().join("disk")
    }

    fn filler(&self) -> PathBuf {
        self.folder().join("filler")
    }

    /// Fills the disk.
    pub(crate) fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        for size in [1 << 20, 1 << 12] {
            let block = vec![0; size];
            loop {
                match filler.write(&block) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling {}: {error}", self.folder().display()),
                }
            }
        }
    }

    /// Empties the disk again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    /// Creates a folder on the disk, with the owner of another folder.
    pub(crate) fn folder_of(&self, name: &str, other: &Path) -> PathBuf {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let folder = self.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        let owner = std::fs::metadata(other).unwrap();
        chown(&folder, Some(owner.uid()), Some(owner.gid())).unwrap();
        folder
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A lazy unmount works even while files are open.
        let _ = Command::new("umount").arg("-l").arg(self.folder()).output();
    }
}
