//! The seals of all rows: computed to verify a store, and stored when one from before seals is
//! migrated.

use licet_runtime::{seal, seal_check::Seals};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::{
    accounts, catalog, credit_notes, invoices, ledger, parts::RowKey, quotes, refunds,
    seal_page::SealPage,
};

/// The migration that creates the table of seals.
pub(super) const MIGRATION: &str = "billing_0007_seals";

/// The sealed rows, each with those that belong to it.
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
    async fn page(
        self,
        connection: &impl ConnectionTrait,
        after: &RowKey,
    ) -> Result<SealPage, DbErr> {
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

/// Checks every row against its seal.
pub(crate) async fn check_all(
    connection: &impl ConnectionTrait,
    seals: &mut Seals,
) -> Result<(), DbErr> {
    for sealed in ALL {
        let mut after = RowKey::default();
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

/// Seals every row of a store from before events had seals.
pub(super) async fn rewrite(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    for sealed in ALL {
        let mut after = RowKey::default();
        loop {
            let page = sealed.page(tx, &after).await?;
            seal::store(tx, page.seals).await?;
            let Some(last) = page.last else { break };
            after = last;
        }
    }
    Ok(())
}
