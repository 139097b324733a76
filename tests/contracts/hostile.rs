//! A broken or hostile client occupies only what is its own: other callers are served while it holds calls
//! back, sends large messages or lists.

use futures::future::select_all;
use licet_contracts::billing::v1::{
    DepositRequest, GetAccountRequest, ListAccountsRequest,
    account_service_client::AccountServiceClient,
};
use licet_runtime::config::Limits;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{
    runtime::{Broken, broken_accounts},
    stops,
};
use crate::harness::{
    Backend,
    channel::Channel,
    errors::{refused, take_apart},
    eventually,
    half_sent::HalfSent,
    on_both_databases, raw,
};

on_both_databases![
    messages_that_never_end_take_no_place_of_a_call,
    the_bytes_of_one_callers_messages_are_bounded,
    one_caller_leaves_calls_to_the_others,
    listings_take_no_place_of_other_calls,
    what_cannot_be_decoded_is_the_clients_fault,
    metadata_sent_twice_is_refused,
];

const GET_ACCOUNT: &str = "/licet.billing.v1.AccountService/GetAccount";

fn of<M>(message: M, caller: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-caller", caller.parse().unwrap());
    request
}

fn code(code: Code) -> String {
    i32::from(code).to_string()
}

/// Asks for an account that is not there: any call that gets through is refused by its handler.
async fn ask(channel: &Channel, caller: &str) -> Result<(), Status> {
    let account_id = licet_domain::ids::AccountId::generate().to_string();
    let request = of(GetAccountRequest { account_id }, caller);
    let mut accounts = AccountServiceClient::new(channel.clone());
    match accounts.get_account(request).await {
        Err(status) if status.code() == Code::NotFound => Ok(()),
        answered => Err(answered.unwrap_err()),
    }
}

/// Six connections with headers and four bytes of each message once kept everybody out.
async fn messages_that_never_end_take_no_place_of_a_call(backend: Backend) {
    let limits = Limits {
        max_calls: 2,
        ..Limits::default()
    };
    let (_storage, running, channel) = stops::billing(backend, &limits).await;
    let hostile = HalfSent::connect(&running.address().to_string()).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(hostile.begin(GET_ACCOUNT, &[], 100, 4).await);
    }
    // The server reads a connection in order: it has read the calls before this one.
    let deadline = [("grpc-timeout", "1S")];
    let mut last = hostile.begin(GET_ACCOUNT, &deadline, 100, 4).await;
    assert_eq!(last.code().await, code(Code::DeadlineExceeded));
    ask(&channel, "honest").await.unwrap();
}

async fn the_bytes_of_one_callers_messages_are_bounded(backend: Backend) {
    let limits = Limits {
        message_mib: 4,
        ..Limits::default()
    };
    let (_storage, running, channel) = stops::billing(backend, &limits).await;
    let hostile = HalfSent::connect(&running.address().to_string()).await;
    let caller = [("licet-caller", "hostile")];
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(
            hostile
                .begin(GET_ACCOUNT, &caller, 600 << 10, 500 << 10)
                .await,
        );
    }
    // One caller has a quarter: one of the three is too many.
    let codes = calls.iter_mut().map(|call| Box::pin(call.code()));
    let (refused, ..) = select_all(codes).await;
    assert_eq!(refused, code(Code::ResourceExhausted));
    let large = || GetAccountRequest {
        account_id: "a".repeat(600 << 10),
    };
    let mut accounts = AccountServiceClient::new(channel.clone());
    let honest = accounts.get_account(of(large(), "honest")).await;
    assert_eq!(honest.unwrap_err().code(), Code::InvalidArgument);
    drop(calls);
    eventually("the bytes are free again", || async {
        let mut accounts = accounts.clone();
        let again = accounts.get_account(of(large(), "hostile")).await;
        (again.unwrap_err().code() == Code::InvalidArgument).then_some(())
    })
    .await;
}

async fn one_caller_leaves_calls_to_the_others(backend: Backend) {
    let limits = Limits {
        max_calls: 3,
        max_calls_per_caller: 2,
        ..Limits::default()
    };
    let broken = broken_accounts(backend, &limits).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let mut client = broken.client.clone();
        calls.spawn(async move {
            client
                .deposit(of(DepositRequest::default(), "greedy"))
                .await
        });
    }
    let third = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(third.get_details_retry_info().is_some());
    let refusal = take_apart(&third).expect(Code::Unavailable, "OVERLOADED");
    assert!(refusal.message.contains("greedy"), "{}", refusal.message);
    is_served(&broken, "honest").await;
    broken.bank.send(true).unwrap();
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
}

/// A call to an account whose handler panics: the panic shows that the call was let in.
async fn is_served(broken: &Broken, caller: &str) {
    let mut client = broken.client.clone();
    let request = of(GetAccountRequest::default(), caller);
    refused(client.get_account(request).await).expect(Code::Internal, "INTERNAL");
}

async fn listings_take_no_place_of_other_calls(backend: Backend) {
    let limits = Limits {
        max_calls: 1,
        max_listings: 8,
        ..Limits::default()
    };
    let broken = broken_accounts(backend, &limits).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..9 {
        let mut client = broken.client.clone();
        let request = of(
            ListAccountsRequest::default(),
            &format!("reader-{}", number / 2),
        );
        calls.spawn(async move { client.list_accounts(request).await });
    }
    // Eight run or wait for their turn.
    let ninth = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(ninth.get_details_retry_info().is_some());
    take_apart(&ninth).expect(Code::Unavailable, "OVERLOADED");
    is_served(&broken, "reader-0").await;
    broken.bank.send(true).unwrap();
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
}

/// INTERNAL would make clients repeat it for ever.
async fn what_cannot_be_decoded_is_the_clients_fault(backend: Backend) {
    let (_storage, _running, channel) = stops::billing(backend, &Limits::default()).await;
    let answered = raw::first_answer(channel, GET_ACCOUNT, Request::new(vec![0xff; 8])).await;
    let refusal = take_apart(&answered.unwrap_err());
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(
        refusal.message.contains("message cannot be decoded"),
        "{}",
        refusal.message
    );
}

async fn metadata_sent_twice_is_refused(backend: Backend) {
    let (_storage, _running, channel) = stops::billing(backend, &Limits::default()).await;
    let mut accounts = AccountServiceClient::new(channel);
    let mut request = of(GetAccountRequest::default(), "caller");
    for role in ["auditor", "finance"] {
        request
            .metadata_mut()
            .append("licet-roles", role.parse().unwrap());
    }
    let refusal = refused(accounts.get_account(request).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(
        refusal.message.contains("licet-roles"),
        "{}",
        refusal.message
    );
}
