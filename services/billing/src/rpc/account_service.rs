//! `licet.billing.v1.AccountService`.

use licet_contracts::billing::v1::{self as billing, account_service_server::AccountService};
use licet_runtime::{database::Database, door, field::only};
use tonic::{Request, Response, Status};

use crate::{
    convert::{self, Seller},
    queries, rendering,
};

/// Accounts, deposits and ledger entries.
#[derive(Clone, Debug)]
pub(crate) struct AccountRpc {
    /// The database of Billing.
    pub(crate) database: Database,
    /// Who issues invoices; statements name it.
    pub(crate) seller: Seller,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn create_account(
        &self,
        request: Request<billing::CreateAccountRequest>,
    ) -> Result<Response<billing::CreateAccountResponse>, Status> {
        door::run(
            &self.database,
            request,
            |_, message| convert::account::decode_create(message),
            |view| Ok(convert::account::encode_created(&view)),
        )
        .await
    }

    async fn update_account(
        &self,
        request: Request<billing::UpdateAccountRequest>,
    ) -> Result<Response<billing::UpdateAccountResponse>, Status> {
        door::run(
            &self.database,
            request,
            |_, message| convert::account::decode_update(message),
            |view| Ok(convert::account::encode_updated(&view)),
        )
        .await
    }

    async fn get_account(
        &self,
        request: Request<billing::GetAccountRequest>,
    ) -> Result<Response<billing::GetAccountResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            only("account_id", &message.account_id)
        })?;
        let found = queries::accounts::get(&self.database, &call, id).await?;
        Ok(Response::new(billing::GetAccountResponse {
            account: Some(convert::account::encode(&found)),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<billing::ListAccountsRequest>,
    ) -> Result<Response<billing::ListAccountsResponse>, Status> {
        let (call, (), page) = door::list(request, |_, _| Ok(()))?;
        let (found, next_page_token) =
            queries::accounts::list(&self.database, &call, &page).await?;
        Ok(Response::new(billing::ListAccountsResponse {
            accounts: found.iter().map(convert::account::encode).collect(),
            next_page_token,
        }))
    }

    async fn deposit(
        &self,
        request: Request<billing::DepositRequest>,
    ) -> Result<Response<billing::DepositResponse>, Status> {
        door::run(
            &self.database,
            request,
            |_, message| convert::account::decode_deposit(message),
            |booked| Ok(convert::account::encode_deposit(&booked)),
        )
        .await
    }

    async fn withdraw(
        &self,
        request: Request<billing::WithdrawRequest>,
    ) -> Result<Response<billing::WithdrawResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |_, message| convert::account::decode_withdraw(message),
            |booked| Ok(convert::account::encode_withdrawal(&booked)),
        )
        .await
    }

    async fn reverse_entry(
        &self,
        request: Request<billing::ReverseEntryRequest>,
    ) -> Result<Response<billing::ReverseEntryResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |_, message| convert::account::decode_reverse(message),
            |booked| Ok(convert::account::encode_reversal(&booked)),
        )
        .await
    }

    async fn list_entries(
        &self,
        request: Request<billing::ListEntriesRequest>,
    ) -> Result<Response<billing::ListEntriesResponse>, Status> {
        let (call, (account_id, period), page) = door::list(request, |_, message| {
            convert::statement::decode_list_entries(message)
        })?;
        let (found, next_page_token) =
            queries::accounts::list_entries(&self.database, &call, account_id, period, &page)
                .await?;
        Ok(Response::new(billing::ListEntriesResponse {
            entries: found.iter().map(convert::account::encode_entry).collect(),
            next_page_token,
        }))
    }

    async fn get_statement(
        &self,
        request: Request<billing::GetStatementRequest>,
    ) -> Result<Response<billing::GetStatementResponse>, Status> {
        let (call, (account_id, period)) = door::read(request, |_, message| {
            convert::statement::decode_get(message)
        })?;
        let found = queries::statements::get(&self.database, &call, account_id, period).await?;
        Ok(Response::new(convert::statement::encode(&found)))
    }

    async fn render_statement(
        &self,
        request: Request<billing::RenderStatementRequest>,
    ) -> Result<Response<billing::RenderStatementResponse>, Status> {
        let (call, (account_id, period)) = door::read(request, |_, message| {
            convert::statement::decode_render(message)
        })?;
        let found =
            queries::documents::statement(&self.database, &call, account_id, period, &self.seller)
                .await?;
        Ok(Response::new(billing::RenderStatementResponse {
            content: rendering::statement::render(&found)?,
            content_type: rendering::CONTENT_TYPE.to_owned(),
        }))
    }
}
