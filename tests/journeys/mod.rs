//! Journeys across the services, with peers away, answers lost and processes killed.

mod billing_away;
mod killed;
mod lost_calls;
mod random;
mod san_histories;
mod san_model;
mod san_orders;
mod san_races;
