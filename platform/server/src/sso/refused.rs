//! Why somebody was not let in by an issuer's word, for the log; and what they are told of it.

use crate::{
    outbound::OutboundError,
    problem::{Chain, Problem, ProblemCode},
    secrets::{NoRandomness, SealError, VaultError},
};
use marque_store::StoreError;

/// Why somebody was not let in by an issuer's word. The text is for the log and for the admin who tests a connection; a
/// stranger is told less.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The issuer, or what it points to, cannot be asked.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It is no issuer, or not this one.
    #[error("the issuer cannot be used: {0}")]
    Discovery(String),
    /// The answer is not one.
    #[error("the answer lacks a parameter or has one twice")]
    Answer,
    /// It comes from another browser, was used, is too old, or was never asked for.
    #[error("this browser has no such attempt under way")]
    NoAttempt,
    /// The answer is not from whom was asked.
    #[error("the answer is not from the issuer that was asked")]
    OtherIssuer,
    /// The person or the issuer said no.
    #[error("the issuer declined: {0}")]
    Declined(String),
    /// The code was not exchanged.
    #[error(
        "the issuer did not exchange the code: check client id and secret, and that the return address is registered"
    )]
    Exchange,
    /// No ID token came.
    #[error("the issuer sent no ID token: it may not support OpenID Connect")]
    NoToken,
    /// The token does not hold.
    #[error("the ID token does not hold: {0}")]
    Token(#[source] openidconnect::ClaimsVerificationError),
    /// It was made for another client.
    #[error("the ID token was made for another client (azp)")]
    OtherClient,
    /// It was made at another time.
    #[error("the ID token was not made just now: check the clocks")]
    Stale,
    /// The issuer may have asked nobody.
    #[error("the issuer does not say that it asked the person anew (auth_time), as it was told to")]
    NotAsked,
    /// It names nobody.
    #[error("the ID token names nobody: its subject is empty or too long")]
    Subject,
    /// It belongs to another access token.
    #[error("the access token is not the one of the ID token (at_hash)")]
    AccessToken,
    /// The issuer does not say who it is.
    #[error("the issuer did not say more about the person")]
    UserInfo,
    /// The key that signs our secret.
    #[error("the key cannot sign: paste the whole file with a P-256 private key, from its BEGIN to its END line")]
    Key,
    /// Nobody new without an address that the issuer verified.
    #[error("the issuer names no verified address")]
    Unverified,
    /// Somebody has this address already, and an address is no proof of being them.
    #[error("somebody here has this address already")]
    AddressTaken,
    /// Nobody new may come this way, or nobody of this domain.
    #[error("the connection takes nobody new with this address")]
    NotInvited,
    /// People of this domain must come by another connection.
    #[error("people of this domain come by another connection")]
    OtherWay,
    /// Somebody else here has linked this identity.
    #[error("the identity is somebody else's here")]
    IdentityTaken,
    /// A limit on everything.
    #[error("the person has linked as many identities as they may")]
    TooManyIdentities,
    /// Who shows anew who they are must show the same.
    #[error("the identity is not linked to who is signed in")]
    OtherIdentity,
    /// Who began to link is not who came back.
    #[error("who came back is not signed in as who began to link")]
    OtherPerson,
    /// There is no such way to sign in.
    #[error("there is no such connection, or it is switched off")]
    NoConnection,
    /// A limit on everything.
    #[error("there are as many connections as a tenant can have")]
    TooMany,
    /// What is stored cannot be read.
    #[error("what is stored of the connection cannot be read")]
    Corrupt,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tenant's keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no randomness for a state.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Refused {
    /// A stable name for the audit log.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Outbound(_) => "issuer-unreachable",
            Self::Discovery(_) => "issuer-unusable",
            Self::Answer => "bad-answer",
            Self::NoAttempt => "no-attempt",
            Self::OtherIssuer => "other-issuer",
            Self::Declined(_) => "declined",
            Self::Exchange => "no-exchange",
            Self::NoToken => "no-token",
            Self::Token(_) => "bad-token",
            Self::OtherClient => "other-client",
            Self::Stale => "stale-token",
            Self::NotAsked => "not-asked",
            Self::Subject => "no-subject",
            Self::AccessToken => "other-access-token",
            Self::UserInfo => "no-user-info",
            Self::Key => "bad-key",
            Self::Unverified => "unverified",
            Self::AddressTaken => "address-taken",
            Self::NotInvited => "not-invited",
            Self::OtherWay => "other-way",
            Self::IdentityTaken => "identity-taken",
            Self::TooManyIdentities => "too-many-identities",
            Self::OtherIdentity => "other-identity",
            Self::OtherPerson => "other-person",
            Self::NoConnection => "no-connection",
            Self::TooMany => "too-many",
            Self::Corrupt => "corrupt",
            Self::Store(_) => "store",
            Self::Vault(_) => "vault",
            Self::Seal(_) => "seal",
            Self::NoRandomness(_) => "no-randomness",
        }
    }

    /// What the person is told, by what they know the connection as. What went wrong between us and the issuer stays
    /// in the log; what they can do something about is said.
    #[must_use]
    pub fn told(self, name: Option<&str>) -> Problem {
        let name = name.unwrap_or("the other site");
        tracing::info!(reason = self.code(), error = %Chain(&self), "a single sign-on was refused");
        let detail = match self {
            Self::Store(error) => return error.into(),
            Self::Vault(error) => return error.into(),
            Self::Seal(error) => return error.into(),
            Self::NoRandomness(_) | Self::Corrupt => return Problem::internal(&self),
            Self::NoConnection => return Problem::not_found(),
            Self::TooMany => {
                let detail = "There are as many connections as can be; change one that is off.";
                return Problem::new(ProblemCode::Conflict, detail);
            }
            Self::Outbound(_) | Self::Discovery(_) => {
                let detail = format!("{name} does not answer as it should. Try again, or sign in another way.");
                return Problem::new(ProblemCode::Unavailable, detail).retry_after_s(5);
            }
            Self::NoAttempt | Self::Answer => {
                "This attempt is over, or began in another browser. Begin again from the sign-in page.".to_owned()
            }
            Self::Declined(_) => format!("{name} did not let you through. Begin again from the sign-in page."),
            Self::Unverified => {
                format!("{name} has not verified your e-mail address. Verify it there, then try again.")
            }
            Self::AddressTaken => format!(
                "Somebody here already has your e-mail address. If it is you, sign in as you did before, then link {name} under Security."
            ),
            Self::NotInvited => {
                format!(
                    "{name} opens this site only to people who were let in before. Ask its owner for an invitation."
                )
            }
            Self::OtherWay => "People with your address sign in another way. Choose it on the sign-in page.".to_owned(),
            Self::IdentityTaken => {
                format!(
                    "This account at {name} is linked to somebody else here. Sign in with it, or choose another account there."
                )
            }
            Self::TooManyIdentities => {
                "You have linked as many accounts as can be. Unlink one that you do not use, then link this one."
                    .to_owned()
            }
            Self::NotAsked => {
                format!(
                    "{name} does not say that it asked you again. Confirm another way, or sign out and sign in again."
                )
            }
            Self::OtherIdentity => {
                format!("That account at {name} is not linked to you here. Choose the one with which you sign in.")
            }
            Self::OtherPerson => "You were signed out meanwhile. Sign in and begin again.".to_owned(),
            _ => format!("What {name} said of you could not be relied on. Begin again from the sign-in page."),
        };
        Problem::new(ProblemCode::SsoRefused, detail)
    }
}
