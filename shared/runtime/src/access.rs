//! Who a call is from, and what that caller may do: the names in its client certificate, looked up in the
//! access table at every call, so that a changed table takes effect on open connections.

mod table;

use std::{path::PathBuf, sync::Arc};

use http::HeaderMap;

use self::table::{Entry, Kind, Table};
use crate::{
    caller::{AccountScope, Caller, Narrowing, every_role},
    fault::{Fault, TransientReason},
    identity::{ClientCertificate, Peer},
    rarely::Rarely,
    reloaded::{Contents, Reloaded},
};

/// The access table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the access table (--access, LICET_ACCESS): {0}")]
pub struct AccessFault(String);

/// The access table, as its file says now.
#[derive(Clone, Debug)]
pub struct Access {
    table: Arc<Reloaded<Table>>,
    refused: Arc<Rarely>,
}

impl Access {
    /// Reads the table, and reads it again when it changes.
    ///
    /// # Errors
    /// All faults of the table, each with its line.
    pub async fn open(path: PathBuf) -> Result<Self, AccessFault> {
        let table = Reloaded::open(vec![path], parse).await;
        Ok(Self {
            table: table.map_err(AccessFault)?,
            refused: Arc::new(Rarely::new()),
        })
    }

    /// The caller of a call.
    ///
    /// # Errors
    /// UNAUTHENTICATED if the table does not know the caller, PERMISSION_DENIED if it may not speak for the
    /// caller that it names.
    pub(crate) fn caller(&self, peer: Option<&Peer>, headers: &HeaderMap) -> Result<Caller, Fault> {
        let Some((peer, certificate)) =
            peer.and_then(|peer| Some((peer, peer.certificate.as_ref()?)))
        else {
            return Err(unauthenticated("the connection has no client certificate"));
        };
        let caller = caller(&self.table.current(), certificate, headers);
        caller.inspect_err(|fault| {
            if self.refused.permits(certificate.label()) {
                tracing::warn!(
                    names = ?certificate.names,
                    fingerprint = certificate.fingerprint,
                    address = %peer.address,
                    "a call was refused: {fault}"
                );
            }
        })
    }
}

fn parse(files: &[Contents]) -> Result<Table, String> {
    let [file] = files else {
        return Err("one file is needed".to_owned());
    };
    let name = file.path.display();
    let text = str::from_utf8(&file.bytes).map_err(|error| format!("{name}: {error}"))?;
    Table::parse(text).map_err(|faults| {
        let faults = faults.iter().map(|fault| format!("{name}:{fault}"));
        faults.collect::<Vec<_>>().join("; ")
    })
}

fn caller(
    table: &Table,
    certificate: &ClientCertificate,
    headers: &HeaderMap,
) -> Result<Caller, Fault> {
    let (name, entry) = identify(table, certificate)?;
    let narrowing = Narrowing::of(headers).map_err(|error| Fault::invalid("metadata", error))?;
    let mut caller = match &entry.kind {
        Kind::Service(service) => {
            if let Some(other) = narrowing.name.as_deref().filter(|other| other != service) {
                return Err(denied(format!(
                    "the service {service} may not speak for {other}"
                )));
            }
            Caller {
                name: (*service).to_owned(),
                front: None,
                roles: every_role().collect(),
                accounts: AccountScope::All,
            }
        }
        Kind::Caller { speaks_for } => match narrowing.name.as_deref() {
            Some(other) if other != name => {
                if !speaks_for.iter().any(|pattern| pattern.matches(other)) {
                    return Err(denied(format!(
                        "{name} may not speak for {other}: its entry in the access table has no \
                         speaks_for that matches"
                    )));
                }
                Caller {
                    front: Some(name.to_owned()),
                    ..spoken_for(table, other)?
                }
            }
            _ if speaks_for.is_empty() && !narrowing.is_empty() => {
                return Err(denied(format!(
                    "{name} may not send the metadata licet-caller, licet-roles or licet-accounts: \
                     its rights are those of its entry in the access table"
                )));
            }
            _ => of_entry(name, entry),
        },
    };
    caller.narrow(narrowing);
    Ok(caller)
}

/// The one name of the certificate that the table knows.
fn identify<'a>(
    table: &'a Table,
    certificate: &'a ClientCertificate,
) -> Result<(&'a str, &'a Entry), Fault> {
    let ClientCertificate { names, fingerprint } = certificate;
    if table.denies_certificate(fingerprint) {
        let text = format!("the access table denies the certificate {fingerprint}");
        return Err(unauthenticated(text));
    }
    if let Some(name) = names.iter().find(|name| table.denies(name)) {
        return Err(unauthenticated(format!("the access table denies {name}")));
    }
    let known = names
        .iter()
        .filter_map(|name| Some((name.as_str(), table.find(name)?)));
    match *known.collect::<Vec<_>>() {
        [one] => Ok(one),
        [] if names.is_empty() => Err(unauthenticated(
            "the client certificate has no URI or DNS name",
        )),
        [] => Err(unauthenticated(format!(
            "the access table knows none of the names {}",
            names.join(", ")
        ))),
        _ => Err(unauthenticated(format!(
            "the access table knows several of the names {}; a certificate must have one identity",
            names.join(", ")
        ))),
    }
}

fn spoken_for(table: &Table, name: &str) -> Result<Caller, Fault> {
    match table.find(name).filter(|_| !table.denies(name)) {
        Some(entry) if matches!(entry.kind, Kind::Caller { .. }) => Ok(of_entry(name, entry)),
        Some(_) => Err(denied(format!("nobody may speak for the service {name}"))),
        None => Err(unauthenticated(format!(
            "the access table does not know {name}, or denies it"
        ))),
    }
}

fn of_entry(name: &str, entry: &Entry) -> Caller {
    Caller {
        name: name.to_owned(),
        front: None,
        roles: entry.roles.clone(),
        accounts: entry.accounts.clone(),
    }
}

fn unauthenticated(text: impl Into<String>) -> Fault {
    Fault::transient(TransientReason::Unauthenticated, text)
}

fn denied(text: String) -> Fault {
    Fault::transient(TransientReason::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use licet_contracts::types::v1::Role;

    use super::*;
    use crate::caller::{CALLER_KEY, ROLES_KEY};

    const TABLE: &str = r#"
        denied_identities = ["spiffe://ca.example/reseller/gone"]
        denied_certificates = ["00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"]

        [[identity]]
        name = "spiffe://ca.example/reseller/*"
        roles = ["customer"]

        [[identity]]
        name = "desk.ca.example"
        roles = ["operator", "sales"]
        accounts = "all"

        [[identity]]
        name = "spiffe://ca.example/orders"
        service = "orders"

        [[identity]]
        name = "spiffe://ca.example/console"
        speaks_for = ["desk.ca.example", "spiffe://ca.example/reseller/*", "spiffe://ca.example/orders"]
    "#;

    fn ask(names: &[&str], headers: &[(&'static str, &str)]) -> Result<String, String> {
        let certificate = ClientCertificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            fingerprint: names
                .first()
                .unwrap_or(&"")
                .replace("revoked", &"00ff".repeat(16)),
        };
        let mut map = HeaderMap::new();
        for (key, value) in headers {
            map.insert(*key, value.parse().unwrap());
        }
        let found = caller(&Table::parse(TABLE).unwrap(), &certificate, &map);
        let found = found.map(|caller| {
            let roles = caller.roles.iter().map(Role::as_str_name);
            let roles = roles.collect::<Vec<_>>().join(" ");
            format!("{} {:?} {roles}", caller.name, caller.front)
        });
        found.map_err(|fault| {
            let Fault::Transient(fault) = fault else {
                return fault.to_string();
            };
            fault.reason.as_str_and_code().0.to_owned()
        })
    }

    #[test]
    fn a_certificate_has_the_rights_of_its_one_name() {
        let desk = "desk.ca.example";
        let found = Ok(format!("{desk} None ROLE_OPERATOR ROLE_SALES"));
        assert_eq!(
            ask(&["localhost", desk], &[]),
            found.map_err(|()| String::new())
        );
        let reseller = "spiffe://ca.example/reseller/a";
        assert!(
            ask(&[reseller], &[])
                .unwrap()
                .ends_with("None ROLE_CUSTOMER")
        );
        for names in [
            &[][..],
            &["localhost"],
            &["spiffe://ca.example/reseller"],
            &["spiffe://ca.example.evil/reseller/a"],
            &["spiffe://ca.example/reseller/gone"],
            &[desk, reseller],
            &["revoked", desk],
        ] {
            assert_eq!(
                ask(names, &[]),
                Err("UNAUTHENTICATED".to_owned()),
                "{names:?}"
            );
        }
    }

    #[test]
    fn only_a_front_or_a_service_is_believed() {
        let desk = "desk.ca.example";
        let console = "spiffe://ca.example/console";
        let orders = "spiffe://ca.example/orders";
        let reseller = "spiffe://ca.example/reseller/a";
        let denied = || Err("PERMISSION_DENIED".to_owned());
        assert_eq!(ask(&[desk], &[(ROLES_KEY, "finance")]), denied());
        assert_eq!(ask(&[desk], &[(CALLER_KEY, "orders")]), denied());
        assert_eq!(ask(&[orders], &[(CALLER_KEY, desk)]), denied());
        assert_eq!(ask(&[console], &[(CALLER_KEY, orders)]), denied());
        assert_eq!(ask(&[console], &[(CALLER_KEY, "nobody")]), denied());
        let gone = "spiffe://ca.example/reseller/gone";
        assert_eq!(
            ask(&[console], &[(CALLER_KEY, gone)]),
            Err("UNAUTHENTICATED".to_owned())
        );

        let both = ask(&[console], &[(CALLER_KEY, reseller)]).unwrap();
        assert_eq!(both, format!("{reseller} Some({console:?}) ROLE_CUSTOMER"));
        let narrowed = ask(
            &[console],
            &[(CALLER_KEY, desk), (ROLES_KEY, "sales,finance")],
        );
        assert!(narrowed.unwrap().ends_with(") ROLE_SALES"));
        let service = ask(&[orders], &[(ROLES_KEY, "service")]);
        assert_eq!(service, Ok("orders None ROLE_SERVICE".to_owned()));
    }
}
