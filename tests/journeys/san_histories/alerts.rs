//! SL-17: what a random history is told of as usage reaches parts of its quota, each crossing once.

use licet_contracts::{events::v1::StreamEventsRequest, sanlicensing::v1::License};
use licet_domain::clock::Instant;
use serde_json::Value;
use tokio_stream::StreamExt as _;

use super::{
    super::san_model::{Alert, Model},
    History,
};
use crate::harness::{clock::instant, eventually, world::World};

/// What a licence's account was told, in the order of time.
async fn told(world: &World, license: &License) -> Vec<Alert> {
    let ask = StreamEventsRequest {
        follow: Some(false),
        resource_ids: vec![license.license_id.clone()],
        types: vec!["licet.sanlicensing.usage.alert.v1".to_owned()],
        ..StreamEventsRequest::default()
    };
    let stream = world.san_events().stream_events(ask).await.unwrap();
    let events = stream
        .into_inner()
        .map(|entry| entry.unwrap().event.unwrap());
    let alerts = events.map(|event| {
        let data: Value = serde_json::from_str(&event.text_data).unwrap();
        let number = |key: &str| data[key].as_i64().unwrap();
        Alert {
            time: instant(event.time),
            percent: number("threshold_percent"),
            quota: number("quota"),
            used: number("used"),
        }
    });
    let mut alerts: Vec<_> = alerts.collect().await;
    alerts.sort();
    alerts
}

/// All that is to be told is told, and nothing twice.
pub(super) async fn compare(world: &World, license: &License, model: &Model) {
    let mut expected = model.alerts.clone();
    expected.sort();
    eventually("every crossing is told of", || async {
        let told = told(world, license).await;
        assert!(told.len() <= expected.len(), "{told:#?} {model:#?}");
        (told.len() == expected.len()).then_some(told)
    })
    .await;
    assert_eq!(told(world, license).await, expected, "{model:#?}");
}

impl History<'_> {
    /// The clock moves. What is done in the instant of a term's start comes after what is told of it.
    pub(super) async fn move_to(&mut self, time: Instant) {
        let now = self.world.now();
        self.world.time.move_to(time);
        if self.model.pass(now, time) {
            self.world.settle().await;
            compare(self.world, &self.license, &self.model).await;
        }
    }
}
