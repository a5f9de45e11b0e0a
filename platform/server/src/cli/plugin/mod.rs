//! `marque plugin …`: an author's way from an idea to a component, and what an operator puts into catalogues.

mod author;
mod catalogue;
mod registry;

pub use registry::RegistryError;

use super::{CliError, open};
use crate::{
    clock::Clock,
    config::Config,
    plugins::workshop::{PluginName, TemplateKind},
};
use clap::{Args, Subcommand};
use marque_domain::{plugin::Channel, tenant::Slug};
use registry::Brand;
use std::{io::Write, path::PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make a crate from a template, with the SDK beside it and scenarios that pass. Nothing is fetched.
    #[command(
        after_help = "Examples:\n  marque plugin new gap-fade\n  marque plugin new max-risk --kind rule --dir rules/max-risk"
    )]
    New(NewPlugin),
    /// Build the crate of a folder into a component. It needs Rust with the wasm32-unknown-unknown target.
    #[command(after_help = "Examples:\n  marque plugin build\n  marque plugin build gap-fade")]
    Build(Crate),
    /// Run the scenarios of a crate in the real sandbox, and tell what happened.
    #[command(after_help = "Examples:\n  marque plugin test\n  marque plugin test gap-fade --story")]
    Test {
        #[command(flatten)]
        crate_: Crate,
        /// Tell what happened in scenarios that passed, too.
        #[arg(long)]
        story: bool,
    },
    /// Measure fuel and time of each event on the gate's market.
    #[command(after_help = "Example:\n  marque plugin bench gap-fade")]
    Bench(Crate),
    /// Say what the gate will say at an upload. Exit code 1 when it does not accept the component.
    #[command(after_help = "Examples:\n  marque plugin check\n  marque plugin check gap_fade.wasm --json")]
    Check {
        /// The crate's folder, or a component.
        #[arg(value_name = "DIR|FILE", default_value = ".")]
        path: PathBuf,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the key that your plugins are signed with, and register it at a brand.
    #[command(
        after_help = "Examples:\n  marque plugin key\n  marque plugin key --to https://aurora.example --token-file token.txt --name Laptop"
    )]
    Key {
        /// The key's file. One that is there is registered, never overwritten.
        #[arg(long, value_name = "FILE", default_value = "author.key")]
        key: PathBuf,
        /// What the brand calls it.
        #[arg(long, default_value = "author.key")]
        name: String,
        #[command(flatten)]
        brand: Option<Brand>,
    },
    /// Build, check and sign a crate, and publish it at a brand, which then approves it or not.
    #[command(
        after_help = "Examples:\n  marque plugin publish --to https://aurora.example --token-file token.txt\n  marque plugin publish gap-fade --channel beta --to https://aurora.example --token-file token.txt"
    )]
    Publish {
        #[command(flatten)]
        crate_: Crate,
        /// Your key's file, which is registered at the brand.
        #[arg(long, value_name = "FILE", default_value = "author.key")]
        key: PathBuf,
        /// stable, or beta for those who ask for it.
        #[arg(long, default_value = "stable")]
        channel: Channel,
        #[command(flatten)]
        brand: Brand,
    },
    /// Withdraw a version at a brand: nothing new is deployed with it, what runs goes on.
    #[command(
        after_help = "Example:\n  marque plugin yank gap-fade 0.1.0 --reason \"wrong stop\" --to https://aurora.example --token-file token.txt"
    )]
    Yank {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: String,
        /// Why, on one line.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        brand: Brand,
    },
    /// Inspect a WebAssembly component and put it into tenants' catalogues. Adding it again changes nothing.
    #[command(
        after_help = "Examples:\n  marque plugin add aurora ema_cross.wasm\n  marque plugin add aurora borealis daily_loss.wasm"
    )]
    Add {
        /// The tenants' short names.
        #[arg(required = true, value_name = "TENANT")]
        slugs: Vec<Slug>,
        /// The component: a .wasm file.
        #[arg(required = true, value_name = "FILE")]
        file: PathBuf,
    },
    /// List a tenant's plugins: name, version, kind, digest.
    #[command(after_help = "Example:\n  marque plugin list aurora")]
    List {
        /// The tenant's short name.
        slug: Slug,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewPlugin {
    /// Small letters, digits and hyphens.
    name: PluginName,
    /// What it shall be.
    #[arg(long, value_enum, default_value_t = TemplateKind::Strategy)]
    kind: TemplateKind,
    /// Where to; a folder of its name when left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Take the SDK from this folder instead of writing it beside the crate.
    #[arg(long, value_name = "DIR", conflicts_with = "sdk_git")]
    sdk_path: Option<PathBuf>,
    /// Take the SDK from this git repository instead.
    #[arg(long, value_name = "URL")]
    sdk_git: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Crate {
    /// The crate's folder.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(super) async fn run(
    config: &Config,
    clock: &Clock,
    command: PluginCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    match command {
        PluginCommand::New(new) => author::new(new, out),
        PluginCommand::Build(crate_) => author::build(&crate_.dir, out).map(drop),
        PluginCommand::Test { crate_, story } => author::test(&crate_.dir, story, out),
        PluginCommand::Bench(crate_) => author::bench(&crate_.dir, out),
        PluginCommand::Check { path, json } => author::check(&path, json, out),
        PluginCommand::Key { key, name, brand } => registry::key(&key, brand, &name, out).await,
        PluginCommand::Publish { crate_, key, channel, brand } => {
            registry::publish(&crate_.dir, &key, channel, &brand, out).await
        }
        PluginCommand::Yank { name, version, reason, brand } => {
            registry::yank(&name.to_string(), &version, &reason, &brand, out).await
        }
        PluginCommand::Add { slugs, file } => catalogue::add(config, clock, &slugs, &file, out).await,
        PluginCommand::List { slug } => catalogue::list(&open(config).await?, &slug, out).await,
    }
}
