//! Who may do what: one table, deny by default. A handler names its operation and is told how far it reaches.
//!
//! Every operation of the API (`api/authorization.rs`), every page (`Pages`) and every command for one tenant stands
//! under a row. The golden file beside this shows the whole of it.

use super::role::Role;

/// Whose rows an operation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nobody's: it is refused.
    Nothing,
    /// One's own.
    Own,
    /// Everybody's at this tenant.
    Tenant,
}

/// What a program's token must carry to do something in a person's name. It only takes away: nobody's token reaches
/// further than their role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Looking.
    Read,
    /// Opening accounts, orders, strategies.
    Trade,
    /// Running the brand.
    Manage,
    /// No token will do: only who is there in person, signed in with a browser.
    Person,
}

impl Scope {
    /// The scopes that a token can have.
    pub const GRANTED: &'static [Self] = &[Self::Read, Self::Trade, Self::Manage];

    /// A stable lower-case name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Manage => "manage",
            Self::Person => "person",
        }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $scope:ident:
        $trader:ident $author:ident $support:ident $risk:ident $admin:ident $owner:ident / $operator:ident;)*) => {
        /// Everything that a person can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable name.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How far it reaches for a role.
            #[must_use]
            pub const fn reach(self, role: Role) -> Reach {
                match (self, role) {
                    $((Self::$name, Role::Trader) => $trader,
                    (Self::$name, Role::Author) => $author,
                    (Self::$name, Role::Support) => $support,
                    (Self::$name, Role::Risk) => $risk,
                    (Self::$name, Role::Admin) => $admin,
                    (Self::$name, Role::Owner) => $owner,)*
                }
            }

            /// How far it reaches for who runs the platform, through the commands of `marque` on its machine.
            #[must_use]
            pub const fn operator(self) -> Reach {
                match self { $(Self::$name => $operator,)* }
            }

            /// What a program's token must carry for it.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)* }
            }
        }
    };
}

const NO: Reach = Reach::Nothing;
const OWN: Reach = Reach::Own;
const ALL: Reach = Reach::Tenant;

operations! {
    //                                          trader author support risk admin owner / operator

    /// See what can be traded.
    ListInstruments, "list_instruments", Read:         ALL ALL ALL ALL ALL ALL / NO;
    /// See recorded prices.
    ListBars, "list_bars", Read:                       ALL ALL ALL ALL ALL ALL / NO;
    /// See the strategies and rules that are offered.
    ListPlugins, "list_plugins", Read:                 ALL ALL ALL ALL ALL ALL / ALL;
    /// Publish a strategy or a rule, and withdraw it.
    PublishPlugin, "publish_plugin", Manage:           NO  OWN OWN OWN ALL ALL / ALL;
    /// See what was published, with the gate's reports.
    ReadReleases, "read_releases", Read:               NO  OWN ALL ALL ALL ALL / NO;
    /// Let what was published into the catalogue, or refuse it.
    ApprovePlugin, "approve_plugin", Manage:           NO  NO  NO  NO  ALL ALL / NO;
    /// Register and revoke the keys that one's own plugins are signed with.
    ManageAuthorKeys, "manage_author_keys", Manage:    NO  OWN OWN OWN OWN OWN / NO;

    /// See accounts, their balance and their equity curve.
    ReadAccounts, "read_accounts", Read:               OWN OWN ALL ALL ALL ALL / NO;
    /// Open an account.
    OpenAccount, "open_account", Trade:                OWN OWN NO  NO  OWN OWN / NO;
    /// Move money into or out of an account.
    MoveMoney, "move_money", Manage:                   NO  NO  NO  NO  ALL ALL / NO;
    /// See the brand's books, and whether they add up.
    ReadLedger, "read_ledger", Manage:                 NO  NO  ALL ALL ALL ALL / ALL;
    /// See orders.
    ReadOrders, "read_orders", Read:                   OWN OWN ALL ALL ALL ALL / NO;
    /// Place an order by hand.
    PlaceOrder, "place_order", Trade:                  OWN OWN NO  NO  OWN OWN / NO;
    /// Change a working order.
    AmendOrder, "amend_order", Trade:                  OWN OWN NO  NO  OWN OWN / NO;
    /// Withdraw a working order.
    CancelOrder, "cancel_order", Trade:                OWN OWN NO  ALL ALL ALL / NO;
    /// See positions.
    ReadPositions, "read_positions", Read:             OWN OWN ALL ALL ALL ALL / NO;
    /// Close a position by hand.
    ClosePosition, "close_position", Trade:            OWN OWN NO  ALL ALL ALL / NO;
    /// Change what guards a position.
    GuardPosition, "guard_position", Trade:            OWN OWN NO  NO  OWN OWN / NO;
    /// See deployments and their logs.
    ReadDeployments, "read_deployments", Read:         OWN OWN ALL ALL ALL ALL / NO;
    /// Deploy a strategy.
    CreateDeployment, "create_deployment", Trade:      OWN OWN NO  NO  OWN OWN / NO;
    /// Let a deployed strategy run.
    StartDeployment, "start_deployment", Trade:        OWN OWN NO  NO  OWN OWN / NO;
    /// Stop a deployed strategy.
    StopDeployment, "stop_deployment", Trade:          OWN OWN NO  ALL ALL ALL / NO;
    /// Run another version of a deployed strategy, go back, or try one beside the live one.
    ChangeVersion, "change_version", Trade:            OWN OWN NO  NO  OWN OWN / NO;
    /// See what strategies use up.
    ReadUsage, "read_usage", Read:                     OWN OWN ALL ALL ALL ALL / NO;
    /// Start a backtest.
    RunBacktest, "run_backtest", Trade:                OWN OWN NO  NO  OWN OWN / ALL;
    /// See backtests and what came of them.
    ReadBacktests, "read_backtests", Read:             OWN OWN ALL ALL ALL ALL / NO;
    /// Cancel a backtest.
    CancelBacktest, "cancel_backtest", Trade:          OWN OWN NO  ALL ALL ALL / NO;
    /// See which kill switches are on.
    ReadKills, "read_kills", Read:                     OWN OWN ALL ALL ALL ALL / ALL;
    /// Press a kill switch: stop, or stop and close.
    PressKill, "press_kill", Trade:                    OWN OWN NO  ALL ALL ALL / ALL;
    /// Release a kill switch.
    ReleaseKill, "release_kill", Trade:                OWN OWN NO  ALL ALL ALL / ALL;
    /// See what strategies wanted and what rules answered.
    ReadDecisions, "read_decisions", Read:             OWN OWN ALL ALL ALL ALL / NO;
    /// Follow an account live.
    StreamAccount, "stream_account", Read:             OWN OWN ALL ALL ALL ALL / NO;

    /// See which Expert Advisors are offered, in which versions.
    ListEas, "list_eas", Read:                         ALL ALL ALL ALL ALL ALL / NO;
    /// Add and change Expert Advisors, their versions and policies.
    ManageEas, "manage_eas", Manage:                   NO  NO  NO  NO  ALL ALL / NO;
    /// Download files of Expert Advisors: what one's licences or plan give, or every one.
    DownloadEaFile, "download_ea_file", Read:          OWN OWN OWN OWN ALL ALL / NO;
    /// See licences, their seats and what happened to them.
    ReadLicences, "read_licences", Read:               OWN OWN ALL ALL ALL ALL / NO;
    /// Issue licences, suspend, renew, revoke and transfer them.
    ManageLicences, "manage_licences", Manage:         NO  NO  NO  NO  ALL ALL / ALL;
    /// Give a licence's seat back.
    ReleaseSeat, "release_seat", Manage:               OWN OWN ALL ALL ALL ALL / NO;
    /// Set up the Expert Advisor of a licence.
    SetUpEa, "set_up_ea", Manage:                      OWN OWN OWN OWN ALL ALL / NO;
    /// Look at the key of one's own licence.
    ShowLicenceKey, "show_licence_key", Manage:        OWN OWN OWN OWN OWN OWN / NO;
    /// Replace a licence's key.
    ReissueLicenceKey, "reissue_licence_key", Manage:  OWN OWN OWN OWN ALL ALL / NO;
    /// Change the keys that sign answers to Expert Advisors.
    RotateEaKeys, "rotate_ea_keys", Manage:            NO  NO  NO  NO  NO  NO  / ALL;

    /// Ask for another link to confirm one's own address.
    VerifyEmail, "verify_email", Person:               OWN OWN OWN OWN OWN OWN / NO;
    /// Choose another password for oneself.
    ChangePassword, "change_password", Person:         OWN OWN OWN OWN OWN OWN / NO;
    /// Choose another address for oneself.
    ChangeEmail, "change_email", Person:               OWN OWN OWN OWN OWN OWN / NO;
    /// See which mails wait, were sent or failed.
    ReadMail, "read_mail", Manage:                     NO  NO  ALL ALL ALL ALL / NO;
    /// Send a failed mail again.
    RetryMail, "retry_mail", Manage:                   NO  NO  NO  NO  ALL ALL / NO;

    /// See who is signed in.
    ReadSession, "read_session", Read:                 OWN OWN OWN OWN OWN OWN / NO;
    /// End one's own session.
    SignOut, "sign_out", Person:                       OWN OWN OWN OWN OWN OWN / NO;
    /// See and end one's own sessions, programs and tokens, and make tokens.
    ManageAccess, "manage_access", Person:             OWN OWN OWN OWN OWN OWN / NO;

    /// Link and unlink one's own accounts at other sites.
    LinkSso, "link_sso", Person:                       OWN OWN OWN OWN OWN OWN / NO;
    /// Say at which other sites people may or must sign in.
    ManageSso, "manage_sso", Person:                   NO  NO  NO  NO  ALL ALL / NO;
    /// Say how one signs in: password, app, passkeys.
    ManageSecurity, "manage_security", Person:         OWN OWN OWN OWN OWN OWN / NO;

    /// Open the part of the site that runs it.
    OpenAdmin, "open_admin", Person:                   NO  NO  ALL ALL ALL ALL / NO;
    /// See who belongs to the brand.
    ReadPeople, "read_people", Manage:                 NO  NO  ALL ALL ALL ALL / NO;
    /// Ask somebody in, as what the inviter may decide about.
    InvitePerson, "invite_person", Manage:             NO  NO  NO  NO  ALL ALL / ALL;
    /// Say what somebody is and on which plan.
    ChangePerson, "change_person", Manage:             NO  NO  NO  NO  ALL ALL / NO;
    /// Shut somebody out, and let them in again.
    SuspendPerson, "suspend_person", Manage:           NO  NO  NO  NO  ALL ALL / NO;
    /// Take away a second factor that its owner has lost.
    ResetFactor, "reset_factor", Manage:               NO  NO  NO  NO  ALL ALL / NO;

    /// See what was done, by whom and from where.
    ReadAudit, "read_audit", Manage:                   NO  NO  NO  NO  ALL ALL / ALL;
    /// See and change the brand's own definition.
    ApplyTenant, "apply_tenant", Manage:               NO  NO  NO  NO  NO  NO  / ALL;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table() {
        let head = format!("{:20} {:7}", "operation", "scope");
        let roles: String = Role::ALL.iter().map(|role| format!(" {role:8}")).collect();
        let rows = Operation::ALL.iter().map(|op| {
            let cells: String = Role::ALL.iter().map(|role| format!(" {:8}", cell(op.reach(*role)))).collect();
            format!("{:20} {:7}{cells} {}\n", op.code(), op.scope().name(), cell(op.operator()))
        });
        insta::assert_snapshot!(format!("{head}{roles} operator\n{}", rows.collect::<String>()));
        let codes: BTreeSet<_> = Operation::ALL.iter().map(|op| op.code()).collect();
        assert_eq!(codes.len(), Operation::ALL.len());
    }

    fn cell(reach: Reach) -> &'static str {
        match reach {
            Reach::Nothing => "-",
            Reach::Own => "own",
            Reach::Tenant => "tenant",
        }
    }

    #[test]
    fn more_to_say_never_means_less_to_see() {
        // Trading is one's own affair; everything else only grows from role to role.
        for op in Operation::ALL.iter().filter(|op| op.scope() != Scope::Trade) {
            let reaches: Vec<_> = Role::ALL.iter().map(|role| op.reach(*role)).collect();
            assert!(reaches.is_sorted(), "{} {reaches:?}", op.code());
        }
    }
}
