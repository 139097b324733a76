//! Decides the commands of a round in order, each on the holdings that the previous ones left. Repeats get
//! the first reply (BL-2).

use licet_domain::refusal::Refusal;
use licet_runtime::{fault::Fault, replay::Reply};

use super::{
    command::{Authorize, Command, Once, Placement},
    plan::Plan,
    submission::{Change, Read, Submission},
};
use crate::rules::{
    decision::Decision,
    quota::{
        authorize::must_end_after,
        holdings::{Holdings, Licenses},
        usage::Usage,
    },
};

/// Decides changes: sets their replies and plans their writes.
pub(super) fn decide_all(
    plan: &mut Plan,
    licenses: &mut Licenses,
    submissions: &[Submission<Change>],
) {
    for submission in submissions {
        decide(plan, licenses, submission);
    }
}

fn decide(plan: &mut Plan, licenses: &mut Licenses, submission: &Submission<Change>) {
    let origin = &submission.requester.origin;
    match &submission.command {
        Change::Authorize(pending) => {
            pending.set(authorize(plan, licenses, submission, &pending.command));
        }
        Change::Release(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.command,
                |plan, holdings, command| plan.release(holdings, origin, *command),
            ));
        }
        Change::Record(pending) => {
            let response = once(
                plan,
                licenses,
                submission,
                &pending.command,
                |plan, holdings, command| plan.record(holdings, origin, command),
            );
            pending.set(response.map(Placement::Counted));
        }
        Change::Revoke(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.command,
                |plan, holdings, command| plan.revoke(holdings, origin, command),
            ));
        }
        Change::Allocate(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.command,
                |plan, holdings, command| plan.allocate_by_hand(holdings, origin, *command),
            ));
        }
    }
}

/// Decides an authorisation. The recorded decision itself is what a repeat finds.
fn authorize(
    plan: &mut Plan,
    licenses: &mut Licenses,
    submission: &Submission<Change>,
    command: &Authorize,
) -> Result<Decision, Fault> {
    let holdings = submission.visible(licenses)?;
    let request = &command.request;
    let key = (holdings.limits().account_id, request.id);
    if request.not_after <= holdings.as_of() && !plan.records.decisions.contains_key(&key) {
        return Err(Fault::invalid(
            "not_after_time",
            must_end_after(holdings.as_of()),
        ));
    }
    Ok(plan.authorize(holdings, &submission.requester.origin, command)?)
}

/// Decides a command, or returns the reply of the first request if this is a repeat.
fn once<A: Command>(
    plan: &mut Plan,
    licenses: &mut Licenses,
    submission: &Submission<Change>,
    once: &Once<A>,
    decide: impl FnOnce(&mut Plan, &mut Holdings, &A) -> Result<A::Reply, Refusal>,
) -> Result<Vec<u8>, Fault> {
    if let Some(first) = plan.records.replies.find(&once.claim) {
        // The caller may have lost access to the licence since.
        submission.visible(licenses)?;
        return Ok(response(&first)?);
    }
    let decided = submission.visible(licenses).and_then(|holdings| {
        let reply = decide(plan, holdings, &once.command)?;
        Ok((once.encode)(&reply, holdings.as_of()))
    });
    let settled = match decided {
        Ok(response) => Reply::Response(response),
        Err(refusal) => Reply::Refusal(refusal),
    };
    plan.record_reply(&once.claim, &settled);
    Ok(response(&settled)?)
}

fn response(settled: &Reply) -> Result<Vec<u8>, Refusal> {
    match settled {
        Reply::Response(response) => Ok(response.clone()),
        Reply::Refusal(refusal) => Err(refusal.clone()),
    }
}

/// Replies to reads, each as of its own clock.
pub(super) fn read_all(plan: &Plan, licenses: &mut Licenses, submissions: &[Submission<Read>]) {
    for submission in submissions {
        let holdings = submission.visible(licenses).map(|holdings| {
            holdings.advance(submission.requester.clock);
            &*holdings
        });
        match &submission.command {
            Read::PreviewRevocation(pending) => {
                let reply = holdings
                    .and_then(|holdings| plan.preview_revocation(holdings, &pending.command));
                pending.set(reply.map_err(Fault::from));
            }
            Read::ReadUsage(pending) => {
                pending.set(holdings.map(Usage::of).map_err(Fault::from));
            }
        }
    }
}
