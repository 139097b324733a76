//! a log that lost its last events gives out their positions again, to other events. Nobody who names the
//! chain hash of a position, or has a stream open, continues over that unawares.

use std::time::Duration;

use licet_contracts::events::v1::{StreamEventsRequest, StreamEventsResponse};
use licet_runtime::database::Location;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status, Streaming};

use super::events::log;
use crate::harness::{
    Backend,
    books::BackDoor,
    errors::{Refused, refused, take_apart},
    eventually, on_both_databases,
    world::World,
};

on_both_databases![
    x_5_a_position_is_followed_only_with_the_chain_hash_of_its_event,
    x_5_a_malformed_position_is_refused_with_all_that_is_wrong,
    x_5_an_open_stream_ends_when_the_log_has_lost_events,
    x_5_an_open_stream_ends_when_positions_were_given_out_again,
    x_5_a_stream_reports_how_far_the_log_has_been_searched,
    x_5_verify_compares_what_was_followed_with_the_log,
];

const DEPOSITED: &str = "licet.billing.account.deposited.v1";

/// A world with an account, whose deposit is the last event of Billing's log.
async fn started(backend: Backend) -> (World, String, Vec<StreamEventsResponse>) {
    let world = World::start(backend).await;
    let account_id = world.account_with("1.00").await;
    world.deposit(&account_id, "2.00").await;
    world.deposit(&account_id, "3.00").await;
    let log = logged(&world, 4).await;
    (world, account_id, log)
}

/// Billing's log, once it has so many events.
async fn logged(world: &World, count: usize) -> Vec<StreamEventsResponse> {
    eventually("the events are in the log", || async {
        let log = log(world.billing_events()).await;
        (log.len() >= count).then_some(log)
    })
    .await
}

fn after(position: i64, chain_hash: &[u8]) -> StreamEventsRequest {
    StreamEventsRequest {
        after_position: position,
        after_chain_hash: chain_hash.to_vec(),
        follow: Some(false),
        ..StreamEventsRequest::default()
    }
}

async fn stream(world: &World, ask: StreamEventsRequest) -> Streaming<StreamEventsResponse> {
    let answer = world.billing_events().stream_events(ask).await;
    answer.unwrap().into_inner()
}

async fn read(world: &World, ask: StreamEventsRequest) -> Vec<StreamEventsResponse> {
    stream(world, ask).await.map(Result::unwrap).collect().await
}

async fn diverged(world: &World, ask: StreamEventsRequest) -> Refused {
    let refusal = refused(world.billing_events().stream_events(ask).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "LOG_DIVERGED");
    assert_eq!(refusal.domain, "licet.events");
    refusal
}

async fn next(live: &mut Streaming<StreamEventsResponse>) -> Result<StreamEventsResponse, Status> {
    let next = tokio::time::timeout(Duration::from_secs(20), live.next()).await;
    next.expect("something comes").expect("the stream is open")
}

async fn x_5_a_position_is_followed_only_with_the_chain_hash_of_its_event(backend: Backend) {
    let (world, _, log) = started(backend).await;
    let (last, known) = (log.last().unwrap(), &log[1]);
    for (index, entry) in log.iter().enumerate() {
        let rest = read(&world, after(entry.position, &entry.chain_hash)).await;
        assert_eq!(rest, log[index + 1..]);
    }
    // A request without a hash is served as before, even beyond the end.
    assert_eq!(read(&world, after(2, &[])).await, log[2..]);
    assert_eq!(read(&world, after(last.position + 1, &[])).await, []);

    let other = [&log[2].chain_hash[..], &[7; 32]];
    for hash in other {
        let refusal = diverged(&world, after(known.position, hash)).await;
        assert_eq!(refusal.value("position"), "2");
        assert_eq!(refusal.value("last_position"), last.position.to_string());
    }
    let beyond = after(last.position + 1, &last.chain_hash);
    let refusal = diverged(&world, beyond).await;
    let (position, last) = (last.position + 1, last.position);
    assert_eq!(refusal.value("position"), position.to_string());
    assert_eq!(refusal.value("last_position"), last.to_string());
}

async fn x_5_a_malformed_position_is_refused_with_all_that_is_wrong(backend: Backend) {
    let world = World::start(backend).await;
    let refusal = async |ask| {
        let answer = world.billing_events().stream_events(ask).await;
        refused(answer).expect(Code::InvalidArgument, "INVALID_FIELDS")
    };
    for bytes in [1, 31, 33, 64] {
        let refusal = refusal(after(1, &vec![7; bytes])).await;
        assert_eq!(refusal.paths(), ["after_chain_hash"], "{bytes} bytes");
    }
    assert_eq!(
        refusal(after(0, &[7; 32])).await.paths(),
        ["after_chain_hash"]
    );
    let ask = StreamEventsRequest {
        types: vec![DEPOSITED.to_owned(), String::new()],
        ..after(-1, &[7; 20])
    };
    let paths = ["after_chain_hash", "after_position", "types[1]"];
    assert_eq!(refusal(ask).await.paths(), paths);
}

/// Streams of each kind, all open at the end of the log: one that was sent everything, one whose filter
/// matches nothing, one that began at the end with its hash, and one that began there unchecked.
async fn open_streams(
    world: &World,
    log: &[StreamEventsResponse],
) -> Vec<(&'static str, Streaming<StreamEventsResponse>)> {
    let last = log.last().unwrap();
    let live = |ask| StreamEventsRequest {
        follow: None,
        ..ask
    };
    let none = StreamEventsRequest {
        types: vec!["licet.billing.nothing.v1".to_owned()],
        report_progress: true,
        ..after(0, &[])
    };
    let mut sent = stream(world, live(after(0, &[]))).await;
    for entry in log {
        assert_eq!(next(&mut sent).await.unwrap(), *entry);
    }
    let mut unmatched = stream(world, live(none)).await;
    assert_eq!(next(&mut unmatched).await.unwrap().position, last.position);
    let named = stream(world, live(after(last.position, &last.chain_hash))).await;
    let unnamed = stream(world, live(after(last.position, &[]))).await;
    vec![
        ("sent", sent),
        ("unmatched", unmatched),
        ("named", named),
        ("unnamed", unnamed),
    ]
}

/// Each stream ends without another event.
async fn all_end(streams: Vec<(&'static str, Streaming<StreamEventsResponse>)>, position: i64) {
    for (which, mut live) in streams {
        let end = match next(&mut live).await {
            Ok(entry) => panic!("{which}: the stream went on with {entry:?}"),
            Err(end) => take_apart(&end).expect(Code::FailedPrecondition, "LOG_DIVERGED"),
        };
        assert_eq!(end.value("position"), position.to_string(), "{which}");
    }
}

async fn x_5_an_open_stream_ends_when_the_log_has_lost_events(backend: Backend) {
    let (world, account_id, log) = started(backend).await;
    let streams = open_streams(&world, &log).await;
    let last = log.last().unwrap();
    let door = BackDoor::open(&world.billing_location()).await;
    door.run(&format!(
        "DELETE FROM event WHERE position >= {}",
        last.position - 1
    ))
    .await;
    all_end(streams, last.position).await;

    // Other events get the positions. A consumer that goes back to where both logs agree gets them all.
    for amount in ["4.00", "5.00", "6.00"] {
        world.deposit(&account_id, amount).await;
    }
    let now = logged(&world, log.len() + 1).await;
    let agreed = log.len() - 2;
    assert_eq!(now[..agreed], log[..agreed]);
    for entry in &log[agreed..] {
        diverged(&world, after(entry.position, &entry.chain_hash)).await;
    }
    let known = &log[agreed - 1];
    let rest = read(&world, after(known.position, &known.chain_hash)).await;
    assert_eq!(rest, now[agreed..]);
}

async fn x_5_an_open_stream_ends_when_positions_were_given_out_again(backend: Backend) {
    let (world, account_id, log) = started(backend).await;
    let streams = open_streams(&world, &log).await;
    let last = log.last().unwrap();
    let door = BackDoor::open(&world.billing_location()).await;
    // In one step, so that no stream sees a shorter log: the last event is another one.
    let other = if backend == Backend::Postgres {
        "decode(repeat('07', 32), 'hex')"
    } else {
        "zeroblob(32)"
    };
    let replaced = format!(
        "UPDATE event SET event_id = 'another', chain_hash = {other} WHERE position = {}",
        last.position
    );
    assert_eq!(door.run(&replaced).await, 1);
    world.deposit(&account_id, "4.00").await;
    all_end(streams, last.position).await;
}

/// Appends events of a type that nobody follows to a log; returns its last position.
async fn append(location: &Location, backend: Backend, count: i64) -> i64 {
    let door = BackDoor::open(location).await;
    let hash = if backend == Backend::Postgres {
        "decode(md5(n::text) || md5(n::text), 'hex')"
    } else {
        "randomblob(32)"
    };
    let append = format!(
        "WITH RECURSIVE number (n) AS (SELECT COALESCE(MAX(position), 0) + 1 FROM event
            UNION ALL SELECT n + 1 FROM number
            WHERE n < (SELECT COALESCE(MAX(position), 0) FROM event) + {count})
         INSERT INTO event (position, event_id, type, resource_id, account_id, time_us, caller,
            request_id, method, why, outcome, data, chain_hash)
         SELECT n, 'appended-' || n, 'licet.none.v1', 'none', '', 0, 'test', '', '', '', 'NONE', '{{}}', {hash}
            FROM number"
    );
    i64::try_from(door.run(&append).await).unwrap()
}

async fn x_5_a_stream_reports_how_far_the_log_has_been_searched(backend: Backend) {
    let (world, account_id, log) = started(backend).await;
    let first = i64::try_from(log.len()).unwrap();
    let appended = append(&world.billing_location(), backend, 25_000).await;
    assert_eq!(appended, 25_000);
    let end = first + appended;
    let deposits = |ask| StreamEventsRequest {
        types: vec![DEPOSITED.to_owned()],
        ..ask
    };
    let reporting = |ask| StreamEventsRequest {
        report_progress: true,
        ..ask
    };
    let silent = read(&world, deposits(after(0, &[]))).await;
    assert!(silent.iter().all(|entry| entry.event.is_some()));

    let told = read(&world, reporting(deposits(after(0, &[])))).await;
    let (events, reports) = told.split_at(silent.len());
    assert_eq!(events, silent);
    let positions: Vec<_> = reports.iter().map(|report| report.position).collect();
    assert_eq!(positions, [10_000, 20_000, end]);
    let hashes = read(&world, after(9_999, &[])).await;
    for report in reports {
        assert_eq!(report.event, None);
        let there = &hashes[usize::try_from(report.position - 10_000).unwrap()];
        assert_eq!(
            (report.position, &report.chain_hash),
            (there.position, &there.chain_hash)
        );
    }
    // Nothing is told twice, and the stream goes on after the report.
    let last = reports.last().unwrap();
    let ask = reporting(deposits(after(last.position, &last.chain_hash)));
    assert_eq!(read(&world, ask.clone()).await, []);
    let live = StreamEventsRequest {
        follow: None,
        ..ask
    };
    let mut live = stream(&world, live).await;
    world.account_with("4.00").await;
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|event: &StreamEventsResponse| event.event.is_none())
    {
        seen.push(next(&mut live).await.unwrap());
    }
    assert!(
        seen.iter().all(|response| response.position > end),
        "{seen:?}"
    );
    // A consumer that does not know the hash of its position is told it.
    let unknown = read(&world, reporting(deposits(after(end, &[])))).await;
    assert!(!unknown.is_empty());
    let unknown = StreamEventsRequest {
        types: vec!["licet.billing.nothing.v1".to_owned()],
        ..reporting(after(end, &[]))
    };
    let unknown = read(&world, unknown).await;
    assert!(
        unknown.last().unwrap().chain_hash.len() == 32,
        "{account_id}: {unknown:?}"
    );
}

async fn x_5_verify_compares_what_was_followed_with_the_log(backend: Backend) {
    let mut world = World::start(backend).await;
    world.start_san_licensing().await;
    let (orders, san_licensing) = (world.orders_location(), world.san_licensing_location());
    let end = append(&san_licensing, backend, 300).await;
    let bookmarks = eventually("Orders has followed", || async {
        let bookmarks = licet_orders::list_bookmarks(&orders).await.unwrap();
        let newest = bookmarks.first().map(|newest| newest.position);
        (newest == Some(end)).then_some(bookmarks)
    })
    .await;
    let verify = async || {
        let verified = licet_san_licensing::verify_bookmarks(&san_licensing, &bookmarks);
        verified.await.unwrap()
    };
    let clean = verify().await;
    assert_eq!(clean.differences(), 0, "{clean}");
    assert_eq!(clean.checks[0].checked, bookmarks.len() as u64);

    world.stop_orders().await;
    let door = BackDoor::open(&san_licensing).await;
    door.run(&format!("DELETE FROM event WHERE position = {end}"))
        .await;
    let lost = verify().await.to_string();
    assert!(
        lost.contains(&format!("position {end}: expected ")),
        "{lost}"
    );
    assert!(lost.contains("found no event"), "{lost}");
}
