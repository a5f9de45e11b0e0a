//! The host table and the limits, over real sockets.

use crate::{
    edge::{ClientAddress, Tenant},
    testing::{TestServer, TestStore, config, edge},
};
use poem::{Body, EndpointExt as _, Route, get, handler, http::StatusCode, post};

#[handler]
fn who(tenant: Tenant, client: ClientAddress) -> String {
    format!("tenant={} client={}", tenant.definition.slug, client.0)
}

#[handler]
async fn size(body: Body) -> String {
    body.into_bytes().await.map_or_else(|e| e.to_string(), |bytes| bytes.len().to_string())
}

#[handler]
fn panics() {
    panic!("the secret is hunter2");
}

#[handler]
async fn sleeps() {
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
}

#[handler]
fn fails() -> poem::Result<()> {
    Err(poem::error::InternalServerError(std::io::Error::other("the secret is hunter2")))
}

async fn serve(settings: &str) -> (TestServer, TestStore) {
    let store = TestStore::with_demo(&[
        ("aurora", "aurora.example"),
        ("aurora", "trade.aurora.example"),
        ("aurora", "xn--bcher-kva.example"),
    ])
    .await;
    let routes = Route::new()
        .at("/", get(who))
        .at("/api/who", get(who))
        .at("/size", post(size))
        .at("/uploads/size", post(size))
        .at("/panics", get(panics))
        .at("/sleeps", get(sleeps))
        .at("/fails", get(fails));
    let mut config = config(settings);
    // The table of hosts is asked without TLS; who is sent to https has a test of its own.
    config.proxies.https_only = settings.contains("https_only = true");
    let server = TestServer::start(routes.with(edge(&config, &store))).await;
    (server, store)
}

/// Status and tenant of a raw answer.
fn outcome(answer: &str) -> (u16, Option<&str>) {
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let tenant = answer.split("tenant=").nth(1).and_then(|rest| rest.split_whitespace().next());
    (status, tenant)
}

#[tokio::test]
async fn every_way_to_name_a_host() {
    let (server, _store) = serve("").await;
    let long = format!("Host: {}\r\n", "a".repeat(5_000));
    // Request target, header lines, status, tenant.
    let table: &[(&str, &str, u16, Option<&str>)] = &[
        ("/", "Host: aurora.localhost\r\n", 200, Some("aurora")),
        ("/", "Host: borealis.localhost\r\n", 200, Some("borealis")),
        ("/", "Host: aurora.example\r\n", 200, Some("aurora")),
        ("/", "Host: trade.aurora.example\r\n", 200, Some("aurora")),
        ("/", "Host: aurora.localhost:8080\r\n", 200, Some("aurora")),
        ("/", "Host: aurora.localhost:\r\n", 200, Some("aurora")),
        ("/", "Host: AURORA.LocalHost\r\n", 200, Some("aurora")),
        ("/", "Host: aurora.localhost.\r\n", 200, Some("aurora")),
        ("/", "Host: AURORA.localhost.:443\r\n", 200, Some("aurora")),
        ("/", "Host:   aurora.localhost  \r\n", 200, Some("aurora")),
        ("/", "hOST: borealis.localhost\r\n", 200, Some("borealis")),
        ("/", "Host: xn--bcher-kva.example\r\n", 200, Some("aurora")),
        ("/", "Host: XN--BCHER-KVA.example:80\r\n", 200, Some("aurora")),
        ("/", "Host: b\u{fc}cher.example\r\n", 400, None),
        ("/", "Host: xn--a.example\r\n", 400, None),
        // Unknown: no default, whatever it resembles.
        ("/", "Host: nobody.example\r\n", 421, None),
        ("/", "Host: localhost\r\n", 421, None),
        ("/", "Host: x.aurora.example\r\n", 421, None),
        ("/", "Host: example\r\n", 421, None),
        ("/", "Host: 127.0.0.1\r\n", 421, None),
        ("/", "Host: [::1]:8080\r\n", 421, None),
        // Doubled, absent, malformed.
        ("/", "Host: aurora.localhost\r\nHost: aurora.localhost\r\n", 400, None),
        ("/", "Host: aurora.localhost\r\nHost: borealis.localhost\r\n", 400, None),
        ("/", "Host: aurora.localhost, borealis.localhost\r\n", 400, None),
        ("/", "", 400, None),
        ("/", "Host:\r\n", 400, None),
        ("/", "Host: user@aurora.localhost\r\n", 400, None),
        ("/", "Host: aurora.localhost:99999\r\n", 400, None),
        ("/", "Host: aurora_x.localhost\r\n", 400, None),
        ("/", "Host: aurora..localhost\r\n", 400, None),
        ("/", "Host: *\r\n", 400, None),
        ("/", &long, 400, None),
        // Absolute form.
        ("http://aurora.localhost/", "Host: aurora.localhost\r\n", 200, Some("aurora")),
        ("http://AURORA.localhost:80/", "Host: aurora.localhost\r\n", 200, Some("aurora")),
        ("http://aurora.localhost/", "Host: borealis.localhost\r\n", 400, None),
        ("http://nobody.example/", "Host: nobody.example\r\n", 421, None),
        ("http://user@aurora.localhost/", "Host: aurora.localhost\r\n", 400, None),
        // Forwarded headers from a stranger change nothing.
        ("/", "Host: aurora.localhost\r\nX-Forwarded-Host: borealis.localhost\r\n", 200, Some("aurora")),
        ("/", "Host: nobody.example\r\nX-Forwarded-Host: borealis.localhost\r\n", 421, None),
        ("/", "Host: aurora.localhost\r\nForwarded: host=borealis.localhost\r\n", 200, Some("aurora")),
        ("/", "Host: aurora.localhost\r\nX-Host: borealis.localhost\r\n", 200, Some("aurora")),
    ];
    for (target, headers, status, tenant) in table {
        let request = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(outcome(&answer), (*status, *tenant), "{target} {headers:?}\n{answer}");
    }
    let old = server.raw(b"GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(outcome(&old).0, 400, "{old}");
    let connect = server
        .raw(b"CONNECT aurora.localhost:80 HTTP/1.1\r\nHost: aurora.localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(outcome(&connect).0, 405, "{connect}");
}

#[tokio::test]
async fn http2_names_its_host_by_authority() {
    let (server, _store) = serve("").await;
    let table = [
        ("aurora.localhost", None, 200, "tenant=aurora"),
        ("borealis.localhost", None, 200, "tenant=borealis"),
        ("AURORA.localhost", None, 200, "tenant=aurora"),
        ("aurora.localhost.", None, 200, "tenant=aurora"),
        ("xn--bcher-kva.example", None, 200, "tenant=aurora"),
        ("nobody.example", None, 421, "No site"),
        ("aurora.localhost", Some("aurora.localhost"), 200, "tenant=aurora"),
        ("aurora.localhost", Some("borealis.localhost"), 400, "different hosts"),
    ];
    for (host, header, status, text) in table {
        let client = server.client(host).http2_prior_knowledge().build().unwrap();
        let mut request = client.get(server.url(host, "/"));
        if let Some(header) = header {
            request = request.header("host", header);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.version(), poem::http::Version::HTTP_2);
        assert_eq!(answer.status().as_u16(), status, "{host} {header:?}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(text), "{host} {header:?} {body}");
    }
}

#[tokio::test]
async fn a_configured_proxy_is_believed() {
    let (server, _store) = serve("[proxies]\ntrusted = ['127.0.0.0/8']").await;
    let ask = async |headers: &str| {
        server.raw(format!("GET / HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes()).await
    };
    let answer =
        ask("Host: upstream\r\nX-Forwarded-Host: borealis.localhost\r\nX-Forwarded-For: 203.0.113.9\r\n").await;
    assert!(answer.contains("tenant=borealis client=203.0.113.9"), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    let answer = ask("Host: aurora.localhost\r\nX-Forwarded-Proto: https\r\n").await;
    assert!(answer.contains("tenant=aurora client=127.0.0.1"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    let answer = ask("Host: aurora.localhost\r\nX-Forwarded-Host: a.example, aurora.localhost\r\n").await;
    assert_eq!(outcome(&answer), (400, None), "{answer}");
}

#[tokio::test]
async fn refusals_are_pages_or_problems() {
    let (server, _store) = serve("").await;
    let client = server.client("nobody.example").build().unwrap();
    let page = client.get(server.url("nobody.example", "/")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = page.text().await.unwrap();
    assert!(!html.to_lowercase().contains("aurora") && !html.to_lowercase().contains("borealis"), "{html}");
    for (path, accept) in [("/api/who", "text/html"), ("/", "application/json")] {
        let answer = client.get(server.url("nobody.example", path)).header("accept", accept).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((&body["code"], &body["status"]), (&"unknown-host".into(), &421.into()));
        assert_eq!(body["request_id"], id);
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_a_careful_server() {
    let (server, _store) = serve("").await;
    for (host, path) in
        [("aurora.localhost", "/"), ("aurora.localhost", "/nothing"), ("nobody.example", "/"), ("x", "/livez")]
    {
        let client = server.client(host).build().unwrap();
        let answer = client.get(server.url(host, path)).send().await.unwrap();
        let csp = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(csp.starts_with("default-src 'self';") && !csp.contains("unsafe"), "{csp}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers()[name], value);
        }
        assert_eq!(answer.headers()["x-request-id"].len(), 32);
    }
}

#[tokio::test]
async fn programs_are_told_nothing_that_only_browsers_heed() {
    let store = TestStore::with_demo(&[]).await;
    let config = config("[proxies]\ntrusted = ['127.0.0.0/8']");
    let routes = Route::new().at("/api/ea/v1/x", get(who)).at("/api/eas", get(who));
    let edge = edge(&config, &store).with_programs(&["/api/ea/v1"]);
    let server = TestServer::start(routes.with(edge)).await;
    for (path, browsers) in [("/api/ea/v1/x", false), ("/api/ea/v1/nothing", false), ("/api/eas", true)] {
        let client = server.client("aurora.localhost").build().unwrap();
        let request = client.get(server.url("aurora.localhost", path)).header("x-forwarded-proto", "https");
        let answer = request.send().await.unwrap();
        for name in ["x-content-type-options", "cache-control", "x-request-id", "strict-transport-security"] {
            assert!(answer.headers().contains_key(name), "{path} {name}");
        }
        for name in ["content-security-policy", "x-frame-options", "permissions-policy"] {
            assert_eq!(answer.headers().contains_key(name), browsers, "{path} {name}");
        }
    }
}

#[tokio::test]
async fn bodies_have_a_size_and_a_time() {
    let (server, _store) = serve("[limits]\nbody_bytes = 2000\nupload_bytes = 4000\nbody_s = 1").await;
    let client = server.client("aurora.localhost").build().unwrap();
    let send = async |path: &str, bytes: usize| {
        let answer = client.post(server.url("aurora.localhost", path)).body(vec![b'x'; bytes]).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(send("/size", 2_000).await, (200, "2000".to_owned()));
    assert_eq!(send("/size", 2_001).await.0, 413);
    assert_eq!(send("/uploads/size", 4_000).await, (200, "4000".to_owned()));
    assert_eq!(send("/uploads/size", 4_001).await.0, 413);

    let head = "POST /size HTTP/1.1\r\nHost: aurora.localhost\r\nConnection: close\r\n";
    // Chunked: its length is not announced.
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n", "x".repeat(2_048));
    assert_eq!(outcome(&server.raw(chunk.as_bytes()).await).0, 413);
    // Announced and not sent.
    let slow = format!("{head}Content-Length: 10\r\n\r\nabc");
    let answer = server.raw(slow.as_bytes()).await;
    assert_eq!(outcome(&answer).0, 408, "{answer}");
    let liar = format!("{head}Content-Length: 18446744073709551615\r\n\r\n");
    let answer = server.raw(liar.as_bytes()).await;
    assert!([400, 413, 431].contains(&outcome(&answer).0), "{answer}");
}

#[tokio::test]
async fn our_faults_are_hidden_and_do_not_end_the_server() {
    let (server, _store) = serve("[limits]\nrequest_s = 1").await;
    let client = server.client("aurora.localhost").build().unwrap();
    for (path, status) in [("/panics", 500), ("/fails", 500), ("/sleeps", 504), ("/nothing", 404)] {
        let answer = client.get(server.url("aurora.localhost", path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert!(!answer.text().await.unwrap().contains("hunter2"), "{path}");
    }
    let answer = client.post(server.url("aurora.localhost", "/")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    let answer = client.get(server.url("aurora.localhost", "/")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "tenant=aurora client=127.0.0.1");
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_and_comes_back() {
    let store = TestStore::with_demo(&[]).await;
    let config = config("[limits]\nhost_known_s = 1\nhost_unknown_s = 1");
    let server = TestServer::start(Route::new().at("/", get(who)).with(edge(&config, &store))).await;
    let ask = async |host: &str| {
        let client = server.client(host).build().unwrap();
        client.get(server.url(host, "/")).send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("aurora.localhost").await, ask("new.example").await), (200, 421));
    let mut all = crate::tenants::read_dir(&crate::testing::demo_dir(), crate::testing::THEMES).unwrap();
    let apply = async |all: &[crate::tenants::Definition]| {
        crate::tenants::apply(&store.system(), all, crate::testing::NOON).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    };
    all[0].status = marque_domain::tenant::TenantStatus::Suspended;
    all[1].hosts.push("new.example".to_owned());
    apply(&all).await;
    assert_eq!((ask("aurora.localhost").await, ask("borealis.localhost").await), (503, 200));
    let client = server.client("aurora.localhost").build().unwrap();
    let looks = client.get(server.url("aurora.localhost", "/brand.css")).send().await.unwrap();
    assert_eq!(looks.status(), 404, "its looks are still asked of its routes, which here have none");
    assert_eq!(ask("new.example").await, 308, "there it is served, over https");
    all[0].status = marque_domain::tenant::TenantStatus::Active;
    apply(&all).await;
    assert_eq!(ask("aurora.localhost").await, 200);
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_an_unknown_host() {
    let store = TestStore::with_demo(&[]).await;
    let server = TestServer::start(Route::new().at("/", get(who)).with(edge(&config(""), &store))).await;
    store.store.close().await.unwrap();
    let client = server.client("aurora.localhost").build().unwrap();
    let answer = client.get(server.url("aurora.localhost", "/")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn liveness_needs_no_host() {
    let (server, _store) = serve("").await;
    for path in ["/livez", "/readyz"] {
        let answer = server.raw(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert_eq!(outcome(&answer).0, 200, "{answer}");
    }
}

#[tokio::test]
async fn who_comes_by_http_is_sent_to_a_stored_host() {
    let (server, _store) = serve("[proxies]\nhttps_only = true\ntrusted = ['127.0.0.0/8']").await;
    // Target, headers, status, where to.
    let table = [
        ("/", "Host: aurora.example\r\n", 308, "https://aurora.example/"),
        ("/a?b=c", "Host: AURORA.example.:8080\r\n", 308, "https://aurora.example/a?b=c"),
        ("//evil.example/x", "Host: aurora.example\r\n", 308, "https://aurora.example//evil.example/x"),
        ("/", "Host: up\r\nX-Forwarded-Host: trade.aurora.example\r\n", 308, "https://trade.aurora.example/"),
        (
            "/",
            "Host: up\r\nX-Forwarded-Host: aurora.example\r\nX-Forwarded-Proto: http\r\n",
            308,
            "https://aurora.example/",
        ),
        ("/", "Host: up\r\nX-Forwarded-Host: aurora.example\r\nX-Forwarded-Proto: https\r\n", 200, ""),
        ("/", "Host: aurora.localhost\r\n", 200, ""),
        // Nowhere is nobody sent who names a host that is not stored.
        ("/", "Host: evil.example\r\n", 421, ""),
        ("http://evil.example/", "Host: evil.example\r\n", 421, ""),
        ("http://aurora.example/x", "Host: aurora.example\r\n", 308, "https://aurora.example/x"),
        // A program is refused: what it sent is no longer safe.
        ("/api/who", "Host: aurora.example\r\n", 403, ""),
    ];
    for (target, headers, status, location) in table {
        let answer =
            server.raw(format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(outcome(&answer).0, status, "{target} {headers} {answer}");
        let to = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
        assert_eq!(to.trim(), location, "{target} {headers}");
        assert!(!answer.contains("https-required") || status == 403, "{answer}");
    }
}

#[test]
fn uploads_are_where_they_are_named() {
    let table = [
        ("/uploads", "/uploads", true),
        ("/uploads/size", "/uploads", true),
        ("/uploadsize", "/uploads", false),
        ("/admin/eas/prd_1/files", "/admin/eas/*/files", true),
        ("/admin/eas/prd_1/versions", "/admin/eas/*/files", false),
        ("/admin/eas/files", "/admin/eas/*/files", false),
        ("/", "/uploads", false),
    ];
    for (path, prefix, want) in table {
        assert_eq!(super::is_below(path, prefix), want, "{path} {prefix}");
    }
}
