//! One cell: a fault at one point of a scenario, with its expected end.

use licet_contracts::operations::v1::OperationState;

use super::{
    Known, Walk,
    faults::{End, Fault, Point, forward_only},
    operations::Operation,
    scenarios::{Scenario, Staged},
    snapshot::Snapshot,
};
use crate::harness::{errors::take_apart, eventually, request_id};

/// A fault at one point of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) scenario: Scenario,
    pub(super) point: Point,
    pub(super) fault: Fault,
    pub(super) end: End,
}

impl Walk {
    /// Runs the cell; returns what is wrong with its end.
    pub(super) async fn run(&self, cell: &Cell) -> Result<(), String> {
        let stage = &self.stage;
        let staged = cell.scenario.set(stage, true).await;
        staged.cell.watch(cell.fault, Some(cell.point.clone()));
        // Often no response arrives yet; `check` reads the end.
        let _ = staged.asked.send(&stage.doors).await;
        self.wait_until_met(&staged).await;
        let account_id = staged.cell.account_id.as_str();
        match cell.fault {
            Fault::ShortOfMoney | Fault::DelayedAfterRefused => {
                self.be_short_of_money(account_id, async || {
                    staged.cell.open();
                    self.end(cell.scenario, &staged).await;
                })
                .await;
            }
            Fault::DoneBefore => {
                staged
                    .cell
                    .first_attempt()
                    .of_somebody_else()
                    .arrive()
                    .await;
            }
            Fault::Cancelled | Fault::CancelledLate | Fault::DelayedAfterCancelled => {
                self.cancel(cell, &staged).await?;
            }
            Fault::None
            | Fault::RequestLost
            | Fault::AnswerLost
            | Fault::PeerFails
            | Fault::PeerRefuses(_)
            | Fault::DriverKilled
            | Fault::DelayedAfterDone => {}
        }
        // A refusal or failure continues to the end, also for a second driver that comes late.
        if !matches!(cell.fault, Fault::PeerRefuses(_) | Fault::PeerFails) {
            staged.cell.open();
        }
        self.check(cell, &staged).await
    }

    async fn wait_until_met(&self, staged: &Staged) {
        let account_id = &staged.cell.account_id;
        eventually("the step is reached", || async {
            if staged.cell.is_reached() {
                return Some(());
            }
            let running = self.stage.operations.running(account_id).await;
            if let Some(running) = running {
                self.stage.operations.retry(&running).await;
            }
            None
        })
        .await;
    }

    /// Withdraws the whole balance, does something, and deposits it again.
    pub(super) async fn be_short_of_money(&self, account_id: &str, meanwhile: impl AsyncFnOnce()) {
        let amount = self.stage.leave(account_id, 0).await;
        meanwhile().await;
        self.stage.world.deposit(account_id, &amount).await;
    }

    /// Cancels the operation, which must succeed or be refused as its contract says.
    async fn cancel(&self, cell: &Cell, staged: &Staged) -> Result<(), String> {
        const NOT_CANCELLABLE: &str = "OPERATION_NOT_CANCELLABLE";
        let operations = &self.stage.operations;
        let running = operations.running(&staged.cell.account_id).await;
        let running = running.ok_or("the operation ended before it could be cancelled")?;
        let request_id = request_id();
        let ask = async || {
            let answer = operations.cancel(&running, &request_id).await;
            answer
                .map(drop)
                .map_err(|status| take_apart(&status).reason)
        };
        let why = forward_only(cell.scenario.name, &cell.point.step);
        let answer = ask().await;
        staged.cell.open();
        let is_through = cell.end == End::AsClean;
        match (answer.as_ref().map_err(String::as_str), why) {
            (Ok(()), None) | (Err(NOT_CANCELLABLE), Some(_)) => {}
            // The peer has done the step, and the driver was about to learn so.
            (Err(NOT_CANCELLABLE), None) if is_through => {}
            (Ok(()), Some(why)) => {
                return Err(format!("the operation was cancelled, although {why}"));
            }
            (Err(reason), _) => {
                return Err(format!(
                    "cancelling was refused with {reason}; if that is right, add the step to `FORWARD_ONLY`"
                ));
            }
        }
        operations.ended(&running).await;
        // An operation that has ended as refused cannot be cancelled.
        let is_refused = self.known[cell.scenario.name].clean_state.0 == OperationState::Refused;
        let expected = match (is_through, why) {
            (true, None) if is_refused => Ok(()),
            (true, Some(_)) if is_refused => return Ok(()),
            (true, _) => Err(NOT_CANCELLABLE.to_owned()),
            (false, _) => answer,
        };
        let again = ask().await;
        if again != expected {
            return Err(format!(
                "a second cancellation returned {again:?}, expected {expected:?}"
            ));
        }
        Ok(())
    }

    /// The operation, once it has ended.
    pub(super) async fn end(&self, scenario: Scenario, staged: &Staged) -> Operation {
        let operations = &self.stage.operations;
        let account_id = &staged.cell.account_id;
        let newest = operations.newest(scenario.place, account_id).await;
        operations.ended(&newest.unwrap()).await
    }

    /// Waits for the end, and compares the state with the expected one.
    pub(super) async fn check(&self, cell: &Cell, staged: &Staged) -> Result<(), String> {
        let known = &self.known[cell.scenario.name];
        let ended = self.end(cell.scenario, staged).await;
        if matches!(
            cell.fault,
            Fault::DelayedAfterDone | Fault::DelayedAfterRefused | Fault::DelayedAfterCancelled
        ) {
            staged.cell.first_attempt().arrive().await;
        }
        let expected = match cell.end {
            End::AsClean => known.clean_state.clone(),
            End::AsBefore(reason) => (OperationState::Refused, reason.as_str().to_owned()),
            End::WithoutRefund => (OperationState::Done, "UNSPECIFIED".to_owned()),
        };
        let found = (ended.state, ended.refusal_reason.clone());
        if found != expected {
            return Err(format!(
                "the operation ended as {found:?}, expected {expected:?}"
            ));
        }
        let under_way = self.stage.operations.running(&staged.cell.account_id).await;
        if let Some(running) = under_way {
            return Err(format!("{running:?} is still running"));
        }
        self.repeat(staged, &ended).await?;
        let now = self.look(&staged.cell.account_id).await;
        self.compare(cell, known, now)
    }

    fn compare(&self, cell: &Cell, known: &Known, now: Snapshot) -> Result<(), String> {
        let is_short = matches!(cell.fault, Fault::ShortOfMoney | Fault::DelayedAfterRefused);
        let (now, expected) = match cell.end {
            End::AsClean => (now, known.clean.clone()),
            End::AsBefore(_) => {
                let before = if is_short {
                    &known.before_short
                } else {
                    &known.before
                };
                (now.without_versions(), before.clone().without_versions())
            }
            End::WithoutRefund => {
                let orders = now.section("orders").concat();
                if !orders.contains("PendingReview") {
                    return Err(format!("no refund is in review: {orders}"));
                }
                let kept = [
                    "certificates",
                    "servers",
                    "awaited",
                    "licenses",
                    "usage",
                    "reservations",
                    "counted",
                ];
                (now.only(&kept), known.clean.clone().only(&kept))
            }
        };
        now.difference(&expected).map_or(Ok(()), Err)
    }

    /// Repeats of the starting request always get the operation's result.
    async fn repeat(&self, staged: &Staged, ended: &Operation) -> Result<(), String> {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = staged.asked.send(&self.stage.doors).await;
            answers.push(answer.map_err(|status| take_apart(&status)));
        }
        if answers[0] != answers[1] {
            return Err(format!("two repeats got different responses: {answers:?}"));
        }
        match (&answers[0], ended.state) {
            (Ok(_), OperationState::Done) => Ok(()),
            (Err(refused), OperationState::Refused) if refused.reason == ended.refusal_reason => {
                Ok(())
            }
            (answer, _) => Err(format!(
                "the operation ended as {ended:?}, but a repeat got {answer:?}"
            )),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Point { step, path, number } = &self.point;
        let (scenario, fault) = (self.scenario.name, self.fault);
        write!(
            out,
            "{scenario} at {step}, call {number} of {path}, {fault:?}"
        )
    }
}
