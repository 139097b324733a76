//! Price lists between the contract and the catalogue's rules.

use licet_contracts::{billing::v1 as pb, types::v1 as types};
use licet_domain::Price;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
};

use crate::{
    rules::prices::{PriceList, TermPrices},
    use_cases::set_prices::SetPrices,
};
use licet_runtime::wire::{decode_price, decode_time, encode_count, encode_price, encode_time};

pub(crate) fn decode_set<'a>(
    call: &'a Call,
    message: &'a pb::SetPricesRequest,
) -> Result<SetPrices<'a>, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let product_id = fields.required("product_id", &message.product_id);
    let currency = fields.required("currency_code", &message.currency_code);
    let effective = fields.optional_message(
        "effective_time",
        message.effective_time.as_ref(),
        decode_time,
    );
    fields.check(
        "prices",
        !message.prices.is_empty(),
        "must have at least one entry",
    );
    let decoded: Vec<Field<TermPrices>> = (0..)
        .zip(&message.prices)
        .map(|(index, prices)| decode_entry(&mut fields, index, prices))
        .collect();
    let mut prices = decoded.into_iter().collect::<Field<Vec<_>>>();
    if let Ok(prices) = &mut prices {
        prices.sort_unstable_by_key(|entry| entry.months);
        let repeats = prices
            .windows(2)
            .any(|pair| pair[0].months == pair[1].months);
        fields.check("prices", !repeats, "must not name a term twice");
    }
    fields.build(|| {
        let list = PriceList {
            product_id: product_id?,
            currency: currency?,
            effective: effective?.unwrap_or(call.now),
            recorded: call.now,
            prices: prices?,
        };
        Ok(SetPrices {
            call,
            request_id: &message.request_id,
            list,
        })
    })
}

fn decode_entry(fields: &mut Fields, index: usize, message: &pb::TermPrice) -> Field<TermPrices> {
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

pub(crate) fn encode(list: &PriceList) -> pb::PriceList {
    let prices = list.prices.iter().map(|prices| pb::TermPrice {
        term_months: encode_count(prices.months),
        certificate: Some(encode_price(prices.certificate)),
        domain: prices.domain.map(encode_price),
        wildcard_domain: prices.wildcard_domain.map(encode_price),
        additional_license: prices.additional_license.map(encode_price),
    });
    pb::PriceList {
        product_id: list.product_id.as_str().to_owned(),
        currency_code: list.currency.code().to_owned(),
        prices: prices.collect(),
        effective_time: Some(encode_time(list.effective)),
        create_time: Some(encode_time(list.recorded)),
    }
}
