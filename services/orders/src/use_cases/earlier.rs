//! Reads operations that were stored before steps were typed: the fields of a kind, and the stage
//! that it had reached.

use licet_clients::{
    billing::{Quote, RefundQuestion},
    purchase::{Charge, Price, Purchase},
    san_licensing::{Authorization, AuthorizeQuestion, RecordQuestion},
};
use licet_domain::{
    ids::{InvoiceId, LicenseId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{
    fault::Fault,
    operation::{NextStep, StoredStep},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    begin_issuance::{Authorize, BeginIssuanceOperation, ReleaseReplaced},
    cancel_domain_change::{CancelDomainChangeOperation, CreditInvoice},
    charge_domains::{
        ChargeDomainChange, ChargeNextTerm, ChargedQuote, Charges, CreditDomainChange,
        PriceDomainChange, Questions, Quotes, UpdateDomainsOperation,
    },
    finish_deletion::{DeleteOrderOperation, RefundTerm},
    place_order::PlaceOrderOperation,
    record_issuance::{RecordInLicense, RecordIssuanceOperation, WithdrawCertificate},
    renew_order::RenewOrderOperation,
};
use crate::rules::san_license::LicenseRevocation;

/// The step that a stored operation of this variant was at.
pub(crate) fn read(variant: &str, state: &Value) -> Result<Option<StoredStep>, Fault> {
    let step = match variant {
        "PlaceOrder" => purchase::<PlaceOrderOperation>(state)?,
        "RenewOrder" => purchase::<RenewOrderOperation>(state)?,
        "UpdateDomains" => update_domains(state)?,
        "DeleteOrder" => delete_order(state)?,
        "BeginIssuance" => begin_issuance(state)?,
        "RecordIssuance" => record_issuance(state)?,
        "CancelDomainChange" => cancel_domain_change(state)?,
        _ => return Ok(None),
    };
    Ok(Some(step))
}

fn part<T: DeserializeOwned>(state: &Value) -> Result<T, Fault> {
    T::deserialize(state).map_err(Fault::internal)
}

#[derive(Deserialize)]
struct Staged<S> {
    stage: S,
}

fn purchase<P: Purchase>(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    enum Stage<Q, O> {
        Price(Q),
        Charge(O),
    }
    let purchase: P = part(state)?;
    let Staged { stage } = part(state)?;
    let step = match stage {
        Stage::Price(question) => NextStep::of(&Price { purchase, question }),
        Stage::Charge(offer) => Charge::of(&purchase, offer),
    };
    Ok(step.into())
}

fn update_domains(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    enum Stage {
        Price(Questions),
        Charge {
            quote: Quote,
            next_quote: Option<Quote>,
        },
        ChargeBoth {
            quote: Quote,
            next_quote: Quote,
        },
        ChargeNext {
            charged: Option<Box<ChargedQuote>>,
            next_quote: Quote,
        },
        Credit {
            invoice_id: InvoiceId,
            refusal: Refusal,
        },
    }
    let change: UpdateDomainsOperation = part(state)?;
    let Staged { stage } = part(state)?;
    let step = match stage {
        Stage::Price(questions) => NextStep::of(&PriceDomainChange { change, questions }),
        Stage::Charge {
            quote,
            next_quote: None,
        } => change.charge(Quotes::This(quote)),
        Stage::Charge {
            quote,
            next_quote: Some(next_quote),
        } => NextStep::of(&ChargeDomainChange {
            change,
            charges: Charges::InTurn(quote, next_quote),
        }),
        Stage::ChargeBoth { quote, next_quote } => {
            change.charge(Quotes::Both(quote, Box::new(next_quote)))
        }
        Stage::ChargeNext {
            charged,
            next_quote: quote,
        } => NextStep::of(&ChargeNextTerm {
            change,
            charged: charged.map(|charged| *charged),
            quote,
        }),
        Stage::Credit {
            invoice_id,
            refusal,
        } => NextStep::of(&CreditDomainChange {
            change,
            invoice_id,
            refusal,
        }),
    };
    Ok(step.into())
}

fn delete_order(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Decided {
        is_refund_decided: bool,
        is_next_refund_decided: bool,
        are_past_refunds_decided: bool,
    }
    #[derive(Deserialize)]
    struct Asked {
        question: RefundQuestion,
    }
    let mut deleting: DeleteOrderOperation = part(state)?;
    let decided: Decided = part(state)?;
    if !decided.is_refund_decided {
        let Asked { question } = part(state)?;
        return Ok(NextStep::of(&RefundTerm::<false> { deleting, question }).into());
    }
    if decided.is_next_refund_decided {
        deleting.next_question = None;
    }
    if decided.are_past_refunds_decided {
        deleting.past_questions.clear();
    }
    let next = deleting.next();
    let next = next.ok_or_else(|| Fault::internal("a stored deletion has no step left"))?;
    Ok(next.into())
}

fn begin_issuance(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    struct Fields {
        question: AuthorizeQuestion,
        replacing: Option<Replacing>,
    }
    #[derive(Deserialize)]
    struct Replacing {
        answer: Authorization,
        license_id: LicenseId,
        reservation_id: ReservationId,
    }
    let issuance: BeginIssuanceOperation = part(state)?;
    let fields: Fields = part(state)?;
    let step = match fields.replacing {
        None => NextStep::of(&Authorize {
            issuance,
            question: fields.question,
        }),
        Some(replacing) => NextStep::of(&ReleaseReplaced {
            issuance,
            answer: replacing.answer,
            license_id: replacing.license_id,
            reservation_id: replacing.reservation_id,
        }),
    };
    Ok(step.into())
}

fn record_issuance(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    struct Fields {
        question: RecordQuestion,
        chain_pem: String,
        withdrawing: Option<Withdrawing>,
    }
    #[derive(Deserialize)]
    struct Withdrawing {
        back: LicenseRevocation,
        refusal: Refusal,
    }
    let recording: RecordIssuanceOperation = part(state)?;
    let fields: Fields = part(state)?;
    let step = match fields.withdrawing {
        None => NextStep::of(&RecordInLicense {
            recording,
            question: fields.question,
            chain_pem: fields.chain_pem,
            license_id: None,
        }),
        Some(Withdrawing { back, refusal }) => NextStep::of(&WithdrawCertificate {
            recording,
            revocation: back,
            refusal,
        }),
    };
    Ok(step.into())
}

fn cancel_domain_change(state: &Value) -> Result<StoredStep, Fault> {
    #[derive(Deserialize)]
    struct Fields {
        invoices: Vec<InvoiceId>,
        settled: usize,
        reservation: Option<(LicenseId, ReservationId)>,
    }
    let change: CancelDomainChangeOperation = part(state)?;
    let fields: Fields = part(state)?;
    let reservation = fields.reservation;
    let due: Vec<_> = fields.invoices.into_iter().skip(fields.settled).collect();
    let step = match due.first() {
        Some(invoice_id) if fields.settled > 0 => NextStep::of(&CreditInvoice::<true> {
            change,
            invoice_id: *invoice_id,
            next_invoice_id: None,
            reservation,
        }),
        _ => change.begin(due, reservation)?,
    };
    Ok(step.into())
}

#[cfg(test)]
mod tests;
