//! Writes every page with sample data as static HTML, so that a theme's author can look at them:
//! `cargo run -p marque-server --example preview -- <folder>`, then serve the folder by any static server.
//!
//! Pages lie in `<folder>/<theme>/<mode>/<page>.html` and name their assets from the server's root.

use anyhow::{Context, Result};
use marque_server::{
    portal::view::{Brand, sample},
    theme::{Mode, Themes, Tokens, assets::ASSET_ROOT},
};
use std::{fs, path::Path};

/// A brand to look at: theme, name, promise of who runs it, tokens.
const BRANDS: [(&str, &str, &str, &str); 2] = [
    ("daybreak", "Aurora", "Aurora Capital Markets Ltd", "accent = '#2f4bd6'"),
    ("nightfall", "Borealis", "Borealis Trading AB", "accent = '#ffb224'"),
];

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("say where to write: cargo run … --example preview -- <folder>")?;
    let folder = Path::new(&folder);
    let themes = Themes::load()?;
    for (path, asset) in themes.assets().iter() {
        write(folder, &format!("{ASSET_ROOT}/{}/{path}", asset.hash), &asset.bytes)?;
    }
    for (theme, name, firm, tokens) in BRANDS {
        let tokens: Tokens = toml::from_str(tokens)?;
        let (css, _) = themes.brand_css(theme, &tokens)?;
        write(folder, &format!("{theme}/brand.css"), css.as_bytes())?;
        let brand = Brand::new(name, name, firm, sample::RISK);
        for mode in Mode::ALL {
            for mut page in sample::samples(&brand) {
                if let Some(shell) = &mut page.shell {
                    shell.mode = Some(mode);
                    shell.brand_css = format!("/{theme}/brand.css");
                }
                let html = themes.render_sample(theme, &page)?;
                write(folder, &format!("{theme}/{}/{}.html", mode.name(), page.name), html.as_bytes())?;
            }
        }
    }
    Ok(())
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(path.trim_start_matches('/'));
    let parent = path.parent().context("a file has a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
