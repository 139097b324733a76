//! The seals of all rows: what verification holds them against, and what rows of before are given when a
//! store is taken over.

use licet_runtime::{seal, seal_check::Seals};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::{
    accounts, catalog, credit_notes, invoices, ledger, quotes, refunds, seal_page::SealPage,
};

/// The migration that makes the table of seals.
pub(super) const MIGRATION: &str = "billing_0007_seals";

/// What is sealed, each with what belongs to it.
#[derive(Clone, Copy)]
enum Sealed {
    Products,
    Accounts,
    Quotes,
    Invoices,
    CreditNotes,
    Refunds,
    Entries,
}

const ALL: [Sealed; 7] = [
    Sealed::Products,
    Sealed::Accounts,
    Sealed::Quotes,
    Sealed::Invoices,
    Sealed::CreditNotes,
    Sealed::Refunds,
    Sealed::Entries,
];

impl Sealed {
    async fn page(self, connection: &impl ConnectionTrait, after: &str) -> Result<SealPage, DbErr> {
        match self {
            Self::Products => catalog::list_seals(connection, after).await,
            Self::Accounts => accounts::list_seals(connection, after).await,
            Self::Quotes => quotes::list_seals(connection, after).await,
            Self::Invoices => invoices::list_seals(connection, after).await,
            Self::CreditNotes => credit_notes::list_seals(connection, after).await,
            Self::Refunds => refunds::list_seals(connection, after).await,
            Self::Entries => ledger::list_seals(connection, after).await,
        }
    }
}

/// Holds every row against its seal.
pub(crate) async fn check_all(
    connection: &impl ConnectionTrait,
    seals: &mut Seals,
) -> Result<(), DbErr> {
    for sealed in ALL {
        let mut after = String::new();
        loop {
            let page = sealed.page(connection, &after).await?;
            for seal in page.seals {
                seals.check(seal);
            }
            let Some(last) = page.last else { break };
            after = last;
        }
    }
    Ok(())
}

/// Seals every row of a store that was kept before events said seals.
pub(super) async fn rewrite(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    for sealed in ALL {
        let mut after = String::new();
        loop {
            let page = sealed.page(tx, &after).await?;
            seal::store(tx, page.seals).await?;
            let Some(last) = page.last else { break };
            after = last;
        }
    }
    Ok(())
}
