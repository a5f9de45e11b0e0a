//! An author's crate: one folder, one component, no flags to be set by hand.

use super::{BuildError, BuiltPlugin, TARGET, encode, program, require_target, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// How a plugin is compiled, whatever its manifest says: the same as those of the platform.
const PROFILE: [(&str, &str); 7] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "true"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_INCREMENTAL", "0"),
];

/// Builds the crate in `folder` and answers where its component lies: `target/<name>.wasm`.
///
/// `CARGO_TARGET_DIR` moves what cargo leaves behind, as everywhere; the component stays in the folder.
///
/// # Errors
/// [`BuildError`] says what to do; what the compiler says is passed on as it is.
pub fn build_crate(folder: &Path) -> Result<BuiltPlugin, BuildError> {
    let crate_ = Crate::read(folder)?;
    require_target(folder)?;
    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let mut cargo = Command::new(program("CARGO", "cargo"));
    cargo
        .current_dir(folder)
        .args(["rustc", "--quiet", "--release", "--lib", "--crate-type", "cdylib", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir)
        .envs(PROFILE);
    run(cargo, folder)?;
    let module = target_dir.join(TARGET).join("release").join(format!("{}.wasm", crate_.library));
    let out_dir = folder.join("target");
    fs::create_dir_all(&out_dir).map_err(|cause| BuildError::File { path: out_dir.clone(), cause })?;
    let built = BuiltPlugin { path: out_dir.join(format!("{}.wasm", crate_.name)), name: crate_.name };
    encode(&built, &module)?;
    Ok(built)
}

/// What a manifest says of its crate.
struct Crate {
    name: String,
    library: String,
}

impl Crate {
    fn read(folder: &Path) -> Result<Self, BuildError> {
        let path = folder.join("Cargo.toml");
        let not = |cause: String| BuildError::NotACrate { path: folder.to_owned(), cause };
        let text = fs::read_to_string(&path).map_err(|cause| not(format!("Cargo.toml cannot be read ({cause})")))?;
        let manifest: toml::Table =
            text.parse().map_err(|cause| not(format!("Cargo.toml cannot be read ({cause})")))?;
        let named = |table: &str| manifest.get(table)?.get("name")?.as_str().map(str::to_owned);
        let name = named("package").ok_or_else(|| not("Cargo.toml names no package".to_owned()))?;
        let library = named("lib").unwrap_or_else(|| name.replace('-', "_"));
        Ok(Self { name, library })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_crate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |text: Option<&str>| {
            if let Some(text) = text {
                fs::write(folder.path().join("Cargo.toml"), text).unwrap();
            }
            Crate::read(folder.path()).map(|c| (c.name, c.library)).map_err(|e| e.to_string())
        };
        assert!(fault(None).unwrap_err().contains("marque plugin new"));
        assert!(fault(Some("[workspace]")).unwrap_err().contains("names no package"));
        assert!(fault(Some("[")).unwrap_err().contains("cannot be read"));
        let found = |text| fault(Some(text)).unwrap();
        assert_eq!(found("[package]\nname = \"a-b\""), ("a-b".to_owned(), "a_b".to_owned()));
        assert_eq!(found("[package]\nname = \"a-b\"\n[lib]\nname = \"c\""), ("a-b".to_owned(), "c".to_owned()));
    }
}
