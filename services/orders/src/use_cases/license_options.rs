//! ListAdditionalLicenseOptions (AL-3): each way is asked of what would do it — the deletion's and
//! the placing's own previews, the price of a renewal — so that doing it comes to what was said.

use licet_contracts::orders::v1 as orders;
use licet_domain::clock::Instant;
use licet_runtime::{caller::Call, database::Database, fault::Fault};
use uuid::Uuid;

use super::{delete_order, place_order, price_order::PriceOrder};
use crate::{
    convert::{
        self,
        deletion::DeletionWish,
        options::{
            OptionsWish, encode_again, encode_options, encode_renewal, placed_again, refunded,
        },
    },
    peers::Peers,
    rules::{
        options::{at_renewal, order_again, plan_renewal_way},
        order::Order,
        renewal::Unplanned,
        servers::Server,
    },
    store,
};

/// What an order can do to come to `asked` additional licences. Nothing changes.
pub(crate) async fn list(
    database: &Database,
    peers: &Peers,
    call: &Call,
    wish: &OptionsWish,
) -> Result<orders::ListAdditionalLicenseOptionsResponse, Fault> {
    let (order, now, servers) = {
        let tx = database.read();
        let order = store::orders::get(&tx, &call.caller.accounts, wish.order_id).await?;
        let (order, now) = order.at(call.now);
        let servers = store::servers::list_of(&tx, &order).await?;
        (order, now, servers)
    };
    let question = Question {
        peers,
        call,
        order: &order,
        servers: &servers,
        asked: wish.additional_licenses,
        now,
    };
    let (mut options, mut closed) = (Vec::new(), Vec::new());
    if question.asked > order.term.additional_licenses {
        let ways = [
            (
                "deleting it and ordering again is not open",
                question.again(database).await,
            ),
            ("renewal is not open", question.renewal().await),
        ];
        for (name, way) in ways {
            match way {
                Ok(option) => options.push(option),
                Err(Fault::Refused(refusal)) => closed.push(format!("{name}: {}", refusal.message)),
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(encode_options(&order, question.asked, options, &closed))
}

/// Who asks for how many, of which settled order.
struct Question<'a> {
    peers: &'a Peers,
    call: &'a Call,
    order: &'a Order,
    servers: &'a [Server],
    asked: u32,
    now: Instant,
}

impl Question<'_> {
    /// Delete it, and order again. A refusal says why that is not open.
    async fn again(&self, database: &Database) -> Result<orders::AdditionalLicenseOption, Fault> {
        let wish = DeletionWish {
            order_id: self.order.id,
            reason: String::new(),
        };
        let deletion =
            delete_order::preview(database, &self.peers.billing, self.call, &wish).await?;
        let placement = placed_again(self.order, self.asked);
        let placed = place_order::preview(self.peers, self.call, &placement).await?;
        let quote = placed
            .quote
            .ok_or_else(|| Fault::internal("a placing was previewed without its price"))?;
        let cost = convert::billing::total(&quote).map_err(Fault::internal)?;
        let refunds = deletion.refunds;
        let figures = refunds
            .iter()
            .map(|refund| refunded(refund, cost.currency()));
        let figures: Vec<_> = figures.collect::<Result<_, _>>().map_err(Fault::internal)?;
        let way = order_again(self.order, self.asked, &figures, cost, self.now)
            .map_err(Fault::internal)?;
        Ok(encode_again(&way, refunds, quote))
    }

    /// Name the number at renewal, for as many months as now. A refusal says why that is not open.
    async fn renewal(&self) -> Result<orders::AdditionalLicenseOption, Fault> {
        let planned = plan_renewal_way(self.order, self.servers, self.asked, self.now);
        let renewal = planned.map_err(|unplanned| match unplanned {
            Unplanned::Refused(refusal) => Fault::Refused(refusal),
            Unplanned::UnknownServers(_) | Unplanned::BeyondCalendar => {
                Fault::internal(format!("a renewal as before is not planned: {unplanned:?}"))
            }
        })?;
        // What is shown are the names that the new term would be bought for.
        let mut renewed = self.order.clone();
        renewed.names.clone_from(self.order.wanted_names());
        let price = PriceOrder {
            order_id: None,
            account_id: renewed.account_id,
            product_id: &renewed.product_id,
            names: &renewed.names,
            term: &renewal.term,
            san_license_id: renewed.san_license_id,
        };
        // Nothing is kept at Billing under this id.
        let (sold, quote) = price.ask(self.peers, Uuid::new_v4()).await?;
        let quote = convert::free::explained(quote, &renewed, &sold);
        let cost = convert::billing::total(&quote).map_err(Fault::internal)?;
        Ok(encode_renewal(&at_renewal(&renewal, cost), quote))
    }
}
