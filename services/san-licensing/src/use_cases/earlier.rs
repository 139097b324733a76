//! Reads operations that the version before typed steps stored, each with its stage.

use licet_clients::purchase::{Charge, Price, Purchase};
use licet_runtime::{
    fault::Fault,
    operation::{NextStep, StoredStep},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    accept_license::AcceptLicenseOperation, increase_quota::IncreaseQuotaOperation,
    renew_license::RenewLicenseOperation,
};
use crate::peers::{Quote, QuoteQuestion};

#[derive(Deserialize)]
struct Staged {
    stage: Stage,
}

#[derive(Deserialize)]
enum Stage {
    Price { question: QuoteQuestion },
    Charge { quote: Quote },
}

/// The step that an operation of the given variant had reached.
pub(crate) fn read(variant: &str, state: &Value) -> Result<Option<StoredStep>, Fault> {
    match variant {
        "AcceptLicense" => step::<AcceptLicenseOperation>(state).map(Some),
        "IncreaseQuota" => step::<IncreaseQuotaOperation>(state).map(Some),
        "RenewLicense" => step::<RenewLicenseOperation>(state).map(Some),
        _ => Ok(None),
    }
}

fn step<P>(state: &Value) -> Result<StoredStep, Fault>
where
    P: Purchase<Question = QuoteQuestion, Offer = Quote>,
{
    let Staged { stage } = Deserialize::deserialize(state).map_err(Fault::internal)?;
    let purchase = P::deserialize(state).map_err(Fault::internal)?;
    let step = match stage {
        Stage::Price { question } => NextStep::of(&Price { purchase, question }),
        Stage::Charge { quote } => Charge::of(&purchase, quote),
    };
    Ok(step.into())
}

#[cfg(test)]
mod tests;
