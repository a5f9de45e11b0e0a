//! `demo`: from a fresh clone to two brands that trade, in one command.
//!
//! It does what an operator would do, with the same commands: migrate, apply the tenants, add the plugins,
//! import a recording, serve. Only the demo people come from a hidden command of the binary.

pub mod recordings;
mod seed;
mod server;
mod settings;

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use crate::{build, plugins, progress::Step, root, setup};
use settings::Settings;

/// How to run the demo.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Port to listen on, on this machine only.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Recorded ticks to import and replay (CSV, may be gzipped; the file name begins with the symbol). May be given
    /// more than once. Without it: the recordings in ../shared/data when they are there, else a synthetic market.
    #[arg(long, value_name = "PATH")]
    recording: Vec<PathBuf>,
    /// How many times faster than real time the market runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Forget everything that earlier demos stored under var/ and begin again.
    #[arg(long)]
    fresh: bool,
}

/// Sets up, seeds, serves until Ctrl-C.
pub fn run(options: &Options) -> Result<ExitCode> {
    check_port(options.port)?;
    let recordings = recordings::chosen(&options.recording)?;
    setup::disk_space()?;
    setup::node()?;
    setup::wasm_target()?;
    setup::npm(&root::workspace().join("themes"), "page assets")?;
    let plugins = plugins::ensure()?;
    let marque = build::server()?;
    if options.fresh {
        forget()?;
    }
    let settings = Settings::new(marque, options.port, options.speed, &recordings);
    let people = seed::run(&settings, &plugins, &recordings)?;
    let step = Step::begin("Starting the server");
    let server = server::start(&settings)?;
    step.done("Server ready");
    println!("{}", welcome(options.port, &people, &recordings, options.speed));
    server.stay()
}

fn check_port(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let other = if port < 60_000 { port + 10 } else { 8090 };
            bail!(
                "Port {port} is taken by another program, perhaps another demo. Stop it, or run `cargo xtask demo --port {other}`."
            )
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!("Port {port} may only be used by root. Choose one above 1023: `cargo xtask demo --port 8080`.")
        }
        Err(error) => Err(error).with_context(|| format!("Port {port} cannot be used. Choose another with --port")),
    }
}

fn forget() -> Result<()> {
    let var = root::var();
    match fs::remove_dir_all(&var) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed; remove it by hand", root::shown(&var)))
        }
        _ => Ok(()),
    }
}

/// What the reader sees once everything runs.
fn welcome(port: u16, people: &[seed::Person], recordings: &[recordings::Recording], speed: u32) -> String {
    let market = match recordings {
        [] => "a synthetic market (seeded, the same every time)".to_owned(),
        some => some.iter().map(recordings::Recording::described).collect::<Vec<_>>().join(" and "),
    };
    let mut text = format!("\n  Marque is running on {market}, {speed} times as fast as real time.\n");
    for brand in seed::brands(people) {
        text += &format!("\n  {:<10} http://{}:{port}\n", brand.name, brand.host);
        for person in brand.people {
            text += &format!("             {:<26} {}\n", person.email, person.password);
        }
    }
    text += "\n  What to look at\n";
    text += "    1. Open both addresses: same program, two brands. Sign in as the trader of each.\n";
    text += "    2. The account page: equity moves by itself, orders and positions appear as the strategy trades.\n";
    text += "    3. Decisions: what the strategy wanted, what each rule answered, and why.\n";
    text += "    4. Stop the deployment and start it again: the switch is on the account page.\n";
    text += &format!(
        "    5. The API and its description: http://{}:{port}/api/docs\n",
        seed::brands(people).first().map_or("localhost", |b| b.host)
    );
    text += &format!(
        "    6. Open an account at /register, or forget a password: the demo sends no mail, it writes each as a file\n       below {}. Open it with any mail program.\n",
        root::shown(&root::var().join("mail"))
    );
    text += &format!(
        "\n  Log: {}. Ctrl-C stops it; the next start takes a moment only.\n",
        root::shown(&server::log_file())
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_one_sentence_with_a_way_out() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let message = check_port(port).unwrap_err().to_string();
        assert!(message.contains(&format!("Port {port} is taken")) && message.contains("--port"), "{message}");
        drop(holder);
        check_port(port).unwrap();
    }

    #[test]
    fn the_welcome_names_addresses_people_and_the_market() {
        let person = |brand: &str, email: &str| seed::Person {
            brand: brand.into(),
            host: format!("{}.localhost", brand.to_lowercase()),
            email: email.into(),
            password: "pw".into(),
        };
        let people = [person("Aurora", "trader@aurora.example"), person("Borealis", "trader@borealis.example")];
        let text = welcome(8090, &people, &[], 60);
        for want in [
            "http://aurora.localhost:8090",
            "http://borealis.localhost:8090",
            "trader@borealis.example",
            "pw",
            "synthetic",
            "60 times",
            "/register",
            "var/mail",
        ] {
            assert!(text.contains(want), "{want} is not in {text}");
        }
    }
}
