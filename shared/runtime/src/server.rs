//! Servers: a service's routes behind the guard, with health, reflection, events, operations and optionally
//! the test clock; and a shutdown that ends in bounded time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use licet_contracts::{
    FILE_DESCRIPTOR_SET, METHODS, clock::v1::clock_service_server::ClockServiceServer,
    events::v1::event_service_server::EventServiceServer,
    operations::v1::operation_service_server::OperationServiceServer,
};
use licet_domain::clock::Clock;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tonic::{service::RoutesBuilder, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    access::Access,
    clock::{SystemClock, TestClock},
    clock_service::ClockRpc,
    config::Limits,
    connections,
    database::Database,
    event_service::EventRpc,
    fault::Fault,
    guard::GuardLayer,
    operation_service::OperationRpc,
    outbox::Mover,
    peer_store::{PeerStores, StoreCheck},
    reflection::{self, Index},
    replay,
    retention::{Pruner, Retention},
    schedule::{self, CatchUp, DueWork},
    server_limits::ServerLimits,
    tls::Tls,
    transport::{COMPRESSION, served},
};

/// A service ready to be served.
pub struct Service {
    /// `billing`: the area in package names and in the source of events.
    pub name: &'static str,
    /// Its own gRPC services.
    pub routes: RoutesBuilder,
    /// Its database, for events and replay.
    pub database: Database,
    /// Its durable operations, if any; the server resumes them when they are due.
    pub operations: Option<OperationRpc>,
    /// Its own due work.
    pub due: Vec<Arc<dyn DueWork>>,
    /// How long it keeps rows that it does not keep for ever.
    pub retentions: &'static [Retention],
}

/// The clock and the catch-up that the services of a suite share.
#[derive(Clone)]
pub struct Suite {
    /// The clock for decisions.
    pub clock: Arc<dyn Clock>,
    /// Rows are pruned as if real time were ahead by this; zero but in tests.
    pub prune_ahead: TimeDelta,
    /// Mutual TLS and the access table; `None` for plaintext on loopback.
    pub security: Option<Security>,
    test_clock: Option<Arc<TestClock>>,
    catch_up: CatchUp,
}

impl Suite {
    /// Runs the due work of all services of the suite until none is left.
    ///
    /// # Errors
    /// The first fault; the schedules continue.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        self.catch_up.run().await
    }

    /// A suite with the system clock.
    #[must_use]
    pub fn on_system_clock() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            prune_ahead: TimeDelta::zero(),
            security: None,
            test_clock: None,
            catch_up: CatchUp::default(),
        }
    }

    /// A suite with a test clock. For development only.
    #[must_use]
    pub fn on_test_clock(clock: Arc<TestClock>) -> Self {
        Self {
            clock: clock.clone(),
            prune_ahead: TimeDelta::zero(),
            security: None,
            test_clock: Some(clock),
            catch_up: CatchUp::default(),
        }
    }
}

/// How a server knows its callers.
#[derive(Clone, Debug)]
pub struct Security {
    /// The server's certificate, and the authorities of its clients.
    pub tls: Tls,
    /// What each identity may do.
    pub access: Access,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Without TLS, only this machine may connect.
    #[error(
        "{0} is not a loopback address, and without TLS Licet listens on loopback only; set \
         --tls-certificate, --tls-key, --tls-ca and --access (LICET_TLS_CERTIFICATE, \
         LICET_TLS_KEY, LICET_TLS_CA, LICET_ACCESS)"
    )]
    NotLoopback(SocketAddr),
    /// The listener or the reflection data failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The contract's descriptors cannot be served.
    #[error("reflection: {0}")]
    Reflection(#[from] prost::DecodeError),
}

/// How long clients have to read the last responses of a stopping server. A client that does not read would
/// otherwise delay it for ever.
const DELIVERY: Duration = Duration::from_secs(2);
/// How long connections have to close after the last response: a client that is gone does not close its own.
const CLOSING: Duration = Duration::from_millis(250);

/// The largest request for health or reflection, which no limit counts: a name.
const SMALL_MESSAGE_BYTES: usize = 4 << 10;
/// The most streams of one connection at once; a client waits with more.
const STREAMS_PER_CONNECTION: u32 = 200;
/// How many streams of a connection may be reset before they are accepted, or for its errors, before the
/// connection is closed (CVE-2023-44487).
const RESETS: usize = 20;
/// A running server.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    limits: ServerLimits,
    in_flight: Arc<watch::Sender<()>>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    scheduled: Vec<JoinHandle<()>>,
    drain: Duration,
}

impl RunningServer {
    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops this server alone; see [`shutdown`].
    pub async fn shutdown(self) {
        shutdown(vec![self]).await;
    }

    /// Rejects new calls, ends streams, and waits for calls in progress.
    async fn drain_calls(&mut self, deadline: Instant) {
        let _ = self.stop.send(true);
        if timeout_at(deadline, self.limits.all_free()).await.is_err() {
            tracing::warn!(address = %self.address, "calls were still in progress after the drain");
        }
        for work in self.scheduled.drain(..) {
            // Due work can be interrupted at any point; it continues after the next start.
            work.abort();
        }
    }

    /// Waits for the last responses to be read and for connections to close.
    async fn close(mut self, deadline: Instant) {
        let closed = async {
            let _ = timeout(DELIVERY, self.in_flight.closed()).await;
            tokio::time::sleep(CLOSING).await;
        };
        tokio::select! {
            _ = &mut self.serving => {}
            () = closed => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
        self.serving.abort();
    }
}

/// Stops the servers of one process in the given order: list a server before its peers. Waits for calls in
/// progress and for streams that read requests, for all servers together at most as long as the longest
/// drain. Does not wait for idle connections, nor for clients that do not read.
pub async fn shutdown(mut servers: Vec<RunningServer>) {
    let drains = servers.iter().map(|server| server.drain);
    let deadline = Instant::now() + drains.max().unwrap_or_default();
    for server in &mut servers {
        server.drain_calls(deadline).await;
    }
    let closing = servers.into_iter().map(|server| server.close(deadline));
    futures::future::join_all(closing).await;
}

/// Serves `service` on `listener` until it is shut down.
///
/// # Errors
/// When the listener is not on loopback and there is no TLS, or the reflection data cannot be built.
pub async fn start(
    service: Service,
    listener: TcpListener,
    limits: &Limits,
    suite: &Suite,
) -> Result<RunningServer, StartError> {
    let address = listener.local_addr()?;
    if suite.security.is_none() && !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let (stop, stopped) = watch::channel(false);
    let moved = Arc::new(Notify::new());
    let mut due = service.due;
    due.push(Arc::new(Mover {
        database: service.database.clone(),
        moved: Arc::clone(&moved),
    }));
    for retention in [&replay::RETENTION].into_iter().chain(service.retentions) {
        due.push(Arc::new(Pruner {
            database: service.database.clone(),
            retention: *retention,
            ahead: suite.prune_ahead,
        }));
    }
    let store = service.database.clone();
    let reached = store.reached();
    let mut routes = service.routes;
    let shared = SharedPackages {
        operations: service.operations.is_some(),
        test_clock: suite.test_clock.is_some(),
    };
    if let Some(operations) = service.operations {
        due.insert(0, operations.resume());
        routes.add_service(served!(OperationServiceServer::new(operations)));
    }
    let events = EventRpc {
        database: service.database,
        source: format!("/licet/{}", service.name),
        moved,
    };
    routes.add_service(served!(EventServiceServer::new(events)));
    if let Some(clock) = &suite.test_clock {
        let rpc = ClockRpc::new(Arc::clone(clock), suite.catch_up.clone());
        routes.add_service(
            ClockServiceServer::new(rpc)
                .accept_compressed(COMPRESSION)
                .send_compressed(COMPRESSION),
        );
    }
    let due = suite.catch_up.add(due);
    let names = served_names(service.name, shared);
    add_reflection(&mut routes, &names)?;
    let (reporter, health) = tonic_health::server::health_reporter();
    set_health(&reporter, &names, ServingStatus::NotServing).await;
    routes.add_service(
        health
            .accept_compressed(COMPRESSION)
            .send_compressed(COMPRESSION)
            .max_decoding_message_size(SMALL_MESSAGE_BYTES),
    );

    let server_limits = ServerLimits::new(limits);
    let in_flight = Arc::new(watch::Sender::new(()));
    let guard = GuardLayer {
        access: suite
            .security
            .as_ref()
            .map(|security| security.access.clone()),
        clock: Arc::clone(&suite.clock),
        served: names.clone().into(),
        limits: server_limits.clone(),
        longest_call: limits.longest_call(),
        longest_stream: limits.longest_stream(),
        stopped: stopped.clone(),
        in_flight: Arc::clone(&in_flight),
        stores: StoreCheck {
            service: service.name,
            stores: PeerStores::new(store),
        },
    };
    let server = Server::builder()
        // Lets a browser get a readable error.
        .accept_http1(true)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_max_header_list_size(16 << 10)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_max_local_error_reset_streams(Some(RESETS))
        .layer(guard)
        .add_routes(routes.routes());
    let tls = suite.security.as_ref().map(|security| security.tls.clone());
    let connections = connections::accept(listener, tls, limits);
    let mut signal = stopped.clone();
    let serving = tokio::spawn(async move {
        let stop = async move {
            let _ = signal.wait_for(|stopped| *stopped).await;
        };
        if let Err(error) = server.serve_with_incoming_shutdown(connections, stop).await {
            tracing::error!(%error, "the listener failed");
        }
    });
    let scheduled = due
        .into_iter()
        .map(|due| tokio::spawn(schedule::run(due, stopped.clone())))
        .collect();
    set_health(&reporter, &names, ServingStatus::Serving).await;
    tokio::spawn(report_health(reporter, names, stopped, reached));
    Ok(RunningServer {
        address,
        limits: server_limits,
        in_flight,
        stop,
        serving,
        scheduled,
        drain: limits.drain(),
    })
}

/// Sets the health status of every gRPC service and of the whole server.
async fn set_health(reporter: &HealthReporter, names: &[String], status: ServingStatus) {
    for name in names.iter().map(String::as_str).chain([""]) {
        reporter.set_service_status(name, status).await;
    }
}

/// Reports the server as serving while its database can be reached, until it stops.
async fn report_health(
    reporter: HealthReporter,
    names: Vec<String>,
    mut stopped: watch::Receiver<bool>,
    mut reached: watch::Receiver<bool>,
) {
    loop {
        let stops = *stopped.borrow_and_update();
        let status = if *reached.borrow_and_update() && !stops {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        set_health(&reporter, &names, status).await;
        if stops {
            return;
        }
        tokio::select! {
            // The server is gone without a stop.
            changed = stopped.changed() => if changed.is_err() { return },
            // The watch of a store that nothing replaces may end; only the stop is awaited then.
            Ok(()) = reached.changed() => {}
        }
    }
}

/// The shared packages that a server has besides events.
#[derive(Clone, Copy)]
struct SharedPackages {
    operations: bool,
    test_clock: bool,
}

/// The gRPC services of this server: all of its own package and of its shared packages.
fn served_names(area: &str, shared: SharedPackages) -> Vec<String> {
    let own = format!("/licet.{}.", area.replace('-', ""));
    let mut names: Vec<String> = METHODS
        .iter()
        .map(|method| method.path)
        .filter(|path| {
            path.starts_with(&own)
                || path.starts_with("/licet.events.")
                || (shared.operations && path.starts_with("/licet.operations."))
                || (shared.test_clock && path.starts_with("/licet.clock."))
        })
        .filter_map(|path| path.trim_start_matches('/').split_once('/'))
        .map(|(service, _)| service.to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Serves the descriptors of the contract, of health and reflection, and of error details.
fn add_reflection(routes: &mut RoutesBuilder, names: &[String]) -> Result<(), prost::DecodeError> {
    let mut listed = names.to_vec();
    listed.push("grpc.health.v1.Health".to_owned());
    let index = Arc::new(Index::new(
        &listed,
        &[
            FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            tonic_types::pb::FILE_DESCRIPTOR_SET,
        ],
    )?);
    macro_rules! serve {
        ($server:expr) => {
            routes.add_service(
                $server
                    .accept_compressed(COMPRESSION)
                    .send_compressed(COMPRESSION)
                    .max_decoding_message_size(SMALL_MESSAGE_BYTES),
            )
        };
    }
    serve!(reflection::v1::serve(&index));
    serve!(reflection::v1alpha::serve(&index));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with a call that never ends.
    fn hanging(drain: Duration) -> (RunningServer, crate::concurrency::Permit) {
        let limits = Limits::default();
        let running = RunningServer {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            limits: ServerLimits::new(&limits),
            in_flight: Arc::new(watch::Sender::new(())),
            stop: watch::Sender::new(false),
            serving: tokio::spawn(std::future::pending()),
            scheduled: Vec::new(),
            drain,
        };
        let call = running.limits.calls.take("a caller").unwrap();
        (running, call)
    }

    #[tokio::test]
    async fn the_servers_of_one_process_share_one_drain() {
        let drain = Duration::from_millis(500);
        let (servers, _calls): (Vec<_>, Vec<_>) = (0..3).map(|_| hanging(drain)).unzip();
        let two_drains = tokio::time::sleep(2 * drain);
        tokio::select! {
            // Polled first: on a slow machine, both may be ready.
            biased;
            () = shutdown(servers) => {}
            () = two_drains => panic!("each server has its own drain"),
        }
    }
}
