//! Requests for prices, and the quotes that Billing returns.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, ProductId, QuoteId},
    money::{Money, Price},
    term::Term,
};
use licet_runtime::wire::{
    decode_price, decode_time, encode_count, encode_money, encode_price, encode_time,
};

use super::{
    invoice::Invoice,
    reading::{amount, broken},
};
use crate::opaque::opaque;

/// The purpose of a quote line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A certificate for a term.
    Certificate,
    /// A domain beyond the included ones.
    Domain,
    /// A wildcard beyond the included domains.
    WildcardDomain,
    /// The price difference of a wildcard in a standard slot.
    WildcardDifference,
    /// A licence for a further server.
    AdditionalLicense,
    /// A quota of SANs for a term.
    SanQuota,
    /// SANs added to a quota during its term.
    SanQuotaIncrease,
}

impl LineKind {
    fn encode(self) -> billing::LineKind {
        match self {
            Self::Certificate => billing::LineKind::Certificate,
            Self::Domain => billing::LineKind::Domain,
            Self::WildcardDomain => billing::LineKind::WildcardDomain,
            Self::WildcardDifference => billing::LineKind::WildcardDifference,
            Self::AdditionalLicense => billing::LineKind::AdditionalLicense,
            Self::SanQuota => billing::LineKind::SanQuota,
            Self::SanQuotaIncrease => billing::LineKind::SanQuotaIncrease,
        }
    }
}

/// A term of a resource that is sold. Refunds are decided by term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The id of the order or licence.
    pub resource_id: String,
    /// The term's index; 0 for the first.
    pub term_index: u32,
}

impl Subject {
    /// Encodes the subject.
    #[must_use]
    pub fn encode(&self) -> billing::Subject {
        billing::Subject {
            resource_id: self.resource_id.clone(),
            term_index: encode_count(self.term_index),
        }
    }
}

/// An item to price.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its kind.
    pub kind: LineKind,
    /// Its product.
    pub product_id: ProductId,
    /// The version whose rules apply; `None` for the version in force.
    pub product_version: Option<u32>,
    /// How many.
    pub quantity: u64,
    /// Its term.
    pub term: Term,
    /// The start of use within the term; `None` for the whole term.
    pub change_time: Option<Instant>,
    /// Use the prices in force at this time; `None` for the decision time.
    pub price_time: Option<Instant>,
    /// A unit price that replaces the listed one.
    pub unit_price: Option<Price>,
    /// A manual amount that replaces all prices.
    pub hand_amount: Option<Money>,
    /// How many of the quantity `hand_amount` covers; 0 for all.
    pub hand_quantity: u64,
}

impl Item {
    /// An item for a whole term at listed prices.
    #[must_use]
    pub fn of_term(kind: LineKind, product_id: ProductId, quantity: u64, term: Term) -> Self {
        Self {
            kind,
            product_id,
            product_version: None,
            quantity,
            term,
            change_time: None,
            price_time: None,
            unit_price: None,
            hand_amount: None,
            hand_quantity: 0,
        }
    }

    fn encode(&self) -> billing::QuoteItem {
        billing::QuoteItem {
            kind: self.kind.encode().into(),
            product_id: self.product_id.to_string(),
            product_version: self.product_version.map_or(0, encode_count),
            quantity: encode_count(self.quantity),
            term: Some(billing::TermRef {
                anchor_time: Some(encode_time(self.term.anchor())),
                first_month: encode_count(self.term.first_month()),
                months: encode_count(self.term.months()),
            }),
            change_time: self.change_time.map(encode_time),
            price_time: self.price_time.map(encode_time),
            unit_price: self.unit_price.map(encode_price),
            hand_amount: self.hand_amount.map(encode_money),
            hand_quantity: encode_count(self.hand_quantity),
            ..billing::QuoteItem::default()
        }
    }
}

/// The input of a quote.
#[derive(Clone, Debug)]
pub struct QuoteInput {
    /// The account.
    pub account_id: AccountId,
    /// The items to price.
    pub items: Vec<Item>,
    /// The decision time (T-3).
    pub decision_time: Instant,
    /// A text that the charge of the quote must repeat.
    pub pin: String,
    /// The subject of the items.
    pub subject: Option<Subject>,
    /// Whether Billing only computes the quote, without storing it.
    pub validate_only: bool,
}

opaque! {
    /// A request for a price, repeated unchanged until Billing answers.
    QuoteQuestion, billing::CreateQuoteRequest
}

impl QuoteQuestion {
    /// Requests a quote for the items.
    #[must_use]
    pub fn new(input: &QuoteInput) -> Self {
        Self::from(billing::CreateQuoteRequest {
            account_id: input.account_id.to_string(),
            items: input.items.iter().map(Item::encode).collect(),
            decision_time: Some(encode_time(input.decision_time)),
            pin: input.pin.clone(),
            subject: input.subject.as_ref().map(Subject::encode),
            valid_for: None,
            validate_only: input.validate_only,
            request_id: String::new(),
        })
    }
}

opaque! {
    /// A quote as Billing returned it; exactly its total is charged (BL-1).
    Quote, billing::Quote
}

impl AsRef<Self> for Quote {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Quote {
    /// Its total.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn total(&self) -> Result<Money, String> {
        amount(self.message().total.as_ref())
    }

    /// When the newest of its prices came into force (BL-8); `None` if its lines do not say.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn price_time(&self) -> Result<Option<Instant>, String> {
        let lines = self.message().lines.iter();
        let times = lines.filter_map(|line| line.price_effective_time);
        let times: Result<Vec<_>, _> = times.map(|time| decode_time(&time)).collect();
        let times = times.map_err(|error| broken("price_effective_time", error))?;
        Ok(times.into_iter().max())
    }

    /// Its id and expiry.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn identity(&self) -> Result<(QuoteId, Instant), String> {
        let id = self.message().quote_id.parse();
        let id = id.map_err(|error| broken("quote", error))?;
        let expire_time = self.message().expire_time.as_ref();
        let expire_time = expire_time.ok_or_else(|| broken("quote", "it has no expire_time"))?;
        Ok((id, decode_time(expire_time)?))
    }

    /// The text that its charge must repeat.
    #[must_use]
    pub fn pin(&self) -> &str {
        &self.message().pin
    }

    /// The quote in its state after the charge.
    #[must_use]
    pub fn charged(&self, invoice: &Invoice) -> Self {
        Self::from(billing::Quote {
            state: billing::QuoteState::Charged.into(),
            invoice_id: invoice.message().invoice_id.clone(),
            ..self.message().clone()
        })
    }
}

/// The values of a quote line that are pinned for its term (BL-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedLine {
    /// Its product.
    pub product_id: ProductId,
    /// The version whose rules apply.
    pub product_version: u32,
    /// When the price came into force; for a manual amount, when it was quoted.
    pub price_time: Instant,
    /// The unit price.
    pub unit_price: Price,
}

impl QuoteQuestion {
    /// The number of its items.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.message().items.len()
    }

    /// The same request with `validate_only`.
    #[must_use]
    pub fn previewed(&self) -> Self {
        Self::from(billing::CreateQuoteRequest {
            validate_only: true,
            ..self.message().clone()
        })
    }

    /// The same request without its subject.
    #[must_use]
    pub fn without_subject(&self) -> Self {
        Self::from(billing::CreateQuoteRequest {
            subject: None,
            ..self.message().clone()
        })
    }

    /// The same request for the items of one product.
    #[must_use]
    pub fn of_product(&self, product_id: &ProductId) -> Self {
        let mut message = self.message().clone();
        let is_wanted = |item: &billing::QuoteItem| item.product_id == product_id.as_str();
        message.items.retain(is_wanted);
        Self::from(message)
    }
}

impl Quote {
    /// Each line's product and amount.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn prices(&self) -> Result<Vec<(ProductId, Money)>, String> {
        let lines = self.message().lines.iter();
        lines
            .map(|line| {
                let product = line.product_id.parse();
                let product = product.map_err(|error| broken("product", error))?;
                Ok((product, amount(line.amount.as_ref())?))
            })
            .collect()
    }

    /// The highest unit price of its lines; `None` without lines.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn highest_unit_price(&self) -> Result<Option<Price>, String> {
        let prices = self.message().lines.iter().map(unit_price);
        let prices: Vec<_> = prices.collect::<Result<_, _>>()?;
        Ok(prices.into_iter().max_by_key(|price| price.micros()))
    }

    /// The line of a quote that must have exactly one.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn only_line(&self) -> Result<QuotedLine, String> {
        let message = self.message();
        let [line] = message.lines.as_slice() else {
            return Err(broken(
                "quote",
                format!("it has {} lines instead of 1", message.lines.len()),
            ));
        };
        // A manual amount has no price list.
        let since = line
            .price_effective_time
            .as_ref()
            .or(message.decision_time.as_ref());
        let since = since.ok_or_else(|| broken("price_effective_time", "it is missing"))?;
        let product = line.product_id.parse();
        Ok(QuotedLine {
            product_id: product.map_err(|error| broken("product", error))?,
            product_version: u32::try_from(line.product_version)
                .map_err(|error| broken("product_version", error))?,
            price_time: decode_time(since)
                .map_err(|error| broken("price_effective_time", error))?,
            unit_price: unit_price(line)?,
        })
    }
}

fn unit_price(line: &billing::Line) -> Result<Price, String> {
    let price = line.unit_price.as_ref();
    let price = price.ok_or_else(|| broken("unit_price", "it is missing"))?;
    decode_price(price).map_err(|error| broken("unit_price", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(times: &[Option<&str>]) -> Quote {
        let line = |time: &Option<&str>| billing::Line {
            price_effective_time: time.map(|time| encode_time(time.parse().unwrap())),
            ..billing::Line::default()
        };
        Quote::from(billing::Quote {
            lines: times.iter().map(line).collect(),
            ..billing::Quote::default()
        })
    }

    #[test]
    fn bl_8_the_newest_list_of_a_quote_is_pinned() {
        let (old, new) = ("2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z");
        let found = quote(&[Some(old), Some(new), None]).price_time();
        assert_eq!(found, Ok(Some(new.parse().unwrap())));
        assert_eq!(quote(&[None]).price_time(), Ok(None));
    }

    /// Quotes in operations that earlier versions stored can still be read.
    #[test]
    fn x_2_a_quote_is_stored_as_its_encoded_message() {
        let found = Quote::from(billing::Quote {
            pin: "p".to_owned(),
            ..billing::Quote::default()
        });
        let message = licet_runtime::stored::StoredMessage(found.message().clone());
        let stored = serde_json::to_value(&message).unwrap();
        assert_eq!(serde_json::to_value(&found).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Quote>(stored).unwrap(), found);
        assert_eq!(Quote::decode(&found.encode()).unwrap(), found);
    }
}
