//! The network between the services: assigns each call to its cell and applies the cell's fault to the calls
//! of one step.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use http_body_util::{BodyExt as _, Full};
use licet_contracts::FILE_DESCRIPTOR_SET;
use licet_domain::refusal::{Reason, Refusal};
use licet_runtime::{
    fault::Fault as Failure,
    peer::{CallFuture, FaultPlan, Forwarder},
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tonic::{
    Status,
    body::Body,
    codegen::{Bytes, http},
    transport::Error,
};

use super::{
    faults::{Fault, Point},
    operations::Operations,
};

/// The schedule makes this call for deleted orders with the request id that a later step uses.
const ALSO_BY_SCHEDULE: &str = "/RevokeCertificates";

/// The network of one world.
#[derive(Default)]
pub(super) struct Network {
    /// The cell of every id in a call or its response; each cell has its own account.
    cells: Mutex<HashMap<String, Arc<Cell>>>,
    operations: OnceLock<Operations>,
}

/// One run of a scenario.
pub(super) struct Cell {
    pub(super) account_id: String,
    state: Mutex<State>,
}

struct State {
    mode: Mode,
    /// The mutations that steps called, without repeats, in the order of their first attempts.
    trace: Vec<Seen>,
    /// Attempts at the point of the fault.
    attempts: u32,
    /// The first attempt there.
    first: Option<Call>,
    /// Whether the peer has responded to the first attempt; that response never arrives.
    is_answered: bool,
}

#[derive(Clone)]
enum Mode {
    /// No fault.
    Open,
    /// Calls whose path contains this are lost.
    Losing(&'static str),
    Watching(Fault, Option<Point>),
}

/// A mutation that a step called at a peer.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) point: Point,
    request_id: String,
}

impl Seen {
    pub(super) fn is_same_change(&self, other: &Self) -> bool {
        self.point.path == other.point.path && self.request_id == other.request_id
    }
}

/// A call to a peer, which can be repeated.
#[derive(Clone)]
pub(super) struct Call {
    parts: http::request::Parts,
    bytes: Bytes,
    forwarder: Forwarder,
}

type Answered = Result<http::Response<Body>, Error>;

impl Network {
    pub(super) fn attach(&self, operations: Operations) {
        assert!(self.operations.set(operations).is_ok());
    }

    /// Makes a cell for a new account.
    pub(super) fn enter(&self, account_id: &str) -> Arc<Cell> {
        let cell = Arc::new(Cell {
            account_id: account_id.to_owned(),
            state: Mutex::new(State {
                mode: Mode::Open,
                trace: Vec::new(),
                attempts: 0,
                first: None,
                is_answered: false,
            }),
        });
        let mut cells = self.cells.lock().unwrap();
        cells.insert(account_id.to_owned(), cell.clone());
        cell
    }

    fn cell_of(&self, bytes: &[u8]) -> Option<Arc<Cell>> {
        let cells = self.cells.lock().unwrap();
        let found = ids(bytes).find_map(|id| cells.get(id).cloned())?;
        drop(cells);
        self.learn(&found, bytes);
        Some(found)
    }

    fn learn(&self, cell: &Arc<Cell>, bytes: &[u8]) {
        let mut cells = self.cells.lock().unwrap();
        for id in ids(bytes) {
            cells.entry(id.to_owned()).or_insert_with(|| cell.clone());
        }
    }

    async fn pass(&self, cell: &Arc<Cell>, call: Call) -> Answered {
        let (parts, body) = call.send().await?.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned();
        let bytes = body.to_bytes();
        self.learn(cell, &bytes);
        let body = Full::new(bytes).with_trailers(async { trailers.map(Ok) });
        Ok(http::Response::from_parts(parts, Body::new(body)))
    }

    async fn meet(&self, cell: &Arc<Cell>, call: Call, is_doomed: bool) -> Answered {
        let path = call.parts.uri.path().to_owned();
        let Some(request_id) = request_id(&path, &call.bytes) else {
            return call.send().await;
        };
        let (fault, at) = match cell.mode() {
            Mode::Losing(part) if path.contains(part) => return Ok(lost()),
            Mode::Open | Mode::Losing(_) => return self.pass(cell, call).await,
            Mode::Watching(fault, at) => (fault, at),
        };
        let operations = self.operations.get().unwrap();
        let running = operations.running(&cell.account_id).await;
        let step = running.map(|operation| operation.step).unwrap_or_default();
        let point = cell.note(&step, &path, &request_id);
        if at.is_none_or(|at| at != point) {
            return self.pass(cell, call).await;
        }
        let attempt = cell.attempt(&call);
        let refuse = |failure: Failure| Ok(Status::from(failure).into_http());
        match (fault, attempt) {
            (Fault::AnswerLost | Fault::CancelledLate, 1) => {
                self.pass(cell, call).await?;
                Ok(lost())
            }
            (Fault::DriverKilled, _) if is_doomed => {
                self.pass(cell, call).await?;
                cell.state.lock().unwrap().is_answered = true;
                std::future::pending().await
            }
            (Fault::PeerFails, 1) => refuse(Failure::internal("a disk failed")),
            (Fault::PeerFails, 2) => Ok(Status::deadline_exceeded("too slow").into_http()),
            (Fault::RequestLost | Fault::DelayedAfterDone, 1)
            | (Fault::PeerFails, 3)
            | (
                Fault::DelayedAfterRefused
                | Fault::DelayedAfterCancelled
                | Fault::ShortOfMoney
                | Fault::DoneBefore
                | Fault::Cancelled
                | Fault::CancelledLate
                | Fault::DriverKilled,
                _,
            ) => Ok(lost()),
            (Fault::PeerRefuses(reason), _) => refuse(refusal(reason).into()),
            (
                Fault::None
                | Fault::RequestLost
                | Fault::AnswerLost
                | Fault::PeerFails
                | Fault::DelayedAfterDone,
                _,
            ) => self.pass(cell, call).await,
        }
    }
}

fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "refused by the network of the test")
}

fn lost() -> http::Response<Body> {
    Status::unavailable("the connection was lost").into_http()
}

impl Network {
    async fn carry(
        &self,
        call: http::Request<Body>,
        forwarder: Forwarder,
        is_doomed: bool,
    ) -> Answered {
        let (parts, body) = call.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let call = Call {
            parts,
            bytes,
            forwarder,
        };
        match self.cell_of(&call.bytes) {
            Some(cell) => self.meet(&cell, call, is_doomed).await,
            None => call.send().await,
        }
    }
}

impl FaultPlan for Network {
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move { Self::carry(&self, call, forwarder, false).await })
    }
}

/// The same network, for instances that the test kills.
pub(super) struct Dying(pub(super) Arc<Network>);

impl FaultPlan for Dying {
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move { Network::carry(&self.0, call, forwarder, true).await })
    }
}

impl Call {
    async fn send(self) -> Answered {
        let body = Body::new(Full::new(self.bytes));
        let request = http::Request::from_parts(self.parts, body);
        self.forwarder.send(request).await
    }

    /// Makes the call and ignores its response.
    pub(super) async fn arrive(self) {
        let answer = self.send().await.unwrap();
        answer.into_body().collect().await.unwrap();
    }

    /// The same call with a new request id.
    pub(super) fn of_somebody_else(mut self) -> Self {
        let path = self.parts.uri.path().to_owned();
        let old = request_id(&path, &self.bytes).unwrap();
        let new = crate::harness::request_id();
        let mut bytes = self.bytes.to_vec();
        let at = bytes
            .windows(old.len())
            .position(|found| found == old.as_bytes())
            .unwrap();
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        self.bytes = bytes.into();
        self
    }
}

impl Cell {
    fn mode(&self) -> Mode {
        self.state.lock().unwrap().mode.clone()
    }

    /// From now on, calls at this point meet the fault.
    pub(super) fn watch(&self, fault: Fault, at: Option<Point>) {
        self.state.lock().unwrap().mode = Mode::Watching(fault, at);
    }

    /// From now on, calls whose path contains this are lost.
    pub(super) fn lose(&self, part: &'static str) {
        self.state.lock().unwrap().mode = Mode::Losing(part);
    }

    /// From now on, no call meets a fault.
    pub(super) fn open(&self) {
        self.state.lock().unwrap().mode = Mode::Open;
    }

    pub(super) fn trace(&self) -> Vec<Seen> {
        self.state.lock().unwrap().trace.clone()
    }

    pub(super) fn is_reached(&self) -> bool {
        self.state.lock().unwrap().attempts > 0
    }

    pub(super) fn is_answered(&self) -> bool {
        self.state.lock().unwrap().is_answered
    }

    /// The first attempt at the point of the fault.
    pub(super) fn first_attempt(&self) -> Call {
        self.state.lock().unwrap().first.clone().unwrap()
    }

    fn attempt(&self, call: &Call) -> u32 {
        let mut state = self.state.lock().unwrap();
        state.attempts += 1;
        state.first.get_or_insert_with(|| call.clone());
        state.attempts
    }

    /// The point of a call. A repeat has the same point, even if a slow second driver sends it while the
    /// first driver is a step ahead.
    fn note(&self, step: &str, path: &str, request_id: &str) -> Point {
        let mut state = self.state.lock().unwrap();
        let is_over = step.is_empty() || step == "cancel";
        let any_step = is_over || !path.ends_with(ALSO_BY_SCHEDULE);
        let of_path = state.trace.iter().filter(|seen| seen.point.path == path);
        let mut known = of_path.filter(|seen| any_step || seen.point.step == step);
        let found = known.find(|seen| seen.request_id == request_id);
        if let Some(seen) = found {
            return seen.point.clone();
        }
        let is_beside = |seen: &&Seen| seen.point.path == path && seen.point.step == step;
        let point = Point {
            step: step.to_owned(),
            path: path.to_owned(),
            number: state.trace.iter().filter(is_beside).count(),
        };
        state.trace.push(Seen {
            point: point.clone(),
            request_id: request_id.to_owned(),
        });
        point
    }
}

/// The ids in a message, each a prefix, an underscore and 26 characters.
fn ids(bytes: &[u8]) -> impl Iterator<Item = &str> {
    const LENGTH: usize = 26;
    let marks = (0..bytes.len()).filter(|at| bytes[*at] == b'_');
    marks.filter_map(|at| {
        let letters = bytes[..at].iter().rev();
        let letters = letters.take_while(|byte| byte.is_ascii_lowercase()).count();
        let rest = bytes.get(at + 1..=at + LENGTH)?;
        let is_id = letters > 0
            && rest
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let id = &bytes[at - letters..=at + LENGTH];
        is_id.then(|| std::str::from_utf8(id).unwrap())
    })
}

/// The call's `request_id`, if its message has that field, as every mutation does.
fn request_id(path: &str, bytes: &[u8]) -> Option<String> {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap());
    let (service, method) = path.trim_start_matches('/').split_once('/')?;
    let service = pool.get_service_by_name(service)?;
    let method = service.methods().find(|found| found.name() == method)?;
    let input: MessageDescriptor = method.input();
    let field = input.get_field_by_name("request_id")?;
    // The compression flag and the length precede the message.
    let message = DynamicMessage::decode(input, bytes.get(5..)?).ok()?;
    message.get_field(&field).as_str().map(str::to_owned)
}
