//! A SAN licence, as services that draw on it need it.

use licet_contracts::sanlicensing::v1 as san;
use licet_domain::{
    ids::{AccountId, LicenseId, ProductId},
    term::Period,
};
use licet_runtime::wire::decode_time;

use super::reading::{broken, parsed};

/// The current state of a licence.
#[derive(Clone, Debug)]
pub struct License {
    /// Its id.
    pub id: LicenseId,
    /// Its account.
    pub account_id: AccountId,
    /// Its state, such as `ACTIVE`.
    pub state: String,
    /// Its products.
    pub product_ids: Vec<ProductId>,
    /// The periods of its terms, oldest first; empty for a draft that starts when it is accepted.
    pub periods: Vec<Period>,
}

impl License {
    pub(super) fn decode(message: &san::License) -> Result<Self, String> {
        let state = message.state().as_str_name();
        let terms = message.past_terms.iter().chain(&message.term);
        let periods = terms.filter_map(|term| in_force(term).transpose());
        let products = message.product_ids.iter();
        let products = products.map(|id| parsed("licence", id));
        Ok(Self {
            id: parsed("licence", &message.license_id)?,
            account_id: parsed("licence", &message.account_id)?,
            state: state
                .strip_prefix("LICENSE_STATE_")
                .unwrap_or(state)
                .to_owned(),
            product_ids: products.collect::<Result<_, _>>()?,
            periods: periods.collect::<Result<_, _>>()?,
        })
    }
}

/// The period of a term; a term that was bought late begins with its purchase.
fn in_force(term: &san::LicenseTerm) -> Result<Option<Period>, String> {
    let Some(period) = &term.period else {
        return Ok(None);
    };
    let instant = |time: Option<&prost_types::Timestamp>| {
        let time =
            time.ok_or_else(|| broken("licence", "its term has no start_time or end_time"))?;
        decode_time(time).map_err(|error| broken("licence", error))
    };
    let start = term
        .bought_late_time
        .as_ref()
        .or(period.start_time.as_ref());
    let (start, end) = (instant(start)?, instant(period.end_time.as_ref())?);
    let period = Period::new(start, end);
    let period =
        period.ok_or_else(|| broken("licence", "its term does not end after its start"))?;
    Ok(Some(period))
}

#[cfg(test)]
mod tests {
    use licet_contracts::types::v1 as types;
    use licet_domain::clock::Instant;
    use licet_runtime::wire::encode_time;

    use super::*;

    fn instant(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn a_license_is_read_with_its_state_and_terms() {
        let (start, end) = (
            instant("2026-01-01T00:00:00Z"),
            instant("2027-01-01T00:00:00Z"),
        );
        let mut message = san::License {
            license_id: LicenseId::generate().to_string(),
            account_id: AccountId::generate().to_string(),
            state: san::LicenseState::Active.into(),
            product_ids: vec!["intranet-dv".to_owned()],
            term: Some(san::LicenseTerm {
                period: Some(types::Period {
                    start_time: Some(encode_time(start)),
                    end_time: Some(encode_time(end)),
                }),
                ..san::LicenseTerm::default()
            }),
            ..san::License::default()
        };
        let found = License::decode(&message).unwrap();
        let period = Period::new(start, end).unwrap();
        assert_eq!(
            (found.state.as_str(), found.periods),
            ("ACTIVE", vec![period])
        );
        let late = instant("2027-01-03T00:00:00Z");
        let before = message.term.clone().unwrap();
        let renewed = san::License {
            term: Some(san::LicenseTerm {
                period: Some(types::Period {
                    start_time: Some(encode_time(end)),
                    end_time: Some(encode_time(instant("2028-01-01T00:00:00Z"))),
                }),
                bought_late_time: Some(encode_time(late)),
                ..san::LicenseTerm::default()
            }),
            past_terms: vec![before],
            ..message.clone()
        };
        let found = License::decode(&renewed).unwrap().periods;
        let starts: Vec<_> = found.iter().map(|period| period.start).collect();
        assert_eq!(starts, [start, late]);
        message.term = None;
        assert_eq!(License::decode(&message).unwrap().periods, []);
    }
}
