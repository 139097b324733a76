//! Several instances of SanLicensing behind a proxy: each call has the id of its licence in its metadata, so the
//! proxy sends all calls of a licence to one instance. When that ends, another takes over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures::future::join_all;
use licet_contracts::{
    orders::v1::{BeginIssuanceRequest, PlaceOrderRequest},
    sanlicensing::v1::License,
    types::v1::KeyType,
};
use licet_runtime::peer::{CallFuture, FaultPlan, Forwarder};
use tonic::{body::Body, codegen::http};

use crate::harness::{
    Backend, clock::timestamp, eventually, proxy::Proxy, request_id, run,
    samples::multi_domain_request, san::figures, world::World,
};

const LICENSES: usize = 12;

/// The instances that answered the calls about each licence.
#[derive(Default)]
struct Answering(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl FaultPlan for Answering {
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move {
            let of = |headers: &http::HeaderMap, key: &str| {
                let value = headers.get(key)?;
                Some(value.to_str().ok()?.to_owned())
            };
            let license = of(call.headers(), "licet-license-id");
            let response = forwarder.send(call).await?;
            let instance = of(response.headers(), "licet-served-by");
            if let (Some(license), Some(instance)) = (license, instance) {
                let mut seen = self.0.lock().unwrap();
                seen.entry(license).or_default().insert(instance);
            }
            Ok(response)
        })
    }
}

#[test]
fn sl_13_a_proxy_sends_the_calls_of_a_license_to_one_instance_postgres() {
    run(async {
        let (mut world, first) = World::start_licensed(Backend::Postgres, 10).await;
        world.start_san_licensing().await;
        let proxy = Proxy::start([world.san_port(0), world.san_port(1)]).await;
        world.call_san_licensing_at(proxy.port);
        let answering = Arc::new(Answering::default());
        world.interfere(answering.clone());
        world.start_orders().await;
        world.stock().await;
        let others = (1..LICENSES).map(async |_| {
            let account_id = world.account_with("1000.00").await;
            world.license(&account_id, 10).await
        });
        let mut licenses = join_all(others).await;
        licenses.push(first);

        for round in ["a", "b"] {
            join_all(licenses.iter().map(|one| reserve(&world, one, round))).await;
        }
        let seen = std::mem::take(&mut *answering.0.lock().unwrap());
        assert_eq!(seen.len(), LICENSES, "{seen:?}");
        assert!(seen.values().all(|by| by.len() == 1), "{seen:?}");
        let all: BTreeSet<_> = seen.values().flatten().collect();
        assert_eq!(all.len(), 2, "{seen:?}");

        world.stop_san_licensing(1).await;
        join_all(licenses.iter().map(|one| reserve(&world, one, "c"))).await;
        let seen = std::mem::take(&mut *answering.0.lock().unwrap());
        assert_eq!(seen.len(), LICENSES, "{seen:?}");
        for license in &licenses {
            let (used, reserved, _) = figures(&world.usage(license).await);
            assert_eq!((used, reserved), (0, 6), "{license:?}");
        }
    });
}

/// Reserves two SANs of the licence for a certificate of a new order.
async fn reserve(world: &World, license: &License, round: &str) {
    let names = ["x", "y"].map(|name| format!("{name}-{round}.example"));
    let place = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, &names.each_ref().map(String::as_str))
    };
    let order = world.place(place).await;
    let begin = BeginIssuanceRequest {
        order_id: order.order_id,
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    eventually("the issuance has begun", || async {
        let answer = world.certificates().begin_issuance(begin.clone()).await;
        answer.ok()?.into_inner().authorization
    })
    .await;
}
