//! The certificates of PyPI's `cryptography_vectors`, read where they are installed.

use std::{env, fs, path::Path, process::Command};

/// Larger files would only make every execution slow.
const MAX_BYTES: u64 = 16 << 10;

/// Certificates, requests and bundles, as the files have them: PEM, DER and PKCS#7. Empty where `LICET_TEST_PYTHON`,
/// which `tests/run` sets, names no Python that has the package.
#[must_use]
pub fn certificates() -> Vec<Vec<u8>> {
    let Some(python) = env::var_os("LICET_TEST_PYTHON") else {
        println!("LICET_TEST_PYTHON is not set: without the vectors of cryptography_vectors");
        return Vec::new();
    };
    let script = "import cryptography_vectors; print(cryptography_vectors.__path__[0])";
    let found = Command::new(python).args(["-c", script]).output();
    let Ok(found) = found else {
        return Vec::new();
    };
    let folder = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let mut files = Vec::new();
    for part in ["x509", "pkcs7"] {
        collect(&Path::new(&folder).join(part), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    // The same seed makes the same inputs.
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_BYTES) {
            files.extend(fs::read(&path));
        }
    }
}
