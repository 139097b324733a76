//! Further instances of the services that drive operations, on a runtime that ends as a process does
//! that is killed: everything of them stops where it stands.

use std::sync::Arc;

use licet_runtime::server::RunningServer;
use tokio::runtime::{Builder, Runtime};

use super::scenarios::Doors;
use crate::harness::{channel::Channel, world::World};

pub(super) struct Doomed {
    runtime: Option<Runtime>,
    pub(super) doors: Doors,
    /// They serve for as long as somebody has these.
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
        // A runtime that a failed test still has must not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
