//! Starts the guardian of a throwaway PostgreSQL cluster, for the tests and the benchmark. It touches no
//! cluster of the machine.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The message if [`find_programs`] finds nothing.
pub(crate) const NOT_INSTALLED: &str = "PostgreSQL is not installed: neither \
    /usr/lib/postgresql/*/bin nor PATH has initdb. Run tests/run, which installs what is missing, or \
    install the package postgresql (Debian, Ubuntu) or postgresql-server (Fedora)";

/// Starts the guardian and waits until the cluster is ready. The cluster ends when the guardian's standard
/// input closes, so at the latest with this process.
///
/// `settings` are lines of postgresql.conf.
pub(crate) fn guard(
    programs: &Path,
    port: u16,
    password: &str,
    settings: &str,
) -> Result<Child, String> {
    let mut command = shell(include_str!("guardian.sh"));
    let mut guardian = command
        .arg(programs)
        .arg(port.to_string())
        .arg(settings)
        .env("LICET_TEST_PASSWORD", password)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = guardian.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if line.trim() == "ready" {
        return Ok(guardian);
    }
    drop(guardian.stdin.take());
    let mut trouble = String::new();
    if let Some(mut stderr) = guardian.stderr.take() {
        let _ = stderr.read_to_string(&mut trouble);
    }
    let _ = guardian.wait();
    Err(trouble)
}

/// Runs a script as a user that PostgreSQL accepts: it refuses root. Arguments of the script may follow.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = if runs_as_root() {
        // The package's user, or nobody.
        let user = if has_user("postgres") {
            "postgres"
        } else {
            "nobody"
        };
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            user,
            "--regid",
            &group_of(user),
            "--clear-groups",
            "--",
            "sh",
        ]);
        // That user cannot read root's temporary folder.
        command.env_remove("TMPDIR").env("HOME", "/");
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", script, "guardian"]);
    command
}

/// The folder with the newest PostgreSQL programs on this machine.
pub(crate) fn find_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let packaged = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs);
    packaged.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
    })
}

fn runs_as_root() -> bool {
    // The owner of this process's entry in /proc, which needs no foreign function.
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn has_user(name: &str) -> bool {
    passwd_line(name).is_some()
}

fn group_of(user: &str) -> String {
    let line = passwd_line(user).unwrap_or_default();
    line.split(':').nth(3).unwrap_or(user).to_owned()
}

fn passwd_line(name: &str) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let prefix = format!("{name}:");
    users
        .lines()
        .find(|line| line.starts_with(&prefix))
        .map(str::to_owned)
}
