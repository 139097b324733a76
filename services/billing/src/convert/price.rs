//! Price lists: messages to values, and back.

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_domain::money::{Currency, Price};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_price, decode_time, encode_count, encode_price, encode_time},
};

use crate::{
    rules::{
        listing::PriceFilter,
        prices::{PriceList, Prices, TermPrices},
        volume::{self, VolumeTier},
    },
    use_cases::set_prices::SetPrices,
};

/// The most terms or tiers of one list.
const MAX_ENTRIES: usize = 100;

/// Decodes SetPrices; the list takes effect now unless the request says when.
pub(crate) fn decode_set(
    call: &Call,
    message: &billing::SetPricesRequest,
) -> Result<SetPrices, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let product_id = fields.required("product_id", &message.product_id);
    let currency = decode_new_currency(&mut fields, &message.currency_code);
    let effective = fields.optional_message(
        "effective_time",
        message.effective_time.as_ref(),
        decode_time,
    );
    let prices = decode_prices(&mut fields, message);
    fields.build(|| {
        Ok(SetPrices {
            list: PriceList {
                product_id: product_id?,
                currency: currency?,
                effective: effective?.unwrap_or(call.now),
                recorded: call.now,
                prices: prices?,
            },
        })
    })
}

/// The currency of a new account or list: not one that ISO 4217 has withdrawn (M-1).
pub(super) fn decode_new_currency(fields: &mut Fields, code: &str) -> Field<Currency> {
    const PATH: &str = "currency_code";
    let currency: Currency = fields.required(PATH, code)?;
    if currency.is_withdrawn() {
        let description = format!("{code} is withdrawn from ISO 4217; use a current currency");
        return Err(fields.note(PATH, description));
    }
    Ok(currency)
}

/// By term or by volume, never both.
fn decode_prices(fields: &mut Fields, message: &billing::SetPricesRequest) -> Field<Prices> {
    if message.san_tiers.is_empty() {
        return decode_entries(fields, &message.prices).map(Prices::ByTerm);
    }
    let tiers = decode_tiers(fields, &message.san_tiers).map(Prices::ByVolume);
    fields.check(
        "prices",
        message.prices.is_empty(),
        "must not be given together with san_tiers",
    );
    tiers
}

/// Ascending by quantity, without repeats; a quota below every tier is not for sale (SL-7).
fn decode_tiers(fields: &mut Fields, messages: &[billing::VolumeTier]) -> Field<Vec<VolumeTier>> {
    if messages.len() > MAX_ENTRIES {
        return Err(fields.note("san_tiers", format!("must have 1 to {MAX_ENTRIES} entries")));
    }
    let decoded: Vec<Field<VolumeTier>> = (0..)
        .zip(messages)
        .map(|(index, tier)| decode_tier(fields, index, tier))
        .collect();
    let mut tiers = decoded.into_iter().collect::<Field<Vec<_>>>()?;
    tiers.sort_unstable_by_key(|tier| tier.from_quantity);
    let repeats = tiers
        .windows(2)
        .any(|pair| pair[0].from_quantity == pair[1].from_quantity);
    fields.check("san_tiers", !repeats, "must not repeat a quantity");
    Ok(tiers)
}

fn decode_tier(
    fields: &mut Fields,
    index: usize,
    message: &billing::VolumeTier,
) -> Field<VolumeTier> {
    let path = |name: &str| format!("san_tiers[{index}].{name}");
    let from_quantity = match u32::try_from(message.from_quantity) {
        Ok(quantity @ 1..=volume::MAX_QUANTITY) => Ok(quantity),
        Ok(_) | Err(_) => Err(fields.note(
            path("from_quantity"),
            format!("must be 1 to {}", volume::MAX_QUANTITY),
        )),
    };
    let price = fields.message(
        &path("price_12_months"),
        message.price_12_months.as_ref(),
        decode_price,
    );
    Ok(VolumeTier {
        from_quantity: from_quantity?,
        price: price?,
    })
}

/// Ascending by months, without repeats.
fn decode_entries(fields: &mut Fields, messages: &[billing::TermPrice]) -> Field<Vec<TermPrices>> {
    if messages.is_empty() || messages.len() > MAX_ENTRIES {
        return Err(fields.note("prices", format!("must have 1 to {MAX_ENTRIES} entries")));
    }
    let decoded: Vec<Field<TermPrices>> = (0..)
        .zip(messages)
        .map(|(index, prices)| decode_entry(fields, index, prices))
        .collect();
    let mut prices = decoded.into_iter().collect::<Field<Vec<_>>>()?;
    prices.sort_unstable_by_key(|entry| entry.months);
    let repeats = prices
        .windows(2)
        .any(|pair| pair[0].months == pair[1].months);
    fields.check("prices", !repeats, "must not repeat a term");
    Ok(prices)
}

fn decode_entry(
    fields: &mut Fields,
    index: usize,
    message: &billing::TermPrice,
) -> Field<TermPrices> {
    let path = |name: &str| format!("prices[{index}].{name}");
    let months = match u32::try_from(message.term_months) {
        Ok(months @ 1..) => Ok(months),
        Ok(0) | Err(_) => Err(fields.note(path("term_months"), "must be at least 1")),
    };
    let certificate = fields.message(
        &path("certificate"),
        message.certificate.as_ref(),
        decode_price,
    );
    let mut optional = |name: &str, price: &Option<types::Price>| -> Field<Option<Price>> {
        fields.optional_message(&path(name), price.as_ref(), decode_price)
    };
    let domain = optional("domain", &message.domain);
    let wildcard_domain = optional("wildcard_domain", &message.wildcard_domain);
    let additional_license = optional("additional_license", &message.additional_license);
    Ok(TermPrices {
        months: months?,
        certificate: certificate?,
        domain: domain?,
        wildcard_domain: wildcard_domain?,
        additional_license: additional_license?,
    })
}

/// Decodes the filter of ListPrices.
pub(crate) fn decode_list(message: &billing::ListPricesRequest) -> Result<PriceFilter, Fault> {
    let mut fields = Fields::new();
    let product_id = fields.required("product_id", &message.product_id);
    let currency = fields.optional("currency_code", &message.currency_code);
    let at = fields.optional_message("as_of_time", message.as_of_time.as_ref(), decode_time);
    fields.build(|| {
        Ok(PriceFilter {
            product_id: product_id?,
            currency: currency?,
            at: at?,
        })
    })
}

/// A price list.
pub(crate) fn encode(list: &PriceList) -> billing::PriceList {
    let (prices, san_tiers) = match &list.prices {
        Prices::ByTerm(terms) => (terms.iter().map(encode_term).collect(), Vec::new()),
        Prices::ByVolume(tiers) => (Vec::new(), tiers.iter().map(encode_tier).collect()),
    };
    billing::PriceList {
        product_id: list.product_id.as_str().to_owned(),
        currency_code: list.currency.code().to_owned(),
        prices,
        effective_time: Some(encode_time(list.effective)),
        create_time: Some(encode_time(list.recorded)),
        san_tiers,
    }
}

/// The response to SetPrices.
pub(crate) fn encode_set(list: &PriceList) -> billing::SetPricesResponse {
    billing::SetPricesResponse {
        price_list: Some(encode(list)),
    }
}

fn encode_term(prices: &TermPrices) -> billing::TermPrice {
    billing::TermPrice {
        term_months: encode_count(prices.months),
        certificate: Some(encode_price(prices.certificate)),
        domain: prices.domain.map(encode_price),
        wildcard_domain: prices.wildcard_domain.map(encode_price),
        additional_license: prices.additional_license.map(encode_price),
    }
}

fn encode_tier(tier: &VolumeTier) -> billing::VolumeTier {
    billing::VolumeTier {
        from_quantity: tier.from_quantity.into(),
        price_12_months: Some(encode_price(tier.price)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(from_quantity: i64) -> billing::VolumeTier {
        billing::VolumeTier {
            from_quantity,
            price_12_months: Some(types::Price {
                currency_code: "USD".to_owned(),
                value: "0.35".to_owned(),
            }),
        }
    }

    fn decode(message: &billing::SetPricesRequest) -> Result<Vec<u32>, Vec<String>> {
        let mut fields = Fields::new();
        let prices = decode_prices(&mut fields, message);
        match fields.build(|| prices) {
            Ok(Prices::ByVolume(tiers)) => {
                Ok(tiers.into_iter().map(|tier| tier.from_quantity).collect())
            }
            Ok(Prices::ByTerm(_)) => panic!("tiers became terms"),
            Err(Fault::Invalid(violations)) => {
                Err(violations.noted.into_iter().map(|v| v.field).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// SL-7: tiers may come in any order, start at 1, and repeat no quantity.
    #[test]
    fn tiers() {
        let of = |quantities: &[i64]| {
            decode(&billing::SetPricesRequest {
                san_tiers: quantities.iter().copied().map(tier).collect(),
                ..billing::SetPricesRequest::default()
            })
        };
        let refused = |path: &str| Err(vec![path.to_owned()]);
        assert_eq!(
            of(&[1_000, 1, 1_000_000_000]),
            Ok(vec![1, 1_000, 1_000_000_000])
        );
        assert_eq!(of(&[1, 5, 5]), refused("san_tiers"));
        for outside in [0, -1, 1_000_000_001, i64::from(u32::MAX) + 2] {
            assert_eq!(of(&[1, outside]), refused("san_tiers[1].from_quantity"));
        }
        assert_eq!(of(&[1; 101]), refused("san_tiers"));
        assert_eq!(of(&[]), refused("prices"));
        let unpriced = billing::VolumeTier {
            price_12_months: None,
            ..tier(1)
        };
        let both = billing::SetPricesRequest {
            prices: vec![billing::TermPrice::default()],
            san_tiers: vec![unpriced],
            ..billing::SetPricesRequest::default()
        };
        let expected = ["san_tiers[0].price_12_months", "prices"];
        assert_eq!(decode(&both).unwrap_err(), expected);
    }
}
