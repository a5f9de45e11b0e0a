//! The text of a mail, from the same markup as its HTML.

use mrml::{mj_body::MjBodyChild, mj_raw::MjRawChild, mjml::Mjml, prelude::AttributeMap};

/// The class of what stands in the HTML only, such as a button's address written out.
const HTML_ONLY: &str = "html-only";

/// What a reader without HTML reads: paragraphs with an empty line between them, links written out.
pub(super) fn text(mjml: &Mjml) -> String {
    let mut paragraphs = Vec::new();
    for child in mjml.body().into_iter().flat_map(|body| &body.children) {
        collect(child, &mut paragraphs);
    }
    let mut text = paragraphs.join("\n\n");
    text.push('\n');
    text
}

/// The subject.
pub(super) fn subject(mjml: &Mjml) -> String {
    let title = mjml.head().and_then(|head| head.title()).map_or("", |title| title.content());
    super::one_line(&tidy(&unescape(title)))
}

fn collect(child: &MjBodyChild, paragraphs: &mut Vec<String>) {
    match child {
        MjBodyChild::MjWrapper(part) => part.children.iter().for_each(|child| collect(child, paragraphs)),
        MjBodyChild::MjSection(part) => part.children.iter().for_each(|child| collect(child, paragraphs)),
        MjBodyChild::MjGroup(part) => part.children.iter().for_each(|child| collect(child, paragraphs)),
        MjBodyChild::MjColumn(part) => part.children.iter().for_each(|child| collect(child, paragraphs)),
        MjBodyChild::MjText(part) if !is_html_only(&part.attributes) => {
            let mut text = String::new();
            part.children.iter().for_each(|child| inline(child, &mut text));
            push(paragraphs, &tidy(&text));
        }
        MjBodyChild::MjButton(part) => {
            let label: String = part.children.iter().map(label).collect();
            let link = attribute(&part.attributes, "href").map(unescape).unwrap_or_default();
            push(paragraphs, &format!("{}:\n{link}", tidy(&unescape(&label))));
        }
        MjBodyChild::MjDivider(_) => push(paragraphs, "--"),
        _ => {}
    }
}

fn push(paragraphs: &mut Vec<String>, text: &str) {
    if !text.is_empty() {
        paragraphs.push(text.to_owned());
    }
}

fn label(child: &MjBodyChild) -> String {
    match child {
        MjBodyChild::Text(text) => text.inner_str().to_owned(),
        MjBodyChild::Node(node) => node.children.iter().map(label).collect(),
        _ => String::new(),
    }
}

fn inline(child: &MjRawChild, text: &mut String) {
    match child {
        MjRawChild::Text(part) => text.push_str(&unescape(&part.inner_str().replace(['\r', '\n', '\t'], " "))),
        MjRawChild::Node(node) if node.tag == "br" => text.push('\n'),
        MjRawChild::Node(node) => {
            node.children.iter().for_each(|child| inline(child, text));
            if let Some(link) = attribute(&node.attributes, "href").filter(|_| node.tag == "a") {
                text.push_str(&format!(" ({})", unescape(link)));
            }
        }
        MjRawChild::Comment(_) | MjRawChild::ConditionalComment(_) => {}
    }
}

fn attribute<'a>(attributes: &'a AttributeMap, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_deref()
}

fn is_html_only(attributes: &AttributeMap) -> bool {
    attribute(attributes, "css-class").is_some_and(|classes| classes.split(' ').any(|class| class == HTML_ONLY))
}

/// Without doubled spaces, and without spaces around line breaks.
fn tidy(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What Handlebars escapes, and what templates write, as the characters that are meant.
fn unescape(text: &str) -> String {
    const ENTITIES: [(&str, &str); 9] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x60;", "`"),
        ("&#x3D;", "="),
        ("&nbsp;", " "),
        // Last: what it brings forth is not read again.
        ("&amp;", "&"),
    ];
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, meant)| text.replace(entity, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_without_markup_says_the_same() {
        let mjml = "<mjml><mj-head><mj-title>Tom &amp; Co&#x3D;1</mj-title></mj-head><mj-body><mj-section><mj-column>\
                    <mj-text>Hello   <b>Ann &amp;lt; &lt;i&gt;</b>,\n  come<br/>in.</mj-text>\
                    <mj-button href=\"https://x.example/?a&#x3D;1&amp;b\">Open  it</mj-button>\
                    <mj-text css-class=\"html-only\">not here</mj-text>\
                    <mj-text>See <a href=\"https://x.example/\">there</a>.</mj-text>\
                    </mj-column></mj-section></mj-body></mjml>";
        let parsed = mrml::parse(mjml).unwrap().element;
        assert_eq!(subject(&parsed), "Tom & Co=1");
        assert_eq!(
            text(&parsed),
            "Hello Ann &lt; <i>, come\nin.\n\nOpen it:\nhttps://x.example/?a=1&b\n\nSee there (https://x.example/).\n"
        );
    }
}
