//! [`FleetSettings`]: where a fleet's store is, and how it is connected to.
//!
//! Invariant: pure but for [`FleetSettings::options`]; nothing of the URL is shown. What
//! the URL does not say of its host is never taken from elsewhere, so that what was judged
//! is what is connected to.

use std::{net::IpAddr, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{error::Fault, host::secret::Secret, sink::Url};

/// The store that the instances of a program share, in PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct FleetSettings {
    url: Secret,
    /// The schema whose tables are ours: a name that needs no quotation marks.
    pub(crate) schema: String,
    /// How often the store is looked at; none if that depends on the fleet's size.
    pub(crate) poll: Option<Duration>,
}

impl FleetSettings {
    pub(crate) fn new(url: Secret, schema: String, poll: Option<Duration>) -> Self {
        Self { url, schema, poll }
    }

    /// How to connect: through a pooler, too, and so that nothing of it is logged. Reads
    /// the variables `PG*` for what the URL leaves out, and `~/.pgpass`.
    ///
    /// # Errors
    ///
    /// When [`fault`](Self::fault) has found something, or would.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, Fault> {
        let address = Address::parse(self.url.expose())?;
        let fault = |_| Fault::new("has a part that cannot be read").mend(EXAMPLE);
        let mut options = PgConnectOptions::from_str(self.url.expose()).map_err(fault)?;
        if address.mode.is_none() && !address.is_local {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if options.get_application_name().is_none() {
            options = options.application_name(APPLICATION_NAME);
        }
        Ok(options.statement_cache_capacity(0).extra_float_digits(None).disable_statement_logging())
    }

    /// What keeps `url` from being used.
    pub(crate) fn fault(url: &Secret) -> Option<Fault> {
        Address::parse(url.expose()).err()
    }

    /// What of `url` lets others in: all of it behind the scheme, and the password, unless
    /// that is a word that its other parts say, too.
    pub(crate) fn secrets(url: &Secret) -> Vec<Secret> {
        let text = url.expose();
        let Ok(parsed) = Url::parse(text) else { return Vec::new() };
        let of_query = parsed.query_pairs().filter(|(key, _)| key == "password");
        let passwords = of_query
            .map(|(_, value)| value.into_owned())
            .chain(parsed.password().map(decoded))
            .collect::<Vec<_>>();
        if passwords.is_empty() {
            return Vec::new();
        }
        let others = [parsed.username(), parsed.host_str().unwrap_or(""), parsed.path().trim_matches('/')];
        let is_other = |password: &String| others.contains(&password.as_str()) || password == "postgres";
        let whole = text.split_once("://").map(|(_, rest)| rest.to_owned());
        let secrets = whole.into_iter().chain(passwords.into_iter().filter(|it| !is_other(it)));
        secrets.map(Secret::new).collect()
    }
}

/// What is judged of a URL.
struct Address {
    /// Whether it is on this machine.
    is_local: bool,
    mode: Option<PgSslMode>,
}

impl Address {
    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::new(what).mend(EXAMPLE);
        let is_scheme = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_scheme {
            return Err(fault("is not a URL that begins with postgres://"));
        }
        let url = Url::parse(text).map_err(|_| {
            Fault::new("is not a URL")
                .mend("write the user and the password with percent-encoding, like %40 for @ and %2F for /")
        })?;
        if url.fragment().is_some() {
            return Err(Fault::new("has a # in it").mend("write %23 instead, if it is one of the password's"));
        }
        let mut host = url.host_str().filter(|host| !host.is_empty()).map(decoded);
        let mut mode = None;
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" => host = Some(value.into_owned()),
                "hostaddr" if value.parse::<IpAddr>().is_ok() => host = Some(value.into_owned()),
                "hostaddr" => return Err(fault("has a hostaddr that is no address of a host")),
                "sslmode" | "ssl-mode" => {
                    mode = Some(value.parse::<PgSslMode>().map_err(|_| unknown_mode())?);
                }
                "port" if value.parse::<u16>().is_err() => return Err(fault("has a port that is no number")),
                "statement-cache-capacity" if value.parse::<usize>().is_err() => {
                    return Err(fault("has a statement-cache-capacity that is no number"));
                }
                _ => (),
            }
        }
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(Fault::new("names no host")
                .mend("name it, also if it is localhost; for a Unix socket add ?host=/var/run/postgresql"));
        };
        if host.contains(',') {
            return Err(
                Fault::new("names several hosts").mend("give one name that leads to the primary server")
            );
        }
        Self { is_local: is_local(&host), mode }.judged()
    }

    /// This, if what crosses the network is encrypted.
    fn judged(self) -> Result<Self, Fault> {
        use PgSslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
        let must_encrypt = match self.mode {
            None => !self.is_local,
            Some(Require | VerifyCa | VerifyFull) => true,
            Some(Disable | Allow | Prefer) if self.is_local => false,
            Some(Disable | Allow | Prefer) => {
                let what = "has an sslmode that lets anybody on the way read what is sent to another host";
                return Err(Fault::new(what).mend(
                    "leave it out, which means sslmode=verify-full, or set sslmode=require to encrypt \
                     without checking whose certificate it is",
                ));
            }
        };
        if must_encrypt && !IS_TLS_COMPILED_IN {
            return Err(Fault::new("needs TLS, but none that PostgreSQL can use is compiled in")
                .mend("turn on a feature of tracing-alert: rustls-ring, rustls-aws-lc or native-tls"));
        }
        Ok(self)
    }
}

fn unknown_mode() -> Fault {
    Fault::new("has an unknown sslmode").mend("use one of require, verify-ca and verify-full")
}

/// True for this machine: a Unix socket's directory, a loopback address or `localhost`.
fn is_local(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.starts_with('/') || host.eq_ignore_ascii_case("localhost"),
    }
}

/// What a part of a URL stands for.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        match code.filter(|_| *first == b'%').and_then(|it| u8::from_str_radix(it, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `rustls-no-provider` alone is not enough: sqlx has no rustls without a provider.
const IS_TLS_COMPILED_IN: bool =
    cfg!(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls"));

/// What the server's list of connections shows.
const APPLICATION_NAME: &str = "tracing-alert";

const EXAMPLE: &str = "give one like postgres://alerts:<password>@db.example.com/mydb";

#[cfg(test)]
mod tests;
