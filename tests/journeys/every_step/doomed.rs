//! More instances of the services that drive operations. Their runtime ends like a killed process: every task
//! stops at once.

use std::sync::Arc;

use licet_runtime::server::RunningServer;
use tokio::runtime::{Builder, Runtime};

use super::scenarios::Doors;
use crate::harness::{channel::Channel, world::World};

pub(super) struct Doomed {
    runtime: Option<Runtime>,
    pub(super) doors: Doors,
    /// The instances serve until this is dropped.
    _running: [RunningServer; 2],
}

impl Doomed {
    pub(super) async fn start(world: &Arc<World>) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let world = world.clone();
        let starting = runtime.spawn(async move {
            (
                world.another_orders().await,
                world.another_san_licensing().await,
            )
        });
        let (orders, san) = starting.await.unwrap();
        let channel = |port| Channel::to_port(port);
        Self {
            doors: Doors {
                orders: channel(orders.address().port()),
                san: channel(san.address().port()),
            },
            runtime: Some(runtime),
            _running: [orders, san],
        }
    }

    pub(super) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        // Do not wait for the runtime of a failed test.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
