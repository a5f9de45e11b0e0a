//! Whether somebody may have a file of an Expert Advisor now.

use super::{Licence, Refusal, State};
use crate::time::Millis;

/// What is known of somebody who wants a file, at the instant they want it.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Whether the file's version was withdrawn.
    pub withdrawn: bool,
    /// Whether they look after the brand's Expert Advisors: then every file is theirs to look at.
    pub manages: bool,
    /// Whether the product names their plan as one that grants it. That every plan does is not enough without a licence.
    pub plan_grants: bool,
    /// Their licences of the product, newest first.
    pub licences: &'a [Licence],
}

/// Why they may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoDownload {
    /// Nothing of theirs has to do with the product: to them there is no such file.
    NotTheirs,
    /// The version was withdrawn.
    Withdrawn,
    /// Their licence is not good; the newest one says why.
    Licence(Refusal),
}

/// Whether they may have it.
///
/// # Errors
/// [`NoDownload`].
pub fn may_download(asked: &Download<'_>, now: Millis) -> Result<(), NoDownload> {
    if asked.manages {
        return Ok(());
    }
    let newest = asked.licences.first();
    if newest.is_none() && !asked.plan_grants {
        return Err(NoDownload::NotTheirs);
    }
    if asked.withdrawn {
        return Err(NoDownload::Withdrawn);
    }
    if asked.plan_grants || asked.licences.iter().any(|licence| stands(licence, now).is_ok()) {
        return Ok(());
    }
    newest.map_or(Err(NoDownload::NotTheirs), |licence| stands(licence, now).map_err(NoDownload::Licence))
}

/// Whether a licence is good for anything at all, wherever its EA may run. To download is no use: a trial whose time
/// begins with its first use has not begun.
fn stands(licence: &Licence, now: Millis) -> Result<(), Refusal> {
    match licence.state {
        State::Revoked => return Err(Refusal::Revoked),
        State::Suspended => return Err(Refusal::Suspended),
        State::Active => {}
    }
    if !licence.granted {
        return Err(Refusal::PlanRequired);
    }
    match licence.expires_at() {
        Some(at) if now >= at.plus(licence.policy.grace_ms) => Err(Refusal::Expired { at }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{LicenceId, ProductId},
        licence::{Policy, Since, Term},
        time::DAY_MS,
    };

    const NOW: Millis = Millis(1_795_176_000_000);

    fn licence(change: impl FnOnce(&mut Licence)) -> Licence {
        let mut licence = Licence {
            id: LicenceId(1),
            product: ProductId(1),
            policy: Policy::default(),
            state: State::Active,
            granted: true,
            created_at: NOW.plus(-30 * DAY_MS),
            first_used_at: None,
            first_activated_at: None,
            moved_at: None,
            activations: Vec::new(),
        };
        change(&mut licence);
        licence
    }

    fn asked(licences: &[Licence]) -> Download<'_> {
        Download { withdrawn: false, manages: false, plan_grants: false, licences }
    }

    #[test]
    fn licences() {
        let day = |days: i64| NOW.plus(days * DAY_MS);
        let trial = |since| Term::For { since, ms: 14 * DAY_MS };
        let table: Vec<(&str, Licence, Result<(), NoDownload>)> = vec![
            ("for ever", licence(|_| ()), Ok(())),
            ("not ended", licence(|l| l.policy.term = Term::Until(day(1))), Ok(())),
            (
                "ended now",
                licence(|l| l.policy.term = Term::Until(NOW)),
                Err(NoDownload::Licence(Refusal::Expired { at: NOW })),
            ),
            (
                "ended, in grace",
                licence(|l| (l.policy.term, l.policy.grace_ms) = (Term::Until(day(-1)), 2 * DAY_MS)),
                Ok(()),
            ),
            (
                "ended, grace over",
                licence(|l| (l.policy.term, l.policy.grace_ms) = (Term::Until(day(-2)), 2 * DAY_MS)),
                Err(NoDownload::Licence(Refusal::Expired { at: day(-2) })),
            ),
            ("a trial that has not begun", licence(|l| l.policy.term = trial(Since::Activation)), Ok(())),
            (
                "a trial that is over",
                licence(|l| l.policy.term = trial(Since::Creation)),
                Err(NoDownload::Licence(Refusal::Expired { at: day(-16) })),
            ),
            ("suspended", licence(|l| l.state = State::Suspended), Err(NoDownload::Licence(Refusal::Suspended))),
            ("revoked", licence(|l| l.state = State::Revoked), Err(NoDownload::Licence(Refusal::Revoked))),
            ("another plan", licence(|l| l.granted = false), Err(NoDownload::Licence(Refusal::PlanRequired))),
        ];
        for (what, licence, want) in table {
            let one = std::slice::from_ref(&licence);
            assert_eq!(may_download(&asked(one), NOW), want, "{what}");
            let withdrawn = Download { withdrawn: true, ..asked(one) };
            assert_eq!(may_download(&withdrawn, NOW), Err(NoDownload::Withdrawn), "{what}");
            let manages = Download { manages: true, ..withdrawn };
            assert_eq!(may_download(&manages, NOW), Ok(()), "{what}");
            let plan = Download { plan_grants: true, ..asked(one) };
            assert_eq!(may_download(&plan, NOW), Ok(()), "{what}: the plan grants it whatever the licence says");
        }
    }

    #[test]
    fn of_several_licences_a_good_one_is_enough_and_the_newest_says_why_not() {
        let (good, ended) = (licence(|_| ()), licence(|l| l.policy.term = Term::Until(NOW)));
        let revoked = licence(|l| l.state = State::Revoked);
        let both = [revoked.clone(), good];
        assert_eq!(may_download(&asked(&both), NOW), Ok(()));
        let bad = [revoked, ended];
        assert_eq!(may_download(&asked(&bad), NOW), Err(NoDownload::Licence(Refusal::Revoked)));
    }

    #[test]
    fn who_has_nothing_of_it_learns_nothing() {
        for withdrawn in [false, true] {
            let asked = Download { withdrawn, ..asked(&[]) };
            assert_eq!(may_download(&asked, NOW), Err(NoDownload::NotTheirs));
        }
        let plan = Download { plan_grants: true, withdrawn: true, ..asked(&[]) };
        assert_eq!(may_download(&plan, NOW), Err(NoDownload::Withdrawn));
    }
}
