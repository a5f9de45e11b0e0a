//! Files of Expert Advisors over HTTP: a vendor uploads, a trader downloads, and everybody else does not.

use super::world::{AURORA, Answer, BOREALIS, Person, World};
use crate::audit::Act;
use poem::http::Method;
use serde_json::{Value, json};

impl Person<'_> {
    async fn upload(&self, version: &str, name: &str, bytes: &[u8]) -> Answer {
        let key = crate::secrets::Token::new().unwrap().expose();
        self.upload_as(&key, version, name, bytes).await
    }

    async fn upload_as(&self, key: &str, version: &str, name: &str, bytes: &[u8]) -> Answer {
        let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let request = self.request(Method::POST, &format!("/ea-versions/{version}/files?name={name}"));
        let request = request.header("idempotency-key", key);
        self.send(request.header("content-type", "application/octet-stream").body(bytes.to_vec())).await
    }
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_uploads_and_a_trader_downloads() {
    let world = World::start().await;
    let [_, version, _, licence, _] = world.licence(AURORA, "ann").await;
    let (owner, ann, bob) =
        (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await, world.person(AURORA, "bob").await);
    let file = owner.upload(&version, "Gold Rush.ex5", b"EX5\x02 and so on").await.ok();
    assert_eq!((&file["sealed"], &file["size"]), (&json!(true), &json!(14)));
    assert_eq!(ann.get(&format!("/ea-versions/{version}/files")).await.ok()["items"], json!([file]));
    for (name, bytes, code) in [
        ("Gold Rush.ex5", b"EX5\x02".as_slice(), (409, "conflict")),
        ("other.ex5", b"MZ", (422, "invalid")),
        ("other.exe", b"MZ", (422, "invalid")),
        ("a\r\nb.set", b"a=1", (422, "invalid")),
        ("\"; filename=x.set", b"a=1", (422, "invalid")),
    ] {
        assert_eq!(owner.upload(&version, name, bytes).await.refusal(), code, "{name}");
    }
    assert_eq!(ann.upload(&version, "mine.set", b"a=1").await.refusal(), (403, "forbidden"));
    // The name is part of the request that a key stands for.
    owner.upload_as("k1", &version, "a.set", b"a=1").await.ok();
    owner.upload_as("k1", &version, "a.set", b"a=1").await.ok();
    assert_eq!(owner.upload_as("k1", &version, "b.set", b"a=1").await.refusal(), (422, "idempotency-mismatch"));

    let id = file["id"].as_str().unwrap();
    let link = ann.post(&format!("/ea-files/{id}/link"), &Value::Null).await.ok();
    let path = link["path"].as_str().unwrap();
    // It needs no sign-in, at its own site.
    let stranger = world.stranger(AURORA);
    let got = stranger.page(Method::GET, path, &[]).await;
    assert_eq!(got.status(), 200);
    assert_eq!(header(&got, "content-disposition"), "attachment; filename=\"Gold Rush.ex5\"");
    assert_eq!(header(&got, "content-type"), "application/octet-stream");
    assert_eq!(header(&got, "content-length"), "14");
    assert_eq!(header(&got, "cache-control"), "private, no-store");
    assert_eq!(header(&got, "x-content-type-options"), "nosniff");
    assert_eq!(got.bytes().await.unwrap(), b"EX5\x02 and so on".as_slice());
    for other in [world.stranger(BOREALIS), world.person(BOREALIS, "ann").await] {
        assert_eq!(other.page(Method::GET, path, &[]).await.status(), 410, "at another brand");
    }
    let bent = format!("{}{}", &path[..path.len() - 1], if path.ends_with('A') { 'E' } else { 'A' });
    assert_eq!(stranger.page(Method::GET, &bent, &[]).await.status(), 410);
    assert_eq!(stranger.page(Method::GET, "/ea-downloads/x", &[]).await.status(), 410);

    assert_eq!(bob.post(&format!("/ea-files/{id}/link"), &Value::Null).await.refusal(), (404, "not-found"));
    let why = json!({ "reason": "unpaid" });
    owner.post(&format!("/licences/{licence}/suspend"), &why).await.ok();
    assert_eq!(stranger.page(Method::GET, path, &[]).await.status(), 403, "what holds at that moment counts");
    assert_eq!(ann.post(&format!("/ea-files/{id}/link"), &Value::Null).await.refusal(), (403, "not-entitled"));
    owner.post(&format!("/licences/{licence}/reinstate"), &Value::Null).await.ok();
    assert_eq!(stranger.page(Method::GET, path, &[]).await.status(), 200);
    owner.post(&format!("/ea-versions/{version}/yank"), &why).await.ok();
    assert_eq!(stranger.page(Method::GET, path, &[]).await.status(), 409);
    assert_eq!(ann.post(&format!("/ea-files/{id}/link"), &Value::Null).await.refusal(), (409, "version-withdrawn"));
    owner.post(&format!("/ea-files/{id}/link"), &Value::Null).await.ok();
    owner.post(&format!("/ea-files/{id}/remove"), &Value::Null).await.ok();
    assert_eq!(owner.post(&format!("/ea-files/{id}/remove"), &Value::Null).await.refusal(), (404, "not-found"));
    assert_eq!(stranger.page(Method::GET, path, &[]).await.status(), 410);

    for (act, times) in [(Act::EaFileAdded, 1), (Act::EaFileDownloaded, 2), (Act::EaFileRemoved, 1)] {
        let recorded = world.recorded(AURORA, act).await;
        assert_eq!(recorded.iter().filter(|entry| entry.ends_with(id)).count(), times, "{act}: {recorded:?}");
    }
}

/// A form as a browser sends it, in parts: the token first.
async fn send_parts(
    person: &Person<'_>,
    path: &str,
    fields: &[(&str, &str)],
    file: Option<(&str, &[u8])>,
) -> reqwest::Response {
    let mut body = Vec::new();
    for (name, value) in [("csrf", person.csrf.as_str())].iter().chain(fields) {
        body.extend(format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes());
    }
    if let Some((name, bytes)) = file {
        let head = format!(
            "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    body.extend(b"--XyZ--\r\n");
    let request = person.page_request(Method::POST, path);
    request.header("content-type", "multipart/form-data; boundary=XyZ").body(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_upload_download_and_remove() {
    let world = World::start().await;
    let [ea, version, _, licence, _] = world.licence(AURORA, "ann").await;
    let (owner, ann) = (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await);
    let html = async |person: &Person<'_>, path: &str| {
        let answer = person.page(Method::GET, path, &[]).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let product = format!("/admin/eas/{ea}");
    let (_, page) = html(&owner, &product).await;
    assert!(page.contains("enctype=\"multipart/form-data\"") && page.contains("type=\"file\""), "{page}");
    let upload = format!("{product}/files");
    let fields = [("version", version.as_str()), ("sealed", "true")];
    let sent = send_parts(&owner, &upload, &fields, Some(("C:\\EAs\\Gold Rush.ex5", b"EX5\x02q"))).await;
    assert_eq!((sent.status().as_u16(), header(&sent, "location")), (303, format!("{product}?done=uploaded#versions")));
    let wrong = send_parts(&owner, &upload, &fields, Some(("Other.ex5", b"<html>"))).await;
    assert_eq!(wrong.status(), 422);
    let told = wrong.text().await.unwrap();
    assert!(told.contains("does not begin like a compiled MetaTrader 5 program"), "{told}");
    assert_eq!(send_parts(&owner, &upload, &fields, None).await.status(), 422, "no file was chosen");
    assert_eq!(send_parts(&ann, &upload, &fields, Some(("a.set", b"a=1"))).await.status(), 403);
    let mut forged = world.person(AURORA, "owner").await;
    forged.csrf = ann.csrf.clone();
    assert_eq!(send_parts(&forged, &upload, &fields, Some(("a.set", b"a=1"))).await.status(), 403);

    let (_, page) = html(&owner, &product).await;
    assert!(page.contains("Gold Rush.ex5") && page.contains("5 bytes, sealed"), "{page}");
    let (_, page) = html(&ann, &format!("/eas/{licence}")).await;
    let (_, rest) = page.split_once("action=\"/ea-files/").expect("a button to download");
    let id = rest.split('/').next().unwrap();
    assert!(!page.contains("/remove\""), "a trader removes nothing");
    let led = ann.page(Method::POST, &format!("/ea-files/{id}/download"), &[]).await;
    assert_eq!(led.status(), 303);
    let got = ann.page(Method::GET, &header(&led, "location"), &[]).await;
    assert_eq!(got.bytes().await.unwrap(), b"EX5\x02q".as_slice());
    let support = world.person(AURORA, "support").await;
    let (status, page) = html(&support, &format!("/eas/{licence}")).await;
    assert!(status == 200 && page.contains("Gold Rush.ex5") && !page.contains("/download\""), "who supports sees it");

    // A plan that the product names gives it without a licence.
    let bob = world.person(AURORA, "bob").await;
    assert!(!html(&bob, "/eas").await.1.contains("Gold Rush"));
    let form = [("name", "Gold Rush"), ("summary", "Buys gold."), ("plan.desk", "true"), ("settings_schema", "")];
    assert_eq!(owner.page(Method::POST, &product, &form).await.status(), 303);
    let (_, page) = html(&bob, "/eas").await;
    assert!(page.contains("In your plan") && page.contains(id), "{page}");
    assert_eq!(bob.page(Method::POST, &format!("/ea-files/{id}/download"), &[]).await.status(), 303);

    assert_eq!(owner.page(Method::POST, &format!("/admin/ea-files/{id}/remove"), &[]).await.status(), 303);
    assert!(!html(&ann, &format!("/eas/{licence}")).await.1.contains("Gold Rush.ex5"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_sets_plans_and_settings_without_the_api() {
    let world = World::start().await;
    let owner = world.person(AURORA, "owner").await;
    let post = async |path: &str, form: &[(&str, &str)]| {
        let answer = owner.page(Method::POST, path, form).await;
        (answer.status().as_u16(), header(&answer, "location"), answer.text().await.unwrap())
    };
    let schema = r#"{"type":"object","properties":{"lots":{"type":"number","title":"Lots"}}}"#;
    let form =
        [("code", "silver"), ("name", "Silver"), ("summary", ""), ("plan.plus", "true"), ("settings_schema", schema)];
    let (status, page, told) = post("/admin/eas", &form).await;
    assert_eq!(status, 303, "{told}");
    let find = async || {
        let all = owner.get("/eas").await.ok()["items"].clone();
        all.as_array().unwrap().iter().find(|ea| ea["code"] == "silver").unwrap().clone()
    };
    let ea = find().await;
    assert_eq!((&ea["plans"], &ea["settings_schema"]), (&json!(["plus"]), &serde_json::from_str(schema).unwrap()));
    let shown = owner.page(Method::GET, &page, &[]).await.text().await.unwrap();
    assert!(
        shown.contains("&quot;lots&quot;")
            && shown.contains("name=\"plan.plus\" type=\"checkbox\" value=\"true\" checked"),
        "{shown}"
    );
    assert!(!shown.contains("/api/v1"), "no broker is sent to the API");
    let (status, _, told) = post(&page, &[("name", "Silver"), ("settings_schema", "{ lots: 1")]).await;
    assert!(status == 422 && told.contains("is no JSON") && told.contains("{ lots: 1"), "{told}");
    let (status, _, told) = post(&page, &[("name", "Silver"), ("settings_schema", r#"{"type":"array"}"#)]).await;
    assert!(status == 422 && told.contains("aria-invalid"), "{told}");
    assert_eq!(find().await["schema_version"], 1, "what was refused changed nothing");
    let (status, ..) = post(&page, &[("name", "Silver 2"), ("settings_schema", "")]).await;
    assert_eq!(status, 303);
    let ea = find().await;
    assert_eq!((&ea["name"], &ea["plans"], &ea["schema_version"]), (&json!("Silver 2"), &json!([]), &json!(2)));
    let policy = [
        ("name", "Loose"),
        ("term", "subscription"),
        ("days", "30"),
        ("machines", "1"),
        ("accounts", "1"),
        ("grace_days", "2"),
        ("cooldown_h", "24"),
        ("lease_h", "12"),
        ("offline_h", "48"),
        ("binding", "most"),
        ("minimum_version", "1.10"),
    ];
    let (status, _, told) = post(&format!("{page}/policies"), &policy).await;
    assert_eq!(status, 303, "{told}");
    let path = format!("/eas/{}/policies", ea["id"].as_str().unwrap());
    let terms = owner.get(&path).await.ok()["items"][0]["terms"].clone();
    let told = [&terms["grace_s"], &terms["cooldown_s"], &terms["lease_s"], &terms["offline_grace_s"]];
    assert_eq!(told, [&json!(172_800), &json!(86_400), &json!(43_200), &json!(172_800)], "{terms}");
    assert_eq!((&terms["binding"], &terms["minimum_version"]), (&json!("most"), &json!("1.10")));
    let (status, _, told) = post(&format!("{page}/policies"), &[("name", "x"), ("lease_h", "9000")]).await;
    assert!(status == 422 && told.contains("aria-invalid"), "{told}");
}
