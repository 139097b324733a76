//! The committer: takes what waits, has it decided and committed as one round, and answers. While a
//! round is at the disk the next one gathers, so that many requests share one commit.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures::{FutureExt, future::BoxFuture};
use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId, ReservationId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::{AccountScope, Origin},
    database::Database,
    fault::{Fault, PassingReason},
    replay,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, JoinSet},
};

use super::{
    ingest::{self, Batch, Placed, Taken},
    placing::{self, Unplaced},
    round::{self, Alone},
    take_over::{self, Chunk, TakenOver},
};
use crate::rules::{
    certificate::{Certificate, RevocationReason},
    counting::Counts,
    decision::Decision,
    license::Terms,
    not_found,
    quota::{
        authorize::IssuanceRequest,
        holdings::{Holdings, Licenses},
        preview_token::PreviewToken,
        revocation_preview::RevocationPreview,
    },
    reservation::Reservation,
};

/// What is asked of a licence's quota.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// May this certificate be signed (SL-12)?
    Authorize {
        request: IssuanceRequest,
        /// Of the whole request, so that another body under the same id is seen (BL-2).
        fingerprint: [u8; 32],
    },
    /// Give a reservation back.
    Release { id: ReservationId },
    /// A certificate was signed. Its record time and end are set when it is decided (SL-21).
    Record(Certificate),
    /// Certificates are revoked, from the decision on (SL-19).
    Revoke {
        ids: Vec<CertificateId>,
        reason: RevocationReason,
        /// What the caller looked at; `None`: a machine, which follows its own rules.
        preview: Option<PreviewToken>,
    },
    /// What would the revocation of certificates give back (SL-19)?
    Preview { ids: Vec<CertificateId> },
    /// A certificate that counts nowhere is to count here (SL-16).
    Allocate { id: CertificateId },
    /// How much is used now (SL-17)?
    Usage,
}

impl Command {
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::Usage | Self::Preview { .. })
    }

    /// Whether a read needs more than what is known of the licence.
    pub(super) fn looks_up(&self) -> bool {
        matches!(self, Self::Preview { .. })
    }
}

/// A licence's usage at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) license_id: LicenseId,
    pub(crate) as_of: Instant,
    pub(crate) quota: u64,
    pub(crate) used: u64,
    pub(crate) reserved: u64,
    pub(crate) counts: Counts,
    /// When used weight returns next, and how much.
    pub(crate) next_returns: Vec<(Instant, u64)>,
    pub(crate) version: i64,
}

impl Usage {
    /// Whether another one of the licence says the same, at whatever instant and version.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let figures = |usage: &Self| (usage.quota, usage.used, usage.reserved, usage.counts);
        figures(self) == figures(other) && self.next_returns == other.next_returns
    }
}

/// What came of a command.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Decided(Decision),
    /// The reservation holds nothing any more.
    Released(Reservation),
    Recorded {
        certificate: Certificate,
        /// It was recorded before; nothing changed.
        already_known: bool,
        /// The licence now uses more than its quota (SL-21).
        over_quota: bool,
    },
    /// No licence covers the certificate (SL-16); nothing is recorded yet.
    Uncovered {
        certificate: Certificate,
        /// The ended licence that its reservation was granted under.
        reserved_under: Option<LicenseId>,
    },
    Revoked(Vec<Certificate>),
    RevocationPreview(Box<RevocationPreview>),
    /// A certificate counts in a licence that it did not count in before.
    Allocated {
        certificate: Certificate,
        /// The licence now uses more than its quota (SL-21).
        over_quota: bool,
    },
    Usage(Usage),
    /// The encoded response of a command that is done once.
    Kept(Vec<u8>),
}

/// How a command's answer is kept for repeats of its request.
pub(crate) struct Once {
    pub(crate) claim: replay::Claim,
    /// The encoded response, from the answer and the time of the decision.
    pub(crate) encode: fn(&Answer, Instant) -> Vec<u8>,
}

/// A command under way.
pub(super) struct Submission {
    pub(super) license_id: LicenseId,
    pub(super) scope: AccountScope,
    pub(super) origin: Origin,
    /// The clock when the request was accepted (T-3).
    pub(super) clock: Instant,
    pub(super) command: Command,
    /// For what is to be done once however often it is asked (BL-2); an authorisation's decision
    /// is its own record.
    pub(super) once: Option<Once>,
    pub(super) reply: oneshot::Sender<Result<Answer, Fault>>,
}

impl Submission {
    /// The refusal of whoever may not see the licence: the same as for one that is not there.
    pub(super) fn refuse_unseen(&self, terms: &Terms) -> Option<Refusal> {
        let seen = match &self.scope {
            AccountScope::All => true,
            AccountScope::Only(accounts) => accounts.contains(&terms.account_id),
        };
        (!seen).then(|| not_found("license", self.license_id))
    }
}

/// What waits for the committer.
enum Waiting {
    Placed(Submission),
    Unplaced(Unplaced),
    Apart(Apart),
}

/// Work on some licences that is long enough to be a transaction of its own, beside the rounds of
/// others: what is known of its licences is lent to it, and their commands wait for its return.
pub(super) struct Apart {
    pub(super) licenses: BTreeSet<LicenseId>,
    /// From what is known to what is known then; nothing where whether it is committed is unknown.
    pub(super) run: Box<dyn FnOnce(Licenses) -> BoxFuture<'static, Licenses> + Send>,
}

/// The way to the committer of this process.
#[derive(Clone)]
pub(crate) struct Quota {
    database: Database,
    sender: mpsc::Sender<Waiting>,
}

/// Commands that may wait; beyond it the caller waits, by the server's own limit on calls.
const WAITING: usize = 4096;
/// How much of what runs apart does so at once.
const APART: usize = 2;
/// The most commands of one round.
const ROUND: usize = 1024;
/// How often a batch's licences are looked for again where they have changed meanwhile.
const PLACINGS: usize = 8;
/// For how many rounds a licence is locked first after another instance moved it.
const LOCKED_ROUNDS: u64 = 16;
/// What is known of licences is let go beyond this, least recently used first, in bytes.
const MEMORY_BYTES: usize = 1 << 30;

impl Quota {
    /// Starts a committer over a database; it ends when the last handle goes.
    pub(crate) fn start(database: Database) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(Committer::new(database.clone()).run(receiver));
        Self { database, sender }
    }

    /// Takes a batch of reports in, whole or not at all; answers its acknowledgement, encoded.
    pub(crate) async fn ingest(&self, batch: Batch) -> Result<Vec<u8>, Fault> {
        let batch = Arc::new(batch);
        for _ in 0..PLACINGS {
            let placed = Placed::find(&self.database, &batch).await?;
            let licenses = placed.licenses();
            let (database, batch) = (self.database.clone(), Arc::clone(&batch));
            let taken = self.apart(licenses, move |known| async move {
                ingest::take(&database, &batch, &placed, known).await
            });
            if let Taken::Acknowledged(acknowledgement) = taken.await? {
                return Ok(acknowledgement);
            }
        }
        Err(undecided())
    }

    /// Lets a licence take a chunk of certificates over (SL-16, SL-20).
    pub(crate) async fn take_over(&self, chunk: Chunk) -> Result<TakenOver, Fault> {
        let licenses = chunk.licenses();
        let database = self.database.clone();
        self.apart(licenses, move |known| async move {
            take_over::take(&database, &chunk, known).await
        })
        .await
    }

    async fn apart<T, F>(
        &self,
        licenses: BTreeSet<LicenseId>,
        work: impl FnOnce(Licenses) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = (Licenses, Result<T, Fault>)> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let run = move |known| {
            let working = work(known);
            let answering = async move {
                let (known, done) = working.await;
                // A caller that left needs no answer; what was done for it stands.
                let _ = reply.send(done);
                known
            };
            answering.boxed()
        };
        let apart = Apart {
            licenses,
            run: Box::new(run),
        };
        self.wait(Waiting::Apart(apart), answer).await
    }

    /// Has a command decided and committed.
    pub(crate) async fn submit(
        &self,
        license_id: LicenseId,
        scope: &AccountScope,
        origin: Origin,
        clock: Instant,
        command: Command,
        once: Option<Once>,
    ) -> Result<Answer, Fault> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            license_id,
            scope: scope.clone(),
            origin,
            clock,
            command,
            once,
            reply,
        };
        self.wait(Waiting::Placed(submission), answer).await
    }

    /// Has a certificate recorded in the licence that it counts in; [`Answer::Uncovered`] where
    /// there is none.
    pub(crate) async fn record(
        &self,
        scope: &AccountScope,
        origin: Origin,
        clock: Instant,
        certificate: Certificate,
        once: Once,
    ) -> Result<Answer, Fault> {
        let (reply, answer) = oneshot::channel();
        let unplaced = Unplaced {
            scope: scope.clone(),
            origin,
            clock,
            certificate,
            once,
            reply,
        };
        self.wait(Waiting::Unplaced(unplaced), answer).await
    }

    async fn wait<T>(
        &self,
        waiting: Waiting,
        answer: oneshot::Receiver<Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let gone = Fault::internal("the committer has stopped");
        self.sender.send(waiting).await.map_err(|_| gone)?;
        answer.await.map_err(|_| undecided())?
    }
}

struct Committer {
    database: Database,
    known: HashMap<LicenseId, Remembered>,
    rounds: u64,
    /// Licences that another instance moved of late, and until which round they are locked first.
    contended: HashMap<LicenseId, u64>,
    /// What runs apart, each to the licences that were lent to it and what is known of them then.
    apart: JoinSet<(BTreeSet<LicenseId>, Licenses)>,
    lent: HashSet<LicenseId>,
    /// What waits for a return.
    held_back: Vec<Waiting>,
}

struct Remembered {
    known: Holdings,
    last_round: u64,
}

impl Committer {
    fn new(database: Database) -> Self {
        Self {
            database,
            known: HashMap::new(),
            rounds: 0,
            contended: HashMap::new(),
            apart: JoinSet::new(),
            lent: HashSet::new(),
            held_back: Vec::new(),
        }
    }

    async fn run(mut self, mut receiver: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::with_capacity(ROUND);
        loop {
            tokio::select! {
                taken = receiver.recv_many(&mut waiting, ROUND) => if taken == 0 { break },
                Some(returned) = self.apart.join_next() => self.take_back(returned, &mut waiting),
            }
            let round = AssertUnwindSafe(self.round(&mut waiting));
            if round.catch_unwind().await.is_err() {
                // Whoever waited is answered by the end of its channel. What was known may be half
                // changed, and is read again.
                tracing::error!("a round panicked");
                waiting.clear();
                self.known.clear();
            }
        }
    }

    /// What ran apart is back, and what waited for it has its turn.
    fn take_back(
        &mut self,
        returned: Result<(BTreeSet<LicenseId>, Licenses), JoinError>,
        waiting: &mut Vec<Waiting>,
    ) {
        match returned {
            Ok((licenses, known)) => {
                self.lent.retain(|id| !licenses.contains(id));
                self.keep(known);
            }
            // It ends by itself: a panic within is caught there.
            Err(error) => tracing::error!(%error, "work apart was cut off"),
        }
        waiting.append(&mut self.held_back);
    }

    /// Lends what is known of its licences to work that runs apart, once they are all here.
    fn start_apart(&mut self, work: Apart) {
        let is_lent = work.licenses.iter().any(|id| self.lent.contains(id));
        if is_lent || self.apart.len() >= APART {
            return self.held_back.push(Waiting::Apart(work));
        }
        let Apart { licenses, run } = work;
        let lent = licenses.iter().filter_map(|id| {
            let remembered = self.known.remove(id)?;
            Some((*id, remembered.known))
        });
        let known = lent.collect();
        self.lent.extend(licenses.iter().copied());
        self.apart.spawn(async move {
            let known = match AssertUnwindSafe(run(known)).catch_unwind().await {
                Ok(known) => known,
                Err(_) => {
                    tracing::error!("work apart panicked");
                    HashMap::new()
                }
            };
            (licenses, known)
        });
    }

    async fn round(&mut self, waiting: &mut Vec<Waiting>) {
        let mut writes = Vec::with_capacity(waiting.len());
        let mut reads = Vec::new();
        let mut unplaced = Vec::new();
        let mut apart = Vec::new();
        for one in waiting.drain(..) {
            match one {
                Waiting::Unplaced(one) => unplaced.push(one),
                Waiting::Placed(one) if self.lent.contains(&one.license_id) => {
                    self.held_back.push(Waiting::Placed(one));
                }
                Waiting::Placed(one) if one.command.is_read() => reads.push(one),
                Waiting::Placed(one) => writes.push(one),
                Waiting::Apart(one) => apart.push(one),
            }
        }
        if !unplaced.is_empty() {
            for one in placing::place(&self.database, unplaced).await {
                if self.lent.contains(&one.license_id) {
                    self.held_back.push(Waiting::Placed(one));
                } else {
                    writes.push(one);
                }
            }
        }
        if !writes.is_empty() {
            self.commit(writes).await;
        }
        if !reads.is_empty() {
            self.read(reads).await;
        }
        for one in apart {
            self.start_apart(one);
        }
        self.forget();
    }

    /// Hands out what is remembered of the licences that a round is about.
    fn take(&mut self, submissions: &[Submission]) -> HashMap<LicenseId, Holdings> {
        submissions
            .iter()
            .filter_map(|submission| {
                let id = submission.license_id;
                self.known
                    .remove(&id)
                    .map(|remembered| (id, remembered.known))
            })
            .collect()
    }

    fn keep(&mut self, known: HashMap<LicenseId, Holdings>) {
        self.rounds += 1;
        for (id, known) in known {
            let last_round = self.rounds;
            self.known.insert(id, Remembered { known, last_round });
        }
    }

    async fn commit(&mut self, mut submissions: Vec<Submission>) {
        let mut known = self.take(&submissions);
        let remembered: HashSet<_> = known.keys().copied().collect();
        // A cold licence is read before its fence is locked, so that others do not wait for it.
        if let Err(fault) = round::load_missing(&self.database, &submissions, &mut known).await {
            let missing;
            (submissions, missing) = submissions
                .into_iter()
                .partition(|submission| remembered.contains(&submission.license_id));
            known.retain(|id, _| remembered.contains(id));
            answer_all(missing, &fault);
            if submissions.is_empty() {
                return;
            }
        }
        if !self.is_contended(&submissions)
            && let Some(expected) = round::expect(&self.database, &submissions, &known)
        {
            match round::alone(&self.database, &submissions, &mut known, &expected).await {
                Ok(Alone::Decided(answers)) => {
                    self.keep(known);
                    return answer_each(submissions, answers);
                }
                Ok(Alone::Repeated) => {}
                Ok(Alone::Missed) => self.contend(&submissions),
                Err(fault) => return answer_all(submissions, &fault),
            }
        }
        let work = round::Round::new(&submissions, known);
        match self.database.transact(&work).await {
            Ok(done) => {
                self.keep(done.known);
                answer_each(submissions, done.answers);
            }
            // Whether it is committed is unknown: what was known of these licences is let go, and
            // read again when it is asked for.
            Err(fault) => answer_all(submissions, &fault),
        }
    }

    /// Whether a licence of the round is to be locked before it is decided about, or two instances
    /// could undo each other's rounds for ever.
    fn is_contended(&self, submissions: &[Submission]) -> bool {
        let mut each = submissions.iter();
        each.any(|submission| self.contended.contains_key(&submission.license_id))
    }

    fn contend(&mut self, submissions: &[Submission]) {
        let until = self.rounds + LOCKED_ROUNDS;
        for submission in submissions {
            self.contended.insert(submission.license_id, until);
        }
    }

    async fn read(&mut self, submissions: Vec<Submission>) {
        let mut known = self.take(&submissions);
        match round::read(&self.database, &submissions, &mut known).await {
            Ok(answers) => {
                self.keep(known);
                answer_each(submissions, answers);
            }
            Err(fault) => answer_all(submissions, &fault),
        }
    }

    /// Keeps memory bounded, whatever is asked about.
    fn forget(&mut self) {
        let rounds = self.rounds;
        self.contended.retain(|_, until| *until > rounds);
        let mut bytes: usize = self.known.values().map(|kept| kept.known.bytes()).sum();
        while bytes > MEMORY_BYTES && self.known.len() > 1 {
            let oldest = self.known.iter().min_by_key(|(_, kept)| kept.last_round);
            let Some(id) = oldest.map(|(id, _)| *id) else {
                return;
            };
            if let Some(gone) = self.known.remove(&id) {
                bytes = bytes.saturating_sub(gone.known.bytes());
            }
        }
    }
}

fn answer_each(submissions: Vec<Submission>, answers: Vec<Result<Answer, Fault>>) {
    for (submission, answer) in submissions.into_iter().zip(answers) {
        // A caller that left needs no answer; what was decided for it stands.
        let _ = submission.reply.send(answer);
    }
}

fn answer_all(submissions: Vec<Submission>, fault: &Fault) {
    tracing::error!(?fault, commands = submissions.len(), "a round failed");
    for submission in submissions {
        let fault = fault.shared_passing().unwrap_or_else(undecided);
        let _ = submission.reply.send(Err(fault));
    }
}

/// Whether anything came of a command is unknown.
fn undecided() -> Fault {
    Fault::passing(
        PassingReason::Overloaded,
        "the decision could not be committed; ask again with the same request_id",
    )
}

/// The refusal of another request under an id that was used.
pub(super) fn request_id_reused(origin: &Origin) -> Refusal {
    Refusal::new(
        Reason::RequestIdReused,
        format!(
            "request_id {} was used for another {} request; take a new one",
            origin.request_id, origin.method
        ),
    )
    .with("request_id", &origin.request_id)
}
