//! Who may do what: one table, deny by default. A handler names its operation and is told how far it reaches.

use core::{fmt, str::FromStr};

/// What a person is at a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Has accounts and trades on them.
    Trader,
    /// Runs the brand: sees everything, may stop anything, trades on accounts of their own only.
    Owner,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[Self::Trader, Self::Owner];

    /// A stable lower-case name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trader => "trader",
            Self::Owner => "owner",
        }
    }
}

/// A role that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0:?}: a person is a trader or an owner")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.iter().copied().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

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

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $trader:ident, $owner:ident;)*) => {
        /// Everything that a signed-in person can ask for.
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
                    $((Self::$name, Role::Trader) => Reach::$trader,
                    (Self::$name, Role::Owner) => Reach::$owner,)*
                }
            }
        }
    };
}

operations! {
    /// See what can be traded.
    ListInstruments, "list_instruments", Tenant, Tenant;
    /// See recorded prices.
    ListBars, "list_bars", Tenant, Tenant;
    /// See the strategies and rules that are offered.
    ListPlugins, "list_plugins", Tenant, Tenant;
    /// See accounts, their balance and their equity curve.
    ReadAccounts, "read_accounts", Own, Tenant;
    /// Open an account.
    OpenAccount, "open_account", Own, Own;
    /// See orders.
    ReadOrders, "read_orders", Own, Tenant;
    /// Place an order by hand.
    PlaceOrder, "place_order", Own, Own;
    /// See positions.
    ReadPositions, "read_positions", Own, Tenant;
    /// Close a position by hand.
    ClosePosition, "close_position", Own, Tenant;
    /// See deployments and their logs.
    ReadDeployments, "read_deployments", Own, Tenant;
    /// Deploy a strategy.
    CreateDeployment, "create_deployment", Own, Own;
    /// Let a deployed strategy run.
    StartDeployment, "start_deployment", Own, Own;
    /// Stop a deployed strategy.
    StopDeployment, "stop_deployment", Own, Tenant;
    /// See what strategies wanted and what rules answered.
    ReadDecisions, "read_decisions", Own, Tenant;
    /// Follow an account live.
    StreamAccount, "stream_account", Own, Tenant;
    /// See who is signed in.
    ReadSession, "read_session", Own, Own;
    /// End one's own session.
    SignOut, "sign_out", Own, Own;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table() {
        let table: String = Operation::ALL
            .iter()
            .map(|op| {
                let cells = Role::ALL.iter().map(|role| format!(" {role}={:?}", op.reach(*role))).collect::<String>();
                format!("{}{cells}\n", op.code())
            })
            .collect();
        insta::assert_snapshot!(table);
        let codes: BTreeSet<_> = Operation::ALL.iter().map(|op| op.code()).collect();
        assert_eq!(codes.len(), Operation::ALL.len());
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
        }
        assert!("Owner".parse::<Role>().is_err() && "".parse::<Role>().is_err());
    }
}
