//! `marque person …`

use super::{AddPerson, CliError, open, tenant};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    clock::Clock,
    config::Config,
    identity::{NewPerson, Passwords, PersonError, create_person},
    secrets::{Secret, Vault},
};
use std::{
    io::{BufRead as _, Read as _, Write},
    path::PathBuf,
};

/// More than any password.
const LINE_BYTES_MAX: u64 = 4_096;

pub(super) async fn add(
    config: &Config,
    clock: &Clock,
    person: AddPerson,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    let db = tenant::rows(&store, &person.slug).await?;
    let passwords = Passwords::new(&config.limits).map_err(PersonError::from)?;
    let password = read_password()?;
    // As strict as with whoever chooses one on the site.
    let about = vec![person.email.clone(), person.name.clone(), person.slug.to_string()];
    passwords.measure(&password, about).await.map_err(PersonError::from)?;
    let new = NewPerson { email: person.email, display_name: person.name, password, role: person.role };
    let user = create_person(&db, &passwords, new, clock.now()).await?;
    let vault = Vault::open(config, clock.clone())?;
    let details = [("role".to_owned(), user.role.clone().into()), ("email".to_owned(), user.email.clone().into())];
    let entry = Entry {
        at: clock.now(),
        actor: Actor::System { name: "marque person add".to_owned() },
        act: Act::PersonAdded,
        target: user.id.to_string(),
        details: details.into_iter().collect(),
        origin: Origin::default(),
    };
    audit::record(&db, &vault, entry).await?;
    writeln!(out, "{} {} {}", user.id, user.email, user.role)?;
    Ok(())
}

/// Not an argument: those are seen by everybody on the machine and kept in shells' histories.
fn read_password() -> Result<Secret, CliError> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(|source| CliError::Unreadable { path: PathBuf::from("standard input"), source })?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}
