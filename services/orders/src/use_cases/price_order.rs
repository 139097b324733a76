//! What a new order costs: its product and its SAN licence are read at their services, it is
//! planned by them, and Billing prices the plan. Nothing is charged or written here.

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

/// What an order, or a term of one, is sold with, and its price.
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

/// The question what an order costs.
pub(super) struct PriceOrder<'a> {
    /// Absent while the order is only validated.
    pub(super) order_id: Option<OrderId>,
    pub(super) account_id: AccountId,
    pub(super) product_id: &'a ProductId,
    pub(super) names: &'a BTreeSet<San>,
    /// Its names should a move of the common name that waits be taken back (MD-5).
    pub(super) without_move: Option<&'a BTreeSet<San>>,
    pub(super) term: &'a OrderTerm,
    pub(super) san_license_id: Option<LicenseId>,
}

impl PriceOrder<'_> {
    /// As [`Self::ask_pinned`], the quote standing for the order itself.
    pub(super) async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Offer, PeerFault> {
        let pin = self.order_id.map_or_else(String::new, |id| id.to_string());
        self.ask_pinned(peers, request_id, &pin).await
    }

    /// Reads the product as of the decision time, plans the order by it, and has it priced. The
    /// same question at another time has the same answer, because the past of the catalogue never
    /// changes (BL-8), but for what was being set at that very moment; the quote settles it.
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
    /// has to run; whether it has room is asked when the CA is about to sign.
    async fn san_product(&self, peers: &Peers, id: LicenseId) -> Result<ProductId, PeerFault> {
        let license = peers::san_licensing::get_license(&peers.san_licensing, id).await?;
        let now = self.term.price_time;
        draw_on(&license, self.account_id, self.product_id, now).map_err(refused)
    }
}

fn refused(refusal: Refusal) -> PeerFault {
    PeerFault::Refused(Box::new(refusal))
}
