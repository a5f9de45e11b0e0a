//! A client's own name for itself, in words that a person knows: `Chrome on Windows`.
//!
//! Clients may say what they like, so nothing is decided by it: it only helps somebody to recognise their own browser.

/// Marks of browsers, the more particular first: most also carry the marks of those they descend from.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Marks of systems, the more particular first.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

const NAME_CHARS_MAX: usize = 40;

/// The words for a client's name.
#[must_use]
pub fn words(agent: &str) -> String {
    let known =
        |table: &[(&str, &'static str)]| table.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (known(BROWSERS), known(SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, system) => match (program(agent), system) {
            (Some(program), _) => program,
            (None, Some(system)) => format!("Unknown browser on {system}"),
            (None, None) => "Unknown browser".to_owned(),
        },
    }
}

/// `curl/8.5.0 …` is curl. What calls itself Mozilla is a browser of some kind.
fn program(agent: &str) -> Option<String> {
    let name = agent.split(['/', ' ', '(', ';']).next()?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let known = plain && !name.is_empty() && name != "Mozilla" && name.len() <= NAME_CHARS_MAX;
    known.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::words;
    use proptest::prelude::*;

    #[test]
    fn what_people_use() {
        const MOZ: &str = "Mozilla/5.0 ";
        let table = [
            (
                "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/120.0.0.0",
                "Opera on Linux",
            ),
            (
                "(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
            ("(X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
            (
                "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on Mac",
            ),
            (
                "(iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "(iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            (
                "(iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
                "Firefox on iPad",
            ),
            (
                "(Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "(X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            ("(Windows NT 10.0) Something/1", "Unknown browser on Windows"),
            ("", "Unknown browser"),
        ];
        for (agent, expect) in table {
            assert_eq!(words(&format!("{MOZ}{agent}")), expect, "{agent}");
        }
        for (agent, expect) in [
            ("curl/8.5.0", "curl"),
            ("python-requests/2.32", "python-requests"),
            ("MetaTrader 5 Terminal/5.4200 (Windows NT 10.0)", "MetaTrader"),
            ("", "Unknown browser"),
            ("<script>", "Unknown browser"),
        ] {
            assert_eq!(words(agent), expect, "{agent}");
        }
    }

    proptest! {
        #[test]
        fn any_name_gives_a_few_plain_words(agent in ".{0,200}") {
            let words = words(&agent);
            prop_assert!((1..=60).contains(&words.len()) && words.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        }
    }
}
