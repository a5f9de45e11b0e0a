//! A mail as it is read: subject, text and HTML from one template, sender and recipient.

use super::{Mail, MailError, MailKind, one_line, plain};
use crate::{
    portal::view::Brand,
    tenants::Definition,
    theme::{Themes, color::Color},
};
use lettre::{
    Address, Message,
    message::{Mailbox, MultiPart, SinglePart, header::ContentType},
};
use marque_domain::time::Millis;
use mrml::prelude::render::RenderOptions;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

/// What a mail's template sees.
#[derive(Serialize)]
pub(super) struct Scene<'a> {
    lang: &'a str,
    brand: Brand,
    look: Look,
    /// What the recipient is called; empty when that is not known.
    name: &'a str,
    /// The address it goes to.
    email: &'a str,
    /// What this kind of mail needs besides.
    it: &'a serde_json::Map<String, serde_json::Value>,
}

/// The brand's colours on white paper.
#[derive(Serialize)]
struct Look {
    accent: Color,
    on_accent: Color,
    /// The accent where it is text.
    ink: Color,
}

/// A mailbox: an address and what its owner is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Party {
    pub email: String,
    pub name: String,
}

/// A rendered mail. Sealed while it waits: its links open accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    from: Party,
    to: Party,
    body: Body,
}

/// What a mail says, in both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    subject: String,
    text: String,
    html: String,
}

/// Both from one template.
fn body(themes: &Themes, theme: &str, kind: MailKind, scene: &Scene<'_>) -> Result<Body, MailError> {
    let markup = themes.mail(theme, kind, scene)?;
    let fault = |text: String| MailError::Markup(kind.name(), text);
    let parsed = mrml::parse(&markup).map_err(|error| fault(error.to_string()))?;
    if let Some(warning) = parsed.warnings.first() {
        return Err(fault(warning.to_string()));
    }
    // No fonts: a mail that fetches something tells others when and where it was read.
    let options = RenderOptions { fonts: HashMap::new(), ..RenderOptions::default() };
    let html = parsed.element.render(&options).map_err(|error| fault(error.to_string()))?;
    Ok(Body { subject: plain::subject(&parsed.element), text: plain::text(&parsed.element), html })
}

/// Mails of a theme that do not render with sample values: template and what is wrong with it.
pub(crate) fn faults(themes: &Themes, theme: &str) -> Vec<(&'static str, String)> {
    let accent = Color::BLACK;
    let fault = |kind: MailKind| {
        let it = kind.sample();
        let scene = Scene {
            lang: "en-GB",
            brand: Brand::new("Sample Markets", "Sample", "Sample Markets Ltd", "Trading is risky."),
            look: Look { accent, on_accent: accent.text_on(), ink: accent },
            name: "Ann",
            email: "ann@sample.example",
            it: &it,
        };
        Some((kind.template(), chain(&body(themes, theme, kind, &scene).err()?)))
    };
    MailKind::ALL.iter().copied().filter_map(fault).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl Letter {
    /// Renders a mail in a brand's looks.
    pub fn render(themes: &Themes, brand: &Definition, from: Party, mail: &Mail) -> Result<Self, MailError> {
        let words = &brand.words;
        let accent = brand.tokens.accent;
        let name = one_line(&mail.to.name);
        let scene = Scene {
            lang: &brand.locale,
            brand: Brand::new(&brand.name, &words.logo, &words.legal_name, &words.risk_notice),
            look: Look { accent, on_accent: accent.text_on(), ink: accent.readable_on(&[Color::WHITE]) },
            name: &name,
            email: &mail.to.email,
            it: &mail.values,
        };
        let body = body(themes, &brand.theme, mail.kind, &scene)?;
        Ok(Self { from, to: Party { email: mail.to.email.clone(), name }, body })
    }

    /// The message that goes over the wire. Sent again, it has the same id, so that a reader who gets it twice sees
    /// it once.
    pub fn message(&self, id: i64, at: Millis) -> Result<Message, MailError> {
        let from = mailbox(&self.from)?;
        let message_id = format!("<mail.{id}@{}>", from.email.domain());
        let sent = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or_default());
        let part = |kind, body: &str| SinglePart::builder().header(kind).body(body.to_owned());
        let parts = MultiPart::alternative()
            .boundary(format!("=_marque_{id:x}"))
            .singlepart(part(ContentType::TEXT_PLAIN, &self.body.text))
            .singlepart(part(ContentType::TEXT_HTML, &self.body.html));
        let message = Message::builder()
            .from(from)
            .to(mailbox(&self.to)?)
            .subject(self.body.subject.as_str())
            .date(sent)
            .message_id(Some(message_id))
            .raw_header(automatic()?)
            .multipart(parts);
        message.map_err(|error| MailError::Message(error.to_string()))
    }
}

/// Says that no person wrote it, so that no absent reader's machine answers (RFC 3834).
fn automatic() -> Result<lettre::message::header::HeaderValue, MailError> {
    let name = lettre::message::header::HeaderName::new_from_ascii("Auto-Submitted".to_owned())
        .map_err(|error| MailError::Message(error.to_string()))?;
    Ok(lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned()))
}

/// lettre panics on a line break in a name, and a header would end there: names are one line.
fn mailbox(party: &Party) -> Result<Mailbox, MailError> {
    let address: Address = party.email.parse().map_err(|_| MailError::Address(party.email.clone()))?;
    let name = one_line(&party.name);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), address))
}
