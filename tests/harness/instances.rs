//! Channels to the instances of Billing: a world's own and, on PostgreSQL, a second one on the same store,
//! whose clock may differ.

use std::sync::Arc;

use chrono::TimeDelta;
use licet_domain::clock::{Clock, Instant};
use licet_runtime::{
    config::Limits,
    server::{self, RunningServer, Suite},
};
use tokio::net::TcpListener;

use super::{Backend, channel::Channel, clock::StandingClock, free_port, world::World};

/// A channel to each instance.
pub(crate) struct Ways {
    channels: Vec<Channel>,
    _second: Option<RunningServer>,
}

/// A clock that is ahead of another by a fixed time.
struct Ahead {
    clock: Arc<StandingClock>,
    by: TimeDelta,
}

impl Clock for Ahead {
    fn now(&self) -> Instant {
        self.clock.now().checked_add(self.by).unwrap()
    }
}

impl Ways {
    /// The two clocks agree.
    pub(crate) async fn open(world: &World, backend: Backend) -> Self {
        Self::open_ahead(world, backend, TimeDelta::zero()).await
    }

    /// The second instance's clock is ahead.
    pub(crate) async fn open_ahead(world: &World, backend: Backend, by: TimeDelta) -> Self {
        let mut ways = Self {
            channels: vec![Channel::to(&world.billing_address())],
            _second: None,
        };
        if backend == Backend::Sqlite {
            return ways;
        }
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let service = licet_billing::build(licet_billing::Deps {
            location: world.billing_location(),
            seller: None,
        });
        let mut suite = Suite::on_system_clock();
        let clock = world.time.clone();
        suite.clock = Arc::new(Ahead { clock, by });
        let limits = Limits {
            drain_seconds: 1,
            ..Limits::default()
        };
        let running = server::start(service.await.unwrap(), listener, &limits, &suite).await;
        ways._second = Some(running.unwrap());
        ways.channels
            .push(Channel::to(&format!("http://127.0.0.1:{port}")));
        ways
    }

    pub(crate) fn count(&self) -> usize {
        self.channels.len()
    }

    /// The channel to an instance, by number modulo their count.
    pub(crate) fn get(&self, number: usize) -> Channel {
        self.channels[number % self.channels.len()].clone()
    }
}
