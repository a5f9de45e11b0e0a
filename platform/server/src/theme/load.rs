//! From files to compiled themes: who inherits what, which template wins, which CSS follows which.

use super::{
    Theme,
    assets::{Assets, Files, VENDOR},
    error::Fault,
    manifest::Manifest,
};
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason};
use std::{borrow::Cow, collections::BTreeMap};

/// Themes by name, with the assets of all.
type Compiled = (BTreeMap<String, Theme>, Assets);

/// Compiles every folder that has a `theme.toml`.
pub fn compile(files: &Files) -> Result<Compiled, Vec<Fault>> {
    let manifests = manifests(files)?;
    let mut assets = Assets::default();
    for (path, bytes) in files.iter().filter(|(path, _)| !is_source(path)) {
        assets.add(path, bytes.clone());
    }
    let mut faults = Vec::new();
    let mut themes = BTreeMap::new();
    for (name, manifest) in &manifests {
        match chain(name, &manifests).and_then(|chain| build(name, &chain, &manifests, files, &mut assets)) {
            Ok(registry) => drop(themes.insert(name.clone(), Theme { manifest: manifest.clone(), registry })),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok((themes, assets)) } else { Err(faults) }
}

/// Templates and style sheets are compiled, not served as they are.
fn is_source(path: &str) -> bool {
    !path.starts_with(VENDOR) && ["/css/", "/templates/", "/mail/"].iter().any(|folder| path.contains(folder))
}

fn manifests(files: &Files) -> Result<BTreeMap<String, Manifest>, Vec<Fault>> {
    let (mut manifests, mut faults) = (BTreeMap::new(), Vec::new());
    for (path, bytes) in files {
        let Some(name) = path.strip_suffix("/theme.toml").filter(|name| !name.contains('/')) else { continue };
        match toml::from_str::<Manifest>(&String::from_utf8_lossy(bytes)) {
            Ok(manifest) => drop(manifests.insert(name.to_owned(), manifest)),
            Err(error) => faults.push(Fault::new(path, format!("{error}."), "Correct the line.")),
        }
    }
    if faults.is_empty() { Ok(manifests) } else { Err(faults) }
}

/// The names from the root theme down to `name`.
fn chain<'a>(name: &'a str, manifests: &'a BTreeMap<String, Manifest>) -> Result<Vec<&'a str>, Vec<Fault>> {
    let mut chain = vec![name];
    let mut current = name;
    while let Some(parent) = manifests.get(current).and_then(|manifest| manifest.inherits.as_deref()) {
        let file = format!("{current}/theme.toml");
        if !manifests.contains_key(parent) {
            let what = format!("It inherits from {parent:?}, which is no theme.");
            return Err(vec![Fault::new(&file, what, "Name a folder that has a theme.toml.")]);
        }
        if chain.contains(&parent) {
            let what = format!("It inherits from itself by way of {parent:?}.");
            return Err(vec![Fault::new(&file, what, "Break the circle.")]);
        }
        chain.push(parent);
        current = parent;
    }
    chain.reverse();
    Ok(chain)
}

fn build(
    name: &str,
    chain: &[&str],
    manifests: &BTreeMap<String, Manifest>,
    files: &Files,
    assets: &mut Assets,
) -> Result<Handlebars<'static>, Vec<Fault>> {
    let css = style_sheet(chain, manifests, files)?;
    assets.add(&format!("{name}/theme.css"), Cow::Owned(assets.resolve_css(&css).into_bytes()));

    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_helper("asset", Box::new(AssetHelper { urls: urls(chain, assets) }));
    let mut faults = Vec::new();
    // The root theme comes first, so that a later theme's template of the same name replaces its.
    let folders =
        chain.iter().flat_map(|theme| [(format!("{theme}/templates/"), ""), (format!("{theme}/mail/"), "mail/")]);
    for (folder, kind) in folders {
        for (path, bytes) in files.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
            let Some(template) = path.strip_prefix(&folder).and_then(|rest| rest.strip_suffix(".hbs")) else {
                continue;
            };
            let template = &format!("{kind}{template}");
            // A file ends in a line break, which would stand as a space after a part in the middle of a sentence.
            let text = String::from_utf8_lossy(bytes);
            if let Err(error) = registry.register_template_string(template, text.trim_end()) {
                faults.push(Fault::new(path, format!("{error}."), "Correct the template."));
            }
        }
    }
    if faults.is_empty() { Ok(registry) } else { Err(faults) }
}

/// The style sheets of a theme and of those it inherits from, root first.
fn style_sheet(chain: &[&str], manifests: &BTreeMap<String, Manifest>, files: &Files) -> Result<String, Vec<Fault>> {
    let mut css = String::new();
    for theme in chain {
        for sheet in manifests.get(*theme).map_or(&[][..], |manifest| &manifest.css) {
            let path = format!("{theme}/{sheet}");
            let Some(bytes) = files.get(&path) else {
                let file = format!("{theme}/theme.toml");
                let fault = Fault::new(&file, format!("It lists {sheet:?}, which is not there."), "Add or unlist it.");
                return Err(vec![fault]);
            };
            css.push_str(&String::from_utf8_lossy(bytes));
            css.push('\n');
        }
    }
    Ok(css)
}

/// What templates call their assets, with the URLs: `theme.css`, `js/live.js`, `vendor/…`.
fn urls(chain: &[&str], assets: &Assets) -> BTreeMap<String, String> {
    let mut urls = BTreeMap::new();
    for (path, _) in assets.iter().filter(|(path, _)| path.starts_with(VENDOR)) {
        urls.insert(path.to_owned(), assets.url(path));
    }
    for theme in chain {
        let folder = format!("{theme}/");
        for (path, name) in assets.iter().filter_map(|(path, _)| Some((path, path.strip_prefix(&folder)?))) {
            urls.insert(name.to_owned(), assets.url(path));
        }
    }
    urls
}

/// `{{asset "js/live.js"}}`: the URL of a file of this theme, its parents, or a third party.
struct AssetHelper {
    urls: BTreeMap<String, String>,
}

impl handlebars::HelperDef for AssetHelper {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let name = helper.param(0).and_then(|param| param.value().as_str()).unwrap_or_default();
        match self.urls.get(name) {
            Some(url) => out.write(url)?,
            // A page without a third-party script is still a page: it says what it would have drawn.
            None if name.starts_with(VENDOR) => out.write(&Assets::default().url(name))?,
            None => return Err(RenderErrorReason::Other(format!("there is no asset {name:?} in this theme")).into()),
        }
        Ok(())
    }
}
