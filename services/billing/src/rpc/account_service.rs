//! `licet.billing.v1.AccountService`.

use licet_contracts::billing::v1::{self as billing, account_service_server::AccountService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries, rendering,
    use_cases::{
        create_account::CreateAccount, deposit::Deposit, reverse_entry::ReverseEntry,
        update_account::UpdateAccount, withdraw::Withdraw,
    },
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
                account: Some(convert::account::encode(&account.standing(None, call.now))),
            }
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn update_account(
        &self,
        request: Request<billing::UpdateAccountRequest>,
    ) -> Result<Response<billing::UpdateAccountResponse>, Status> {
        let (call, message) = accept(request)?;
        let change = convert::account::decode_update(&message)?;
        let work = UpdateAccount {
            call: &call,
            request_id: &message.request_id,
            change: &change,
        };
        let response = replay::once(&self.database, &call, &message, &work, |standing| {
            billing::UpdateAccountResponse {
                account: Some(convert::account::encode(&standing)),
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
        let standing = queries::accounts::get(&self.database, &call, account_id).await?;
        let account = Some(convert::account::encode(&standing));
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
        let transfer = convert::account::decode_deposit(&message)?;
        let work = Deposit {
            call: &call,
            request_id: &message.request_id,
            transfer: &transfer,
        };
        let response = replay::once(&self.database, &call, &message, &work, |booked| {
            convert::account::encode_deposit(&booked)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn withdraw(
        &self,
        request: Request<billing::WithdrawRequest>,
    ) -> Result<Response<billing::WithdrawResponse>, Status> {
        let (call, message) = accept(request)?;
        let transfer = convert::account::decode_withdraw(&message)?;
        let work = Withdraw {
            call: &call,
            request_id: &message.request_id,
            transfer: &transfer,
        };
        let encode = |booked| convert::account::encode_withdrawal(&booked);
        if message.validate_only {
            let tx = self.database.read();
            return Ok(Response::new(encode(work.preview(&tx).await?)));
        }
        let response = replay::once(&self.database, &call, &message, &work, encode).await?;
        Ok(Response::new(response))
    }

    async fn reverse_entry(
        &self,
        request: Request<billing::ReverseEntryRequest>,
    ) -> Result<Response<billing::ReverseEntryResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::account::decode_reverse(&message)?;
        let work = ReverseEntry {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let encode = |booked| convert::account::encode_reversal(&booked);
        if message.validate_only {
            let tx = self.database.read();
            return Ok(Response::new(encode(work.preview(&tx).await?)));
        }
        let response = replay::once(&self.database, &call, &message, &work, encode).await?;
        Ok(Response::new(response))
    }

    async fn list_entries(
        &self,
        request: Request<billing::ListEntriesRequest>,
    ) -> Result<Response<billing::ListEntriesResponse>, Status> {
        let (call, message) = accept(request)?;
        let (account_id, period) = convert::statement::decode_list_entries(&message)?;
        let (entries, next_page_token) = queries::accounts::list_entries(
            &self.database,
            &call,
            account_id,
            period,
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

    async fn get_statement(
        &self,
        request: Request<billing::GetStatementRequest>,
    ) -> Result<Response<billing::GetStatementResponse>, Status> {
        let (call, message) = accept(request)?;
        let (account_id, period) = convert::statement::decode_get(&message)?;
        let statement = queries::statements::get(&self.database, &call, account_id, period).await?;
        Ok(Response::new(convert::statement::encode(&statement)))
    }

    async fn render_statement(
        &self,
        request: Request<billing::RenderStatementRequest>,
    ) -> Result<Response<billing::RenderStatementResponse>, Status> {
        let (call, message) = accept(request)?;
        let (account_id, period) =
            convert::statement::decode_wanted(&message.account_id, message.period.as_ref())?;
        let document =
            queries::documents::statement(&self.database, &call, account_id, period).await?;
        Ok(Response::new(billing::RenderStatementResponse {
            content: rendering::statement::render(&document)?,
            content_type: rendering::CONTENT_TYPE.to_owned(),
        }))
    }
}
