//! How much of an invoice can still be credited, and what a credit does (BL-3, BL-4). What a refund
//! in review holds is not free for other credits.

use std::collections::BTreeMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, InvoiceId},
    money::{Money, MoneyError, split},
    refusal::{ERROR_TEXT_ROOM, Reason, Refusal, listed},
};

use super::{
    charge::{CreditableLine, Invoice, InvoiceLine},
    id_text, money_refusal,
    numbers::DocumentNumber,
};

/// Which part of an invoice a credit is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What is neither credited nor held.
    Free,
    /// What a refund in review holds.
    Held,
}

impl CreditableLine {
    /// The most that a credit can take from `source`.
    fn room(&self, source: Source) -> Result<Money, Refusal> {
        match source {
            Source::Free => self
                .creditable()
                .map_err(|error| money_refusal(self.amount.currency(), &error)),
            Source::Held => Ok(self.held),
        }
    }
}

/// The amounts of an invoice that decide what can be credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreditableInvoice {
    /// Its id.
    pub(crate) invoice_id: InvoiceId,
    /// What is due on it.
    pub(crate) due: Money,
    /// Its lines, in order.
    pub(crate) lines: Vec<CreditableLine>,
}

/// An amount requested off one line of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestedCredit {
    /// The invoice.
    pub(crate) invoice_id: InvoiceId,
    /// The line and the amount.
    pub(crate) line: LineCredit,
}

/// An amount credited on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineCredit {
    /// The line's number on the invoice, from 1.
    pub(crate) line_number: u32,
    /// Above zero.
    pub(crate) amount: Money,
}

/// The credit of one invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceCredit {
    /// The invoice.
    pub(crate) invoice_id: InvoiceId,
    /// The amounts by line, in order.
    pub(crate) lines: Vec<LineCredit>,
    /// Their sum, above zero.
    pub(crate) total: Money,
    /// The part that returns to the account's balance; the rest lowers what is due (BL-4).
    pub(crate) returned: Money,
    /// What is due afterwards.
    pub(crate) due: Money,
}

/// A correction of one invoice; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreditNote {
    /// `None`: a preview, not issued.
    pub(crate) credit_note_id: Option<CreditNoteId>,
    /// `None`: a preview, or not committed yet.
    pub(crate) number: Option<DocumentNumber>,
    /// The credited account.
    pub(crate) account_id: AccountId,
    /// The corrected invoice.
    pub(crate) invoice_id: InvoiceId,
    /// The amounts by line.
    pub(crate) lines: Vec<LineCredit>,
    /// Their sum.
    pub(crate) total: Money,
    /// The part that returned to the balance; the rest lowered what was due (BL-4).
    pub(crate) returned: Money,
    /// Why, for people.
    pub(crate) reason: String,
    /// The record time of its issue (T-6).
    pub(crate) issued: Instant,
}

impl CreditNote {
    /// The credit note of `credit`, without id and number.
    pub(crate) fn draft(
        account_id: AccountId,
        credit: &InvoiceCredit,
        reason: &str,
        now: Instant,
    ) -> Self {
        Self {
            credit_note_id: None,
            number: None,
            account_id,
            invoice_id: credit.invoice_id,
            lines: credit.lines.clone(),
            total: credit.total,
            returned: credit.returned,
            reason: reason.to_owned(),
            issued: now,
        }
    }

    /// Where the money went, for people (BL-7).
    pub(crate) fn explanation(&self) -> String {
        let unpaid = self.total.checked_sub(self.returned);
        let unpaid = unpaid.unwrap_or_else(|_| Money::zero(self.total.currency()));
        format!(
            "{} credited: {unpaid} off what was due on the invoice, {} back to the balance",
            self.total, self.returned
        )
    }
}

/// What can be credited on issued invoices; previews are skipped.
pub(crate) fn creditable(invoices: &[Invoice]) -> Result<Vec<CreditableInvoice>, Refusal> {
    let issued = invoices.iter().filter_map(|invoice| {
        let invoice_id = invoice.invoice_id?;
        let due = invoice.due();
        Some(due.map_or_else(
            |error| Err(money_refusal(invoice.total.currency(), &error)),
            |due| {
                Ok(CreditableInvoice {
                    invoice_id,
                    due,
                    lines: invoice.creditable_lines(),
                })
            },
        ))
    });
    issued.collect()
}

/// Plans a credit of `lines`, or of everything free if there are none.
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE, also when nothing is left to credit; CURRENCY_MISMATCH.
pub(crate) fn plan_goodwill(
    invoice: &Invoice,
    lines: &[LineCredit],
) -> Result<InvoiceCredit, Refusal> {
    let zero = Money::zero(invoice.total.currency());
    let invoices = creditable(std::slice::from_ref(invoice))?;
    let requests = if lines.is_empty() {
        request_all(&invoices, Source::Free)?
    } else {
        let of_line = |&line: &LineCredit| {
            let invoice_id = invoice.invoice_id?;
            Some(RequestedCredit { invoice_id, line })
        };
        lines.iter().filter_map(of_line).collect()
    };
    let credits = plan(&invoices, &requests, Source::Free, zero)?;
    credits.into_iter().next().ok_or_else(|| {
        let id = id_text(invoice.invoice_id);
        Refusal::new(
            Reason::CreditExceedsInvoice,
            format!("nothing is left to credit on invoice {id}"),
        )
        .with("invoice_id", id)
        .with("asked", invoice.total.value())
        .with("creditable", zero.value())
        .with("currency", zero.currency().code())
    })
}

/// The total of the credits, and the part that returns to the balance.
pub(crate) fn totals(credits: &[InvoiceCredit], zero: Money) -> Result<(Money, Money), Refusal> {
    let sum = |part: fn(&InvoiceCredit) -> Money| {
        credits
            .iter()
            .try_fold(zero, |sum, credit| sum.checked_add(part(credit)))
            .map_err(|error| money_refusal(zero.currency(), &error))
    };
    Ok((sum(|credit| credit.total)?, sum(|credit| credit.returned)?))
}

/// The invoice after `credit`.
///
/// # Errors
/// Never for a credit planned on this invoice.
pub(crate) fn apply_credit(
    mut invoice: Invoice,
    credit: &InvoiceCredit,
) -> Result<Invoice, MoneyError> {
    invoice.credited = invoice.credited.checked_add(credit.total)?;
    invoice.returned = invoice.returned.checked_add(credit.returned)?;
    for line in &credit.lines {
        let of_line = |it: &&mut InvoiceLine| it.creditable.line_number == line.line_number;
        if let Some(found) = invoice.lines.iter_mut().find(of_line) {
            found.creditable.credited = found.creditable.credited.checked_add(line.amount)?;
        }
    }
    Ok(invoice)
}

/// The invoice with nothing held by a review.
pub(crate) fn release_hold(mut invoice: Invoice) -> Invoice {
    let nothing = Money::zero(invoice.total.currency());
    invoice.held = nothing;
    for line in &mut invoice.lines {
        line.creditable.held = nothing;
    }
    invoice
}

/// Requests everything in `source`, line by line; lines without any are skipped.
pub(crate) fn request_all(
    invoices: &[CreditableInvoice],
    source: Source,
) -> Result<Vec<RequestedCredit>, Refusal> {
    let mut requests = Vec::new();
    for invoice in invoices {
        for line in &invoice.lines {
            let amount = line.room(source)?;
            if amount.minor() > 0 {
                requests.push(request_line(invoice, line, amount));
            }
        }
    }
    Ok(requests)
}

/// Splits `amount` over the lines, in proportion to what `source` has of each, by largest remainder
/// (M-3). The parts sum to `amount`; none exceeds its line.
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE if `source` has less than `amount`; CURRENCY_MISMATCH.
pub(crate) fn spread(
    invoices: &[CreditableInvoice],
    amount: Money,
    source: Source,
    zero: Money,
) -> Result<Vec<RequestedCredit>, Refusal> {
    let refused = |error: MoneyError| money_refusal(zero.currency(), &error);
    let amount = zero.checked_add(amount).map_err(refused)?;
    let mut parts = request_all(invoices, source)?;
    let mut room = zero;
    for part in &parts {
        room = room.checked_add(part.line.amount).map_err(refused)?;
    }
    if amount.minor() > room.minor() {
        return Err(Refusal::new(
            Reason::CreditExceedsInvoice,
            format!("at most {room} can be credited; {amount} was requested"),
        )
        .with("asked", amount.value())
        .with("creditable", room.value())
        .with("currency", zero.currency().code()));
    }
    let weights: Vec<u64> = parts
        .iter()
        .map(|part| part.line.amount.minor().unsigned_abs())
        .collect();
    for (part, share) in parts
        .iter_mut()
        .zip(split(amount, &weights).map_err(refused)?)
    {
        part.line.amount = share;
    }
    parts.retain(|part| !part.line.amount.is_zero());
    Ok(parts)
}

/// Plans the credits in `requests`, one per invoice, in the order of the invoices. A credit lowers
/// what is due first, and only the excess returns to the balance: unpaid money never becomes
/// spendable (BL-4).
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE naming every line with less in `source` than requested (BL-3);
/// CURRENCY_MISMATCH.
pub(crate) fn plan(
    invoices: &[CreditableInvoice],
    requests: &[RequestedCredit],
    source: Source,
    zero: Money,
) -> Result<Vec<InvoiceCredit>, Refusal> {
    let refused = |error: MoneyError| money_refusal(zero.currency(), &error);
    let mut by_line: BTreeMap<(InvoiceId, u32), Money> = BTreeMap::new();
    for RequestedCredit { invoice_id, line } in requests {
        let sum = by_line
            .entry((*invoice_id, line.line_number))
            .or_insert(zero);
        *sum = sum.checked_add(line.amount).map_err(refused)?;
    }
    let mut credits = Vec::new();
    let mut excesses = Vec::new();
    for invoice in invoices {
        let mut lines = Vec::new();
        let mut total = zero;
        for line in &invoice.lines {
            let Some(amount) = by_line.remove(&(invoice.invoice_id, line.line_number)) else {
                continue;
            };
            let creditable = line.room(source)?;
            if amount.minor() > creditable.minor() {
                let line = request_line(invoice, line, amount);
                excesses.push(Excess { line, creditable });
            }
            total = total.checked_add(amount).map_err(refused)?;
            lines.push(LineCredit {
                line_number: line.line_number,
                amount,
            });
        }
        if total.minor() > 0 {
            credits.push(plan_invoice_credit(invoice, lines, total).map_err(refused)?);
        }
    }
    // What is left names lines that do not exist.
    excesses.extend(
        by_line
            .into_iter()
            .map(|((invoice_id, line_number), amount)| {
                let line = LineCredit {
                    line_number,
                    amount,
                };
                Excess {
                    line: RequestedCredit { invoice_id, line },
                    creditable: zero,
                }
            }),
    );
    match excesses.split_first() {
        None => Ok(credits),
        Some((first, others)) => Err(exceeds(first, others)),
    }
}

/// BL-4: the credit lowers what is due; the excess returns to the balance.
fn plan_invoice_credit(
    invoice: &CreditableInvoice,
    lines: Vec<LineCredit>,
    total: Money,
) -> Result<InvoiceCredit, MoneyError> {
    let beyond = total.checked_sub(invoice.due)?;
    let nothing = Money::zero(total.currency());
    let (returned, due) = if beyond.minor() > 0 {
        (beyond, nothing)
    } else {
        (nothing, beyond.checked_neg()?)
    };
    Ok(InvoiceCredit {
        invoice_id: invoice.invoice_id,
        lines,
        total,
        returned,
        due,
    })
}

fn request_line(
    invoice: &CreditableInvoice,
    line: &CreditableLine,
    amount: Money,
) -> RequestedCredit {
    let line = LineCredit {
        line_number: line.line_number,
        amount,
    };
    RequestedCredit {
        invoice_id: invoice.invoice_id,
        line,
    }
}

/// A request for more than the line has.
struct Excess {
    line: RequestedCredit,
    creditable: Money,
}

fn exceeds(first: &Excess, others: &[Excess]) -> Refusal {
    let say = |excess: &Excess| {
        let (requested, creditable) = (excess.line.line.amount, excess.creditable);
        format!("at most {creditable} can be credited; {requested} was requested")
    };
    let RequestedCredit { invoice_id, line } = first.line;
    let each = std::iter::once(first).chain(others).map(|excess| {
        let RequestedCredit { invoice_id, line } = excess.line;
        format!("line {} of {invoice_id}: {}", line.line_number, say(excess))
    });
    let message = listed(each, others.len() + 1, ERROR_TEXT_ROOM);
    let mut refusal = Refusal::new(Reason::CreditExceedsInvoice, message)
        .with("invoice_id", invoice_id)
        .with("line_number", line.line_number)
        .with("asked", line.amount.value())
        .with("creditable", first.creditable.value())
        .with("currency", line.amount.currency().code());
    for excess in std::iter::once(first).chain(others) {
        let RequestedCredit { invoice_id, line } = excess.line;
        let subject = format!("{invoice_id} line {}", line.line_number);
        refusal = refusal.violation("LINE", subject, say(excess));
    }
    refusal
}

#[cfg(test)]
mod tests;
