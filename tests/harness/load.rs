//! Callers who make one call after another, and repeat each with its request id until it is answered.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use licet_contracts::{
    billing::v1::{
        DepositRequest, GetAccountRequest, account_service_client::AccountServiceClient,
    },
    orders::v1::order_service_client::OrderServiceClient,
    sanlicensing::v1::{
        AuthorizationDecision, AuthorizeIssuanceRequest, License,
        issuance_service_client::IssuanceServiceClient,
    },
};
use tokio::{task::JoinHandle, time::Instant};
use tonic::Status;

use super::{
    channel::Channel,
    request_id,
    samples::{multi_domain_request, usd},
    san::sans,
    world::World,
};

/// Between two calls of a caller.
const PAUSE: Duration = Duration::from_millis(30);
/// Before a repeat.
const REPEAT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A deposit of 1.00: the id of its entry.
    Deposit,
    /// An authorisation of one SAN: the SAN.
    Authorisation,
    /// An order: its id.
    Order,
    /// A read of an account: its id.
    Read,
}

/// An acknowledged call.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    pub(crate) time: Instant,
}

/// The callers, and what they were answered.
#[derive(Default)]
pub(crate) struct Load {
    answers: Arc<Answers>,
    callers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Answers {
    stops: AtomicBool,
    done: Mutex<Vec<Done>>,
    errors: Mutex<Vec<Status>>,
}

impl Load {
    /// Deposits of 1.00.
    pub(crate) fn deposits(&mut self, channel: Channel, account_id: &str) {
        let accounts = AccountServiceClient::new(channel);
        let request = DepositRequest {
            account_id: account_id.to_owned(),
            amount: usd("1.00"),
            ..DepositRequest::default()
        };
        let next = move |_| DepositRequest {
            request_id: request_id(),
            ..request.clone()
        };
        self.caller(Kind::Deposit, PAUSE, next, move |request| {
            let mut accounts = accounts.clone();
            async move {
                let answer = accounts.deposit(request).await?.into_inner();
                Ok(answer.entry.unwrap().entry_id)
            }
        });
    }

    /// Authorisations of a new SAN each, which must be granted.
    pub(crate) fn authorisations(
        &mut self,
        channel: Channel,
        world: &World,
        license: &License,
        prefix: &str,
    ) {
        let issuance = IssuanceServiceClient::new(channel);
        let (request, prefix) = (world.question(license, &[]), prefix.to_owned());
        let next = move |number| {
            let name = format!("{prefix}{number}.example");
            let request = AuthorizeIssuanceRequest {
                sans: sans(&[&name]),
                request_id: request_id(),
                ..request.clone()
            };
            (request, name)
        };
        self.caller(
            Kind::Authorisation,
            4 * PAUSE,
            next,
            move |(request, name)| {
                let mut issuance = issuance.clone();
                async move {
                    let answer = issuance.authorize_issuance(request).await?.into_inner();
                    assert_eq!(answer.decision(), AuthorizationDecision::Granted);
                    Ok(name)
                }
            },
        );
    }

    /// Orders, each of which is charged.
    pub(crate) fn orders(&mut self, channel: Channel, account_id: &str) {
        let orders = OrderServiceClient::new(channel);
        let account_id = account_id.to_owned();
        let next = move |_| multi_domain_request(&account_id, &["a.example"]);
        self.caller(Kind::Order, 4 * PAUSE, next, move |request| {
            let mut orders = orders.clone();
            async move {
                let answer = orders.place_order(request).await?.into_inner();
                Ok(answer.order.unwrap().order_id)
            }
        });
    }

    /// Reads of an account.
    pub(crate) fn reads(&mut self, channel: Channel, account_id: &str) {
        let accounts = AccountServiceClient::new(channel);
        let account_id = account_id.to_owned();
        let next = move |_| GetAccountRequest {
            account_id: account_id.clone(),
        };
        self.caller(Kind::Read, PAUSE, next, move |request| {
            let mut accounts = accounts.clone();
            async move {
                let answer = accounts.get_account(request).await?.into_inner();
                Ok(answer.account.unwrap().account_id)
            }
        });
    }

    fn caller<R, F>(
        &mut self,
        kind: Kind,
        pause: Duration,
        next: impl Fn(usize) -> R + Send + 'static,
        call: impl Fn(R) -> F + Send + Sync + 'static,
    ) where
        R: Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, Status>> + Send,
    {
        let answers = Arc::clone(&self.answers);
        self.callers.push(tokio::spawn(async move {
            for number in 0.. {
                if answers.stops.load(Ordering::Relaxed) {
                    return;
                }
                let request = next(number);
                let what = loop {
                    match call(request.clone()).await {
                        Ok(what) => break what,
                        Err(status) => answers.errors.lock().unwrap().push(status),
                    }
                    tokio::time::sleep(REPEAT).await;
                };
                let time = Instant::now();
                answers.done.lock().unwrap().push(Done { kind, what, time });
                tokio::time::sleep(pause).await;
            }
        }));
    }

    /// What was acknowledged so far.
    pub(crate) fn done(&self, kind: Kind) -> Vec<Done> {
        let done = self.answers.done.lock().unwrap();
        done.iter()
            .filter(|one| one.kind == kind)
            .cloned()
            .collect()
    }

    /// The errors so far.
    pub(crate) fn errors(&self) -> Vec<Status> {
        self.answers.errors.lock().unwrap().clone()
    }

    /// Ends once each caller's last call is answered.
    pub(crate) async fn stop(&mut self) {
        self.answers.stops.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            caller.await.unwrap();
        }
    }
}
