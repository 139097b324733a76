//! The URL of a PostgreSQL database that several servers may serve: `postgres://user:password@one:5432,two/db`.
//! The driver knows one host only, so it gets the URL of one server at a time.

use std::fmt;

/// The servers of a URL, in its order.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Servers {
    /// Up to the hosts: the scheme, user and password.
    before: String,
    hosts: Vec<String>,
    /// After the hosts, without what the driver does not know.
    path: String,
    parameters: String,
    /// Whether a server that only reads is passed over even for reads.
    pub(super) must_write: bool,
}

/// The parameters that the driver knows. It ignores all others, and a misspelt one would go unnoticed.
const PARAMETERS: [&str; 17] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// The parameters that name a server.
const OF_A_SERVER: [&str; 3] = ["host", "hostaddr", "port"];
const CACHE: &str = "statement-cache-capacity";

impl Servers {
    /// Parses a URL. The error repeats nothing that may be a part of the password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))
            .ok_or("must begin with postgres://")?;
        if rest.contains('#') {
            return Err("has a # before the schema's; write it as %23".to_owned());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.contains('@') {
            return Err(
                "has an @ after a /; in a password, write / as %2F and ? as %3F".to_owned(),
            );
        }
        // A password may contain an @ that is not encoded, a host may not.
        let (user, hosts) = authority
            .rsplit_once('@')
            .map_or((String::new(), authority), |(user, hosts)| {
                (format!("{}@", user.replace('@', "%40")), hosts)
            });
        let hosts: Vec<_> = hosts.split(',').map(str::to_owned).collect();
        for host in &hosts {
            check_host(host, hosts.len() > 1)?;
        }
        let mut servers = Self {
            before: format!("{scheme}://{user}"),
            hosts,
            path: path.to_owned(),
            parameters: String::new(),
            must_write: false,
        };
        for parameter in query.split('&').filter(|text| !text.is_empty()) {
            servers.take(parameter)?;
        }
        Ok(servers)
    }

    fn take(&mut self, parameter: &str) -> Result<(), String> {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match key {
            "target_session_attrs" => {
                self.must_write = match value {
                    "read-write" | "primary" => true,
                    "any" => false,
                    _ => return Err("must have target_session_attrs any or read-write".to_owned()),
                };
                return Ok(());
            }
            _ if self.hosts.len() > 1 && OF_A_SERVER.contains(&key) => {
                return Err(format!("names servers twice: in the host and as {key}"));
            }
            _ if PARAMETERS.contains(&key) || key == CACHE || key.starts_with("options[") => {}
            _ => return Err(format!("has the unknown parameter {key}")),
        }
        let sign = if self.parameters.is_empty() { '?' } else { '&' };
        self.parameters.push(sign);
        self.parameters.push_str(parameter);
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.hosts.len()
    }

    /// The host of a server, for people.
    pub(super) fn host(&self, server: usize) -> &str {
        self.hosts.get(server).map_or("", String::as_str)
    }

    /// The URL of one server, with the password.
    pub(super) fn url(&self, server: usize) -> String {
        let host = self.host(server);
        format!("{}{host}{}{}", self.before, self.path, self.parameters)
    }

    /// Hosts and database, without user and password.
    pub(super) fn place(&self) -> String {
        format!("{}{}", self.hosts.join(","), self.path)
    }
}

/// Without user and password.
impl fmt::Debug for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.place())
    }
}

fn check_host(host: &str, is_one_of_several: bool) -> Result<(), String> {
    if host.is_empty() && is_one_of_several {
        return Err("has an empty host".to_owned());
    }
    let name_end = host.rfind(']').unwrap_or(0);
    let port = host
        .get(name_end..)
        .and_then(|rest| rest.rsplit_once(':'))
        .map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Err(_)) => Err("has a port that is not a number up to 65535".to_owned()),
        Some(Ok(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(url: &str) -> Vec<String> {
        let servers = Servers::parse(url).unwrap();
        (0..servers.count())
            .map(|server| servers.url(server))
            .collect()
    }

    #[test]
    fn each_server_has_a_url() {
        assert_eq!(
            urls(
                "postgres://u:p@one:5432,two,[::1]:5433/db?sslmode=require&target_session_attrs=read-write&user=x"
            ),
            [
                "postgres://u:p@one:5432/db?sslmode=require&user=x",
                "postgres://u:p@two/db?sslmode=require&user=x",
                "postgres://u:p@[::1]:5433/db?sslmode=require&user=x",
            ]
        );
        assert_eq!(
            urls("postgresql:///db?host=/run"),
            ["postgresql:///db?host=/run"]
        );
        assert_eq!(urls("postgres://one"), ["postgres://one"]);
    }

    #[test]
    fn a_password_is_kept_and_never_shown() {
        for (url, one) in [
            ("postgres://u:a@b@one,two/db", "postgres://u:a%40b@one/db"),
            (
                "postgres://u:a%40%2C%23b@one,two/db",
                "postgres://u:a%40%2C%23b@one/db",
            ),
            ("postgres://u:a,b:c@one,two/db", "postgres://u:a,b:c@one/db"),
        ] {
            let servers = Servers::parse(url).unwrap();
            assert_eq!(servers.url(0), one);
            assert_eq!(servers.place(), "one,two/db");
        }
        for wrong in [
            "postgres://u:secret/1@one/db",
            "postgres://u:secret#1@one/db",
            "postgres://u:secret@one:x/db",
            "postgres://u:secret@one,/db",
            "postgres://u:secret@one/db?target_session_attrs=standby",
            "postgres://u:secret@one/db?target_session_atrs=any",
            "postgres://u:secret@one,two/db?port=5433",
            "mysql://u:secret@one/db",
        ] {
            let error = Servers::parse(wrong).err().unwrap();
            assert!(!error.contains("secret") && !error.contains('1'), "{error}");
        }
    }

    #[test]
    fn only_a_url_that_says_so_needs_a_writable_server() {
        let must_write = |url: &str| Servers::parse(url).unwrap().must_write;
        assert!(must_write(
            "postgres://one,two/db?target_session_attrs=read-write"
        ));
        assert!(must_write(
            "postgres://one,two/db?target_session_attrs=primary"
        ));
        assert!(!must_write(
            "postgres://one,two/db?target_session_attrs=any"
        ));
        assert!(!must_write("postgres://one,two/db"));
    }
}
