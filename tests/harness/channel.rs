//! The channel of every test. It fails on a refusal that the method's "Refusals:" list in the contract does
//! not have, and records each one, so that `tests/run` can find listed refusals that never occur.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write as _,
    sync::{LazyLock, Mutex},
    task::{Context, Poll},
};

use http_body_util::BodyExt as _;
use licet_contracts::{FILE_DESCRIPTOR_SET, types::v1::RefusalReason};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    transport::{self, Endpoint},
};
use tonic_types::StatusExt as _;

/// Names a file for every method and reason seen, a line each: `/package.Service/Method REASON`.
const NOTES: &str = "LICET_TEST_NOTE_REFUSALS";

/// A method's path and the refusals that its comment lists.
pub(crate) type Lists = BTreeMap<String, BTreeSet<String>>;

/// The lists of the whole contract.
pub(crate) static LISTED: LazyLock<Lists> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let methods = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    let ours = methods.filter(|method| method.parent_service().full_name().starts_with("licet."));
    ours.map(|method| (path(&method), listed(&comment(&method))))
        .collect()
});

static SEEN: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn comment(method: &MethodDescriptor) -> String {
    let service = method.parent_service();
    let file = method.parent_file();
    let proto = file.file_descriptor_proto();
    let mut places = (0..).zip(&proto.service).flat_map(|(s, service)| {
        let methods = (0..).zip(&service.method);
        methods.map(move |(m, method)| ([6, s, 2, m], service.name(), method.name()))
    });
    let named = (service.name(), method.name());
    let place = places.find(|(_, service, method)| (*service, *method) == named);
    let (place, _, _) = place.unwrap();
    let source = proto.source_code_info.as_ref().unwrap();
    let location = source.location.iter().find(|it| it.path == place);
    location.unwrap().leading_comments().to_owned()
}

/// The reasons that a method's comment names from "Refusals:" on.
fn listed(comment: &str) -> BTreeSet<String> {
    let Some((_, list)) = comment.split_once("Refusals:") else {
        return BTreeSet::new();
    };
    list.split(|char: char| !(char.is_ascii_uppercase() || char == '_'))
        .filter(|word| is_listed_kind(word))
        .map(str::to_owned)
        .collect()
}

/// Whether lists have this reason. Any mutation can get REQUEST_ID_REUSED, so no list has it.
fn is_listed_kind(reason: &str) -> bool {
    let is_refusal = RefusalReason::from_str_name(&format!("REFUSAL_REASON_{reason}")).is_some();
    (is_refusal && reason != "REQUEST_ID_REUSED") || reason == "OPERATION_IN_PROGRESS"
}

fn note(path: &str, status: &Status) {
    if matches!(status.code(), Code::Ok) {
        return;
    }
    let Some(info) = status.get_details_error_info() else {
        return;
    };
    let Some(list) = LISTED.get(path) else {
        return;
    };
    if !is_listed_kind(&info.reason) {
        return;
    }
    let is_new = SEEN
        .lock()
        .unwrap()
        .insert((path.to_owned(), info.reason.clone()));
    if is_new && let Some(file) = std::env::var_os(NOTES) {
        let notes = OpenOptions::new().create(true).append(true).open(file);
        // One write, so that lines of several processes do not mix.
        let line = format!("{path} {}\n", info.reason);
        notes.unwrap().write_all(line.as_bytes()).unwrap();
    }
    assert!(
        list.contains(&info.reason),
        "{path} refused with {}, which its comment in the contract does not list: {}",
        info.reason,
        status.message()
    );
}

/// A lazy connection to one service.
#[derive(Clone)]
pub(crate) struct Channel(transport::Channel);

impl Channel {
    /// A channel to an address such as `http://127.0.0.1:7001`.
    pub(crate) fn to(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(address.to_owned()).unwrap();
        Self(endpoint.connect_lazy())
    }

    /// A channel to a port of this machine.
    pub(crate) fn to_port(port: u16) -> Self {
        Self::to(&format!("http://127.0.0.1:{port}"))
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = transport::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(status) = Status::from_header_map(answer.headers()) {
                note(&path, &status);
            }
            // Once a response has begun, its status is in the trailers.
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                        note(&path, &status);
                    }
                    frame
                }))
            }))
        })
    }
}
