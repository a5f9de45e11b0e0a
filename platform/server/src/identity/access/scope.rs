//! The scopes of a personal token, as they are stored and as a form offers them. Which operation needs which stands in
//! the authorization table.

use crate::identity::Scope;

/// What a scope lets a program do, for the form that gives it.
#[must_use]
pub const fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "See accounts, orders, positions, strategies and prices",
        Scope::Trade => "Open accounts, place and close orders, run strategies",
        Scope::Manage => "Run the brand, as far as your role may",
        Scope::Person => "Nothing that a program could do",
    }
}

/// The scope of this name, if a token can have it.
#[must_use]
pub fn named(name: &str) -> Option<Scope> {
    Scope::GRANTED.iter().copied().find(|scope| scope.name() == name)
}

/// Scopes as one text, in the order of [`Scope::GRANTED`].
pub(super) fn join(scopes: &[Scope]) -> String {
    let names = Scope::GRANTED.iter().filter(|scope| scopes.contains(scope)).map(|scope| scope.name());
    names.collect::<Vec<_>>().join(" ")
}

/// The scopes of a stored text. One that is no longer known gives nothing.
#[must_use]
pub fn split(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        assert_eq!(join(&[Scope::Trade, Scope::Read, Scope::Trade, Scope::Person]), "read trade");
        assert_eq!(split("read trade"), [Scope::Read, Scope::Trade]);
        assert_eq!(split("person"), [], "nobody can be given it");
        assert_eq!((split(""), split("Read  tradex")), (vec![], vec![]));
    }
}
