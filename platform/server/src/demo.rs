//! The demo's people, accounts and strategies. Running it again adds what is missing and nothing else.
//!
//! Owns: who is in the demo. Everything is done through the same doors that people use.

mod eas;

use crate::{
    clock::Clock,
    config::Config,
    identity::{NewPerson, Passwords, PersonError, Role, create_person},
    licensing::files::EaFiles,
    objects::{Objects, ObjectsError},
    problem::Problem,
    secrets::{self, MasterKeyError, NoRandomness, Secret, Vault},
    serve::{self, ServeError},
    tenants::Definition,
    trading::{
        Asker, Floor,
        requests::{self, NewDeployment},
    },
};
use marque_domain::{bar::Timeframe, id::UserId, plugin::Channel};
use marque_store::{Page, Store, StoreError, TenantDb, Whose};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Where the demo's password is kept, in the data directory.
const PASSWORD_FILE: &str = "demo-password";

/// Why the demo could not be seeded.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Trading cannot be set up.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A person cannot be added.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// An account or a strategy was refused.
    #[error("the demo's {what} was refused: {}", problem.detail)]
    Refused {
        /// Of what.
        what: String,
        /// Why.
        problem: Box<Problem>,
    },
    /// A stored tenant cannot be read.
    #[error("the tenant {0} cannot be read: apply its file again with `marque tenant apply`")]
    Definition(String, #[source] serde_json::Error),
    /// The password cannot be kept.
    #[error("cannot keep the demo's password in {path}: {source}")]
    Password {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The place of files cannot be used.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// There is no master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// There is none.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(#[from] std::io::Error),
}

/// An account of the demo's trader, with the strategies on it.
struct DemoAccount {
    name: &'static str,
    strategies: Vec<(&'static str, Timeframe, Value)>,
}

/// What the trader of every brand has: a calm account, a busy one, and one so large that its rule speaks up.
fn accounts() -> Vec<DemoAccount> {
    let cross = |fast: u32, slow: u32, lots: f64, stop: Option<u32>, target: Option<u32>| {
        let mut settings = json!({ "fast": fast, "slow": slow, "lots": lots });
        if let (Some(map), Some(stop), Some(target)) = (settings.as_object_mut(), stop, target) {
            map.insert("stop_pips".to_owned(), stop.into());
            map.insert("target_pips".to_owned(), target.into());
        }
        settings
    };
    vec![
        DemoAccount {
            name: "Steady",
            strategies: vec![
                ("EURUSD", Timeframe::M1, cross(12, 26, 1.0, Some(15), Some(30))),
                ("XAUUSD", Timeframe::M5, cross(5, 20, 0.5, None, None)),
            ],
        },
        DemoAccount { name: "Fast", strategies: vec![("EURUSD", Timeframe::M1, cross(3, 8, 5.0, None, None))] },
        DemoAccount {
            name: "Oversized",
            strategies: vec![("EURUSD", Timeframe::M1, cross(2, 5, 20.0, Some(40), Some(80)))],
        },
    ]
}

/// Seeds the demo and prints its people as one line of JSON.
///
/// # Errors
/// [`DemoError`].
pub async fn seed(config: &Config, clock: &Clock, out: &mut (dyn Write + Send)) -> Result<(), DemoError> {
    let store = Store::connect(config.database().expose()).await?;
    let password = password(&config.data_dir)?;
    let passwords = Passwords::new(&config.limits).map_err(PersonError::from)?;
    let vault = Vault::open(config, clock.clone())?;
    let files = EaFiles::new(Objects::open(config)?, vault.clone(), clock.clone(), &config.limits);
    let mut floor = None;
    let mut people = Vec::new();
    for tenant in store.system("seed the demo").tenants().await? {
        let definition: Definition = serde_json::from_str(&tenant.spec.definition)
            .map_err(|source| DemoError::Definition(tenant.spec.slug.to_string(), source))?;
        let db = store.system("seed the demo").tenant_db(tenant.id);
        for (role, name) in [(Role::Trader, "Demo trader"), (Role::Owner, "Demo owner")] {
            let email = format!("{}@{}.example", role.name(), definition.slug);
            let user = person(&db, &passwords, role, name, &email, &password, clock).await?;
            if role == Role::Trader {
                // What the demo shows needs room: the largest plan.
                db.set_plan(user, definition.plans.last().map(|plan| plan.code.as_str())).await?;
                trader(config, &store, &db, &definition, user, clock, &mut floor).await?;
                eas::seed(&db, &vault, &files, user, clock).await?;
            }
            let host = definition.hosts.first().cloned().unwrap_or_default();
            people.push(json!({ "brand": definition.name, "host": host, "email": email, "password": password }));
        }
    }
    if let Some(floor) = floor {
        floor.close().await;
    }
    store.close().await?;
    writeln!(out, "{}", json!({ "people": people }))?;
    Ok(())
}

async fn person(
    db: &TenantDb,
    passwords: &Passwords,
    role: Role,
    name: &str,
    email: &str,
    password: &str,
    clock: &Clock,
) -> Result<UserId, DemoError> {
    if let Some(known) = db.user_by_email(email).await? {
        return Ok(known.id);
    }
    let new = NewPerson {
        email: email.to_owned(),
        display_name: name.to_owned(),
        password: Secret::new(password.to_owned()),
        role,
    };
    Ok(create_person(db, passwords, new, clock.now()).await?.id)
}

/// Opens the accounts that are missing. The floor is only set up when there is something to do on it.
async fn trader(
    config: &Config,
    store: &Store,
    db: &TenantDb,
    definition: &Definition,
    user: UserId,
    clock: &Clock,
    floor: &mut Option<Floor>,
) -> Result<(), DemoError> {
    let have = db.accounts(Whose::User(user), Page::first(50)).await?.items;
    // Opened last is shown first: the calm one.
    for account in accounts().into_iter().rev().filter(|a| have.iter().all(|h| h.terms.name != a.name)) {
        let floor = match floor {
            Some(floor) => floor,
            None => floor.insert(serve::floor(config, store, clock.clone(), Vault::open(config, clock.clone())?)?),
        };
        open(floor, db, definition, user, &account, clock).await?;
    }
    Ok(())
}

async fn open(
    floor: &Floor,
    db: &TenantDb,
    definition: &Definition,
    user: UserId,
    account: &DemoAccount,
    clock: &Clock,
) -> Result<(), DemoError> {
    let refused = |what: String| move |problem| DemoError::Refused { what, problem: Box::new(problem) };
    let terms = requests::open_account(
        floor.asked_by(Asker::system("marque demo-seed")),
        db,
        definition,
        user,
        account.name,
        clock,
    )
    .await
    .map_err(refused(format!("account {} at {}", account.name, definition.slug)))?;
    let shown = requests::tradable(floor);
    for (symbol, timeframe, settings) in &account.strategies {
        if shown.iter().all(|i| i.symbol != *symbol) {
            continue;
        }
        let wanted = NewDeployment {
            account: terms.id,
            strategy: "ema-cross".to_owned(),
            channel: Channel::Stable,
            symbol: (*symbol).to_owned(),
            timeframe: *timeframe,
            settings: settings.clone(),
        };
        requests::deploy(
            floor.asked_by(Asker::system("marque demo-seed")),
            db,
            definition,
            Whose::User(user),
            wanted,
            clock,
        )
        .await
        .map_err(refused(format!("strategy on {symbol} at {}", definition.slug)))?;
    }
    Ok(())
}

/// The demo's password: made once, kept beside the demo's database, readable by its owner only.
fn password(data_dir: &Path) -> Result<String, DemoError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = data_dir.join(PASSWORD_FILE);
    if let Ok(kept) = std::fs::read_to_string(&path) {
        return Ok(kept.trim().to_owned());
    }
    let bytes: [u8; 6] = secrets::random_bytes()?;
    let password = bytes.iter().fold("demo-".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let keep = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(password.as_bytes())
    };
    keep().map_err(|source| DemoError::Password { path: path.clone(), source })?;
    Ok(password)
}
