//! SAN licensing: its place in the suite. The contract is written; its methods answer UNIMPLEMENTED
//! with the reason METHOD_NOT_SERVED until the quota engine is built.

use licet_runtime::{
    database::{Database, Location},
    fault::Fault,
    server::Service,
};
use tonic::service::RoutesBuilder;

/// What the service is built from.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where its schema is kept; brought up to date when the service is built.
    pub location: Location,
}

/// Builds the service, ready to be served.
///
/// # Errors
/// When the database cannot be opened or migrated.
pub async fn build(deps: Deps) -> Result<Service, Fault> {
    let database = Database::open(&deps.location, &[]).await?;
    Ok(Service {
        name: "san-licensing",
        routes: RoutesBuilder::default(),
        database,
        due: vec![],
    })
}
