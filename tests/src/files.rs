//! The files of the demo's Expert Advisor through the running binary and a real S3 server.

use crate::visitor::{Credentials, between, demo_password, sign_in};
use marque_testkit::{
    S3Server,
    site::{Site, workspace},
};

const HOST: &str = "aurora.localhost";
const NAME: &str = "MarqueSample.mq5";

#[tokio::test(flavor = "multi_thread")]
async fn a_trader_downloads_from_s3_what_the_demo_put_there() {
    let Some(s3) = S3Server::start("files::a_trader_downloads_from_s3_what_the_demo_put_there").await else { return };
    let site = s3.settings().into_iter().fold(Site::empty(), |site, (name, value)| site.with(name, value)).seed();
    let source = std::fs::read(workspace().join("ea/mql5/Experts").join(NAME)).expect("the sample's source");
    let keys = s3.keys().await;
    assert_eq!(keys.len(), 4, "two files of each brand: {keys:?}");
    for key in &keys {
        assert!(key.starts_with("marque/ten_") && key.contains("/ea-files/eaf_"), "{key}");
        let lies = s3.object(key).await;
        assert!(!lies.windows(12).any(|part| source.windows(12).any(|plain| plain == part)), "{key} lies open");
    }
    assert!(!site.data().join("objects").exists(), "nothing lies beside the database");

    let password = demo_password(&site);
    let server = site.serve().await;
    let Credentials { session, csrf } = sign_in(&server, HOST, "trader@aurora.example", &password).await;
    let (client, cookie) = (server.client(HOST).expect("a client"), format!("__Host-marque={session}"));
    let page = async |path: &str| {
        let request = client.get(server.url(HOST, path)).header("cookie", &cookie).header("accept", "text/html");
        request.send().await.expect("an answer").text().await.expect("a page")
    };
    let licence = between(&page("/eas").await, "href=\"/eas/lic_", "\"");
    let shown = page(&format!("/eas/lic_{licence}")).await;
    let button = between(&between(&shown, NAME, "</form>"), "action=\"", "\"");
    let asked = client.post(server.url(HOST, &button)).header("cookie", &cookie).form(&[("csrf", &csrf)]);
    let led = asked.send().await.expect("an answer");
    assert_eq!(led.status().as_u16(), 303);
    let link = led.headers()["location"].to_str().expect("a path").to_owned();
    // The link alone: no cookie goes with it.
    let saved = server.get(HOST, &link).await.expect("an answer");
    let disposition = format!("attachment; filename=\"{NAME}\"");
    assert_eq!(saved.headers()["content-disposition"], disposition.as_str());
    assert_eq!(saved.bytes().await.expect("bytes"), source);
    assert_eq!(server.get("borealis.localhost", &link).await.expect("an answer").status().as_u16(), 410);
    // Without the object store pages go on, and a download says that it may work later.
    drop(s3);
    let waits = server.get(HOST, &link).await.expect("an answer");
    assert_eq!((waits.status().as_u16(), waits.headers().contains_key("retry-after")), (503, true));
    assert!(page("/eas").await.contains("Marque Sample"));
}
