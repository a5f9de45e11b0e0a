//! An author at the running binary: the guide followed to the letter, and the gate's own process.

use crate::visitor::{demo_password, sign_in};
use marque_testkit::site::{Running, Site, workspace};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const BRAND: &str = "aurora.localhost";

/// The commands of the guide, in order.
fn commands() -> Vec<String> {
    let guide = std::fs::read_to_string(workspace().join("sdk/GUIDE.md")).unwrap();
    let mut commands = Vec::new();
    for block in guide.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        commands.extend(block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned));
    }
    commands
}

/// A line as a shell would split it: blanks part words, double quotes keep them together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

/// What cargo leaves behind is kept between runs: only the author's crate is compiled anew.
fn cargo_dir() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.ancestors().nth(3).expect("tests run from target/<profile>/deps").join("author-crates")
}

fn run(site: &Site, folder: &Path, args: &[String]) -> Output {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = site.marque(&args);
    command.current_dir(folder).env("CARGO_TARGET_DIR", cargo_dir()).output().expect("the binary must start")
}

/// Gives a person a personal token, as the site's page does.
async fn personal_token(server: &Running, email: &str, password: &str) -> String {
    let person = sign_in(server, BRAND, email, password).await;
    let client = server.client(BRAND).unwrap();
    let form = [
        ("csrf", person.csrf.as_str()),
        ("name", "Author"),
        ("days", "30"),
        ("scope.read", "on"),
        ("scope.manage", "on"),
    ];
    let cookie = format!("__Host-marque={}", person.session);
    let request = client.post(server.url(BRAND, "/security/tokens")).header("cookie", cookie).form(&form);
    let page = request.send().await.unwrap().text().await.unwrap();
    let at = page.find("mq_").unwrap_or_else(|| panic!("no token in {page}"));
    page[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-').collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_leads_from_nothing_to_a_published_plugin() {
    let site = Site::seeded();
    let password = demo_password(&site);
    let server = site.serve().await;
    let home = tempfile::tempdir().unwrap();
    let token = personal_token(&server, "owner@aurora.example", &password).await;
    std::fs::write(home.path().join("token.txt"), &token).unwrap();
    let address = format!("http://{BRAND}:{}", server.address().port());

    let (mut folder, mut said) = (home.path().to_owned(), String::new());
    for command in commands() {
        let command = command.replace("https://aurora.example", &address);
        let words = words(&command);
        match words[0].as_str() {
            "cd" => folder = folder.join(&words[1]),
            "marque" => {
                let output = run(&site, &folder, &words[1..]);
                let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                assert!(output.status.success(), "`{command}` failed:\n{out}\n{err}");
                said.push_str(&format!("$ {command}\n{out}"));
            }
            other => panic!("the guide asks for {other}, which this test does not know"),
        }
    }
    for wanted in ["2 scenarios passed", "accepted", "\"score\"", "on_bar", "is published at", "is withdrawn"] {
        assert!(said.contains(wanted), "{wanted:?} is not said in\n{said}");
    }
    println!("{said}");
}

#[test]
fn a_rule_is_made_built_and_tested_and_a_broken_promise_is_told() {
    let (site, home) = (Site::empty(), tempfile::tempdir().unwrap());
    let go = |args: &[&str], folder: &Path| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let output = run(&site, folder, &args);
        let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.success(), String::from_utf8_lossy(&both).into_owned())
    };
    let (made, said) = go(&["plugin", "new", "max-risk", "--kind", "rule"], home.path());
    assert!(made, "{said}");
    let folder = home.path().join("max-risk");
    let (passed, said) = go(&["plugin", "test"], &folder);
    assert!(passed && said.contains("1 scenario passed"), "{said}");
    let (accepted, said) = go(&["plugin", "check"], &folder);
    assert!(accepted && said.contains("risk-rule") && said.contains("check"), "{said}");

    // A promise that the rule does not keep.
    let scenario = folder.join("scenarios/orders.toml");
    let text = std::fs::read_to_string(&scenario).unwrap();
    std::fs::write(&scenario, text.replacen("verdict = \"allow\"", "verdict = \"refuse\"", 1)).unwrap();
    let (passed, said) = go(&["plugin", "test"], &folder);
    assert!(!passed && said.contains("[[check]] 1: expected \"refuse\", but it said : allow"), "{said}");
    std::fs::write(&scenario, text).unwrap();

    // A mistake of the author's points at the author's line.
    let source = folder.join("src/lib.rs");
    let good = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, good.replacen("let most = self.settings.most;", "let most = self.settings.least;", 1))
        .unwrap();
    let (built, said) = go(&["plugin", "build"], &folder);
    assert!(!built && said.contains("src/lib.rs") && said.contains("least"), "{said}");
    let (built, said) = go(&["plugin", "build"], home.path());
    assert!(!built && said.contains("marque plugin new"), "{said}");
}

/// The gate's process, as the server starts it.
fn gate(limits: [&str; 2], component: &[u8]) -> (Output, Duration) {
    let site = Site::empty();
    let mut command: Command = site.marque(&["plugin-gate", limits[0], limits[1]]);
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let component = component.to_vec();
    let sender = std::thread::spawn(move || stdin.write_all(&component));
    let output = child.wait_with_output().unwrap();
    let _ = sender.join();
    (output, began.elapsed())
}

#[test]
fn the_gates_process_reports_and_keeps_its_limits() {
    let target = std::env::current_exe().unwrap();
    let target = target.ancestors().nth(3).unwrap();
    let plugins = marque_pluginbuild::build(&workspace(), &target.join("plugins")).unwrap();
    let ema = std::fs::read(&plugins.iter().find(|p| p.name == "ema-cross").unwrap().path).unwrap();
    let (output, took) = gate(["60", "805306368"], &ema);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["accepted"], &report["plugin"]["name"]), (&json!(true), &json!("ema-cross")), "{report}");
    println!("examined in {took:?}");

    // Sixteen mebibytes of memory are not enough to start.
    let (output, _) = gate(["60", "16777216"], &ema);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

/// What a second of processor time is enough for depends on the machine; that the system holds the process to it does not.
#[cfg(target_os = "linux")]
#[test]
fn the_gates_process_is_held_to_its_limits_before_it_reads() {
    let site = Site::empty();
    let mut command: Command = site.marque(&["plugin-gate", "7", "805306368"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    let held = |name: &str| {
        let text = std::fs::read_to_string(&limits).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).take(2).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while held("Max cpu time") != ["7", "7"] {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", held("Max cpu time"));
        std::thread::sleep(Duration::from_millis(20));
    }
    while held("Max core file size") != ["0", "0"] {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    assert_eq!(held("Max data size"), ["805306368", "805306368"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
