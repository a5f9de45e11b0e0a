//! Which values settings may have.

use super::{Config, ConfigError};
use marque_sandbox::Limits as Sandboxed;
use tracing_subscriber::EnvFilter;

impl Config {
    /// Names the first setting whose value is not in its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let l = &self.limits;
        let numbers = [
            ("limits.body_bytes", l.body_bytes, 1_024, 16 << 20),
            ("limits.upload_bytes", l.upload_bytes, 1_024, 256 << 20),
            ("limits.connections", l.connections, 1, 1_000_000),
            ("limits.body_s", l.body_s, 1, 600),
            ("limits.request_s", l.request_s, 1, 600),
            ("limits.idle_s", l.idle_s, 5, 3_600),
            ("limits.shutdown_s", l.shutdown_s, 1, 600),
            ("limits.hosts", l.hosts, 1, 10_000_000),
            ("limits.host_known_s", l.host_known_s, 1, 3_600),
            ("limits.host_unknown_s", l.host_unknown_s, 1, 3_600),
            ("limits.passwords", l.passwords, 1, 64),
            ("limits.password_queue", l.password_queue, 1, 10_000),
            ("limits.password_memory_kib", l.password_memory_kib, 8_192, 1 << 20),
            ("limits.password_passes", l.password_passes, 1, 20),
            ("limits.sign_in_attempts", l.sign_in_attempts, 1, 1_000),
            ("limits.sign_in_window_s", l.sign_in_window_s, 1, 86_400),
            ("limits.registrations_per_hour", l.registrations_per_hour, 1, 10_000),
            ("limits.resets_per_hour", l.resets_per_hour, 1, 10_000),
            ("limits.api_per_minute", l.api_per_minute, 1, 10_000_000),
            ("limits.trading_per_minute", l.trading_per_minute, 1, 10_000_000),
            ("limits.ea_per_minute", l.ea_per_minute, 1, 10_000_000),
            ("limits.licences", l.licences, 100, 100_000_000),
            ("limits.ea_files_mib", l.ea_files_mib, 1, 1 << 20),
            ("limits.tenant_instances", l.tenant_instances, 1, Sandboxed::default().instances),
            ("sessions.idle_h", self.sessions.idle_h, 1, 24 * 90),
            ("sessions.absolute_d", self.sessions.absolute_d, 1, 365),
        ];
        for (key, value, min, max) in numbers {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::Range {
                    key,
                    value: value.to_string(),
                    range: format!("from {min} to {max}"),
                });
            }
        }
        if !(0.0..=1e9).contains(&self.feed.speed) {
            let value = self.feed.speed.to_string();
            return Err(ConfigError::Range { key: "feed.speed", value, range: "from 0 to 1000000000".to_owned() });
        }
        let contact = &self.security_contact;
        if !contact.is_empty() && !is_contact(contact) {
            let (value, range) = (format!("{contact:?}"), "mailto:… or https://… on one line".to_owned());
            return Err(ConfigError::Range { key: "security_contact", value, range });
        }
        if self.feed.symbols.is_empty() {
            let (value, range) = ("empty".to_owned(), "at least one symbol".to_owned());
            return Err(ConfigError::Range { key: "feed.symbols", value, range });
        }
        if !self.mail.from.is_empty() && crate::identity::mail_address(&self.mail.from).is_none() {
            let (value, range) = (format!("{:?}", self.mail.from), "empty or an address".to_owned());
            return Err(ConfigError::Range { key: "mail.from", value, range });
        }
        self.check_objects()?;
        if let Err(error) = EnvFilter::try_new(&self.log.filter) {
            let (value, range) = (format!("{:?}", self.log.filter), format!("a filter such as info ({error})"));
            return Err(ConfigError::Range { key: "log.filter", value, range });
        }
        Ok(())
    }
}

impl Config {
    /// Where large things lie can only be told when it names a bucket and how to reach it.
    fn check_objects(&self) -> Result<(), ConfigError> {
        if self.object_store.is_empty() {
            return Ok(());
        }
        let range = |key, value: &str, range: &str| {
            Err(ConfigError::Range { key, value: format!("{value:?}"), range: range.to_owned() })
        };
        if bucket(&self.object_store).is_none() {
            return range("object_store", &self.object_store, "empty or s3://bucket or s3://bucket/prefix");
        }
        let endpoint = &self.s3.endpoint;
        if !endpoint.is_empty() && !is_endpoint(endpoint) {
            return range("s3.endpoint", endpoint, "empty or https://…; http only on this machine");
        }
        if self.s3.region.is_empty() {
            return range("s3.region", "", "the bucket's region");
        }
        for (key, secret) in
            [("s3.access_key_id", &self.s3.access_key_id), ("s3.secret_access_key", &self.s3.secret_access_key)]
        {
            if secret.expose().is_empty() {
                return range(key, "", "set when object_store names S3");
            }
        }
        Ok(())
    }
}

/// Bucket and prefix of `s3://bucket/prefix`.
pub(super) fn bucket(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let segment =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let prefix = prefix.trim_end_matches('/');
    let good = (3..=63).contains(&bucket.len()) && bucket.bytes().all(letter);
    (good && (prefix.is_empty() || prefix.split('/').all(segment))).then_some((bucket, prefix))
}

/// Encrypted, or not leaving this machine.
fn is_endpoint(address: &str) -> bool {
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]/_".contains(&b));
    if let Some(rest) = address.strip_prefix("https://") {
        return plain(rest);
    }
    address.strip_prefix("http://").is_some_and(|rest| {
        let here = ["127.0.0.1", "localhost", "[::1]"];
        plain(rest)
            && here
                .iter()
                .any(|host| rest.strip_prefix(host).is_some_and(|port| port.is_empty() || port.starts_with(':')))
    })
}

/// Only what RFC 9116 takes, and nothing that could begin another line.
fn is_contact(text: &str) -> bool {
    let body = text.strip_prefix("mailto:").or_else(|| text.strip_prefix("https://"));
    body.is_some_and(|body| body.len() > 2 && body.bytes().all(|b| b.is_ascii_graphic()))
}
