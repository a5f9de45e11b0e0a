//! Brings the demo's database to where the demo begins. Every step may run again; the long ones run only when
//! their input changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{recordings::Recording, settings::Settings};
use crate::{
    explain,
    plugins::Plugins,
    progress::Step,
    root,
    run::{self, Line},
    stamp,
};

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name of the brand.
    pub brand: String,
    /// Its host.
    pub host: String,
    /// What they sign in with.
    pub email: String,
    /// And their password.
    pub password: String,
}

/// A brand and its people.
pub struct Brand<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its host.
    pub host: &'a str,
    /// Who can sign in.
    pub people: Vec<&'a Person>,
}

/// The brands of these people, in their order.
pub fn brands(people: &[Person]) -> Vec<Brand<'_>> {
    let mut brands: Vec<Brand<'_>> = Vec::new();
    for person in people {
        match brands.iter_mut().find(|brand| brand.host == person.host) {
            Some(brand) => brand.people.push(person),
            None => brands.push(Brand { name: &person.brand, host: &person.host, people: vec![person] }),
        }
    }
    brands
}

/// Migrates, applies the tenants, adds the plugins, imports the recordings and seeds the people.
pub fn run(settings: &Settings, plugins: &Plugins, recordings: &[Recording]) -> Result<Vec<Person>> {
    let var = root::var();
    std::fs::create_dir_all(&var).with_context(|| format!("{} could not be created", var.display()))?;
    let tenants = root::workspace().join("tenants").display().to_string();
    marque(settings, "Migrating the database", &["migrate"])?;
    marque(settings, "Applying tenants/", &["tenant", "apply", &tenants])?;
    let slugs = slugs()?;
    for file in plugins.files() {
        once(file, || {
            let path = file.display().to_string();
            let mut args = vec!["plugin", "add"];
            args.extend(slugs.iter().map(String::as_str));
            args.push(&path);
            marque(settings, &format!("Adding {}", base_name(file)), &args)
        })?;
    }
    for recording in recordings {
        once(&recording.path, || {
            let what = format!("Importing {} (once)", base_name(&recording.path));
            let path = recording.path.display().to_string();
            marque(settings, &what, &["data", "import", "--instrument", &recording.symbol, &path])
        })?;
    }
    people(&marque(settings, "Seeding people and accounts", &["demo-seed"])?)
}

/// Does `work` unless this file was already dealt with in this database.
fn once(file: &Path, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let kept = root::var().join("demo-stamps").join(base_name(file));
    let stamp = stamp::of(&[file.to_path_buf()]);
    if !stamp::is_current(&kept, &stamp) {
        work()?;
        stamp::keep(&kept, &stamp)?;
    }
    Ok(())
}

fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Runs a command of the binary. What it says of its own failure is already a sentence for people.
fn marque(settings: &Settings, what: &str, args: &[&str]) -> Result<String> {
    let step = Step::begin(what);
    let (mut out, mut err) = (String::new(), String::new());
    let status = run::lines(&mut settings.marque(args), |line| {
        let (to, text) = match line {
            Line::Out(text) => (&mut out, text),
            Line::Err(text) => (&mut err, text),
        };
        to.push_str(&text);
        to.push('\n');
    })?;
    if !status.success() {
        let said = if err.trim().is_empty() { &out } else { &err };
        let said = said.trim().trim_start_matches("error: ");
        match explain::remedy(said) {
            // It has said what to do by itself.
            Some(remedy) if !said.contains(remedy) => bail!("{remedy}\n`marque {}` said: {said}", args.join(" ")),
            _ => bail!("{said}"),
        }
    }
    step.done(what);
    Ok(out)
}

/// The tenants that are declared: the folders of `tenants/` with a `tenant.toml`.
fn slugs() -> Result<Vec<String>> {
    let folder = root::workspace().join("tenants");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{} could not be read", root::shown(&folder)))?;
    let mut slugs: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path: &PathBuf| path.join("tenant.toml").is_file())
        .map(|path| base_name(&path))
        .collect();
    slugs.sort();
    Ok(slugs)
}

/// Reads the last line of `demo-seed`: `{"people":[{"brand","host","email","password"}]}`.
fn people(out: &str) -> Result<Vec<Person>> {
    let line = out.lines().last().unwrap_or_default();
    let report: Value =
        serde_json::from_str(line).with_context(|| format!("`marque demo-seed` answered no JSON: {line}"))?;
    let people = report.get("people").and_then(Value::as_array).context("`marque demo-seed` named no people")?;
    let person = |value: &Value| {
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        Some(Person { brand: text("brand")?, host: text("host")?, email: text("email")?, password: text("password")? })
    };
    people.iter().map(person).collect::<Option<_>>().context("`marque demo-seed` left out a field of a person")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(host: &str, email: &str) -> Person {
        Person { brand: host.to_uppercase(), host: host.into(), email: email.into(), password: "p".into() }
    }

    #[test]
    fn people_are_read_from_the_last_line() {
        let out = "seeded\n{\"people\":[{\"brand\":\"A\",\"host\":\"a\",\"email\":\"t@a\",\"password\":\"p\"}]}\n";
        assert_eq!(people(out).unwrap(), [person("a", "t@a")]);
        for broken in ["", "no json", "{}", r#"{"people":[{"brand":"A"}]}"#] {
            assert!(people(broken).unwrap_err().to_string().contains("demo-seed"), "{broken}");
        }
    }

    #[test]
    fn people_are_grouped_by_brand_in_their_order() {
        let people = [person("b", "1"), person("a", "2"), person("b", "3")];
        let grouped: Vec<(&str, usize)> =
            brands(&people).iter().map(|brand| (brand.host, brand.people.len())).collect();
        assert_eq!(grouped, [("b", 2), ("a", 1)]);
    }
}
