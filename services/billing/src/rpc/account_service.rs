//! `licet.billing.v1.AccountService`.

use licet_contracts::billing::v1::{self as pb, account_service_server::AccountService};
use licet_runtime::{caller::accept, database::Database, field::Fields, replay};
use tonic::{Request, Response, Status};

use crate::{convert::account as convert, queries};

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
        request: Request<pb::CreateAccountRequest>,
    ) -> Result<Response<pb::CreateAccountResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = convert::decode_create(&call, &message)?;
        let answer = replay::once(&self.database, &call, &message, &work, |account| {
            pb::CreateAccountResponse {
                account: Some(convert::encode(&account)),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let account_id = fields.required("account_id", &message.account_id);
        let account_id = fields.build(|| account_id)?;
        let account = queries::accounts::get(&self.database, &call, account_id).await?;
        let account = Some(convert::encode(&account));
        Ok(Response::new(pb::GetAccountResponse { account }))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let (call, message) = accept(request)?;
        let (accounts, next_page_token) = queries::accounts::list(
            &self.database,
            &call,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let accounts = accounts.iter().map(convert::encode).collect();
        Ok(Response::new(pb::ListAccountsResponse {
            accounts,
            next_page_token,
        }))
    }

    async fn deposit(
        &self,
        request: Request<pb::DepositRequest>,
    ) -> Result<Response<pb::DepositResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = convert::decode_deposit(&call, &message)?;
        let answer = replay::once(&self.database, &call, &message, &work, |deposited| {
            convert::encode_deposit(&deposited)
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_entries(
        &self,
        request: Request<pb::ListEntriesRequest>,
    ) -> Result<Response<pb::ListEntriesResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let account_id = fields.required("account_id", &message.account_id);
        let account_id = fields.build(|| account_id)?;
        let (entries, next_page_token) = queries::accounts::list_entries(
            &self.database,
            &call,
            account_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let entries = entries.iter().map(convert::encode_entry).collect();
        Ok(Response::new(pb::ListEntriesResponse {
            entries,
            next_page_token,
        }))
    }
}
