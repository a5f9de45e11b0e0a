//! What an author does at a brand: register a key, publish, withdraw. It speaks the public API with a token.

use super::{super::CliError, author};
use crate::{
    plugins::signature::{AuthorKey, Statement},
    secrets::{Secret, Token},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use marque_domain::plugin::Channel;
use marque_sandbox::{Limits, gate};
use reqwest::{Client, Method, Url, redirect::Policy};
use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// The gate may take this long.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The largest file of a token or key.
const SECRET_BYTES_MAX: usize = 4_096;

/// Where to, and who asks.
#[derive(Debug, Args)]
pub(in crate::cli) struct Brand {
    /// The brand's address, such as https://aurora.example.
    #[arg(long, value_name = "URL")]
    to: Url,
    /// A file whose first line is a personal token with the scopes `read` and `manage`; make one on the site under Security.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

/// An author's command at a brand failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The address is not one to send a token to.
    #[error("{0} is not asked: a token is sent over https only, except to this machine (localhost and *.localhost)")]
    Insecure(Url),
    /// Nobody answered.
    #[error("{url} does not answer: {why}. Check the address and whether the brand is there")]
    Unreachable {
        /// Where.
        url: Url,
        /// What the connection says.
        why: String,
    },
    /// It said no.
    #[error("the brand refused: {0}")]
    Refused(String),
    /// It answered something else than the API does.
    #[error("{0} does not answer as a Marque brand does. Check the address")]
    NotMarque(Url),
    /// There is a key already.
    #[error("{} is there already and stays as it is. Use it, or name another file with --key", .0.display())]
    KeyThere(PathBuf),
    /// A file that should hold a secret does not.
    #[error("{}: {why}", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing says what changed.
    #[error("{} has no section `## {version}`: write there what changed, for those who choose your plugin", path.display())]
    NoChanges {
        /// The changelog.
        path: PathBuf,
        /// The version to be published.
        version: String,
    },
    /// It was never published.
    #[error("you have published no {name} {version} there")]
    NoRelease {
        /// The plugin.
        name: String,
        /// Its version.
        version: String,
    },
}

/// Makes a key; registers it when a brand is named.
pub(super) async fn key(
    file: &Path,
    brand: Option<Brand>,
    name: &str,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let key = match &brand {
        // To register a key that is there is to use it at one more brand.
        Some(_) if file.exists() => read_key(file)?,
        _ => make_key(file)?,
    };
    writeln!(out, "key: {}\npublic key: {}", file.display(), key.public())?;
    let Some(brand) = brand else {
        writeln!(out, "Keep the file to yourself: whoever has it can publish in your name.")?;
        return Ok(());
    };
    let body = json!({ "name": name, "public_key": key.public() });
    let registered = Session::open(&brand)?.post("/plugins/keys", &Token::new()?.expose(), &body).await?;
    writeln!(out, "registered at {}: {}", brand.to, text(&registered, "id"))?;
    Ok(())
}

fn make_key(file: &Path) -> Result<AuthorKey, CliError> {
    let key = AuthorKey::new()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut open| open.write_all(key.file().expose().as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => RegistryError::KeyThere(file.to_owned()),
        _ => RegistryError::Secret { path: file.to_owned(), why: format!("it cannot be written ({error})") },
    })?;
    Ok(key)
}

fn read_secret(path: &Path) -> Result<Secret, RegistryError> {
    let fault = |why: String| RegistryError::Secret { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| fault(format!("it cannot be read ({error})")))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(fault("it is too large to be what is looked for".to_owned()));
    }
    Ok(Secret::new(text))
}

fn read_key(path: &Path) -> Result<AuthorKey, RegistryError> {
    let text = read_secret(path)?;
    AuthorKey::read(text.expose()).map_err(|not| RegistryError::Secret { path: path.to_owned(), why: not.to_string() })
}

/// Builds, examines, signs and sends.
pub(super) async fn publish(
    folder: &Path,
    key: &Path,
    channel: Channel,
    brand: &Brand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let session = Session::open(brand)?;
    let key = read_key(key)?;
    let built = author::build(folder, out)?;
    let report = gate::judge(&built.component, &Limits::default())?;
    let (true, Some(told), Ok(digest)) = (report.accepted, &report.plugin, report.digest.parse()) else {
        write!(out, "{report}")?;
        return Err(CliError::NotAccepted);
    };
    let contract = report.contract.clone().unwrap_or_else(|| "1.0".to_owned());
    let changelog = changes(&folder.join("CHANGELOG.md"), &told.version)?;
    let statement = Statement { digest, name: &told.name, version: &told.version, contract: &contract };
    let body = json!({
        "component": BASE64_STANDARD.encode(&built.component),
        "public_key": key.public(),
        "signature": key.sign(&statement),
        "channel": channel.name(),
        "changelog": changelog,
    });
    // The same component is the same request: sent again after a cut line, nothing is done twice.
    let release = session.post("/plugins/releases", &format!("publish-{}", report.digest), &body).await?;
    let (id, status) = (text(&release, "id"), text(&release, "status"));
    writeln!(out, "{} {} is published at {}: {id}, {status}", told.name, told.version, brand.to)?;
    writeln!(out, "sha256 {digest}, contract {contract}, score {} of 100", report.score)?;
    writeln!(out, "It can be deployed once the brand approves it.")?;
    Ok(())
}

/// The section of a version in a changelog.
fn changes(path: &Path, version: &str) -> Result<String, CliError> {
    let text = author::read(path)?;
    let text = String::from_utf8_lossy(&text);
    let section: Vec<&str> = text
        .lines()
        .skip_while(|line| line.strip_prefix("## ").is_none_or(|title| title.trim() != version))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect();
    let section = section.join("\n").trim().to_owned();
    if section.is_empty() {
        return Err(RegistryError::NoChanges { path: path.to_owned(), version: version.to_owned() }.into());
    }
    Ok(section)
}

/// Withdraws a version.
pub(super) async fn yank(
    name: &str,
    version: &str,
    reason: &str,
    brand: &Brand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let session = Session::open(brand)?;
    let releases = session.get("/plugins/releases").await?;
    let all = releases.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let found = all.iter().find(|release| text(release, "name") == name && text(release, "version") == version);
    let id = found.map(|release| text(release, "id").to_owned());
    let id = id.ok_or_else(|| RegistryError::NoRelease { name: name.to_owned(), version: version.to_owned() })?;
    let path = format!("/plugins/releases/{id}/yank");
    session.post(&path, &Token::new()?.expose(), &json!({ "reason": reason })).await?;
    writeln!(out, "{name} {version} is withdrawn: nothing new is deployed with it, what runs goes on")?;
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The API of a brand, as one person.
struct Session {
    client: Client,
    to: Url,
    token: Secret,
}

impl Session {
    fn open(brand: &Brand) -> Result<Self, RegistryError> {
        let to = brand.to.clone();
        let host = to.host_str().unwrap_or_default().to_owned();
        let here = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
        if to.scheme() != "https" && !(here && to.scheme() == "http") {
            return Err(RegistryError::Insecure(to));
        }
        let mut client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy();
        if here {
            // RFC 6761: such names are this machine, whatever a resolver says.
            let port = to.port_or_known_default().unwrap_or(443);
            client = client.resolve(&host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        let client =
            client.build().map_err(|error| RegistryError::Unreachable { url: to.clone(), why: error.to_string() })?;
        let file = read_secret(&brand.token_file)?;
        let token = Secret::new(file.expose().lines().next().unwrap_or_default().trim().to_owned());
        Ok(Self { client, to, token })
    }

    async fn get(&self, path: &str) -> Result<Value, RegistryError> {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Value, RegistryError> {
        self.ask(Method::POST, path, Some((key, body))).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, RegistryError> {
        let mut url = self.to.clone();
        url.set_path(&format!("/api/v1{path}"));
        let mut request = self.client.request(method, url).bearer_auth(self.token.expose());
        if let Some((key, body)) = body {
            request = request.header("idempotency-key", key).json(body);
        }
        let lost = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            RegistryError::Unreachable { url: self.to.clone(), why: cause.unwrap_or_else(|| error.to_string()) }
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|_| RegistryError::NotMarque(self.to.clone()))?;
        if status.is_success() {
            return Ok(body);
        }
        let mut said = text(&body, "detail").to_owned();
        if said.is_empty() {
            return Err(RegistryError::NotMarque(self.to.clone()));
        }
        for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            said.push_str(&format!("\n  {}: {}", text(error, "field"), text(error, "detail")));
        }
        Err(RegistryError::Refused(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changes_of_a_version_are_its_section() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("CHANGELOG.md");
        fs::write(&file, "# Changes\n\n## 0.2.0\n\nFaster.\n\n- and better\n\n## 0.1.0\n\nFirst.\n").unwrap();
        assert_eq!(changes(&file, "0.2.0").unwrap(), "Faster.\n\n- and better");
        assert_eq!(changes(&file, "0.1.0").unwrap(), "First.");
        let missing = changes(&file, "0.3.0").unwrap_err().to_string();
        assert!(missing.contains("## 0.3.0"), "{missing}");
    }

    #[test]
    fn a_token_is_sent_nowhere_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        fs::write(&token_file, "mq_x\n").unwrap();
        let open = |to: &str| {
            let brand = Brand { to: to.parse().unwrap(), token_file: token_file.clone() };
            Session::open(&brand).map(|session| session.token.expose().to_owned())
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert_eq!(open("http://aurora.localhost:8080").unwrap(), "mq_x");
        for bad in ["http://aurora.example", "http://localhost.example", "ftp://localhost", "http://10.0.0.1"] {
            assert!(matches!(open(bad), Err(RegistryError::Insecure(_))), "{bad}");
        }
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("author.key");
        let made = make_key(&file).map_err(|e| e.to_string()).unwrap();
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(read_key(&file).map_err(|e| e.to_string()).unwrap().public(), made.public());
        let again = make_key(&file).map(drop).unwrap_err().to_string();
        assert!(again.contains("is there already"), "{again}");
    }
}
