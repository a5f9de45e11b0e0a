use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Answers every connection with `answer`, in pieces; counts connections.
async fn listen(address: &str, answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let (at, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4_096]).await;
                for piece in answer.chunks(64 << 10) {
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (at, count)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes(), body].concat()
}

async fn ask(reach: Reach, url: &str) -> Result<Response<Vec<u8>>, OutboundError> {
    let request = Request::get(url).body(Vec::new()).unwrap();
    Outbound::new(reach).send(request).await
}

#[test]
fn only_public_addresses() {
    let public = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00:1450::1"];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    let inside = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in inside {
        assert!(!is_public(address.parse().unwrap()), "{address}");
        let loopback = Reach::Loopback.allows(address.parse().unwrap());
        assert_eq!(loopback, ["127.0.0.1", "::1"].contains(&address), "{address}");
    }
}

#[test]
fn addresses_by_their_text() {
    let (public, loopback) = (Outbound::new(Reach::Public), Outbound::new(Reach::Loopback));
    // URL, with public reach, with loopback too.
    let table = [
        ("https://accounts.example/x?y", true, true),
        ("https://accounts.example:8443/", true, true),
        ("https://8.8.8.8/", true, true),
        ("http://accounts.example/", false, false),
        ("http://8.8.8.8/", false, false),
        ("http://127.0.0.1:80/", false, true),
        ("http://localhost:80/", false, true),
        ("http://[::1]/", false, true),
        ("https://127.0.0.1/", false, true),
        ("https://127.0.0.2/", false, false),
        ("https://2130706433/", false, true),
        ("https://0x7f.2/", false, false),
        ("https://0177.0.0.2/", false, false),
        ("https://10.1/", false, false),
        ("https://[::ffff:10.0.0.1]/", false, false),
        ("https://169.254.169.254/latest/meta-data", false, false),
        ("https://me@accounts.example/", false, false),
        ("https://me:pw@accounts.example/", false, false),
        ("file:///etc/passwd", false, false),
        ("gopher://x.example/", false, false),
        ("", false, false),
        ("accounts.example", false, false),
    ];
    for (url, with_public, with_loopback) in table {
        assert_eq!(public.check(url).is_ok(), with_public, "{url}");
        assert_eq!(loopback.check(url).is_ok(), with_loopback, "{url}");
    }
}

#[tokio::test]
async fn nothing_inside_is_even_connected_to() {
    let (at, count) = listen("127.0.0.1:0", answer("200 OK", b"inside")).await;
    let port = at.port();
    let (_, other) = listen(&format!("127.0.0.2:{port}"), answer("200 OK", b"inside")).await;
    for url in
        ["http://127.0.0.1", "https://127.0.0.1", "https://localhost", "https://[::ffff:127.0.0.1]", "https://0.0.0.0"]
    {
        let result = ask(Reach::Public, &format!("{url}:{port}/")).await;
        assert!(matches!(result, Err(OutboundError::Unreachable(_) | OutboundError::Url(_))), "{url}");
    }
    for url in ["http://127.0.0.2", "https://127.0.0.2", "http://0.0.0.0"] {
        assert!(ask(Reach::Loopback, &format!("{url}:{port}/")).await.is_err(), "{url}");
    }
    assert_eq!((count.load(Ordering::Relaxed), other.load(Ordering::Relaxed)), (0, 0));
    // The same with the setting for tests: the listener is really there.
    let body = ask(Reach::Loopback, &format!("http://localhost:{port}/")).await.unwrap().into_body();
    assert_eq!((body.as_slice(), count.load(Ordering::Relaxed)), (b"inside".as_slice(), 1));
}

#[tokio::test]
async fn redirects_are_not_followed_and_giants_not_read() {
    let (inside, hits) = listen("127.0.0.1:0", answer("200 OK", b"inside")).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let (at, _) = listen("127.0.0.1:0", answer(&format!("{status}\r\nlocation: http://{inside}/"), b"")).await;
        let result = ask(Reach::Loopback, &format!("http://{at}/")).await;
        assert!(matches!(result, Err(OutboundError::Redirected(_))), "{status}");
    }
    assert_eq!(hits.load(Ordering::Relaxed), 0);

    let (at, _) = listen("127.0.0.1:0", answer("200 OK", &vec![b'x'; ANSWER_BYTES_MAX])).await;
    let most = ask(Reach::Loopback, &format!("http://{at}/")).await.unwrap();
    assert_eq!(most.body().len(), ANSWER_BYTES_MAX);
    let (at, _) = listen("127.0.0.1:0", answer("200 OK", &vec![b'x'; 8 << 20])).await;
    assert!(matches!(ask(Reach::Loopback, &format!("http://{at}/")).await, Err(OutboundError::TooLarge(_))));
}

#[tokio::test]
async fn who_is_slow_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let asked = tokio::time::Instant::now();
    assert!(matches!(ask(Reach::Loopback, &format!("http://{at}/")).await, Err(OutboundError::TimedOut(_))));
    assert!(asked.elapsed() < TIMEOUT * 2);
    held.abort();
}

#[test]
fn messages_say_nothing_of_our_network() {
    let uri: Uri = "https://issuer.example:8443/token?code=secret".parse().unwrap();
    assert_eq!(target(&uri), "https://issuer.example:8443");
    assert_eq!(shown("https://issuer.example/token?code=secret"), "https://issuer.example/token");
}
