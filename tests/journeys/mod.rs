//! Journeys across the services, with peers away, answers lost and processes killed.

mod billing_asks;
mod billing_away;
mod billing_books;
mod billing_correcting;
mod billing_credits;
mod billing_hammer;
mod billing_histories;
mod billing_model;
mod billing_paying;
mod billing_prices;
mod billing_races;
mod billing_selling;
mod killed;
mod lost_calls;
mod openssl_chain;
mod random;
mod san_histories;
mod san_ingest;
mod san_model;
mod san_orders;
mod san_races;
