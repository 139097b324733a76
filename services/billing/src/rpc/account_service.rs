//! `licet.billing.v1.AccountService`.

use licet_contracts::billing::v1::{self as billing, account_service_server::AccountService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    use_cases::{create_account::CreateAccount, deposit::Deposit},
};

/// Accounts, deposits and ledger entries.
#[derive(Clone, Debug)]
pub(crate) struct AccountRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn create_account(
        &self,
        request: Request<billing::CreateAccountRequest>,
    ) -> Result<Response<billing::CreateAccountResponse>, Status> {
        let (call, message) = accept(request)?;
        let opening = convert::account::decode_create(&message)?;
        let work = CreateAccount {
            call: &call,
            request_id: &message.request_id,
            opening: &opening,
        };
        let response = replay::once(&self.database, &call, &message, &work, |account| {
            billing::CreateAccountResponse {
                account: Some(convert::account::encode(&account)),
            }
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn get_account(
        &self,
        request: Request<billing::GetAccountRequest>,
    ) -> Result<Response<billing::GetAccountResponse>, Status> {
        let (call, message) = accept(request)?;
        let account_id = convert::account::decode_account_id(&message.account_id)?;
        let account = queries::accounts::get(&self.database, &call, account_id).await?;
        let account = Some(convert::account::encode(&account));
        Ok(Response::new(billing::GetAccountResponse { account }))
    }

    async fn list_accounts(
        &self,
        request: Request<billing::ListAccountsRequest>,
    ) -> Result<Response<billing::ListAccountsResponse>, Status> {
        let (call, message) = accept(request)?;
        let (accounts, next_page_token) = queries::accounts::list(
            &self.database,
            &call,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let accounts = accounts.iter().map(convert::account::encode).collect();
        Ok(Response::new(billing::ListAccountsResponse {
            accounts,
            next_page_token,
        }))
    }

    async fn deposit(
        &self,
        request: Request<billing::DepositRequest>,
    ) -> Result<Response<billing::DepositResponse>, Status> {
        let (call, message) = accept(request)?;
        let receipt = convert::account::decode_deposit(&message)?;
        let work = Deposit {
            call: &call,
            request_id: &message.request_id,
            receipt: &receipt,
        };
        let response = replay::once(&self.database, &call, &message, &work, |deposited| {
            convert::account::encode_deposit(&deposited)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn list_entries(
        &self,
        request: Request<billing::ListEntriesRequest>,
    ) -> Result<Response<billing::ListEntriesResponse>, Status> {
        let (call, message) = accept(request)?;
        let account_id = convert::account::decode_account_id(&message.account_id)?;
        let (entries, next_page_token) = queries::accounts::list_entries(
            &self.database,
            &call,
            account_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let entries = entries.iter().map(convert::account::encode_entry).collect();
        Ok(Response::new(billing::ListEntriesResponse {
            entries,
            next_page_token,
        }))
    }
}
