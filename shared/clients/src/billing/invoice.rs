//! Invoices and credit notes.

use licet_contracts::billing::v1 as billing;
use licet_domain::{ids::InvoiceId, money::Money};

use super::reading::{amount, broken};
use crate::opaque::opaque;

opaque! {
    /// An invoice as Billing returned it.
    Invoice, billing::Invoice
}

impl Invoice {
    /// Its id and total.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn identity(&self) -> Result<(InvoiceId, Money), String> {
        let id = self.message().invoice_id.parse();
        let id = id.map_err(|error| broken("invoice", error))?;
        Ok((id, amount(self.message().total.as_ref())?))
    }

    /// The id of its subject, such as an order; empty if its quote had no subject.
    #[must_use]
    pub fn resource_id(&self) -> &str {
        let subject = self.message().subject.as_ref();
        subject.map_or("", |subject| &subject.resource_id)
    }
}

opaque! {
    /// A credit note as Billing returned it.
    CreditNote, billing::CreditNote
}

impl CreditNote {
    /// Its id; empty in a preview.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.message().credit_note_id
    }
}
