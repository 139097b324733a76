//! SL-14: each batch of a stream is acknowledged as soon as it is durable, whether or not the next one has
//! been sent. A stream that breaks says why, and which batches are durable.

use std::time::Duration;

use licet_contracts::sanlicensing::v1::{IngestCertificatesRequest, IngestCertificatesResponse};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::harness::{
    Backend,
    errors::{refused, take_apart},
    eventually,
    ingest::{FEED, batch, counts, send_raw, signed},
    on_both_databases,
    san::facts,
    world::World,
};

on_both_databases![
    sl_14_a_batch_is_acknowledged_while_no_other_is_sent,
    sl_14_a_refused_batch_is_answered_while_no_other_is_sent,
    sl_14_a_message_that_is_no_batch_is_an_error_that_says_what_is_durable,
    sl_14_a_stream_ends_when_the_service_stops,
    sl_14_one_caller_takes_no_more_than_half_of_the_feeds,
];

type Answers = Streaming<IngestCertificatesResponse>;
type Batches = mpsc::Sender<IngestCertificatesRequest>;

async fn open(world: &World) -> (Batches, Answers) {
    let (sender, receiver) = mpsc::channel(4);
    let mut client = world.san_ingest();
    let answers = client.ingest_certificates(ReceiverStream::new(receiver));
    (sender, answers.await.unwrap().into_inner())
}

/// The next response, within a time limit.
async fn next(answers: &mut Answers) -> Result<Option<IngestCertificatesResponse>, Status> {
    let next = tokio::time::timeout(Duration::from_secs(20), answers.message());
    next.await.expect("a response before the next batch")
}

async fn sl_14_a_batch_is_acknowledged_while_no_other_is_sent(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (batches, mut answers) = open(&world).await;
    for sequence in 1..=3 {
        let told = facts(
            &[&format!("n{sequence}.example")],
            world.now(),
            world.usual_end(),
        );
        let one = batch(sequence, vec![signed(&license, &told)]);
        batches.send(one).await.unwrap();
        let answer = next(&mut answers).await.unwrap().unwrap();
        assert_eq!(answer.sequence, sequence);
        assert_eq!(counts(&answer), [1, 0, 0, 0, 0, 0]);
        assert_eq!(world.feed().await.unwrap().sequence, sequence);
    }
    drop(batches);
    assert_eq!(next(&mut answers).await.unwrap(), None);
}

async fn sl_14_a_refused_batch_is_answered_while_no_other_is_sent(backend: Backend) {
    let (world, _license) = World::start_licensed(backend, 100).await;
    for (wrong, code, reason) in [
        (
            batch(5, vec![]),
            Code::FailedPrecondition,
            "FEED_OUT_OF_SEQUENCE",
        ),
        (batch(0, vec![]), Code::InvalidArgument, "INVALID_FIELDS"),
    ] {
        let (batches, mut answers) = open(&world).await;
        batches.send(wrong).await.unwrap();
        let refusal = take_apart(&next(&mut answers).await.unwrap_err());
        refusal.expect(code, reason);
        drop(batches);
    }
}

async fn sl_14_a_message_that_is_no_batch_is_an_error_that_says_what_is_durable(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let encoded = |sequence| batch(sequence, vec![signed(&license, &told)]).encode_to_vec();
    let mut cut_off = encoded(3);
    cut_off.truncate(cut_off.len() / 2);
    for (bad, field) in [
        (vec![0xff; 40], "message"),
        (cut_off, "message"),
        (vec![0; 5 << 20], "records"),
    ] {
        let first = world.feed().await.map_or(0, |feed| feed.sequence) + 1;
        let messages = vec![encoded(first), encoded(first + 1), bad, encoded(first + 2)];
        let (answers, ended) = send_raw(world.san_channel(0), messages).await;
        let sequences: Vec<_> = answers.iter().map(|answer| answer.sequence).collect();
        assert_eq!(sequences, [first, first + 1]);
        let refusal = take_apart(&ended.unwrap_err());
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), [field]);
        assert_eq!(refusal.domain, "licet.sanlicensing");
        assert_eq!(refusal.value("durable_feed_id"), FEED);
        assert_eq!(
            refusal.value("durable_sequence"),
            (first + 1).to_string().as_str()
        );
        assert_eq!(
            refusal.value("durable_cursor"),
            format!("after {}", first + 1)
        );
        assert_eq!(world.feed().await.unwrap().sequence, first + 1);
    }
    // A stream that broke before anything was durable reports no position.
    let (none, ended) = send_raw(world.san_channel(0), vec![vec![0xff; 40]]).await;
    assert_eq!(none, []);
    let refusal = take_apart(&ended.unwrap_err());
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(!refusal.metadata.contains_key("durable_sequence"));
}

async fn sl_14_a_stream_ends_when_the_service_stops(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    let (batches, mut answers) = open(&world).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let one = batch(1, vec![signed(&license, &told)]);
    batches.send(one).await.unwrap();
    assert_eq!(next(&mut answers).await.unwrap().unwrap().sequence, 1);
    // Not OK, because batches not yet acknowledged are lost.
    let (ended, ()) = tokio::join!(next(&mut answers), world.stop_san_licensing(0));
    let refusal = take_apart(&ended.unwrap_err());
    let refusal = refusal.expect(Code::Unavailable, "SERVICE_STOPPING");
    assert_eq!(refusal.value("durable_sequence"), "1");
    drop(batches);
}

/// Opens a feed of this caller and sends nothing.
async fn feed_of(world: &World, caller: &str) -> Result<(Batches, Response<Answers>), Status> {
    let (sender, receiver) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(receiver));
    let metadata = request.metadata_mut();
    metadata.insert("licet-caller", caller.parse().unwrap());
    let answers = world.san_ingest().ingest_certificates(request).await?;
    Ok((sender, answers))
}

async fn sl_14_one_caller_takes_no_more_than_half_of_the_feeds(backend: Backend) {
    let (world, _license) = World::start_licensed(backend, 100).await;
    let mut feeds = Vec::new();
    for (caller, limit) in [("ca-1", "8"), ("ca-2", "8"), ("ca-3", "16")] {
        if limit == "8" {
            for _ in 0..8 {
                feeds.push(feed_of(&world, caller).await.unwrap());
            }
        }
        let refusal = refused(feed_of(&world, caller).await.map(|(_, answers)| answers));
        let refusal = refusal.expect(Code::Unavailable, "OVERLOADED");
        assert_eq!(refusal.value("limit"), limit, "{caller}");
    }
    feeds.remove(0);
    eventually("the place is free again", || async {
        feed_of(&world, "ca-3").await.ok()
    })
    .await;
}
