//! The access table: TOML that maps identities to what they may do. All its faults are reported at once, each
//! with its line.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    ops::Range,
};

use licet_contracts::types::v1::Role;
use licet_domain::ids::AccountId;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    caller::{AccountScope, role_named},
    peer_store::SERVICES,
};

/// A fault of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableFault {
    line: usize,
    text: String,
}

impl fmt::Display for TableFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.line, self.text)
    }
}

/// The names that an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One name.
    Exact(String),
    /// All names that begin with this, which ends with a slash.
    Prefix(String),
}

impl Pattern {
    /// Reads `spiffe://ca.example/console`, `ca.example` or, as a prefix, `spiffe://ca.example/reseller/*`.
    fn of(text: &str) -> Result<Self, &'static str> {
        let Some(prefix) = text.strip_suffix('*') else {
            return if text.is_empty() || text.contains('*') {
                Err("is not a URI or a DNS name; a prefix ends with /*")
            } else {
                Ok(Self::Exact(text.to_owned()))
            };
        };
        let path = prefix
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'));
        let has_domain = prefix
            .split_once("://")
            .is_some_and(|(_, rest)| !rest.starts_with('/'));
        if path.is_none() || !has_domain || !prefix.ends_with('/') || prefix.contains('*') {
            return Err("is not a prefix of a trust domain, such as spiffe://ca.example/*");
        }
        Ok(Self::Prefix(prefix.to_owned()))
    }

    /// Whether the name is one of these.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
        }
    }
}

/// What an identity may do.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) roles: Vec<Role>,
    pub(super) accounts: AccountScope,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A person or a program, which may name another caller if `speaks_for` has its name.
    Caller { speaks_for: Vec<Pattern> },
    /// A service of the suite.
    Service(&'static str),
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    exact: BTreeMap<String, Entry>,
    prefixes: BTreeMap<String, Entry>,
    denied_identities: HashSet<String>,
    denied_certificates: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    identity: Vec<WrittenEntry>,
    #[serde(default)]
    denied_identities: Vec<String>,
    #[serde(default)]
    denied_certificates: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    name: Spanned<String>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    accounts: Option<Spanned<WrittenAccounts>>,
    #[serde(default)]
    speaks_for: Vec<Spanned<String>>,
    service: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAccounts {
    Word(String),
    List(Vec<String>),
}

/// Collects faults.
struct Faults<'a> {
    text: &'a str,
    found: Vec<TableFault>,
}

impl Faults<'_> {
    fn add(&mut self, at: Range<usize>, text: String) {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.found.push(TableFault { line, text });
    }

    fn pattern(&mut self, written: &Spanned<String>) -> Option<Pattern> {
        let text = written.get_ref();
        let pattern = Pattern::of(text);
        pattern
            .map_err(|error| self.add(written.span(), format!("{text:?} {error}")))
            .ok()
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// All faults in the order of their lines. What is not TOML, or has an unknown field, is reported alone.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<TableFault>> {
        let mut faults = Faults {
            text,
            found: Vec::new(),
        };
        let written: Written = match toml::from_str(text) {
            Ok(written) => written,
            Err(error) => {
                faults.add(error.span().unwrap_or_default(), error.message().to_owned());
                return Err(faults.found);
            }
        };
        let mut table = Self {
            denied_identities: written.denied_identities.into_iter().collect(),
            ..Self::default()
        };
        for denied in &written.denied_certificates {
            let bare = denied.get_ref().replace(':', "").to_ascii_lowercase();
            if bare.len() != 64 || !bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let text = format!("{:?} is not a SHA-256 in hexadecimal", denied.get_ref());
                faults.add(denied.span(), text);
            }
            table.denied_certificates.insert(bare);
        }
        let mut named = BTreeMap::new();
        for entry in &written.identity {
            let read = read_entry(entry, &mut faults);
            let Some(pattern) = faults.pattern(&entry.name) else {
                continue;
            };
            let is_prefix = matches!(pattern, Pattern::Prefix(_));
            let key = pattern.text().to_owned();
            let first = named.insert((key.clone(), !is_prefix), entry.name.span());
            if first.is_some() {
                let text = format!("{:?} has two entries", entry.name.get_ref());
                faults.add(entry.name.span(), text);
            }
            if is_prefix {
                table.prefixes.insert(key, read);
            } else {
                table.exact.insert(key, read);
            }
        }
        find_overlaps(&named, &mut faults);
        if faults.found.is_empty() {
            return Ok(table);
        }
        faults.found.sort_by_key(|fault| fault.line);
        Err(faults.found)
    }

    /// The entry for a name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        let exact = self.exact.get(name);
        exact.or_else(|| {
            let mut slashes = name.match_indices('/').map(|(at, _)| &name[..=at]);
            slashes.find_map(|prefix| self.prefixes.get(prefix))
        })
    }

    /// Whether an identity is denied.
    pub(super) fn denies(&self, name: &str) -> bool {
        self.denied_identities.contains(name)
    }

    /// Whether a certificate with this SHA-256 is denied.
    pub(super) fn denies_certificate(&self, fingerprint: &str) -> bool {
        self.denied_certificates.contains(fingerprint)
    }
}

/// Reports names that a prefix of another entry covers: which of the two has effect must not depend on a rule
/// that a reader does not see.
fn find_overlaps(named: &BTreeMap<(String, bool), Range<usize>>, faults: &mut Faults<'_>) {
    let mut cover: Option<&str> = None;
    for ((text, is_exact), span) in named {
        // Sorted, so that all names with a prefix follow it.
        match cover {
            Some(prefix) if text.starts_with(prefix) => faults.add(
                span.clone(),
                format!("{text:?} is also covered by the entry for {prefix}*; only one may match"),
            ),
            _ => cover = (!is_exact).then_some(text.as_str()),
        }
    }
}

fn read_entry(entry: &WrittenEntry, faults: &mut Faults<'_>) -> Entry {
    let mut roles = Vec::new();
    for word in &entry.roles {
        match role_named(word.get_ref()) {
            Some(role) => roles.push(role),
            None => faults.add(word.span(), format!("unknown role {:?}", word.get_ref())),
        }
    }
    let accounts = read_accounts(entry, &roles, faults);
    let mut speaks_for = Vec::new();
    for written in &entry.speaks_for {
        speaks_for.extend(faults.pattern(written));
    }
    let service = entry.service.as_ref().and_then(|written| {
        let name = SERVICES.into_iter().find(|name| *name == written.get_ref());
        if name.is_none() {
            let text = format!(
                "unknown service {:?}; services are {}",
                written.get_ref(),
                SERVICES.join(", ")
            );
            faults.add(written.span(), text);
        }
        if !roles.is_empty() || !speaks_for.is_empty() || entry.accounts.is_some() {
            let text = "a service has no roles, accounts or speaks_for of its own";
            faults.add(written.span(), text.to_owned());
        }
        if entry.name.get_ref().ends_with('*') {
            let text = "a service has one name, not a prefix";
            faults.add(written.span(), text.to_owned());
        }
        name
    });
    if service.is_none() && SERVICES.contains(&entry.name.get_ref().as_str()) {
        let text = format!("{:?} is the name of a service", entry.name.get_ref());
        faults.add(entry.name.span(), text);
    }
    let kind = match service {
        Some(name) => Kind::Service(name),
        None => Kind::Caller { speaks_for },
    };
    Entry {
        roles,
        accounts,
        kind,
    }
}

/// Staff see all accounts unless the entry says otherwise; a customer sees those that its entry names.
fn read_accounts(entry: &WrittenEntry, roles: &[Role], faults: &mut Faults<'_>) -> AccountScope {
    let Some(written) = &entry.accounts else {
        return if roles.contains(&Role::Customer) {
            AccountScope::Only([].into())
        } else {
            AccountScope::All
        };
    };
    match written.get_ref() {
        WrittenAccounts::Word(word) if word == "all" => AccountScope::All,
        WrittenAccounts::Word(word) => {
            let text = format!("accounts = {word:?}: must be \"all\" or a list of account ids");
            faults.add(written.span(), text);
            AccountScope::Only([].into())
        }
        WrittenAccounts::List(ids) => {
            let mut accounts = std::collections::BTreeSet::new();
            for id in ids {
                match id.parse::<AccountId>() {
                    Ok(account) => {
                        accounts.insert(account);
                    }
                    Err(error) => faults.add(written.span(), format!("account {id:?}: {error}")),
                }
            }
            AccountScope::Only(accounts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = Table::parse(text).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_faults_are_reported_with_their_lines() {
        let found = faults(
            r#"denied_certificates = ["12"]
[[identity]]
name = "spiffe://ca.example*"
roles = ["customer", "emperor"]
[[identity]]
name = "a.example"
accounts = ["acc_1"]
speaks_for = ["*"]
[[identity]]
name = "b.example"
service = "invoices"
roles = ["sales"]
[[identity]]
name = "orders"
accounts = "none"
"#,
        );
        let lines: Vec<_> = found.iter().map(|fault| fault.split(':').next()).collect();
        let lines: Vec<_> = lines.into_iter().flatten().collect();
        assert_eq!(
            lines,
            ["1", "3", "4", "7", "8", "11", "11", "14", "15"],
            "{found:#?}"
        );
    }

    #[test]
    fn unknown_fields_are_refused_with_their_line() {
        let found = faults("[[identity]]\nname = \"a.example\"\nrole = [\"sales\"]\n");
        assert!(found[0].starts_with("3: unknown field"), "{found:?}");
    }

    #[test]
    fn two_entries_for_one_name_are_refused() {
        let entry = |name: &str| format!("[[identity]]\nname = {name:?}\n");
        for (names, lines) in [
            (["a.example", "a.example"], &["4"][..]),
            (["spiffe://ca.example/*", "spiffe://ca.example/a"], &["4"]),
            (
                ["spiffe://ca.example/a/b", "spiffe://ca.example/a/*"],
                &["2"],
            ),
            (["spiffe://ca.example/a/*", "spiffe://ca.example/*"], &["2"]),
        ] {
            let found = faults(&names.map(entry).concat());
            assert_eq!(found.len(), lines.len(), "{found:?}");
            assert!(found[0].starts_with(lines[0]), "{found:?}");
        }
        for names in [
            ["spiffe://ca.example/a/*", "spiffe://ca.example/a"],
            ["spiffe://ca.example/a/*", "spiffe://ca.example/ab/*"],
        ] {
            assert!(
                Table::parse(&names.map(entry).concat()).is_ok(),
                "{names:?}"
            );
        }
    }

    #[test]
    fn a_customer_without_accounts_sees_none() {
        let table = "[[identity]]\nname = \"a.example\"\nroles = [\"customer\"]\n";
        let table = Table::parse(table).unwrap();
        let entry = table.find("a.example").unwrap();
        assert!(!entry.accounts.sees(AccountId::generate()));
    }
}
