//! The faults, and what the contract demands of a step that meets each. A new step meets every fault; this
//! table names the steps whose contract differs from a purchase's.

use licet_domain::refusal::Reason;

use crate::harness::channel::LISTED;

/// What happens to the calls at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// The peer never sees the first attempt.
    RequestLost,
    /// The peer executes the call, and its response is lost.
    AnswerLost,
    /// The peer fails several times.
    PeerFails,
    /// The peer refuses for a reason that the test cannot provoke at the real peer.
    PeerRefuses(Reason),
    /// The real peer refuses, because the balance is zero.
    ShortOfMoney,
    /// A rival made the same change before; the real peer refuses it or reports it as done.
    DoneBefore,
    /// The driver is killed between the peer's response and its commit.
    DriverKilled,
    /// The operation is cancelled before the peer has seen an attempt.
    Cancelled,
    /// The operation is cancelled after the peer executed the call and its response was lost.
    CancelledLate,
    /// The first attempt arrives after a retry has succeeded.
    DelayedAfterDone,
    /// The first attempt arrives once the balance is restored, after a retry was refused for lack of money.
    DelayedAfterRefused,
    /// The first attempt arrives after the operation was cancelled.
    DelayedAfterCancelled,
}

/// One of the mutations that a step calls at a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    pub(super) step: String,
    /// The peer's method.
    pub(super) path: String,
    /// The index of the call among the step's calls of this method.
    pub(super) number: usize,
}

/// The expected end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As without a fault.
    AsClean,
    /// The state before the operation, and this refusal.
    AsBefore(Reason),
    /// Done, except that a refund goes to a review.
    WithoutRefund,
}

/// A fault that a step meets, or why it cannot meet it.
pub(super) type Meeting = Result<(Fault, End), (&'static str, &'static str)>;

/// The faults of one point of a step, with their expected ends.
pub(super) fn meetings(scenario: &str, kind: &str, step: &str, path: &str) -> Vec<Meeting> {
    let mut all: Vec<Meeting> = [
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::PeerFails,
        Fault::DriverKilled,
        Fault::DelayedAfterDone,
    ]
    .map(|fault| Ok((fault, End::AsClean)))
    .into();
    all.extend(refusals(scenario, kind, step, path));
    all.extend(cancellations(scenario, kind, step));
    all
}

fn method(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// A refusal reason that both the peer's method and the operation's own method may return.
fn passed_on(kind: &str, path: &str) -> Reason {
    let words = kind.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    });
    let door = words.collect::<String>();
    let mut doors = LISTED.iter().filter(|(path, _)| method(path) == door);
    let (_, door) = doors
        .next()
        .unwrap_or_else(|| panic!("no method is named {door}"));
    let mut both: Vec<_> = LISTED[path].intersection(door).collect();
    both.sort_by_key(|reason| *reason == "NOT_FOUND");
    let first = both.first().unwrap_or_else(|| {
        panic!("{path} and the method of {kind} share no refusal, so none can be passed on")
    });
    first.parse().unwrap()
}

/// The peer's refusals of a step.
fn refusals(scenario: &str, kind: &str, step: &str, path: &str) -> Vec<Meeting> {
    let refused = {
        let reason = passed_on(kind, path);
        Ok((Fault::PeerRefuses(reason), End::AsBefore(reason)))
    };
    let never = |why| Err(("peer refuses", why));
    let late = |why| Err(("delayed first attempt after a refused retry", why));
    let done_before = Ok((Fault::DoneBefore, End::AsClean));
    const NOT_KEPT: &str =
        "only a refusal that the peer stores matters here, and the peer gives none";
    match (kind, step, method(path)) {
        (_, _, "CreateQuote") => vec![
            refused,
            done_before,
            late("a quote that nobody charges has no effect"),
        ],
        (_, _, "ChargeQuote" | "ChargeQuotes")
            if scenario.contains("in turn") && step != "charge" =>
        {
            vec![
                never("the peer refuses this step even without a fault"),
                late("likewise"),
            ]
        }
        (_, _, "ChargeQuote" | "ChargeQuotes") => {
            let end = End::AsBefore(Reason::InsufficientFunds);
            vec![
                Ok((Fault::ShortOfMoney, end)),
                Ok((Fault::DelayedAfterRefused, end)),
                done_before,
            ]
        }
        ("CANCEL_DOMAIN_CHANGE", "credit", "IssueCreditNote") => {
            vec![refused, done_before, late(NOT_KEPT)]
        }
        (_, _, "IssueCreditNote" | "ReleaseReservation" | "RevokeCertificates") => vec![
            done_before,
            late("a step that only undoes treats `done before` as success"),
        ],
        (_, _, "RequestRefund") => vec![
            Ok((
                Fault::PeerRefuses(Reason::AmountOutOfRange),
                End::WithoutRefund,
            )),
            done_before,
            late(NOT_KEPT),
        ],
        (_, _, "AuthorizeIssuance") => vec![refused, late(NOT_KEPT)],
        (_, _, "RecordCertificate") => vec![refused, done_before, late(NOT_KEPT)],
        (kind, step, method) => {
            panic!("{kind} calls {method} at its step {step}: add its refusals to `refusals`")
        }
    }
}

/// Steps that cannot be cancelled, and why.
const FORWARD_ONLY: &[(&str, &str, &str)] = &[
    (
        "UPDATE_DOMAINS in turn",
        "charge-next-term",
        "the running term is charged",
    ),
    (
        "UPDATE_DOMAINS in turn",
        "credit",
        "the operation ends as refused anyway",
    ),
    ("DELETE_ORDER", "", "a deletion is never undone (X-3)"),
    (
        "CANCEL_DOMAIN_CHANGE",
        "",
        "a credit cannot be undone (BL-3)",
    ),
    (
        "BEGIN_ISSUANCE",
        "release-replaced",
        "the new reservation is on the order",
    ),
    (
        "RECORD_ISSUANCE",
        "",
        "a certificate that was signed stays recorded (SL-21)",
    ),
];

/// Why a step cannot be cancelled.
pub(super) fn forward_only(scenario: &str, step: &str) -> Option<&'static str> {
    let found = FORWARD_ONLY
        .iter()
        .find(|(name, of, _)| scenario.starts_with(name) && (of.is_empty() || *of == step));
    found.map(|(_, _, why)| *why)
}

fn cancellations(scenario: &str, kind: &str, step: &str) -> Vec<Meeting> {
    if let Some(why) = forward_only(scenario, step) {
        // The test tries to cancel the operation nevertheless, which must be refused.
        return vec![
            Ok((Fault::Cancelled, End::AsClean)),
            Ok((Fault::CancelledLate, End::AsClean)),
            Err(("delayed first attempt after a cancellation", why)),
        ];
    }
    let undone = End::AsBefore(Reason::OperationCancelled);
    let late = match (kind, step) {
        // The peer has charged already, so the operation continues.
        (_, "charge" | "charge-next-term") => End::AsClean,
        (_, _) => undone,
    };
    vec![
        Ok((Fault::Cancelled, undone)),
        Ok((Fault::CancelledLate, late)),
        Ok((Fault::DelayedAfterCancelled, undone)),
    ]
}
