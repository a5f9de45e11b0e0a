//! What can be done that is recorded: one list, with stable codes and the words that people read.

use core::{fmt, str::FromStr};

macro_rules! acts {
    ($($name:ident, $code:literal, $words:literal;)*) => {
        /// An act that is recorded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Act {
            $(#[doc = $words] $name,)*
        }

        impl Act {
            /// Every act, as lists show them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable code, as it is stored.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What a person reads.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

acts! {
    SignIn, "sign-in", "Signed in";
    SignInFailed, "sign-in-failed", "Failed to sign in";
    SignInChallenged, "sign-in-challenged", "Was asked for more proof at sign-in";
    SignOut, "sign-out", "Signed out";
    StepUp, "step-up", "Confirmed who they are";
    StepUpFailed, "step-up-failed", "Failed to confirm who they are";
    Registered, "registered", "Registered";
    RegistrationRepeated, "registration-repeated", "Tried to register again";
    VerificationSent, "verification-sent", "Asked for another link to verify the e-mail address";
    EmailVerified, "email-verified", "Verified the e-mail address";
    EmailChangeAsked, "email-change-asked", "Asked to change the e-mail address";
    EmailChanged, "email-changed", "Changed the e-mail address";
    PasswordResetAsked, "password-reset-asked", "Asked for a new password";
    PasswordReset, "password-reset", "Set a new password by mail";
    InvitationAccepted, "invitation-accepted", "Accepted an invitation";
    PasswordChanged, "password-changed", "Changed the password";
    SecondFactorAdded, "second-factor-added", "Added an authenticator app";
    SecondFactorRemoved, "second-factor-removed", "Removed the authenticator app";
    BackupCodesMade, "backup-codes-made", "Made new backup codes";
    BackupCodeUsed, "backup-code-used", "Used a backup code";
    PasskeyAdded, "passkey-added", "Added a passkey";
    PasskeyRenamed, "passkey-renamed", "Renamed a passkey";
    PasskeyRemoved, "passkey-removed", "Removed a passkey";
    SessionEnded, "session-ended", "Ended a session";
    SessionsEnded, "sessions-ended", "Ended all other sessions";
    ApiGrantOpened, "api-grant-opened", "Signed a program in";
    ApiGrantRevoked, "api-grant-revoked", "Signed a program out";
    ApiTokenReused, "api-token-reused", "A used refresh token came back; the program was signed out";
    PersonalTokenMade, "personal-token-made", "Made a personal token";
    PersonalTokenRevoked, "personal-token-revoked", "Revoked a personal token";
    SsoLinked, "sso-linked", "Linked a single sign-on identity";
    SsoUnlinked, "sso-unlinked", "Unlinked a single sign-on identity";
    SsoConnectionAdded, "sso-connection-added", "Added a single sign-on connection";
    SsoConnectionChanged, "sso-connection-changed", "Changed a single sign-on connection";
    PersonAdded, "person-added", "Added a person";
    PersonInvited, "person-invited", "Invited a person";
    PersonSuspended, "person-suspended", "Suspended a person";
    PersonRestored, "person-restored", "Restored a person";
    RoleChanged, "role-changed", "Changed a person's role";
    PlanChanged, "plan-changed", "Changed a person's plan";
    SecondFactorReset, "second-factor-reset", "Reset a person's second factor";
    AccountOpened, "account-opened", "Opened an account";
    AccountChanged, "account-changed", "An account was held, failed or released";
    MoneyMoved, "money-moved", "Moved money into or out of an account";
    StatementExported, "statement-exported", "Exported an account's statement";
    MarginCalled, "margin-called", "An account was called because of its margin, or is calm again";
    KillPressed, "kill-pressed", "Pressed a kill switch";
    KillReleased, "kill-released", "Released a kill switch";
    OrderPlaced, "order-placed", "Placed an order";
    OrderChanged, "order-changed", "Changed an order";
    OrderCancelled, "order-cancelled", "Cancelled an order";
    OrderRefused, "order-refused", "An order was refused";
    PositionOpened, "position-opened", "A position was opened";
    PositionGuarded, "position-guarded", "Changed the levels of a position";
    PositionClosed, "position-closed", "A position was closed";
    VenueDisputed, "venue-disputed", "A venue did something other than it was asked to";
    VenueSilent, "venue-silent", "A venue does not say what became of an order";
    StrategyDeployed, "strategy-deployed", "Deployed a strategy";
    StrategyStarted, "strategy-started", "Started a strategy";
    StrategyStopped, "strategy-stopped", "Stopped a strategy";
    StrategyQuarantined, "strategy-quarantined", "A strategy was quarantined";
    StrategyPaused, "strategy-paused", "A strategy was paused because of its owner's plan";
    StrategyUpgraded, "strategy-upgraded", "Put another version of a strategy in its place";
    StrategyRolledBack, "strategy-rolled-back", "Put the version before of a strategy back";
    ShadowStarted, "shadow-started", "Started a version of a strategy beside the live one";
    ShadowPromoted, "shadow-promoted", "Put the version beside in the place of the live one";
    ShadowEnded, "shadow-ended", "A version beside the live one ended";
    BacktestStarted, "backtest-started", "Started a backtest";
    BacktestCancelled, "backtest-cancelled", "Cancelled a backtest";
    BacktestExported, "backtest-exported", "Exported a backtest";
    BacktestSigned, "backtest-signed", "Signed a backtest's certificate";
    PluginAdded, "plugin-added", "Added a plugin to the catalogue";
    PluginPublished, "plugin-published", "Published a version of a plugin";
    PluginApproved, "plugin-approved", "Let a version of a plugin into the catalogue";
    PluginRefused, "plugin-refused", "Refused a version of a plugin";
    PluginYanked, "plugin-yanked", "Withdrew a version of a plugin";
    AuthorKeyAdded, "author-key-added", "Registered a key that plugins are signed with";
    AuthorKeyRevoked, "author-key-revoked", "Revoked a key that plugins are signed with";
    EaProductAdded, "ea-product-added", "Added an Expert Advisor";
    EaProductChanged, "ea-product-changed", "Changed an Expert Advisor";
    EaVersionAdded, "ea-version-added", "Added a version of an Expert Advisor";
    EaVersionYanked, "ea-version-yanked", "Withdrew a version of an Expert Advisor";
    EaFileAdded, "ea-file-added", "Added a file of an Expert Advisor";
    EaFileRemoved, "ea-file-removed", "Removed a file of an Expert Advisor";
    EaFileDownloaded, "ea-file-downloaded", "Downloaded a file of an Expert Advisor";
    LicencePolicyAdded, "licence-policy-added", "Added a licence policy";
    LicencePolicyChanged, "licence-policy-changed", "Changed a licence policy";
    LicenceIssued, "licence-issued", "Issued a licence";
    LicenceSuspended, "licence-suspended", "Suspended a licence";
    LicenceReinstated, "licence-reinstated", "Reinstated a licence";
    LicenceRenewed, "licence-renewed", "Renewed a licence";
    LicenceRevoked, "licence-revoked", "Revoked a licence";
    LicenceTransferred, "licence-transferred", "Gave a licence to another person";
    LicenceKeyShown, "licence-key-shown", "Looked at a licence key";
    LicenceKeyReissued, "licence-key-reissued", "Replaced a licence key";
    LicenceSettingsChanged, "licence-settings-changed", "Changed an Expert Advisor's settings";
    LicencesExported, "licences-exported", "Exported the licences";
    EaActivated, "ea-activated", "An Expert Advisor took a seat";
    EaReleased, "ea-released", "A seat of an Expert Advisor was released";
    EaKeysRotated, "ea-keys-rotated", "Changed the keys of Expert Advisors";
    TenantApplied, "tenant-applied", "Applied the brand's settings";
    MailRetried, "mail-retried", "Sent a failed mail again";
    AuditExported, "audit-exported", "Exported the audit log";
    KeysRotated, "keys-rotated", "Changed the keys that seal secrets";
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// An act that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no act {0:?}")]
pub struct UnknownAct(pub String);

impl FromStr for Act {
    type Err = UnknownAct;
    fn from_str(code: &str) -> Result<Self, UnknownAct> {
        Self::ALL.iter().copied().find(|act| act.code() == code).ok_or_else(|| UnknownAct(code.to_owned()))
    }
}
