//! Writes every page with sample data as static HTML, so that a theme's author can look at them:
//! `cargo run -p marque-server --example preview -- <folder>`, then serve the folder by any static server.
//!
//! Pages lie in `<folder>/<brand>/<mode>/<page>.html`, for each brand of `tenants/` in its own theme, words and
//! colours. They name their assets from the server's root.

use anyhow::{Context, Result};
use marque_domain::tenant::Plan;
use marque_server::{
    portal::view::{
        Brand,
        sample::{self, Look},
    },
    theme::{Mode, Themes, Tokens, assets::ASSET_ROOT},
};
use serde::Deserialize;
use std::{fs, path::Path};

/// What a tenant's file says of its looks; the rest of it is not looked at.
#[derive(Deserialize)]
struct Tenant {
    name: String,
    theme: String,
    words: Words,
    tokens: Tokens,
    plans: Vec<Plan>,
}

#[derive(Deserialize)]
struct Words {
    headline: String,
    intro: String,
    legal_name: String,
    risk_notice: String,
    logo: Option<String>,
}

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("say where to write: cargo run … --example preview -- <folder>")?;
    let folder = Path::new(&folder);
    let themes = Themes::load()?;
    for (path, asset) in themes.assets().iter() {
        write(folder, &format!("{ASSET_ROOT}/{}/{path}", asset.hash), &asset.bytes)?;
    }
    let tenants = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tenants");
    for entry in fs::read_dir(&tenants).context("cannot read the folder tenants/")? {
        let entry = entry?;
        let slug = entry.file_name().to_string_lossy().into_owned();
        let file = entry.path().join("tenant.toml");
        if file.is_file() {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let tenant = toml::from_str(&text).with_context(|| format!("{slug}/tenant.toml"))?;
            preview(folder, &themes, &slug, tenant)?;
        }
    }
    Ok(())
}

/// Writes the pages of one brand in every mode.
fn preview(folder: &Path, themes: &Themes, slug: &str, tenant: Tenant) -> Result<()> {
    let Tenant { name, theme, words, tokens, plans } = tenant;
    let (css, _) = themes.brand_css(&theme, &tokens)?;
    write(folder, &format!("{slug}/brand.css"), css.as_bytes())?;
    let logo = words.logo.as_deref().unwrap_or(&name);
    let brand = Brand::new(&name, logo, &words.legal_name, &words.risk_notice);
    let look = Look { brand, headline: words.headline, intro: words.intro, plans };
    for mode in Mode::ALL {
        for mut page in sample::samples(&look) {
            if let Some(shell) = &mut page.shell {
                shell.mode = Some(mode);
                shell.brand_css = format!("/{slug}/brand.css");
            }
            let html = themes.render_sample(&theme, &page)?;
            write(folder, &format!("{slug}/{}/{}.html", mode.name(), page.name), html.as_bytes())?;
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
