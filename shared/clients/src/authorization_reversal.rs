//! Undoes the authorisation step of a cancelled operation: releases what it may have reserved.

use futures::future::BoxFuture;
use licet_runtime::{
    operation::{Reversal, Undo},
    peer::PeerFault,
};
use uuid::Uuid;

use crate::san_licensing::{AuthorizeQuestion, SanLicensing};

/// The reversal of an authorisation that SanLicensing may or may not have received.
pub struct AuthorizationReversal {
    question: AuthorizeQuestion,
    /// The request id of the authorisation.
    request_id: Uuid,
}

impl AuthorizationReversal {
    /// How to undo the authorisation with `request_id`.
    #[must_use]
    pub fn of<P: AsRef<SanLicensing> + Sync>(
        question: &AuthorizeQuestion,
        request_id: Uuid,
    ) -> Undo<P> {
        Undo::By(Box::new(Self {
            question: question.clone(),
            request_id,
        }))
    }
}

impl<P: AsRef<SanLicensing> + Sync> Reversal<P> for AuthorizationReversal {
    fn ask<'a>(&'a self, peers: &'a P, request_id: Uuid) -> BoxFuture<'a, Result<bool, PeerFault>> {
        Box::pin(async move {
            let san_licensing: &SanLicensing = peers.as_ref();
            // Repeat the authorisation under its own id: no later attempt can then reserve anything.
            match san_licensing
                .authorize(&self.question, self.request_id)
                .await
            {
                Ok(answer) => {
                    if let Some(id) = answer.granted().map_err(PeerFault::Unknown)? {
                        let license_id = self.question.license_id().map_err(PeerFault::Unknown)?;
                        san_licensing.release(license_id, id, request_id).await?;
                    }
                    Ok(true)
                }
                Err(PeerFault::Refused(_)) => Ok(true),
                Err(fault) => Err(fault),
            }
        })
    }
}
