//! What tests need that no registry of ours brings: PostgreSQL's server programs, Redis, Chromium, Python for a
//! mail server and an S3 server, and a C++ compiler for the sources of Expert Advisors.
//!
//! Found where systems put them; installed when we are root on Debian; otherwise named with the command that
//! installs them. Under `CI=true` a missing one is a failure. A developer without one skips its tests and sees
//! them counted as skipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{progress::Step, run};

/// The variable by which a person names the browser to us, and we to the tests.
pub const CHROMIUM: &str = "XTASK_CHROMIUM";

/// A program that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Component {
    /// The folder of `initdb` and `postgres`.
    Postgres,
    /// The program `redis-server`.
    Redis,
    /// The browser.
    Chromium,
    /// What the tests' mail and S3 servers and the tests of Expert Advisors run on.
    Python,
    /// What the sources of Expert Advisors are compiled with.
    Compiler,
}

impl Component {
    const ALL: [Self; 5] = [Self::Postgres, Self::Redis, Self::Chromium, Self::Python, Self::Compiler];

    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL's server programs",
            Self::Redis => "Redis",
            Self::Chromium => "Chromium",
            Self::Python => "Python 3.11 or newer with venv",
            Self::Compiler => "The C++ compiler g++",
        }
    }

    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Redis => &["redis-server"],
            // Without a font the pages would show boxes.
            Self::Chromium => &["chromium", "fonts-liberation"],
            Self::Python => &["python3", "python3-venv"],
            Self::Compiler => &["g++"],
        }
    }

    const fn other_way(self) -> &'static str {
        match self {
            Self::Postgres => "put the folder of `initdb` on your PATH",
            Self::Redis => "put the folder of `redis-server` on your PATH",
            Self::Chromium => "set XTASK_CHROMIUM to its program",
            Self::Python => "put `python3` on your PATH",
            Self::Compiler => "put `g++` on your PATH",
        }
    }

    fn find(self) -> Option<PathBuf> {
        match self {
            Self::Postgres => postgres_folders().into_iter().find(|folder| holds_postgres(folder)),
            Self::Redis => on_path("redis-server"),
            Self::Chromium => std::env::var_os(CHROMIUM).map(PathBuf::from).or_else(chromium_on_path),
            Self::Python => on_path("python3").filter(|python| makes_environments(python)),
            Self::Compiler => on_path("g++"),
        }
    }
}

/// Debian's Python lacks what environments are made with until its package is installed.
fn makes_environments(python: &Path) -> bool {
    let check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    run::ask(&python.to_string_lossy(), &["-c", check]).is_some()
}

fn chromium_on_path() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name))
}

/// Where the components are; `None` is a component that its tests must do without.
#[derive(Debug)]
pub struct Components {
    /// The folder of PostgreSQL's server programs.
    pub postgres: Option<PathBuf>,
    /// The browser's program.
    pub chromium: Option<PathBuf>,
    /// Python's program.
    pub python: Option<PathBuf>,
    /// The C++ compiler's program.
    pub compiler: Option<PathBuf>,
}

impl Components {
    /// Finds or installs them.
    pub fn ensure(in_ci: bool) -> Result<Self> {
        let missing: Vec<Component> =
            Component::ALL.into_iter().filter(|component| component.find().is_none()).collect();
        if !missing.is_empty() && is_debian_root() {
            install(&missing)?;
        }
        // Tests find it on the path.
        settle(Component::Redis, in_ci)?;
        Ok(Self {
            postgres: settle(Component::Postgres, in_ci)?,
            chromium: settle(Component::Chromium, in_ci)?,
            python: settle(Component::Python, in_ci)?,
            compiler: settle(Component::Compiler, in_ci)?,
        })
    }
}

fn settle(component: Component, in_ci: bool) -> Result<Option<PathBuf>> {
    let found = component.find();
    if found.is_none() {
        let sentence = missing_sentence(component);
        if in_ci {
            bail!("{sentence}");
        }
        eprintln!("  ! {sentence} Until then its tests are skipped.");
    }
    Ok(found)
}

fn missing_sentence(component: Component) -> String {
    format!(
        "{} could not be found. Install it (Debian: `apt-get install {}`), or {}.",
        component.name(),
        component.packages().join(" "),
        component.other_way()
    )
}

/// Whether we may install what is missing.
pub fn is_debian_root() -> bool {
    nix::unistd::Uid::effective().is_root() && Path::new("/etc/debian_version").is_file()
}

fn install(missing: &[Component]) -> Result<()> {
    let packages: Vec<&str> = missing.iter().flat_map(|component| component.packages()).copied().collect();
    apt_install(&packages)
}

/// Installs packages of Debian.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let step = Step::begin(format!("Installing {} by apt", packages.join(", ")));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run::quietly(&step, &mut apt(&["update"]))?;
    run::quietly(&step, apt(&["install", "-y", "--no-install-recommends"]).args(packages))?;
    step.done(&format!("Installed {}", packages.join(", ")));
    Ok(())
}

/// Where systems put PostgreSQL's server programs: on the path, where `pg_config` says, and Debian's folders,
/// newest version first.
fn postgres_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        on_path("initdb").and_then(|program| program.parent().map(Path::to_path_buf)).into_iter().collect();
    folders.extend(run::ask("pg_config", &["--bindir"]).map(PathBuf::from));
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.extend(debian.into_iter().map(|(_, folder)| folder));
    folders
}

fn holds_postgres(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// Whether a program is on the path.
pub fn is_there(program: &str) -> bool {
    on_path(program).is_some()
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("marque-no-such-program"), None);
    }

    #[test]
    fn a_folder_needs_both_server_programs() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("initdb"), "").unwrap();
        assert!(!holds_postgres(folder.path()), "a client package alone does not do");
        fs::write(folder.path().join("postgres"), "").unwrap();
        assert!(holds_postgres(folder.path()));
    }

    #[test]
    fn what_is_missing_is_named_with_its_package_and_another_way() {
        for component in Component::ALL {
            let sentence = missing_sentence(component);
            assert!(
                sentence.contains(component.packages()[0]) && sentence.contains(component.other_way()),
                "{sentence}"
            );
        }
    }
}
