//! Charges and deposits on a database at a distance. A charge takes a number of a series that every other charge needs;
//! a deposit takes none. Both make as many round trips.

use std::time::Duration;

use super::Bench;
use crate::{
    commerce::Commerce,
    distance::Distance,
    outcome::{Goal, Outcome, Side},
    trouble::Trouble,
};

/// A round trip takes 10 ms.
const EACH_WAY: Duration = Duration::from_millis(5);
const STREAMS: usize = 64;

impl Bench<'_> {
    pub(super) async fn distant(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("distant").await?;
        let distance = Distance::to(self.cluster.port, EACH_WAY).await?;
        let location = self.cluster.location_at(&place, "billing", distance.port);
        let billing = Commerce::billing_at(location).await?;
        let accounts = self.accounts(&place, &billing.account_id).await?;
        let mut ours = Side::new("charges");
        let mut floors = vec![Side::new("deposits")];
        for _ in 0..self.options.rounds() {
            let quotes = self.quotes(&place, &billing, &accounts).await?;
            let streams = billing.charging(&quotes, STREAMS);
            self.ours(&place, &mut ours, streams).await?;
            let streams = billing.depositing(&accounts, STREAMS);
            self.ours(&place, &mut floors[0], streams).await?;
        }
        billing.stop().await;
        Ok(Outcome {
            scenario: "distant",
            subject: format!("charge a quote of 2 lines, 10 ms to the database, {STREAMS} streams"),
            ours,
            floors,
            goal: Goal::Rate(820),
            note: "0.820 x is four times what it was when each charge held the series for three round trips".to_owned(),
        })
    }
}
