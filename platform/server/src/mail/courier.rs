//! Who carries a mail away: a mail server over SMTP, or for a demo a folder.

use super::MailError;
use crate::{config::Config, secrets::Secret};
use core::net::IpAddr;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, transport::smtp};
use reqwest::Url;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
    time::Duration,
};

/// How long a mail server may take for one mail.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// What is kept of what a mail server says.
const REPLY_CHARS_MAX: usize = 300;
/// Replies with which a server refuses us and not this mail: asks for another sign-in (RFC 4954). The operator mends it.
const OUR_FAULT: [u16; 4] = [530, 534, 535, 538];

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be taken later.
    Passing(String),
    /// It never will.
    Lasting(String),
}

/// Carries mail away.
#[derive(Debug, Clone)]
pub enum Courier {
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into a folder, one file each.
    Folder(PathBuf),
}

impl Courier {
    /// The one that the settings name.
    ///
    /// # Errors
    /// [`MailError::SmtpUrl`]; it does not show the password.
    pub fn new(config: &Config) -> Result<Self, MailError> {
        let url = config.mail.smtp_url.expose();
        if url.is_empty() { Ok(Self::Folder(config.mail_dir())) } else { Self::smtp(&config.mail.smtp_url) }
    }

    fn smtp(url: &Secret) -> Result<Self, MailError> {
        check(url.expose()).map_err(|fault| MailError::SmtpUrl(fault.to_owned()))?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
        // lettre's own text may quote the address with the password in it.
        let builder = builder.map_err(|_| MailError::SmtpUrl("it is not an address of a mail server".to_owned()))?;
        Ok(Self::Smtp(builder.timeout(Some(PATIENCE)).build()))
    }

    /// Carries a message of a tenant away. `name` is unique to it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn carry(&self, tenant: &str, name: &str, message: Message) -> Result<(), Refusal> {
        match self {
            Self::Smtp(server) => match tokio::time::timeout(PATIENCE, server.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(refusal(&error)),
                Err(_) => Err(Refusal::Passing(format!("the mail server took longer than {} s", PATIENCE.as_secs()))),
            },
            Self::Folder(folder) => {
                let written = write(folder.join(tenant), name, message.formatted()).await;
                written.map_err(|error| Refusal::Passing(format!("the file could not be written: {error}")))
            }
        }
    }
}

/// Whole or not at all: nobody reads half a mail. Nor does anybody else on the machine read a whole one: its links open
/// accounts.
async fn write(folder: PathBuf, name: &str, bytes: Vec<u8>) -> std::io::Result<()> {
    let (path, unfinished) = (folder.join(format!("{name}.eml")), folder.join(format!(".{name}.part")));
    let written = tokio::task::spawn_blocking(move || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes)?;
        fs::rename(&unfinished, &path)
    });
    written.await.map_err(std::io::Error::other)?
}

fn refusal(error: &smtp::Error) -> Refusal {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    let said = super::one_line(&said).chars().take(REPLY_CHARS_MAX).collect();
    let ours = error.status().is_some_and(|code| OUR_FAULT.contains(&u16::from(code)));
    if error.is_permanent() && !ours { Refusal::Lasting(said) } else { Refusal::Passing(said) }
}

/// A password in the clear goes no further than this machine.
fn check(url: &str) -> Result<(), &'static str> {
    let url = Url::parse(url).map_err(|_| "it is not an address")?;
    let host = url.host_str().ok_or("it names no host")?;
    let tls = url.query_pairs().any(|(key, value)| key == "tls" && value == "required") || url.scheme() == "smtps";
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.password().is_some() && !tls && !here {
        return Err("it would send the password in the clear");
    }
    if !url.username().is_empty() && url.password().is_none() {
        return Err("it has a user and no password");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_lies_in_the_folder_is_nobody_elses_business() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("mail");
        let (from, to) = ("desk@x.example".parse().unwrap(), "ann@x.example".parse().unwrap());
        let message = Message::builder().from(from).to(to).subject("A link").body("It opens an account.".to_owned());
        Courier::Folder(folder.clone()).carry("aurora", "1-reset-password", message.unwrap()).await.unwrap();
        let mode = |path: &str| fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(["", "aurora", "aurora/1-reset-password.eml"].map(mode), [0o700, 0o700, 0o600]);
        assert_eq!(fs::read_dir(folder.join("aurora")).unwrap().count(), 1, "nothing unfinished stays");
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear_nor_shown() {
        let table = [
            ("smtps://u:s3cret@mail.example", true),
            ("smtp://u:s3cret@mail.example:587?tls=required", true),
            ("smtp://u:s3cret@mail.example:587", false),
            ("smtp://u:s3cret@mail.example:587?tls=opportunistic", false),
            ("smtp://mail.example:25", true),
            ("smtp://u:s3cret@127.0.0.1:2525", true),
            ("smtp://u:s3cret@[::1]:2525", true),
            ("smtp://u:s3cret@localhost:2525", true),
            ("smtp://s3cret@mail.example", false),
            ("http://u:s3cret@127.0.0.1", false),
            ("s3cret", false),
        ];
        for (url, expect) in table {
            match Courier::smtp(&Secret::new(url.to_owned())) {
                Ok(_) => assert!(expect, "{url}"),
                Err(error) => {
                    assert!(!expect, "{url}: {error}");
                    assert!(!error.to_string().contains("s3cret"), "{error}");
                }
            }
        }
    }
}
