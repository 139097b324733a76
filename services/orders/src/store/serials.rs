//! Migration: respells negative serials that earlier versions stored without their sign, as read
//! from the certificates again (SL-14).

use licet_domain::certificate::parse_leaf;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement};

pub(super) const MIGRATION: &str = "orders_0009_serials";

/// Certificates in memory at a time.
const CHUNK: i64 = 200;

/// Serials that may be negative: whole octets, the first with its highest bit set. Most are
/// positive and stay.
const SUSPECTS: &str = "SELECT account_id, certificate_id, serial_hex, chain_pem FROM certificate \
    WHERE certificate_id > $1 AND serial_hex >= '8' AND length(serial_hex) % 2 = 0 \
    ORDER BY certificate_id LIMIT $2";

/// A certificate recorded again since with its right serial keeps that serial to itself.
const RESPELL: &str = "UPDATE certificate SET serial_hex = $1 WHERE account_id = $3 AND certificate_id = $2 \
    AND NOT EXISTS (SELECT 1 FROM certificate AS other WHERE other.account_id = certificate.account_id \
        AND other.serial_hex = $1 AND other.issuer_sha256 = certificate.issuer_sha256)";

/// Respells every serial as its certificate has it.
pub(super) async fn rewrite(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        certificate_id: String,
        serial_hex: String,
        chain_pem: String,
    }
    let backend = tx.get_database_backend();
    let mut after = String::new();
    loop {
        let values = [after.into(), CHUNK.into()];
        let query = Statement::from_sql_and_values(backend, SUSPECTS, values);
        let rows = Row::find_by_statement(query).all(tx).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.certificate_id.clone();
        for row in rows {
            // A certificate that no longer parses stays as it is.
            let Ok(leaf) = parse_leaf(row.chain_pem.as_bytes()) else {
                continue;
            };
            if leaf.serial_hex != row.serial_hex {
                let key = [row.certificate_id.into(), row.account_id.into()];
                let values = [leaf.serial_hex.into()].into_iter().chain(key);
                let respell = Statement::from_sql_and_values(backend, RESPELL, values);
                tx.execute_raw(respell).await?;
            }
        }
    }
}
