//! Steps of a random history that move money (deposits, withdrawals, reversals, payments), change payment
//! terms or repeat a request.

use licet_contracts::billing::v1::{
    AccountKind, DepositRequest, EntryKind, LedgerAccount, PayInvoiceRequest, PaymentTerms,
    ReverseEntryRequest, UpdateAccountRequest, WithdrawRequest,
};
use tonic::Code;

use super::{
    billing_asks::Ask as _,
    billing_histories::{History, agree},
    billing_model::{Terms, no},
};
use crate::harness::request_id;

impl History<'_> {
    pub(super) async fn deposit(&mut self) -> &'static str {
        let amount = self.minor(1, 150_000);
        let request = DepositRequest {
            account_id: self.account_id.clone(),
            amount: self.model.money(amount),
            reference: "received".to_owned(),
            request_id: request_id(),
        };
        println!("    deposits {amount}");
        let answer = self.ask(request.clone()).await.unwrap();
        let entry = answer.entry.unwrap();
        let postings = [
            (LedgerAccount::Cash, amount),
            (LedgerAccount::Balance, -amount),
        ];
        let (kind, now) = (EntryKind::Deposit, self.now());
        self.model
            .book(now, kind, &postings, (&request.reference, &entry.entry_id));
        assert_eq!(answer.balance, self.model.money(self.model.balance()));
        self.deposits.push(request);
        "done"
    }

    pub(super) async fn withdraw(&mut self) -> &'static str {
        let most = self.model.balance().unsigned_abs();
        let amount = self.minor(1, most + 2 + most / 8);
        let request = WithdrawRequest {
            account_id: self.account_id.clone(),
            amount: self.model.money(amount),
            reference: "paid out".to_owned(),
            request_id: request_id(),
            ..WithdrawRequest::default()
        };
        println!("    withdraws {amount}");
        let expected = self.model.spend(amount);
        let answer = match agree(expected, self.ask(request).await) {
            Ok(((), answer)) => answer,
            Err(reason) => return reason,
        };
        let entry = answer.entry.unwrap();
        let postings = [
            (LedgerAccount::Balance, amount),
            (LedgerAccount::Cash, -amount),
        ];
        let (kind, now) = (EntryKind::Withdrawal, self.now());
        self.model
            .book(now, kind, &postings, ("paid out", &entry.entry_id));
        assert_eq!(answer.balance, self.model.money(self.model.balance()));
        "done"
    }

    /// An entry can be reversed once, and only if the balance covers it.
    pub(super) async fn reverse(&mut self) -> &'static str {
        let own = self.model.entries.iter().filter(|it| !it.id.is_empty());
        let own: Vec<_> = own.cloned().collect();
        if own.is_empty() {
            return "idle";
        }
        let entry = own[self.random.index(own.len())].clone();
        let moved = |minor: i64| {
            let deposited = entry.postings[0].0 == LedgerAccount::Cash;
            if deposited {
                self.model.spend(minor)
            } else {
                Ok(())
            }
        };
        let earlier = own
            .iter()
            .find(|it| it.kind == EntryKind::Reversal && it.cause == entry.id);
        let expected = match (entry.kind, earlier) {
            (EntryKind::Reversal, _) => Err(no("ENTRY_NOT_REVERSIBLE").with("kind", "REVERSAL")),
            (_, Some(earlier)) => {
                Err(no("ENTRY_ALREADY_REVERSED").with("reversal_entry_id", &earlier.id))
            }
            (_, None) => moved(entry.postings[0].1),
        };
        let request = ReverseEntryRequest {
            entry_id: entry.id.clone(),
            reason: "booked by mistake".to_owned(),
            request_id: request_id(),
            ..ReverseEntryRequest::default()
        };
        println!("    reverses {entry:?}: {expected:?}");
        let answer = match agree(expected, self.ask(request).await) {
            Ok(((), answer)) => answer,
            Err(reason) => return reason,
        };
        let id = answer.entry.unwrap().entry_id;
        let mirrored = entry
            .postings
            .iter()
            .map(|(account, minor)| (*account, -minor));
        let mirrored: Vec<_> = mirrored.collect();
        let (kind, now) = (EntryKind::Reversal, self.now());
        self.model.book(now, kind, &mirrored, (&entry.id, &id));
        assert_eq!(answer.balance, self.model.money(self.model.balance()));
        "done"
    }

    /// The index of a random invoice; of an open one if `open`.
    pub(super) fn some_invoice(&mut self, open: bool) -> Option<usize> {
        let invoices = &self.model.invoices;
        let mut places: Vec<usize> = (0..invoices.len()).collect();
        places.retain(|place| !open || invoices[*place].due() > 0);
        (!places.is_empty()).then(|| places[self.random.index(places.len())])
    }

    pub(super) async fn pay(&mut self) -> &'static str {
        let open = self.random.below(8) > 0;
        let Some(place) = self.some_invoice(open) else {
            return "idle";
        };
        let due = self.model.invoices[place].due().unsigned_abs();
        let amount = (self.random.below(3) > 0).then(|| self.minor(1, due + 1 + due / 3));
        let request = PayInvoiceRequest {
            invoice_id: self.model.invoices[place].id.clone(),
            amount: amount.and_then(|amount| self.model.money(amount)),
            request_id: request_id(),
            ..PayInvoiceRequest::default()
        };
        let expected = self.model.may_pay(place, amount);
        println!("    pays {amount:?} of invoice {place}: {expected:?}");
        let (paid, answer) = match agree(expected, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.model.pay(place, paid, self.now());
        assert_eq!(answer.balance, self.model.money(self.model.balance()));
        self.check_invoice(&answer.invoice.unwrap(), &self.model.invoices[place]);
        "done"
    }

    /// New payment terms apply to later charges (BL-6).
    pub(super) async fn change_terms(&mut self) -> &'static str {
        let terms = (self.random.below(3) > 0).then(|| self.some_terms());
        let request = UpdateAccountRequest {
            account_id: self.account_id.clone(),
            kind: match terms {
                Some(_) => AccountKind::OnTerms.into(),
                None => AccountKind::Prepaid.into(),
            },
            terms: terms.map(|terms| self.written_terms(terms)),
            request_id: request_id(),
            ..UpdateAccountRequest::default()
        };
        let due = self.model.due();
        let expected = match terms {
            None if due > 0 => Err(no("ACCOUNT_HAS_DUE").with("due", self.model.text(due))),
            _ => Ok(()),
        };
        println!("    agrees on {terms:?}: {expected:?}");
        if let Err(reason) = agree(expected, self.ask(request).await) {
            return reason;
        }
        self.model.terms = terms;
        "done"
    }

    pub(super) fn some_terms(&mut self) -> Terms {
        Terms {
            limit: self.minor(0, 300_000),
            net_days: [0, 14, 30][self.random.index(3)],
            grace_days: [0, 5, 30][self.random.index(3)],
        }
    }

    pub(super) fn written_terms(&self, terms: Terms) -> PaymentTerms {
        PaymentTerms {
            credit_limit: self.model.money(terms.limit),
            net_days: i32::try_from(terms.net_days).unwrap(),
            overdue_grace_days: i32::try_from(terms.grace_days).unwrap(),
        }
    }

    /// BL-2: repeats an earlier request, unchanged or sometimes changed.
    pub(super) async fn repeat(&mut self) -> &'static str {
        if self.asked.is_empty() {
            return "idle";
        }
        let place = self.random.index(self.asked.len());
        let way = self.way();
        (self.asked[place])(way).await;
        if self.deposits.is_empty() || self.random.below(2) == 0 {
            return "done";
        }
        let place = self.random.index(self.deposits.len());
        let other = DepositRequest {
            reference: "something else".to_owned(),
            ..self.deposits[place].clone()
        };
        let refused = other.send(self.way()).await.unwrap_err();
        refused.expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
        "REQUEST_ID_REUSED"
    }
}
