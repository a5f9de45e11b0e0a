//! The files that pages load, each under a URL that holds the hash of its content.
//!
//! `/assets/<hash>/<path>`: the URL changes with the file, so it may be kept for ever. CSS names other
//! assets as `url("asset:<path>")` and gets their URLs when it is loaded.

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::BTreeMap};

/// Files by their path with `/` between the parts.
pub type Files = BTreeMap<String, Cow<'static, [u8]>>;

/// Where assets are served.
pub const ASSET_ROOT: &str = "/assets";
/// Where third-party files stand among the assets.
pub const VENDOR: &str = "vendor/";
/// In place of a hash for a file that is not there.
const MISSING: &str = "missing";

/// Our themes. Debug builds read them from the source tree, release builds carry them.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../themes"]
#[exclude = "node_modules/*"]
struct Own;

/// The third-party files that pages load; `npm ci --prefix themes` puts them there.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../themes/node_modules"]
#[allow_missing = true]
#[include = "lightweight-charts/dist/lightweight-charts.standalone.production.mjs"]
#[include = "rapidoc/dist/rapidoc-min.js"]
#[include = "@fontsource/instrument-serif/files/instrument-serif-latin-400-*.woff2"]
#[include = "@fontsource/instrument-serif/files/instrument-serif-latin-ext-400-*.woff2"]
#[include = "@fontsource-variable/*/files/*-latin-wght-normal.woff2"]
#[include = "@fontsource-variable/*/files/*-latin-ext-wght-normal.woff2"]
struct Vendor;

/// The files of `themes/`, third-party ones under [`VENDOR`].
#[must_use]
pub fn embedded() -> Files {
    let own = Own::iter().filter_map(|path| Some((path.to_string(), Own::get(&path)?.data)));
    let vendor = Vendor::iter().filter_map(|path| Some((format!("{VENDOR}{path}"), Vendor::get(&path)?.data)));
    own.chain(vendor).collect()
}

/// A file as it is served.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The hash in its URL: the first 16 hexadecimal digits of its SHA-256.
    pub hash: String,
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: Cow<'static, [u8]>,
}

/// The assets of all themes by path.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    by_path: BTreeMap<String, Asset>,
}

impl Assets {
    /// Takes a file in, if it is of a kind that pages load.
    pub fn add(&mut self, path: &str, bytes: Cow<'static, [u8]>) {
        if let Some(content_type) = content_type(path) {
            let hash = short_hash(&bytes);
            self.by_path.insert(path.to_owned(), Asset { hash, content_type, bytes });
        }
    }

    /// Whether there is a file at this path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// The URL of the file at `path`. A file that is not there gets a URL that answers 404.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let hash = self.by_path.get(path).map_or(MISSING, |asset| &asset.hash);
        format!("{ASSET_ROOT}/{hash}/{path}")
    }

    /// The file that a URL names, and whether the URL's hash is the file's, so that it never changes.
    #[must_use]
    pub fn find(&self, hash: &str, path: &str) -> Option<(&Asset, bool)> {
        self.by_path.get(path).map(|asset| (asset, asset.hash == hash))
    }

    /// Every path with its asset, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Asset)> {
        self.by_path.iter().map(|(path, asset)| (path.as_str(), asset))
    }

    /// CSS with every `asset:<path>` replaced by the file's URL.
    #[must_use]
    pub fn resolve_css(&self, css: &str) -> String {
        let mut out = String::with_capacity(css.len());
        let mut rest = css;
        while let Some((before, after)) = rest.split_once("\"asset:") {
            let (path, tail) = after.split_once('"').unwrap_or((after, ""));
            out.push_str(before);
            out.push('"');
            out.push_str(&self.url(path));
            out.push('"');
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

/// The paths that CSS names as `asset:<path>`.
pub fn asset_references(css: &str) -> impl Iterator<Item = &str> {
    css.split("\"asset:").skip(1).filter_map(|after| after.split('"').next())
}

/// The first 16 hexadecimal digits of the SHA-256: enough to tell versions of one file apart.
#[must_use]
pub fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The content type of a file that pages may load.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn css_gets_the_urls_of_what_it_names() {
        let mut assets = Assets::default();
        assets.add("vendor/a.woff2", Cow::Borrowed(b"font"));
        let css = assets.resolve_css(r#"a{src:url("asset:vendor/a.woff2")}b{src:url("asset:gone.svg")}"#);
        let hash = short_hash(b"font");
        assert_eq!(
            css,
            format!(r#"a{{src:url("/assets/{hash}/vendor/a.woff2")}}b{{src:url("/assets/missing/gone.svg")}}"#)
        );
        assert_eq!(assets.resolve_css("\"asset:unclosed"), "\"/assets/missing/unclosed\"");
    }

    #[test]
    fn only_files_for_pages_are_served() {
        let mut assets = Assets::default();
        for path in ["base/theme.toml", "base/templates/front.hbs", "package.json", ".npmrc"] {
            assets.add(path, Cow::Borrowed(b"x"));
            assert!(!assets.has(path), "{path}");
        }
        assets.add("base/js/live.js", Cow::Borrowed(b"x"));
        let (_, fresh) = assets.find(&short_hash(b"x"), "base/js/live.js").unwrap();
        let (_, stale) = assets.find("0123456789abcdef", "base/js/live.js").unwrap();
        assert!(fresh && !stale);
        assert!(assets.find("x", "../base/js/live.js").is_none());
    }
}
