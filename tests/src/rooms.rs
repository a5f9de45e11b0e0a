//! The arrows between the rooms, as DESIGN decides them, against what `cargo metadata` says.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// A room and the rooms it may see. Every package of the workspace stands here once.
const ROOMS: &[(&str, &[&str])] = &[
    ("marque-domain", &[]),
    ("marque-engine", &["marque-domain"]),
    ("marque-market", &["marque-domain"]),
    ("marque-sandbox", &["marque-domain", "marque-engine"]),
    ("marque-brokers", &["marque-domain", "marque-engine"]),
    ("marque-store", &["marque-domain", "marque-migrations"]),
    ("marque-migrations", &[]),
    (
        "marque-server",
        &[
            "marque-domain",
            "marque-engine",
            "marque-market",
            "marque-sandbox",
            "marque-brokers",
            "marque-store",
            "marque-migrations",
            // `marque plugin build` builds an author's crate as ours are built (decision 0061).
            "marque-pluginbuild",
        ],
    ),
    ("marque-plugin", &["marque-plugin-macros"]),
    ("marque-plugin-macros", &[]),
    ("ema-cross", &["marque-plugin"]),
    ("sma-cross", &["marque-plugin"]),
    ("bos-retest", &["marque-plugin"]),
    ("submarine-gold", &["marque-plugin"]),
    ("ferrari-scalper", &["marque-plugin"]),
    ("consistency", &["marque-plugin"]),
    ("daily-loss", &["marque-plugin"]),
    ("exposure-cap", &["marque-plugin"]),
    ("max-loss", &["marque-plugin"]),
    ("min-days", &["marque-plugin"]),
    ("news-window", &["marque-plugin"]),
    ("position-size", &["marque-plugin"]),
    ("profit-target", &["marque-plugin"]),
    ("trade-limit", &["marque-plugin"]),
    ("weekend", &["marque-plugin"]),
    ("marque-pluginbuild", &[]),
    // A plugin that the sandbox's tests build, as any author would.
    ("clerk", &["marque-plugin"]),
    // Developers' tools: nobody ships them.
    ("marque-testkit", &["marque-pluginbuild"]),
    // The bench also runs the shipped plugins as native code, to say what the sandbox costs over it, and a desk with its
    // database in its own process.
    (
        "marque-bench",
        &[
            "marque-domain",
            "marque-engine",
            "marque-market",
            "marque-sandbox",
            "marque-server",
            "marque-store",
            "marque-pluginbuild",
            "marque-testkit",
            "marque-plugin",
            "ema-cross",
            "sma-cross",
            "daily-loss",
        ],
    ),
    ("xtask", &["marque-pluginbuild"]),
    ("marque-tests", &[]),
];

/// What a room's own tests may see besides its rooms: tools, and the rooms that their fixtures come from.
const TEST_ONLY: &[&str] = &["marque-testkit", "marque-pluginbuild"];

/// The only package that may cross every room, and only in its tests.
const CROSSES_ALL: &str = "marque-tests";

/// Libraries that only these packages may name. Whoever else needs one asks the room that owns it.
const NAMED_ONLY_BY: &[(&str, &[&str])] = &[
    ("wasmtime", &["marque-sandbox", "marque-bench"]),
    ("sea-orm", &["marque-store"]),
    ("sqlx", &["marque-bench"]),
    ("sea-orm-migration", &["marque-migrations"]),
    ("poem", &["marque-server", "marque-bench"]),
    ("poem-openapi", &["marque-server", "marque-bench"]),
    ("handlebars", &["marque-server"]),
    ("async-stripe", &["marque-server"]),
    ("openidconnect", &["marque-server"]),
    ("lettre", &["marque-server"]),
    ("object_store", &["marque-server"]),
];

/// Rooms without IO, clock or threads, and libraries that would bring them.
const PURE: &[&str] = &["marque-domain", "marque-engine"];
const IMPURE: &[&str] = &["tokio", "futures-util", "reqwest", "getrandom", "rand", "parquet", "tracing", "moka"];

/// What a package depends on: by name, whether in earnest or for its tests only.
struct Arrows {
    normal: BTreeSet<String>,
    test: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Arrows> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo metadata must answer for the workspace");
    metadata.workspace_packages().into_iter().map(|package| (package.name.to_string(), arrows(package))).collect()
}

fn arrows(package: &Package) -> Arrows {
    let of = |test: bool| {
        let wanted =
            package.dependencies.iter().filter(|dependency| (dependency.kind == DependencyKind::Development) == test);
        wanted.map(|dependency| dependency.name.clone()).collect()
    };
    Arrows { normal: of(false), test: of(true) }
}

/// Every arrow that the tables do not allow, as a sentence.
fn faults(packages: &BTreeMap<String, Arrows>) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut faults = Vec::new();
    for (name, arrows) in packages {
        let Some(rooms) = allowed.get(name.as_str()) else {
            faults
                .push(format!("{name} is no room of DESIGN: add it to ROOMS with the arrows it may have, and say why"));
            continue;
        };
        let ours = |names: &BTreeSet<String>| {
            names.iter().filter(|name| packages.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        for seen in ours(&arrows.normal).iter().filter(|seen| !rooms.contains(&seen.as_str())) {
            faults.push(format!("{name} -> {seen} is not an arrow of DESIGN"));
        }
        let may_test = |seen: &str| name == CROSSES_ALL || rooms.contains(&seen) || TEST_ONLY.contains(&seen);
        for seen in ours(&arrows.test).iter().filter(|seen| !may_test(seen)) {
            faults.push(format!(
                "{name} -> {seen} (tests) is not an arrow of DESIGN: a test that crosses rooms belongs in tests/"
            ));
        }
        faults.extend(foreign(name, arrows));
    }
    faults
}

fn foreign(name: &str, arrows: &Arrows) -> Vec<String> {
    let mut faults = Vec::new();
    for (library, owners) in NAMED_ONLY_BY {
        let named = arrows.normal.contains(*library) || arrows.test.contains(*library);
        if named && !owners.contains(&name) && name != CROSSES_ALL {
            faults.push(format!("{name} names {library}, which belongs to {}", owners.join(" and ")));
        }
    }
    if PURE.contains(&name) {
        let impure = arrows.normal.iter().filter(|library| IMPURE.contains(&library.as_str()));
        faults.extend(
            impure.map(|library| format!("{name} depends on {library}, but knows no IO, clock, threads or chance")),
        );
    }
    faults
}

#[test]
fn every_arrow_is_one_of_designs() {
    let faults = faults(&packages());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_plugin_is_in_the_table_of_rooms() {
    // Plugins are many and come and go; this keeps their arrows from being forgotten.
    let plugins = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins")).unwrap();
    for plugin in plugins.map(|entry| entry.unwrap()).filter(|entry| entry.path().join("Cargo.toml").is_file()) {
        let name = plugin.file_name().into_string().unwrap();
        let arrows = ROOMS.iter().find(|(room, _)| *room == name).unwrap_or_else(|| panic!("{name} is not in ROOMS"));
        assert_eq!(arrows.1, ["marque-plugin"], "{name} may see sdk/rust only");
    }
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap();
    for package in metadata.workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has lints of its own, or none", package.name);
    }
}

#[test]
fn a_wrong_arrow_is_found() {
    let graph = |name: &str, normal: &[&str], test: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mut packages: BTreeMap<String, Arrows> = ROOMS
            .iter()
            .map(|(name, _)| ((*name).to_owned(), Arrows { normal: BTreeSet::new(), test: BTreeSet::new() }))
            .collect();
        packages.insert(name.to_owned(), Arrows { normal: set(normal), test: set(test) });
        faults(&packages)
    };
    let table: &[(&str, &[&str], &[&str], usize)] = &[
        ("marque-engine", &["marque-domain"], &["marque-testkit"], 0),
        ("marque-engine", &["marque-store"], &[], 1),
        ("marque-engine", &[], &["marque-sandbox"], 1),
        ("marque-domain", &["marque-engine"], &[], 1),
        ("marque-domain", &["tokio"], &[], 1),
        ("marque-store", &["poem"], &[], 1),
        ("marque-server", &["sea-orm", "wasmtime"], &[], 2),
        ("ema-cross", &["marque-domain"], &[], 1),
        ("marque-server", &["marque-testkit"], &[], 1),
        ("marque-tests", &[], &["marque-server", "marque-store"], 0),
        ("marque-tests", &["marque-server"], &[], 1),
        ("marque-annex", &[], &[], 1),
    ];
    for (name, normal, test, want) in table {
        let found = graph(name, normal, test);
        assert_eq!(found.len(), *want, "{name} -> {normal:?} {test:?}: {found:?}");
    }
}
