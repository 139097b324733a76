//! Price lists between the contract and the catalogue's rules.

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_domain::money::Price;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_price, decode_time, encode_count, encode_price, encode_time},
};

use crate::rules::{
    listing::PriceFilter,
    prices::{PriceList, TermPrices},
};

/// The most terms that one list prices.
const MAX_ENTRIES: usize = 100;

/// Reads the request to set prices: a list from now on, unless it says from when.
pub(crate) fn decode_set(
    call: &Call,
    message: &billing::SetPricesRequest,
) -> Result<PriceList, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let product_id = fields.required("product_id", &message.product_id);
    let currency = fields.required("currency_code", &message.currency_code);
    let effective = fields.optional_message(
        "effective_time",
        message.effective_time.as_ref(),
        decode_time,
    );
    let prices = decode_entries(&mut fields, &message.prices);
    fields.build(|| {
        Ok(PriceList {
            product_id: product_id?,
            currency: currency?,
            effective: effective?.unwrap_or(call.now),
            recorded: call.now,
            prices: prices?,
        })
    })
}

/// By number of months, ascending and without repeats.
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
    fields.check("prices", !repeats, "must not name a term twice");
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

/// Reads what a listing of price lists is narrowed to.
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
    let prices = list.prices.iter().map(|prices| billing::TermPrice {
        term_months: encode_count(prices.months),
        certificate: Some(encode_price(prices.certificate)),
        domain: prices.domain.map(encode_price),
        wildcard_domain: prices.wildcard_domain.map(encode_price),
        additional_license: prices.additional_license.map(encode_price),
    });
    billing::PriceList {
        product_id: list.product_id.as_str().to_owned(),
        currency_code: list.currency.code().to_owned(),
        prices: prices.collect(),
        effective_time: Some(encode_time(list.effective)),
        create_time: Some(encode_time(list.recorded)),
    }
}
