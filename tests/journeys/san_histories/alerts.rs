//! SL-17: each alert of a random history is published exactly once.

use licet_contracts::{events::v1::StreamEventsRequest, sanlicensing::v1::License};
use licet_oracle::licenses::license::{Alert, LicenseHistory};
use serde_json::Value;
use tokio_stream::StreamExt as _;

use crate::harness::{clock::instant, eventually, world::World};

/// The published alerts in order of time.
async fn published(world: &World, license: &License) -> Vec<Alert> {
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

pub(super) async fn compare(world: &World, license: &License, model: &LicenseHistory) {
    let mut expected = model.alerts.clone();
    expected.sort();
    eventually("every alert is published", || async {
        let found = published(world, license).await;
        assert!(found.len() <= expected.len(), "{found:#?} {model:#?}");
        (found.len() == expected.len()).then_some(found)
    })
    .await;
    assert_eq!(published(world, license).await, expected, "{model:#?}");
}
