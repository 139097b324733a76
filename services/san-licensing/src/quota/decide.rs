//! Decides the commands of a round, one after the other: each against the holdings that the ones before
//! it left. Repeats get the first reply (BL-2).

use licet_domain::refusal::Refusal;
use licet_runtime::{fault::Fault, replay::Reply};

use super::{
    command::{Ask, Authorize, Once, Placement},
    plan::Plan,
    submission::{Change, Look, Submission},
};
use crate::rules::{
    decision::Decision,
    quota::{
        holdings::{Holdings, Licenses},
        usage::Usage,
    },
};

/// Decides commands that change something: the replies are set, the changes planned.
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
    let origin = &submission.asker.origin;
    match &submission.command {
        Change::Authorize(pending) => {
            pending.set(authorize(plan, licenses, submission, &pending.ask));
        }
        Change::Release(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.ask,
                |plan, holdings, ask| plan.release(holdings, origin, *ask),
            ));
        }
        Change::Record(pending) => {
            let response = once(
                plan,
                licenses,
                submission,
                &pending.ask,
                |plan, holdings, ask| plan.record(holdings, origin, ask),
            );
            pending.set(response.map(Placement::Counted));
        }
        Change::Revoke(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.ask,
                |plan, holdings, ask| plan.revoke(holdings, origin, ask),
            ));
        }
        Change::Allocate(pending) => {
            pending.set(once(
                plan,
                licenses,
                submission,
                &pending.ask,
                |plan, holdings, ask| plan.allocate_by_hand(holdings, origin, *ask),
            ));
        }
    }
}

/// An authorisation's decision is its own record: a repeat finds it.
fn authorize(
    plan: &mut Plan,
    licenses: &mut Licenses,
    submission: &Submission<Change>,
    ask: &Authorize,
) -> Result<Decision, Fault> {
    let holdings = submission.visible(licenses)?;
    let request = &ask.request;
    if request.not_after <= holdings.as_of() && !plan.records.decisions.contains_key(&request.id) {
        return Err(Fault::invalid("not_after_time", "must be after now"));
    }
    Ok(plan.authorize(holdings, &submission.asker.origin, ask)?)
}

/// Decides a command that is done once, or replies as it was replied before.
fn once<A: Ask>(
    plan: &mut Plan,
    licenses: &mut Licenses,
    submission: &Submission<Change>,
    once: &Once<A>,
    decide: impl FnOnce(&mut Plan, &mut Holdings, &A) -> Result<A::Reply, Refusal>,
) -> Result<Vec<u8>, Fault> {
    if let Some(first) = plan.records.settled.find(&once.claim) {
        // The first reply is for those who see the licence now.
        submission.visible(licenses)?;
        return Ok(response(&first)?);
    }
    let decided = submission.visible(licenses).and_then(|holdings| {
        let reply = decide(plan, holdings, &once.ask)?;
        Ok((once.encode)(&reply, holdings.as_of()))
    });
    let settled = match decided {
        Ok(response) => Reply::Response(response),
        Err(refusal) => Reply::Refusal(refusal),
    };
    plan.settle(&once.claim, &settled);
    Ok(response(&settled)?)
}

fn response(settled: &Reply) -> Result<Vec<u8>, Refusal> {
    match settled {
        Reply::Response(response) => Ok(response.clone()),
        Reply::Refusal(refusal) => Err(refusal.clone()),
    }
}

/// Replies to commands that change nothing, each as of its own clock.
pub(super) fn look_all(plan: &Plan, licenses: &mut Licenses, submissions: &[Submission<Look>]) {
    for submission in submissions {
        let holdings = submission.visible(licenses).map(|holdings| {
            holdings.advance(submission.asker.clock);
            &*holdings
        });
        match &submission.command {
            Look::PreviewRevocation(pending) => {
                let reply =
                    holdings.and_then(|holdings| plan.preview_revocation(holdings, &pending.ask));
                pending.set(reply.map_err(Fault::from));
            }
            Look::ReadUsage(pending) => {
                pending.set(holdings.map(Usage::of).map_err(Fault::from));
            }
        }
    }
}
