//! Prices a new order, or a new term: reads the product and the SAN licence at their services,
//! plans the order by them, and has Billing price the plan. Charges and writes nothing.

use std::collections::BTreeSet;

use licet_clients::billing::Quote;
use licet_domain::{
    ids::{AccountId, LicenseId, OrderId, ProductId},
    refusal::Refusal,
    san::San,
};
use licet_runtime::peer::PeerFault;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    peers::{self, Peers, billing::Buyer},
    rules::{
        new_order::{WantedOrder, plan_either, plan_order},
        order::{OrderTerm, SoldProduct},
        san_license::draw_on,
    },
};

/// What an order, or one of its terms, would be sold with, and the quote.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(super) sold: SoldProduct,
    pub(super) quote: Quote,
}

impl AsRef<Quote> for Offer {
    fn as_ref(&self) -> &Quote {
        &self.quote
    }
}

/// An order, or a new term of one, to be priced.
pub(super) struct PriceOrder<'a> {
    /// Absent while the order is only validated.
    pub(super) order_id: Option<OrderId>,
    pub(super) account_id: AccountId,
    pub(super) product_id: &'a ProductId,
    pub(super) names: &'a BTreeSet<San>,
    /// The domains if a pending move of the common name is cancelled (MD-5).
    pub(super) without_move: Option<&'a BTreeSet<San>>,
    pub(super) term: &'a OrderTerm,
    pub(super) san_license_id: Option<LicenseId>,
}

impl PriceOrder<'_> {
    /// Like [`Self::ask_pinned`], with the order's id as the pin.
    pub(super) async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Offer, PeerFault> {
        let pin = self.order_id.map_or_else(String::new, |id| id.to_string());
        self.ask_pinned(peers, request_id, &pin).await
    }

    /// Reads the product as of the decision time, plans the order by it, and has it priced. Asked
    /// again later, the answer is the same, because the past of the catalogue never changes (BL-8);
    /// only a price set at that very instant can differ, and then the quote decides.
    pub(super) async fn ask_pinned(
        &self,
        peers: &Peers,
        request_id: Uuid,
        pin: &str,
    ) -> Result<Offer, PeerFault> {
        let price_time = self.term.price_time;
        let product =
            peers::billing::get_product(&peers.billing, self.product_id, price_time).await?;
        let wanted = WantedOrder {
            names: self.names,
            term_months: self.term.term.months(),
            additional_licenses: self.term.additional_licenses,
            draws_on_license: self.san_license_id.is_some(),
        };
        let plan = match self.without_move {
            Some(names) => plan_either(&product, &wanted, names),
            None => plan_order(&product, &wanted),
        };
        let plan = plan.map_err(refused)?;
        let san_product_id = match self.san_license_id {
            Some(id) => Some(self.san_product(peers, id).await?),
            None => None,
        };
        let buyer = Buyer {
            account_id: self.account_id,
            order_id: self.order_id,
            pin,
        };
        let question = peers::billing::placing_question(buyer, self.term, &product, plan.charge);
        let quote = peers.billing.create_quote(&question, request_id).await?;
        let currency = quote.total().map_err(PeerFault::Unknown)?.currency();
        let sold = SoldProduct {
            product,
            slots: plan.slots,
            currency,
            san_product_id,
        };
        Ok(Offer { sold, quote })
    }

    /// The product of the SAN licence that the order's certificates count as. The licence
    /// must be running. Whether the SANs fit its quota is asked before a certificate is signed.
    async fn san_product(&self, peers: &Peers, id: LicenseId) -> Result<ProductId, PeerFault> {
        let license = peers::san_licensing::get_license(&peers.san_licensing, id).await?;
        let now = self.term.price_time;
        draw_on(&license, self.account_id, self.product_id, now).map_err(refused)
    }
}

fn refused(refusal: Refusal) -> PeerFault {
    PeerFault::Refused(Box::new(refusal))
}
