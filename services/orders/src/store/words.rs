//! The words by which the tables keep states. A word once written is never given another meaning.

use licet_runtime::fault::Fault;

use crate::rules::{
    order::{ChangeProgress, Progress},
    servers::ServerState,
};

pub(super) fn progress(progress: Progress) -> &'static str {
    match progress {
        Progress::Pending => "PENDING",
        Progress::Paid => "PAID",
        Progress::Issued => "ISSUED",
        Progress::Deleted => "DELETED",
    }
}

pub(super) fn read_progress(word: &str) -> Result<Progress, Fault> {
    match word {
        "PENDING" => Ok(Progress::Pending),
        "PAID" => Ok(Progress::Paid),
        "ISSUED" => Ok(Progress::Issued),
        "DELETED" => Ok(Progress::Deleted),
        other => Err(unknown(other)),
    }
}

pub(super) fn change_progress(progress: ChangeProgress) -> &'static str {
    match progress {
        ChangeProgress::Charging => "CHARGING",
        ChangeProgress::AwaitingIssuance => "AWAITING_ISSUANCE",
    }
}

pub(super) fn read_change_progress(word: &str) -> Result<ChangeProgress, Fault> {
    match word {
        "CHARGING" => Ok(ChangeProgress::Charging),
        "AWAITING_ISSUANCE" => Ok(ChangeProgress::AwaitingIssuance),
        other => Err(unknown(other)),
    }
}

pub(super) fn server_state(state: ServerState) -> &'static str {
    match state {
        ServerState::Registered => "REGISTERED",
        ServerState::Unregistered => "UNREGISTERED",
        ServerState::Invalidated => "INVALIDATED",
    }
}

pub(super) fn read_server_state(word: &str) -> Result<ServerState, Fault> {
    match word {
        "REGISTERED" => Ok(ServerState::Registered),
        "UNREGISTERED" => Ok(ServerState::Unregistered),
        "INVALIDATED" => Ok(ServerState::Invalidated),
        other => Err(unknown(other)),
    }
}

fn unknown(word: &str) -> Fault {
    Fault::internal(format!("stored state {word:?} is none of this version"))
}
