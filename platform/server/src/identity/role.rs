//! What people are at a tenant.

use core::{fmt, str::FromStr};

/// What a person is at a tenant. From who has least to say to who has most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Has accounts and trades on them.
    Trader,
    /// Writes strategies, and trades as a trader does.
    Author,
    /// Helps traders: sees what they see, changes nothing of it.
    Support,
    /// Watches the risk: sees everything that trades, stops and closes it.
    Risk,
    /// Runs the site day by day, with all people but owners and other admins.
    Admin,
    /// Has the last word: also says who is an admin or an owner.
    Owner,
}

impl Role {
    /// Every role, least first.
    pub const ALL: &'static [Self] = &[Self::Trader, Self::Author, Self::Support, Self::Risk, Self::Admin, Self::Owner];

    /// A stable lower-case name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trader => "trader",
            Self::Author => "author",
            Self::Support => "support",
            Self::Risk => "risk",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// What a page calls somebody of this role.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Trader => "Trader",
            Self::Author => "Strategy author",
            Self::Support => "Support",
            Self::Risk => "Risk manager",
            Self::Admin => "Admin",
            Self::Owner => "Owner",
        }
    }

    /// Whether people of this role may decide about people of the other: give it, take it, shut them out. An owner
    /// decides about everybody; an admin about who is neither admin nor owner, so that no admin can make more of
    /// themselves or take the site from its owner.
    #[must_use]
    pub fn governs(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other < Self::Admin,
            Self::Trader | Self::Author | Self::Support | Self::Risk => false,
        }
    }
}

/// A role that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0:?}: a person is a trader, author, support, risk, admin or owner")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
        }
        assert!("Owner".parse::<Role>().is_err() && "".parse::<Role>().is_err());
        // The operator of the platform is nobody's role: it acts through `marque` alone.
        assert!("operator".parse::<Role>().is_err());
    }

    #[test]
    fn nobody_reaches_above_themselves() {
        for role in Role::ALL {
            for other in Role::ALL {
                let expect = match role {
                    Role::Owner => true,
                    Role::Admin => !matches!(other, Role::Admin | Role::Owner),
                    _ => false,
                };
                assert_eq!(role.governs(*other), expect, "{role} over {other}");
            }
        }
    }
}
