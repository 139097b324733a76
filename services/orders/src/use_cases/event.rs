//! The events of an order. They carry ids and figures; read the order for the rest.

use licet_domain::ids::AccountId;
use licet_runtime::outbox::{EventResource, ResourceEvent};

use crate::rules::order::Order;

/// An event of an order.
pub(super) type OrderEvent<'a, D> = ResourceEvent<'a, Order, D>;

impl EventResource for Order {
    fn resource_id(&self) -> String {
        self.id.to_string()
    }

    fn account_id(&self) -> AccountId {
        self.account_id
    }
}
