//! A new crate from a template, with the SDK of this very platform beside it: nothing is fetched to write it.

use rust_embed::RustEmbed;
use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The SDK as the repository has it: contract, crates, templates.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../sdk"]
#[include = "*.rs"]
#[include = "*.toml"]
#[include = "*.wit"]
#[include = "templates/*"]
#[exclude = "*/tests/*"]
#[exclude = "*/target/*"]
struct Embedded;

/// Versions, lints and what belongs to every crate stand in the workspace's manifest.
const WORKSPACE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
/// The versions that the platform's own plugins are built with; cargo drops what a crate does not use.
const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));

/// What a plugin can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TemplateKind {
    /// Turns market events into wishes.
    Strategy,
    /// Allows, shrinks or refuses orders.
    Rule,
}

/// A plugin's name: small letters, digits and hyphens, beginning with a letter, at most 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginName(String);

/// Text that is no plugin's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a plugin's name has small letters, digits and single hyphens, begins with a letter and has at most 64: gap-fade"
)]
pub struct NotAName;

impl FromStr for PluginName {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let parts = text.split('-').all(|part| !part.is_empty());
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if plain && parts && begins && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PluginName {
    /// As a type's name: `GapFade`.
    fn type_name(&self) -> String {
        let capital = |part: &str| {
            let mut chars = part.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
        };
        self.0.split('-').map(capital).collect()
    }
}

/// Where the new crate takes the SDK from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// Written beside it, as this program has it.
    Beside,
    /// A folder that has the crate `marque-plugin`.
    Path(PathBuf),
    /// A git repository that has it.
    Git(String),
}

/// A crate was not made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// There is something there already.
    #[error("{} is not empty. Choose another folder with --dir, or empty it first", .0.display())]
    NotEmpty(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}. Choose a folder that you may write to with --dir", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The SDK is not where it was said to be.
    #[error("{} has no crate marque-plugin. Name the folder that has its Cargo.toml, or leave --sdk-path out", .0.display())]
    NoSdk(PathBuf),
    /// This program was built without its templates.
    #[error("this program has no template for that. Install a complete build of marque")]
    NoTemplate,
}

/// Makes a crate in `folder`, which is made when it is missing and else must be empty; answers the files it wrote.
///
/// # Errors
/// [`NewError`]; what was written before stays.
pub fn create(folder: &Path, name: &PluginName, kind: TemplateKind, sdk: &Sdk) -> Result<Vec<PathBuf>, NewError> {
    let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        return Err(NewError::NotEmpty(folder.to_owned()));
    }
    let dependency = match sdk {
        Sdk::Beside => "{ path = \"sdk/rust\" }".to_owned(),
        Sdk::Git(url) => format!("{{ git = {} }}", quoted(url)),
        Sdk::Path(path) => {
            let known = path.canonicalize().ok().filter(|path| path.join("Cargo.toml").is_file());
            let known = known.ok_or_else(|| NewError::NoSdk(path.clone()))?;
            format!("{{ path = {} }}", quoted(&known.display().to_string()))
        }
    };
    let from = match kind {
        TemplateKind::Strategy => "templates/strategy/",
        TemplateKind::Rule => "templates/rule/",
    };
    let fill = |text: &str| {
        text.replace("{{name}}", &name.0)
            .replace("{{type}}", &name.type_name())
            .replace("{{sdk}}", &dependency)
            .replace(
                "{{serde}}",
                dependency_line("serde").unwrap_or("serde = { version = \"1\", features = [\"derive\"] }"),
            )
    };
    let mut files: Vec<(PathBuf, String)> =
        embedded(from).map(|(path, text)| (folder.join(written_as(&path)), fill(&text))).collect();
    if files.is_empty() {
        return Err(NewError::NoTemplate);
    }
    if *sdk == Sdk::Beside {
        files.extend(sdk_files().map(|(path, text)| (folder.join("sdk").join(path), text)));
    }
    files.push((folder.join("Cargo.lock"), LOCK.to_owned()));
    for (path, text) in &files {
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(path, text));
        written.map_err(|source| NewError::Unwritable { path: path.clone(), source })?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// A string of TOML: what JSON escapes, TOML does alike.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// What a template is called where cargo and git would otherwise take it for their own.
fn written_as(path: &str) -> String {
    match path {
        "Cargo.toml.template" => "Cargo.toml".to_owned(),
        "gitignore" => ".gitignore".to_owned(),
        other => other.to_owned(),
    }
}

/// The embedded files below a folder, by their path in it.
fn embedded(folder: &'static str) -> impl Iterator<Item = (String, String)> {
    Embedded::iter().filter_map(move |path| {
        let below = path.strip_prefix(folder)?.to_owned();
        let file = Embedded::get(&path)?;
        Some((below, String::from_utf8_lossy(&file.data).into_owned()))
    })
}

/// The SDK as a workspace of its own, with what its crates inherit from the platform's.
fn sdk_files() -> impl Iterator<Item = (String, String)> {
    let files: Vec<(String, String)> = embedded("").filter(|(path, _)| !path.starts_with("templates/")).collect();
    let manifests: Vec<&str> =
        files.iter().filter(|(path, _)| path.ends_with("/Cargo.toml")).map(|(_, text)| text.as_str()).collect();
    let members: Vec<String> = files
        .iter()
        .filter_map(|(path, _)| path.strip_suffix("/Cargo.toml"))
        .map(|member| format!("\"{member}\""))
        .collect();
    let mut text = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "));
    for section in ["[workspace.package]", "[workspace.lints.rust]", "[workspace.lints.clippy]"] {
        text.push_str(&format!("\n{section}\n"));
        section_of(section).for_each(|line| text.push_str(&format!("{line}\n")));
    }
    text.push_str("\n[workspace.dependencies]\n");
    for name in inherited(&manifests) {
        let line = dependency_line(name).unwrap_or_default();
        text.push_str(&format!("{}\n", line.replace("path = \"sdk/", "path = \"")));
    }
    files.into_iter().chain([("Cargo.toml".to_owned(), text)])
}

/// The lines of a section of the workspace's manifest.
fn section_of(header: &'static str) -> impl Iterator<Item = &'static str> {
    let after = WORKSPACE.lines().skip_while(move |line| *line != header).skip(1);
    after.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The line by which the workspace names a dependency.
fn dependency_line(name: &str) -> Option<&'static str> {
    let named = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| key == name);
    WORKSPACE.lines().skip_while(|line| *line != "[workspace.dependencies]").find(named)
}

/// Dependencies that manifests take from their workspace.
fn inherited<'a>(manifests: &[&'a str]) -> BTreeSet<&'a str> {
    let lines = manifests.iter().flat_map(|text| text.lines());
    let names = lines.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        match key.strip_suffix(".workspace") {
            Some(name) => Some(name),
            None => value.contains("workspace = true").then_some(key),
        }
    });
    names.filter(|name| dependency_line(name).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        for good in ["gap-fade", "a", "m5-break2"] {
            assert_eq!(good.parse::<PluginName>().map(|n| n.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "a--b", "A", "5m", "a_b", "ä", &"a".repeat(65)] {
            assert_eq!(bad.parse::<PluginName>(), Err(NotAName), "{bad}");
        }
        assert_eq!("m5-break-of".parse::<PluginName>().unwrap().type_name(), "M5BreakOf");
    }

    #[test]
    fn a_new_crate_is_whole_and_nothing_is_left_to_fill() {
        for kind in [TemplateKind::Strategy, TemplateKind::Rule] {
            let folder = tempfile::tempdir().unwrap();
            let files = create(folder.path(), &"gap-fade".parse().unwrap(), kind, &Sdk::Beside).unwrap();
            for wanted in [
                "Cargo.toml",
                "src/lib.rs",
                "src/settings.json",
                ".gitignore",
                "sdk/rust/src/lib.rs",
                "sdk/wit/types.wit",
            ] {
                assert!(folder.path().join(wanted).is_file(), "{wanted}");
            }
            for path in files.iter().filter(|path| !path.starts_with(folder.path().join("sdk"))) {
                let text = fs::read_to_string(path).unwrap();
                assert!(!text.contains("{{"), "{}", path.display());
            }
            let manifest: toml::Table = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap().parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some("gap-fade"));
            let again = create(folder.path(), &"gap-fade".parse().unwrap(), kind, &Sdk::Beside);
            assert!(matches!(again, Err(NewError::NotEmpty(_))));
        }
    }

    #[test]
    fn the_sdk_inherits_all_that_its_crates_ask_for() {
        let files: Vec<(String, String)> = sdk_files().collect();
        let workspace = &files.last().unwrap().1;
        let root: toml::Table = workspace.parse().unwrap();
        let known = root["workspace"]["dependencies"].as_table().unwrap();
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
            let manifest: toml::Table = text.parse().unwrap();
            for (name, wanted) in manifest["dependencies"].as_table().unwrap() {
                assert!(wanted.get("workspace").is_none() || known.contains_key(name), "{path}: {name}");
            }
        }
        assert!(known["serde"]["version"].is_str());
        assert_eq!(root["workspace"]["package"]["edition"].as_str(), Some("2024"));
    }

    #[test]
    fn the_sdk_may_lie_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let name: PluginName = "a".parse().unwrap();
        let nowhere = Sdk::Path(folder.path().join("nowhere"));
        assert!(matches!(create(folder.path(), &name, TemplateKind::Rule, &nowhere), Err(NewError::NoSdk(_))));
        let git = Sdk::Git("https://git.example/marque.git".to_owned());
        create(folder.path(), &name, TemplateKind::Rule, &git).unwrap();
        let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("marque-plugin = { git = \"https://git.example/marque.git\" }"), "{manifest}");
        assert!(!folder.path().join("sdk").exists());
    }
}
