//! The API against its own description: every operation with valid, invalid and unusual requests, as a trader.

use crate::visitor::{Credentials, demo_password, sign_in};
use marque_testkit::site::{Site, workspace};
use std::process::{Command, Stdio};

/// Where `cargo xtask test` put the fuzzer.
const PROGRAM: &str = "XTASK_SCHEMATHESIS";
/// More examples of each operation than each commit's, for a run on demand: `XTASK_FUZZ_EXAMPLES=500`.
const EXAMPLES: &str = "XTASK_FUZZ_EXAMPLES";
/// Where the choice of requests begins: a failure in CI is the same on every machine.
const SEED: &str = "20261120";

const HOST: &str = "aurora.localhost";

/// No 5xx, no answer that the description does not allow, no wrong request that is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_to_its_description() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        let why = format!("run it by `cargo xtask test`, which sets {PROGRAM}");
        marque_testkit::skipped("every_operation_keeps_to_its_description", why);
        return;
    };
    // Without limits of rate: here it is answers that are tested, not patience.
    let site = Site::empty()
        .with("MARQUE_LIMITS_API_PER_MINUTE", "1000000")
        .with("MARQUE_LIMITS_TRADING_PER_MINUTE", "1000000")
        .seed();
    let password = demo_password(&site);
    let server = site.serve().await;
    let Credentials { session, csrf } = sign_in(&server, HOST, "trader@aurora.example", &password).await;

    let (folder, description) = (workspace().join("tests/fuzz"), workspace().join("sdk/openapi.json"));
    let examples = std::env::var(EXAMPLES).unwrap_or_else(|_| "50".to_owned());
    let mut fuzz = Command::new(program);
    fuzz.current_dir(&folder).arg("--config-file").arg(folder.join("schemathesis.toml")).arg("run").arg(description);
    fuzz.args(["--origin", &format!("http://{}", server.address()), "--max-examples", &examples, "--seed", SEED]);
    // One worker: what makes up requests shares a cache between its threads, and stumbles over it.
    fuzz.args(["--request-timeout", "10", "--workers", "1", "--warnings", "off", "--no-color"]);
    fuzz.env("MARQUE_FUZZ_HOST", HOST).env("MARQUE_FUZZ_SESSION", session).env("MARQUE_FUZZ_CSRF", csrf);
    fuzz.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = fuzz.stdin(Stdio::null()).output().expect("the fuzzer must start");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the fuzzer found something:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        server.get(HOST, "/readyz").await.is_ok_and(|ready| ready.status() == 200),
        "the server is not ready any more"
    );
}
