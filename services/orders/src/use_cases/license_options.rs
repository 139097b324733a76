//! ListAdditionalLicenseOptions (AL-3): prices each option by the previews of what would carry it
//! out (DeleteOrder, PlaceOrder, the price of a renewal), so that carrying it out costs what was
//! shown.

use std::collections::BTreeSet;

use licet_clients::billing::{Quote, Refund, RefundState};
use licet_domain::{
    clock::Instant,
    ids::OrderId,
    money::{Currency, Money},
    san::San,
};
use licet_runtime::{caller::Call, door::Preview, fault::Fault};
use uuid::Uuid;

use super::{
    PreviewContext,
    delete_order::DeleteOrder,
    place_order::PlaceOrder,
    price_order::{Offer, PriceOrder},
};
use crate::{
    rules::{
        options::{
            ExpectedRefund, OptionFigures, plan_renewal_option, renewal_option, reorder_option,
        },
        order::{Order, SoldProduct},
        renewal::RenewalError,
        servers::Server,
    },
    store,
};

/// How many additional licences an order needs in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedLicenses {
    pub(crate) order_id: OrderId,
    pub(crate) additional_licenses: u32,
}

/// The open options, and why the others are closed.
#[derive(Debug)]
pub(crate) struct LicenseOptions {
    pub(crate) order: Order,
    pub(crate) wanted: u32,
    pub(crate) options: Vec<LicenseOption>,
    pub(crate) closed: Vec<String>,
}

/// An open option, with its price.
#[derive(Debug)]
pub(crate) struct LicenseOption {
    pub(crate) kind: OptionKind,
    pub(crate) figures: OptionFigures,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) quote: Quote,
    /// What the quote sells, and for which domains.
    pub(crate) sold: SoldProduct,
    pub(crate) names: BTreeSet<San>,
}

/// How to get more licences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// Delete the order and order again (AL-3).
    BuyAtOrderAgain,
    /// Name the number at renewal (AL-9).
    AtRenewal,
}

/// The options for an order to get the wanted number of additional licences. Changes nothing.
pub(crate) async fn list(
    context: &PreviewContext,
    call: &Call,
    wanted: WantedLicenses,
) -> Result<LicenseOptions, Fault> {
    let (order, now, servers) = {
        let tx = context.database.read();
        let order = store::orders::get(&tx, &call.caller.accounts, wanted.order_id).await?;
        let (order, now) = order.at(call.now);
        let servers = store::servers::list_of(&tx, &order).await?;
        (order, now, servers)
    };
    let question = OptionQuery {
        context,
        call,
        order: &order,
        servers: &servers,
        wanted: wanted.additional_licenses,
        now,
    };
    let (mut options, mut closed) = (Vec::new(), Vec::new());
    if question.wanted > order.term.additional_licenses {
        let ways = [
            (
                "deleting the order and ordering again is not possible",
                question.reorder().await,
            ),
            ("renewing is not possible", question.renewal().await),
        ];
        for (name, option) in ways {
            match option {
                Ok(option) => options.push(option),
                Err(Fault::Refused(refusal)) => closed.push(format!("{name}: {}", refusal.message)),
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(LicenseOptions {
        wanted: wanted.additional_licenses,
        order,
        options,
        closed,
    })
}

/// A request for the options of an order.
struct OptionQuery<'a> {
    context: &'a PreviewContext,
    call: &'a Call,
    order: &'a Order,
    servers: &'a [Server],
    wanted: u32,
    now: Instant,
}

impl OptionQuery<'_> {
    /// Delete the order and order again. A refusal says why this is closed.
    async fn reorder(&self) -> Result<LicenseOption, Fault> {
        let deletion = DeleteOrder {
            order_id: self.order.id,
            reason: String::new(),
        };
        let refunds = deletion.preview(self.call, self.context).await?.refunds;
        let placed = reordered(self.order, self.wanted);
        let (placed, quote) = placed.price(self.call, &self.context.peers).await?;
        let cost = quote.total().map_err(Fault::internal)?;
        let currency = cost.currency();
        let figures = refunds
            .iter()
            .map(|refund| expected_refund(refund, currency));
        let figures: Vec<_> = figures.collect::<Result<_, _>>().map_err(Fault::internal)?;
        let figures = reorder_option(self.order, self.wanted, &figures, cost, self.now)
            .map_err(Fault::internal)?;
        Ok(LicenseOption {
            kind: OptionKind::BuyAtOrderAgain,
            figures,
            refunds,
            quote,
            sold: placed.sold()?.clone(),
            names: placed.names,
        })
    }

    /// Renew for as many months as now, naming the number. A refusal says why this is closed.
    async fn renewal(&self) -> Result<LicenseOption, Fault> {
        let planned = plan_renewal_option(self.order, self.servers, self.wanted, self.now);
        let renewal = planned.map_err(|unplanned| match unplanned {
            RenewalError::Refused(refusal) => Fault::Refused(refusal),
            RenewalError::UnknownServers(_) | RenewalError::BeyondCalendar => Fault::internal(
                format!("an unchanged renewal cannot be planned: {unplanned:?}"),
            ),
        })?;
        // Show the domains that the new term would be bought for.
        let mut renewed = self.order.clone();
        renewed.names.clone_from(self.order.wanted_names());
        let price = PriceOrder {
            order_id: None,
            account_id: renewed.account_id,
            product_id: &renewed.product_id,
            names: &renewed.names,
            without_move: Some(&renewal.without_move),
            term: &renewal.term,
            san_license_id: renewed.san_license_id,
        };
        // Billing stores nothing under this id.
        let Offer { sold, quote } = price.ask(&self.context.peers, Uuid::new_v4()).await?;
        let cost = quote.total().map_err(Fault::internal)?;
        Ok(LicenseOption {
            kind: OptionKind::AtRenewal,
            figures: renewal_option(&renewal, cost),
            refunds: Vec::new(),
            quote,
            sold,
            names: renewed.names,
        })
    }
}

/// The order to place after the deletion, with another number of additional licences. Without a
/// signing request: the key does not affect the price.
fn reordered(order: &Order, additional_licenses: u32) -> PlaceOrder {
    PlaceOrder {
        account_id: order.account_id,
        product_id: order.product_id.clone(),
        term_months: order.term.term.months(),
        common_name: order.wanted_common_name().clone(),
        names: order.wanted_names().clone(),
        server_software: order.server_software.clone(),
        additional_licenses,
        request: None,
        san_license_id: order.san_license_id,
    }
}

/// What a refund pays, for certain or after a review.
fn expected_refund(refund: &Refund, currency: Currency) -> Result<ExpectedRefund, String> {
    let zero = Money::zero(currency);
    let nothing = ExpectedRefund {
        amount: zero,
        in_review: None,
        last_time: None,
    };
    Ok(match refund.state() {
        RefundState::Refunded => ExpectedRefund {
            amount: refund.refunded()?.unwrap_or(zero),
            last_time: refund.full_refund_until_time()?,
            ..nothing
        },
        RefundState::PendingReview => ExpectedRefund {
            in_review: Some(refund.creditable()?.unwrap_or(zero)),
            last_time: refund.no_refund_after_time()?,
            ..nothing
        },
        RefundState::NotDue | RefundState::Rejected | RefundState::Unknown => nothing,
    })
}
