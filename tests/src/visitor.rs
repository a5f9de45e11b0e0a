//! What a browser does with an answer, for tests that ask the running server by hand.

/// The cookies that an answer sets, as the next request carries them.
pub fn cookies(answer: &reqwest::Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let kept = set.filter(|cookie| !cookie.contains("Max-Age=0")).filter_map(|cookie| cookie.split(';').next());
    kept.collect::<Vec<_>>().join("; ")
}

/// The first text between two others.
pub fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).expect("an end").0.to_owned()
}
