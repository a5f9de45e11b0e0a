//! From files to compiled themes: who inherits what, which template wins, which CSS follows which.

use super::{
    Theme,
    assets::{Assets, Files, VENDOR},
    error::Fault,
    manifest::Manifest,
    wait::WaitHelper,
};
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason, Template};
use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

/// Themes by name, with the assets of all.
type Compiled = (BTreeMap<String, Theme>, Assets);

/// Compiles every folder that has a `theme.toml`.
pub fn compile(files: &Files) -> Result<Compiled, Vec<Fault>> {
    let manifests = manifests(files)?;
    let mut assets = Assets::default();
    for (path, bytes) in files.iter().filter(|(path, _)| !is_source(path)) {
        assets.add(path, bytes.clone());
    }
    let (templates, mut faults) = templates(files, &manifests);
    let mut themes = BTreeMap::new();
    for (name, manifest) in &manifests {
        let sources = Sources { manifests: &manifests, templates: &templates, files };
        match chain(name, &manifests).and_then(|chain| build(name, &chain, &sources, &mut assets)) {
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

/// What themes are built from.
struct Sources<'a> {
    manifests: &'a BTreeMap<String, Manifest>,
    templates: &'a Templates<'a>,
    files: &'a Files,
}

/// A template's name and what it is, by its file.
type Templates<'a> = BTreeMap<&'a str, (String, Template)>;

/// A theme's folders of templates, and what the names of those inside begin with.
const FOLDERS: [(&str, &str); 2] = [("templates/", ""), ("mail/", "mail/")];

/// Every template of every theme, compiled once however many inherit it; and what is wrong with those that are none.
fn templates<'a>(files: &'a Files, manifests: &BTreeMap<String, Manifest>) -> (Templates<'a>, Vec<Fault>) {
    let (mut templates, mut faults) = (Templates::new(), Vec::new());
    for (path, bytes) in files {
        let named = |(theme, inside): (&str, &str)| {
            let inside = inside.strip_suffix(".hbs").filter(|_| manifests.contains_key(theme))?;
            FOLDERS.iter().find_map(|(folder, kind)| Some(format!("{kind}{}", inside.strip_prefix(folder)?)))
        };
        let Some(name) = path.split_once('/').and_then(named) else { continue };
        // A file ends in a line break, which would stand as a space after a part in the middle of a sentence.
        let text = String::from_utf8_lossy(bytes);
        match Template::compile_with_name(text.trim_end(), name.clone()) {
            Ok(template) => drop(templates.insert(path, (name, template))),
            Err(error) => faults.push(Fault::new(path, format!("{error}."), "Correct the template.")),
        }
    }
    (templates, faults)
}

fn build(
    name: &str,
    chain: &[&str],
    sources: &Sources<'_>,
    assets: &mut Assets,
) -> Result<Handlebars<'static>, Vec<Fault>> {
    let css = style_sheet(chain, sources.manifests, sources.files)?;
    assets.add(&format!("{name}/theme.css"), Cow::Owned(assets.resolve_css(&css).into_bytes()));

    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_helper("asset", Box::new(AssetHelper { urls: urls(chain, assets) }));
    registry.register_helper("wait", Box::new(WaitHelper));
    // The root theme comes first, so that a later theme's template of the same name replaces its.
    for theme in chain {
        let folder = format!("{theme}/");
        let from_here = (Bound::Included(folder.as_str()), Bound::Unbounded);
        let inside = sources.templates.range::<str, _>(from_here).take_while(|(path, _)| path.starts_with(&folder));
        inside.for_each(|(_, (name, template))| registry.register_template(name, template.clone()));
    }
    Ok(registry)
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
