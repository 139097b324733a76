//! Sets the prices of a product in one currency.

use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::create_product::emit;
use crate::{
    events::PricesSet,
    rules::prices::{self, PriceList, Prices},
    store,
};

/// Adds a price list (AL-10, SL-7, BL-8).
///
/// Refusals: NOT_FOUND, TERM_NOT_SOLD, PRODUCT_KIND_MISMATCH, CURRENCY_MISMATCH,
/// ADDITIONAL_LICENSE_PRICE_TOO_HIGH, VOLUME_PRICE_RISES, EFFECTIVE_TIME_IN_PAST.
#[derive(Debug, Clone)]
pub(crate) struct SetPrices {
    /// The list.
    pub(crate) list: PriceList,
}

impl Verb for SetPrices {
    type Output = PriceList;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<PriceList, Fault> {
        let PriceList {
            product_id,
            currency,
            ..
        } = &self.list;
        store::catalog::lock_newest(tx, product_id).await?;
        let versions = store::catalog::list_versions(tx, &[product_id.as_str()]).await?;
        let newest_list = store::catalog::find_newest_list_time(tx, product_id, *currency).await?;
        prices::check_prices(&versions, newest_list, &self.list, request.call.now)?;
        store::catalog::insert_list(tx, &self.list).await?;
        let (term_months, from_quantities): (Vec<u32>, Vec<u32>) = match &self.list.prices {
            Prices::ByTerm(terms) => (terms.iter().map(|it| it.months).collect(), Vec::new()),
            Prices::ByVolume(tiers) => (
                Vec::new(),
                tiers.iter().map(|it| it.from_quantity).collect(),
            ),
        };
        let data = PricesSet {
            currency_code: *currency,
            effective_time: self.list.effective,
            term_months,
            from_quantities,
        };
        let outcome = format!("in {} from {} on", currency.code(), self.list.effective);
        emit(tx, request, product_id, outcome, &data).await?;
        Ok(self.list.clone())
    }
}
