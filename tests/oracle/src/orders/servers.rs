//! The servers of an order (AL-1, AL-6, AL-8).

use std::collections::BTreeSet;

use licet_domain::refusal::Reason;

use super::{
    order::{Action, Order, Server, ServerState},
    policy::{Reasons, accept_unless, because},
};

impl Order {
    /// The places of the registered servers.
    pub fn registered(&self) -> BTreeSet<usize> {
        let servers = self.servers.iter().enumerate();
        let found = servers.filter(|(_, it)| it.state == ServerState::Registered);
        found.map(|(place, _)| place).collect()
    }

    pub(crate) fn has_registered(&self, is_primary: bool) -> bool {
        let mut registered = self.registered().into_iter();
        registered.any(|place| self.servers[place].is_primary == is_primary)
    }

    /// How many servers the order may have (AL-1).
    pub fn server_limit(&self) -> i64 {
        match self.is_deleted {
            true => 0,
            false => 1 + self.term().licenses,
        }
    }

    /// Whether a server with this software and common name can be registered (AL-6, AL-8).
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_register(&self, software: &str, common_name: &str) -> Result<(), Reasons> {
        self.may(Action::RegisterServer)?;
        // The common name is about to move.
        if self.moves_common_name() && self.has_registered(true) {
            return Err(because(Reason::ChangeInProgress));
        }
        let mut objections = Reasons::new();
        if software != self.software {
            objections.insert(Reason::ServerSoftwareMismatch);
        }
        if common_name != self.common_name {
            objections.insert(Reason::CommonNameMismatch);
        }
        accept_unless(objections)?;
        let used = i64::try_from(self.registered().len()).unwrap();
        match used < self.server_limit() {
            true => Ok(()),
            false => Err(because(Reason::ServerLimitReached)),
        }
    }

    /// Registers a server; the first one needs no additional licence.
    pub fn register(&mut self) {
        self.keep(self.servers.len());
        self.servers.push(Server {
            is_primary: !self.has_registered(true),
            serves: self.common_name,
            state: ServerState::Registered,
        });
    }

    /// Unregisters a server, which frees its place in this term and the next.
    pub fn unregister(&mut self, place: usize) {
        let server = &mut self.servers[place];
        if server.state != ServerState::Registered {
            return;
        }
        server.state = ServerState::Unregistered;
        let next = self.running + 1;
        if let Some(next) = self.terms.get_mut(next) {
            next.kept.as_mut().unwrap().remove(&place);
        }
    }

    /// Whether the software can be corrected (AL-6).
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_set_software(&self) -> Result<(), Reasons> {
        self.may(Action::SetServerSoftware)?;
        match self.has_registered(false) {
            true => Err(because(Reason::FurtherServersRegistered)),
            false => Ok(()),
        }
    }

    /// Corrects the software.
    pub fn set_software(&mut self, software: &'static str) {
        self.software = software;
        self.revision += 1;
    }
}
