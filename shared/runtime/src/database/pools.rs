//! The connections of a service, and their replacement after a failover: as soon as a server is lost, is
//! started again or accepts no changes, all of its connections go, and a task looks for the one that serves.

use std::{
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend, DbErr, RuntimeErr};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{
    files::make_private,
    location::Location,
    options::{
        READING_CONNECTIONS, RESERVED_CONNECTIONS, WRITING_CONNECTIONS, only_to, postgres_options,
        serving_settings, sqlite_options,
    },
    probe::{NoServer, Server, find},
    servers::Servers,
    trouble::is_unavailable,
};

/// How long a statement may take before its server is asked whether it still serves.
const SLOW: Duration = Duration::from_millis(500);
/// How long statements wait for a server after the last one is lost; later ones fail at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a service that starts waits for a server.
const START: Duration = Duration::from_secs(20);
/// The pauses between two looks for a server.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pool in use, replaced as a whole.
#[derive(Debug)]
pub(super) struct Pools {
    backend: DbBackend,
    current: watch::Sender<Current>,
    /// Whether the database can be reached.
    reached: watch::Sender<bool>,
    /// Where PostgreSQL's servers are.
    source: Option<Source>,
    /// The number of the server that served last.
    last: AtomicUsize,
    /// Whether a task looks for a server.
    is_seeking: AtomicBool,
}

#[derive(Debug)]
struct Source {
    servers: Servers,
    schema: String,
}

#[derive(Debug)]
struct Current {
    pool: Option<Arc<Pool>>,
    since: Instant,
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    /// For the work of calls.
    pub(super) shared: Pair,
    /// For work that must not wait for the work of calls.
    pub(super) reserved: Pair,
    /// What may replace the pool; on PostgreSQL only.
    replaceable: Option<Replaceable>,
}

/// The driver's pools for changes and for reads: slow reads keep no change waiting.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// SQLite allows one writer, so this pool has one connection there.
    pub(super) writer: DatabaseConnection,
    pub(super) reader: DatabaseConnection,
}

#[derive(Debug)]
struct Replaceable {
    server: Server,
    pools: Weak<Pools>,
    /// Becomes true when the server is given up; its statements end then.
    is_over: watch::Sender<bool>,
    /// How many statements the server has answered: a sign of life.
    answered: AtomicU64,
}

impl Pools {
    /// Opens the pools that a service works with.
    pub(super) async fn open(location: &Location) -> Result<Arc<Self>, DbErr> {
        match location {
            Location::Sqlite(path) => {
                make_private(path)?;
                let writer = sea_orm::Database::connect(sqlite_options(path, 1)).await?;
                let reader =
                    |connections| sea_orm::Database::connect(sqlite_options(path, connections));
                let shared = Pair {
                    writer: writer.clone(),
                    reader: reader(READING_CONNECTIONS).await?,
                };
                let reserved = Pair {
                    writer,
                    reader: reader(RESERVED_CONNECTIONS).await?,
                };
                Ok(Self::of(shared, reserved))
            }
            Location::Postgres { url, schema } => {
                let source = Source {
                    servers: parsed(url)?,
                    schema: schema.clone(),
                };
                let server = find_patiently(&source.servers, true).await?;
                let pools = Arc::new(Self {
                    backend: DbBackend::Postgres,
                    current: watch::Sender::new(Current::of(None)),
                    reached: watch::Sender::new(true),
                    source: Some(source),
                    last: AtomicUsize::new(0),
                    is_seeking: AtomicBool::new(false),
                });
                if let Some(source) = &pools.source {
                    let pool = pools.connect(source, server).await?;
                    pools.replace(Some(pool));
                }
                Ok(pools)
            }
        }
    }

    /// Pools that nothing replaces.
    pub(super) fn fixed(writer: DatabaseConnection, reader: DatabaseConnection) -> Arc<Self> {
        let pair = Pair { writer, reader };
        Self::of(pair.clone(), pair)
    }

    fn of(shared: Pair, reserved: Pair) -> Arc<Self> {
        let backend = shared.writer.get_database_backend();
        let pool = Pool {
            shared,
            reserved,
            replaceable: None,
        };
        Arc::new(Self {
            backend,
            current: watch::Sender::new(Current::of(Some(pool))),
            reached: watch::Sender::new(true),
            source: None,
            last: AtomicUsize::new(0),
            is_seeking: AtomicBool::new(false),
        })
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Follows whether the database can be reached.
    pub(super) fn reached(&self) -> watch::Receiver<bool> {
        self.reached.subscribe()
    }

    /// The pool of the server that serves; waits shortly if none does.
    pub(super) async fn pool(&self) -> Result<Arc<Pool>, DbErr> {
        let since = {
            let current = self.current.borrow();
            if let Some(pool) = &current.pool {
                return Ok(Arc::clone(pool));
            }
            current.since
        };
        let mut following = self.current.subscribe();
        let found = following.wait_for(|current| current.pool.is_some());
        match timeout_at(since + PATIENCE, found).await {
            Ok(Ok(found)) => found.pool.clone().ok_or_else(lost),
            Ok(Err(_)) | Err(_) => Err(lost()),
        }
    }

    /// Looks whether the server of a pool still serves, in a task.
    fn suspect(self: &Arc<Self>, pool: &Arc<Pool>) {
        let current = self.current.borrow().pool.clone();
        let is_current = current.is_some_and(|current| Arc::ptr_eq(&current, pool));
        if is_current && !self.is_seeking.swap(true, Ordering::AcqRel) {
            tokio::spawn(seek(Arc::downgrade(self)));
        }
    }

    /// Looks for the server once; returns whether there is one.
    async fn look(self: &Arc<Self>) -> bool {
        let Some(source) = &self.source else {
            return true;
        };
        let pool = self.current.borrow().pool.clone();
        let known = pool.as_ref().and_then(|pool| pool.replaceable.as_ref());
        let answered = known.map(Replaceable::answered);
        let last = self.last.load(Ordering::Relaxed);
        match find(&source.servers, last, true).await {
            Ok(server) if known.is_some_and(|known| known.server == server) => true,
            Ok(server) => {
                let host = source.servers.host(server.number);
                tracing::warn!(host, "connecting anew to the server of the store");
                match self.connect(source, server).await {
                    Ok(pool) => {
                        self.replace(Some(pool));
                        true
                    }
                    Err(error) => {
                        tracing::error!(%error, "the store cannot be opened");
                        false
                    }
                }
            }
            Err(none) if known.is_some_and(|known| known.serves(&none, answered)) => true,
            Err(none) => {
                if pool.is_some() {
                    tracing::error!(error = %DbErr::from(none), "the store is lost");
                    self.replace(None);
                }
                false
            }
        }
    }

    /// A pool that connects with its first statement.
    async fn connect(self: &Arc<Self>, source: &Source, server: Server) -> Result<Pool, DbErr> {
        let url = source.servers.url(server.number);
        self.last.store(server.number, Ordering::Relaxed);
        let connect = |connections| {
            let mut options = postgres_options(&url, &source.schema, &serving_settings());
            options.max_connections(connections);
            only_to(&mut options, server.clone());
            sea_orm::Database::connect(options)
        };
        let reserved = connect(RESERVED_CONNECTIONS).await?;
        Ok(Pool {
            shared: Pair {
                writer: connect(WRITING_CONNECTIONS).await?,
                reader: connect(READING_CONNECTIONS).await?,
            },
            reserved: Pair {
                writer: reserved.clone(),
                reader: reserved,
            },
            replaceable: Some(Replaceable {
                server,
                pools: Arc::downgrade(self),
                is_over: watch::Sender::new(false),
                answered: AtomicU64::new(0),
            }),
        })
    }

    /// Ends the pool in use, and uses another one, if there is one.
    fn replace(&self, pool: Option<Pool>) {
        let is_reached = pool.is_some();
        let before = self.current.send_replace(Current::of(pool));
        self.reached.send_if_modified(|reached| {
            let changed = *reached != is_reached;
            *reached = is_reached;
            changed
        });
        if let Some(pool) = before.pool {
            pool.end();
        }
    }
}

impl Current {
    fn of(pool: Option<Pool>) -> Self {
        Self {
            pool: pool.map(Arc::new),
            since: Instant::now(),
        }
    }
}

impl Replaceable {
    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether the server serves, though it accepted no further connection, because this machine is slow or
    /// the server has no connection left.
    fn serves(&self, none: &NoServer, answered_before: Option<u64>) -> bool {
        none.is_crowded || (none.is_silent && Some(self.answered()) != answered_before)
    }
}

impl Pool {
    /// Runs a statement until the server is given up. A statement that takes long, or finds no server that
    /// serves, makes the pools look for one.
    pub(super) async fn run<T>(
        self: &Arc<Self>,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let Some(replaceable) = &self.replaceable else {
            return statement.await;
        };
        let mut statement = pin!(statement);
        let mut end = replaceable.is_over.subscribe();
        let mut end = pin!(end.wait_for(|is_over| *is_over));
        let mut slow = pin!(sleep(SLOW));
        loop {
            tokio::select! {
                biased;
                result = &mut statement => {
                    match &result {
                        Err(error) if is_unavailable(error) => self.suspect(),
                        Ok(_) | Err(_) => {
                            replaceable.answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    return result;
                }
                _ = &mut end => return Err(lost()),
                () = &mut slow => {
                    self.suspect();
                    // The server may be cut off after it has answered: ask again for as long as this waits.
                    slow.as_mut().reset(Instant::now() + SLOW);
                }
            }
        }
    }

    /// Resolves with an error when the server is given up; on SQLite never.
    pub(super) async fn given_up(self: Arc<Self>) -> DbErr {
        let Some(replaceable) = &self.replaceable else {
            return std::future::pending().await;
        };
        let mut end = replaceable.is_over.subscribe();
        // The sender lives as long as this pool.
        let _ = end.wait_for(|is_over| *is_over).await;
        lost()
    }

    fn suspect(self: &Arc<Self>) {
        let pools = self.replaceable.as_ref().map(|found| found.pools.upgrade());
        if let Some(pools) = pools.flatten() {
            pools.suspect(self);
        }
    }

    /// Ends the statements that still wait, and closes the connections.
    fn end(&self) {
        if let Some(replaceable) = &self.replaceable {
            replaceable.is_over.send_replace(true);
        }
        for pair in [&self.shared, &self.reserved] {
            for pool in [&pair.writer, &pair.reader] {
                let pool = pool.clone();
                // Waits for the connections in use, which may hang.
                tokio::spawn(async move { pool.close().await });
            }
        }
    }
}

/// The error of a statement whose server is lost. A commit may have been made.
fn lost() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the connection to the server of the store is lost".to_owned(),
    ))
}

/// Looks for a server until one is found, or nobody needs it any more.
async fn seek(pools: Weak<Pools>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(owner) = pools.upgrade() else {
            return;
        };
        if owner.look().await {
            // The next suspicion may come from statements of before.
            drop(owner);
            sleep(SLOW).await;
            if let Some(owner) = pools.upgrade() {
                owner.is_seeking.store(false, Ordering::Release);
            }
            return;
        }
        drop(owner);
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Looks for a server for as long as one that starts may take.
pub(super) async fn find_patiently(servers: &Servers, must_write: bool) -> Result<Server, DbErr> {
    let end = Instant::now() + START;
    let mut pause = FIRST_PAUSE;
    loop {
        match find(servers, 0, must_write).await {
            Ok(server) => return Ok(server),
            Err(none) if none.is_passing && Instant::now() < end => {}
            Err(none) => return Err(none.into()),
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// One connection to the server that can be written, with the settings of the role.
pub(super) async fn connect_once(url: &str) -> Result<DatabaseConnection, DbErr> {
    let servers = parsed(url)?;
    let server = find_patiently(&servers, true).await?;
    let mut options = ConnectOptions::new(servers.url(server.number));
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await
}

/// Parses a URL.
pub(super) fn parsed(url: &str) -> Result<Servers, DbErr> {
    let servers = Servers::parse(url);
    servers.map_err(|why| DbErr::Custom(format!("the database's URL {why}")))
}
