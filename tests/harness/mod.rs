//! Shared by all tests: real services on either database, a clock that stands still, samples, certificates,
//! errors in parts. It must assert nothing about results.

pub(crate) mod books;
pub(crate) mod certificates;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod corrections;
pub(crate) mod encoding;
pub(crate) mod errors;
mod guardian;
pub(crate) mod half_sent;
pub(crate) mod identities;
pub(crate) mod ingest;
pub(crate) mod instances;
pub(crate) mod load;
pub(crate) mod old_store;
pub(crate) mod openssl;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod samples;
pub(crate) mod san;
pub(crate) mod san_life;
pub(crate) mod selling;
pub(crate) mod small_disk;
pub(crate) mod standby;
pub(crate) mod terms;
pub(crate) mod unread;
pub(crate) mod world;

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

/// The two databases that every test of a service runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes each `async fn name(backend: Backend)` two tests, `name::sqlite` and `name::postgres`. The compiler
/// reports a function that is not listed as dead code.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        $(
            mod $name {
                #[test]
                fn sqlite() {
                    $crate::harness::run(super::$name($crate::harness::Backend::Sqlite));
                }

                #[test]
                fn postgres() {
                    $crate::harness::run(super::$name($crate::harness::Backend::Postgres));
                }
            }
        )+
    };
}
pub(crate) use on_both_databases;

const LONGEST_TEST: Duration = Duration::from_secs(120);

/// Runs one test on a new runtime, within a time limit.
pub(crate) fn run(test: impl Future<Output = ()>) {
    run_within(LONGEST_TEST, test);
}

/// As [`run`], for a test whose length an environment variable sets.
pub(crate) fn run_within(longest: Duration, test: impl Future<Output = ()>) {
    if std::env::var_os("LICET_LOG").is_some() {
        licet_runtime::telemetry::start();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(longest, test)
            .await
            .unwrap_or_else(|_| panic!("the test was still running after {longest:?}"));
    });
    runtime.shutdown_background();
}

/// A fresh `request_id`.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A free port below the range that the system assigns from, so that nobody takes it while its server
/// restarts.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 15_000;
    const COUNT: u16 = 17_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    for _ in 0..COUNT {
        // Simultaneous test processes start far apart.
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let offset = (u32::from(start) * 97 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

/// Calls `question` until it returns a value, for at most 45 seconds.
pub(crate) async fn eventually<T, F>(what: &str, mut question: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = tokio::time::Instant::now() + Duration::from_secs(45);
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
