//! Between the contract's messages and the values that Orders works with: a file per noun. What
//! comes in is parsed, never judged by the rules.

pub(crate) mod billing;
pub(crate) mod certificate;
pub(crate) mod deletion;
pub(crate) mod domains;
pub(crate) mod kept;
pub(crate) mod operation;
pub(crate) mod order;
pub(crate) mod server;

use licet_contracts::Mutation;
use licet_contracts::types::v1 as types;
use licet_domain::clock::Instant;
use licet_domain::money::Money;
use licet_domain::san::San;
use licet_domain::term::Period;
use licet_runtime::fault::Fault;
use licet_runtime::field::Fields;
use uuid::Uuid;

/// An instant in the contract's form.
pub(crate) fn encode_time(instant: Instant) -> prost_types::Timestamp {
    let micros = instant.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Below a second, in nanoseconds: always fits.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or_default(),
    }
}

/// An instant from the contract's form, truncated to microseconds (T-1).
pub(crate) fn decode_time(time: &prost_types::Timestamp) -> Result<Instant, String> {
    time.seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(time.nanos / 1000)))
        .and_then(Instant::from_micros)
        .ok_or_else(|| "is beyond the calendar".to_owned())
}

fn encode_period(period: Period) -> types::Period {
    types::Period {
        start_time: Some(encode_time(period.start)),
        end_time: Some(encode_time(period.end)),
    }
}

/// An amount in the contract's form.
pub(crate) fn encode_money(money: Money) -> types::Money {
    types::Money {
        currency_code: money.currency().code().to_owned(),
        value: money.value(),
    }
}

/// A count in the contract's form. The rules keep counts far below its end.
pub(crate) fn encode_count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn texts<'a>(names: impl IntoIterator<Item = &'a San>) -> Vec<String> {
    names
        .into_iter()
        .map(|name| name.value().to_owned())
        .collect()
}

/// A request id is not looked at where a call is only validated, and must be a UUID elsewhere.
fn check_request_id(fields: &mut Fields, message: &impl Mutation) {
    if !message.is_validate_only() && message.request_id().parse::<Uuid>().is_err() {
        fields.note("request_id", "must be a UUID");
    }
}

/// What a peer answered does not keep to the contract.
fn broken(what: &str, error: impl std::fmt::Display) -> String {
    format!("Billing answered a broken {what}: {error}")
}

/// An encoded message that was written by this service.
pub(crate) fn stored<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, Fault> {
    M::decode(bytes).map_err(|error| Fault::internal(format!("stored message: {error}")))
}
