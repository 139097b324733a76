//! Sales without an order, to prepaid accounts and accounts on terms, and their corrections: credit notes,
//! refunds and reviews.

use licet_contracts::billing::v1::{
    ApproveRefundRequest, ApproveRefundResponse, CreateQuoteRequest, CreditNote, CreditNoteLine,
    GetRefundRequest, Invoice, IssueCreditNoteRequest, LineKind, ListCreditNotesRequest, Refund,
    RefundLine, RejectRefundRequest, RequestRefundRequest, Subject, request_refund_request::Use,
};
use licet_domain::clock::Instant;
use tonic::Request;

use super::{
    Backend,
    clock::timestamp,
    request_id,
    samples::{MULTI, shown, usd},
    selling::{ask, item},
    world::World,
};

/// The first term of a resource.
pub(crate) fn first_term(resource_id: &str) -> Option<Subject> {
    Some(Subject {
        resource_id: resource_id.to_owned(),
        term_index: 0,
    })
}

/// The amount to credit of each line: `(number, amount)`.
pub(crate) fn credit_lines(list: &[(i32, &str)]) -> Vec<CreditNoteLine> {
    let each = list.iter().map(|(line_number, amount)| CreditNoteLine {
        line_number: *line_number,
        amount: usd(amount),
    });
    each.collect()
}

pub(crate) fn goodwill(invoice: &Invoice, lines: &[(i32, &str)]) -> IssueCreditNoteRequest {
    IssueCreditNoteRequest {
        invoice_id: invoice.invoice_id.clone(),
        lines: credit_lines(lines),
        reason: "the outage of May".to_owned(),
        request_id: request_id(),
        ..IssueCreditNoteRequest::default()
    }
}

pub(crate) fn approval(refund: &Refund, amount: Option<&str>) -> ApproveRefundRequest {
    ApproveRefundRequest {
        refund_id: refund.refund_id.clone(),
        amount: amount.and_then(usd),
        reason: "bought by mistake".to_owned(),
        request_id: request_id(),
        ..ApproveRefundRequest::default()
    }
}

/// A request of the caller with this name.
pub(crate) fn named<T>(mut request: Request<T>, caller: &str) -> Request<T> {
    let metadata = request.metadata_mut();
    metadata.insert("licet-caller", caller.parse().unwrap());
    request
}

/// Amounts of an invoice: total, paid, credited, returned, held, due.
pub(crate) fn figures(invoice: &Invoice) -> [String; 6] {
    [
        &invoice.total,
        &invoice.paid,
        &invoice.credited,
        &invoice.returned,
        &invoice.held,
        &invoice.due,
    ]
    .map(|money| shown(money.as_ref()).replace(" USD", ""))
}

impl World {
    /// Charges a year of each kind for the first term of a resource: a certificate costs 98.00, a domain
    /// 49.00, a wildcard domain 149.00.
    pub(crate) async fn sell_about(
        &self,
        account_id: &str,
        resource_id: &str,
        kinds: &[(LineKind, i32)],
    ) -> Invoice {
        let items = kinds
            .iter()
            .map(|&(kind, quantity)| item(kind, MULTI, quantity));
        let ask = CreateQuoteRequest {
            subject: first_term(resource_id),
            ..ask(account_id, items.collect())
        };
        let quote = self.quotes().create_quote(ask).await.unwrap().into_inner();
        self.charge(&quote.quote.unwrap()).await.unwrap()
    }

    /// Pays a part of an open invoice from the balance.
    pub(crate) async fn pay_part(&self, invoice: &Invoice, amount: &str) -> Invoice {
        let answer = self.pay(&invoice.invoice_id, Some(amount)).await;
        answer.unwrap().invoice.unwrap()
    }

    pub(crate) async fn credit_notes_of(&self, invoice: &Invoice) -> Vec<CreditNote> {
        let request = ListCreditNotesRequest {
            invoice_id: invoice.invoice_id.clone(),
            ..ListCreditNotesRequest::default()
        };
        let answer = self.invoices().list_credit_notes(request).await.unwrap();
        answer.into_inner().credit_notes
    }

    /// Requests the refund of a resource's first term, which was issued at `issued`.
    pub(crate) async fn request_refund(
        &self,
        account_id: &str,
        resource_id: &str,
        issued: Instant,
    ) -> Refund {
        let request = RequestRefundRequest {
            account_id: account_id.to_owned(),
            subject: first_term(resource_id),
            r#use: Some(in_use(Some(issued))),
            request_id: request_id(),
            ..RequestRefundRequest::default()
        };
        let answer = self.refunds().request_refund(request).await.unwrap();
        answer.into_inner().refund.unwrap()
    }

    pub(crate) async fn get_refund(&self, refund: &Refund) -> Refund {
        let request = GetRefundRequest {
            refund_id: refund.refund_id.clone(),
        };
        let answer = self.refunds().get_refund(request).await.unwrap();
        answer.into_inner().refund.unwrap()
    }

    pub(crate) async fn grant(&self, request: ApproveRefundRequest) -> ApproveRefundResponse {
        let answer = self.refunds().approve_refund(request).await.unwrap();
        answer.into_inner()
    }
}

/// The use of a term in a refund request; `None`: it was never issued.
pub(crate) fn in_use(since: Option<Instant>) -> Use {
    since.map_or(Use::NeverIssued(true), |since| {
        Use::FirstIssuanceTime(timestamp(since))
    })
}

/// A refund in review, 28 days after the issuance, with invoices of 98.00 + 98.00 + 149.00 and 49.00.
pub(crate) struct Review {
    pub(crate) world: World,
    pub(crate) account_id: String,
    pub(crate) invoices: [Invoice; 2],
    pub(crate) refund: Refund,
}

impl Review {
    pub(crate) async fn prepaid(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        Self::start(world, account_id).await
    }

    /// 145.00 of the first invoice are paid, nothing of the second; the balance is 55.00.
    pub(crate) async fn on_terms(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_on_terms("1000.00", 30, 10).await;
        world.deposit(&account_id, "200.00").await;
        let mut review = Self::start(world, account_id).await;
        review.invoices[0] = review.world.pay_part(&review.invoices[0], "145.00").await;
        review
    }

    pub(crate) async fn start(world: World, account_id: String) -> Self {
        let issued = world.now();
        let invoices = sell_both(&world, &account_id).await;
        world.time.advance_days(28);
        let refund = world.request_refund(&account_id, "thing-1", issued).await;
        Self {
            world,
            account_id,
            invoices,
            refund,
        }
    }

    pub(crate) async fn approve(&self, amount: Option<&str>) -> (Refund, Vec<CreditNote>) {
        let answer = self.world.grant(approval(&self.refund, amount)).await;
        (answer.refund.unwrap(), answer.credit_notes)
    }

    pub(crate) async fn figures(&self) -> [[String; 6]; 2] {
        let [first, second] = &self.invoices;
        [
            figures(&self.world.invoice(&first.invoice_id).await),
            figures(&self.world.invoice(&second.invoice_id).await),
        ]
    }

    pub(crate) fn rejection(&self) -> RejectRefundRequest {
        RejectRefundRequest {
            refund_id: self.refund.refund_id.clone(),
            reason: "used for four weeks".to_owned(),
            request_id: request_id(),
            ..RejectRefundRequest::default()
        }
    }

    /// An approval of these lines: `(invoice, line, amount)`.
    pub(crate) fn by_line(&self, list: &[(usize, i32, &str)]) -> ApproveRefundRequest {
        let each = list
            .iter()
            .map(|&(invoice, line_number, amount)| RefundLine {
                invoice_id: self.invoices[invoice].invoice_id.clone(),
                line_number,
                amount: usd(amount),
            });
        ApproveRefundRequest {
            lines: each.collect(),
            ..approval(&self.refund, None)
        }
    }

    pub(crate) async fn balance(&self) -> String {
        self.world.balance(&self.account_id).await
    }
}

pub(crate) async fn sell_both(world: &World, account_id: &str) -> [Invoice; 2] {
    let kinds = [
        (LineKind::Certificate, 1),
        (LineKind::Domain, 2),
        (LineKind::WildcardDomain, 1),
    ];
    let first = world.sell_about(account_id, "thing-1", &kinds).await;
    let kinds = [(LineKind::Domain, 1)];
    let second = world.sell_about(account_id, "thing-1", &kinds).await;
    [first, second]
}
