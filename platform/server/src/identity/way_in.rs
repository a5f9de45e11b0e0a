//! What somebody is told by mail when a way into their account comes or is taken away: who had their browser in hand
//! for a minute could otherwise make a door of their own and come back by it unseen.
//!
//! The mail repeats no name that was typed with the act: whoever did it would choose what its owner reads.

use super::{Identity, Visit, limits::Budget};
use crate::{
    mail::{self, Mail, MailKind},
    problem::Problem,
};
use marque_domain::id::UserId;

/// What became of the ways into an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayIn<'a> {
    /// An authenticator app was added.
    App,
    /// It was removed.
    AppRemoved,
    /// New backup codes were made.
    Codes,
    /// A passkey was added.
    Passkey,
    /// One was removed.
    PasskeyRemoved,
    /// An identity at the site that the brand calls so was linked.
    Identity(&'a str),
    /// It was unlinked.
    IdentityRemoved(&'a str),
    /// A personal token was made.
    Token,
    /// Those who run the brand took the second factor away.
    FactorReset,
}

impl WayIn<'_> {
    /// A sentence without its full stop.
    fn words(self, brand: &str) -> String {
        match self {
            Self::App => "An app for codes was added".to_owned(),
            Self::AppRemoved => "The app for codes was removed".to_owned(),
            Self::Codes => "New backup codes were made".to_owned(),
            Self::Passkey => "A passkey was added".to_owned(),
            Self::PasskeyRemoved => "A passkey was removed".to_owned(),
            Self::Identity(provider) => format!("An identity of {provider} was linked"),
            Self::IdentityRemoved(provider) => format!("An identity of {provider} was unlinked"),
            Self::Token => "A token for a program was made".to_owned(),
            Self::FactorReset => format!("Your second factor was taken away by the people who run {brand}"),
        }
    }
}

impl Identity {
    /// Tells somebody by mail what became of the ways into their account. It is done by then: that mail is held up
    /// undoes nothing, and must not keep from its owner what is shown once, such as backup codes.
    pub async fn tell_way_in(&self, visit: &Visit, user: UserId, way: WayIn<'_>) {
        if let Err(error) = self.queue_way_in(visit, user, way).await {
            tracing::warn!(%error, %user, ?way, "a mail about a way into an account could not be queued");
        }
    }

    async fn queue_way_in(&self, visit: &Visit, user: UserId, way: WayIn<'_>) -> Result<(), Problem> {
        let (brand, user) = (&visit.tenant.definition, visit.tenant.db().user(user).await?);
        // Whoever makes tokens without end must not fill the queue that everybody's mail waits in.
        self.limits().spend(Budget::Notice, visit.by(&user.email), self.now()).await?;
        let mail = Mail::new(MailKind::WayInChanged, &user.email, &user.display_name)
            .with("what", way.words(&brand.name))
            .with("at", mail::instant(brand, self.now()))
            .with("security", self.link(visit, "/security", None))
            .with("forgot", self.link(visit, "/forgot", None));
        Ok(self.outbox().queue(&visit.tenant, mail).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let ways = [
            WayIn::App,
            WayIn::AppRemoved,
            WayIn::Codes,
            WayIn::Passkey,
            WayIn::PasskeyRemoved,
            WayIn::Identity("Acme"),
            WayIn::IdentityRemoved("Acme"),
            WayIn::Token,
            WayIn::FactorReset,
        ];
        assert_eq!(
            ways.map(|way| way.words("Aurora Markets")),
            [
                "An app for codes was added",
                "The app for codes was removed",
                "New backup codes were made",
                "A passkey was added",
                "A passkey was removed",
                "An identity of Acme was linked",
                "An identity of Acme was unlinked",
                "A token for a program was made",
                "Your second factor was taken away by the people who run Aurora Markets",
            ]
        );
    }
}
