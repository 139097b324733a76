//! Converts the contract's shared types (`licet.type.v1`, timestamps) to and from domain values. Decoding
//! errors complete a sentence that begins with the field's path.

use chrono::TimeDelta;
use licet_contracts::types::v1 as types;
use licet_domain::{
    clock::Instant,
    money::{Money, MoneyError, Price},
    term::Period,
};
use prost_types::Timestamp;

/// Encodes an instant.
#[must_use]
pub fn encode_time(instant: Instant) -> Timestamp {
    let micros = instant.as_micros();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Less than a second in nanoseconds: always fits.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default(),
    }
}

/// Decodes an instant, truncated to microseconds (T-1).
///
/// # Errors
/// A description of the problem.
pub fn decode_time(message: &Timestamp) -> Result<Instant, &'static str> {
    if !(0..1_000_000_000).contains(&message.nanos) {
        return Err("has nanos outside 0 to 999999999");
    }
    message
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(message.nanos / 1_000)))
        .and_then(Instant::from_micros)
        .ok_or("exceeds the supported date range")
}

/// Decodes a duration; `None` if it is malformed or shorter than a microsecond, the smallest difference of
/// instants (T-1).
#[must_use]
pub fn decode_length(message: &prost_types::Duration) -> Option<TimeDelta> {
    let nanos = u32::try_from(message.nanos).ok()?;
    let length = TimeDelta::new(message.seconds, nanos)?;
    (length >= TimeDelta::microseconds(1)).then_some(length)
}

/// Encodes a period.
#[must_use]
pub fn encode_period(period: Period) -> types::Period {
    types::Period {
        start_time: Some(encode_time(period.start)),
        end_time: Some(encode_time(period.end)),
    }
}

/// Encodes an amount.
#[must_use]
pub fn encode_money(money: Money) -> types::Money {
    types::Money {
        currency_code: money.currency().code().to_owned(),
        value: money.value(),
    }
}

/// Decodes an amount, which must have exactly its currency's decimals (M-1).
///
/// # Errors
/// A description of the problem.
pub fn decode_money(message: &types::Money) -> Result<Money, MoneyError> {
    Money::parse(&message.currency_code, &message.value)
}

/// Encodes a price.
#[must_use]
pub fn encode_price(price: Price) -> types::Price {
    types::Price {
        currency_code: price.currency().code().to_owned(),
        value: price.value(),
    }
}

/// Decodes a price, which has at most six decimals (M-1).
///
/// # Errors
/// A description of the problem.
pub fn decode_price(message: &types::Price) -> Result<Price, MoneyError> {
    Price::parse(&message.currency_code, &message.value)
}

/// Encodes a count. The rules keep counts far below the maximum.
pub fn encode_count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_before_and_after_the_epoch_survive() {
        for micros in [-1, 0, 1, 1_769_904_000_000_001, -62_135_596_800_000_000] {
            let instant = Instant::from_micros(micros).unwrap();
            assert_eq!(decode_time(&encode_time(instant)), Ok(instant));
        }
        let bad = Timestamp {
            seconds: 0,
            nanos: -1,
        };
        assert!(decode_time(&bad).is_err());
        let far = Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        };
        assert!(decode_time(&far).is_err());
    }
}
