//! Commands that a desk works on at once: who asked for each, what came of it so far, and who waits for the answer.

use super::{acts::Asker, desk::Answer};
use marque_domain::id::AccountId;
use marque_engine::{Record, Refusal, state::State};
use std::collections::{BTreeMap, BTreeSet};

/// A command under way.
struct Member {
    asker: Asker,
    /// Of a command of the server itself there is none.
    answer: Option<Answer>,
    records: Vec<Record>,
    /// The last entry of the journal that holds something about it.
    entry: Option<i64>,
}

/// Commands under way. Each is about another account, or there is only one.
#[derive(Default)]
pub(super) struct Group {
    members: BTreeMap<AccountId, Member>,
    /// One that concerns more than an account: all that happens is its own. It is told what is about no account; of the rest there
    /// may be thousands, which nobody who waits for the answer reads.
    alone: Option<Member>,
}

impl Group {
    /// Whether a command about this account may join: it finds its account as it would alone.
    pub fn admits(&self, account: Option<AccountId>) -> bool {
        match account {
            Some(account) => self.alone.is_none() && !self.members.contains_key(&account),
            None => self.is_empty(),
        }
    }

    /// A command joins that may, about this account.
    pub fn join(&mut self, account: Option<AccountId>, asker: Asker, answer: Option<Answer>) {
        let member = Member { asker, answer, records: Vec::new(), entry: None };
        match account {
            Some(account) => drop(self.members.insert(account, member)),
            None => self.alone = Some(member),
        }
    }

    /// Whether one is under way that concerns more than an account.
    pub const fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.alone.is_none()
    }

    /// Who asked for what this record is about, if anybody did.
    pub fn asker(&self, record: &Record, state: &State) -> Option<&Asker> {
        let member = self.alone.as_ref().or_else(|| self.members.get(&record.account(state)?));
        member.map(|member| &member.asker)
    }

    /// These records become this entry of the journal.
    pub fn take(&mut self, entry: i64, records: &[Record], state: &State) {
        if let Some(alone) = self.alone.as_mut().filter(|_| !records.is_empty()) {
            alone.entry = Some(entry);
            alone.records.extend(records.iter().filter(|record| record.account(state).is_none()).cloned());
            return;
        }
        for record in records {
            let member = record.account(state).and_then(|account| self.members.get_mut(&account));
            if let Some(member) = member {
                member.entry = Some(entry);
                member.records.push(record.clone());
            }
        }
    }

    /// Answers the command about this account at once: it was refused, and changed nothing.
    pub fn refuse(&mut self, account: Option<AccountId>, refusal: Refusal) {
        let member = match account {
            Some(account) => self.members.remove(&account),
            None => self.alone.take(),
        };
        if let Some(answer) = member.and_then(|member| member.answer) {
            // Who asked may have gone away.
            let _ = answer.send(Err(refusal.into()));
        }
    }

    /// Answers those about whom nothing is under way any more, the journal being durable up to an entry, and these records in
    /// none yet: all that came of their commands is durable.
    pub fn answer(&mut self, durable: i64, ahead: &[Record], state: &State) {
        let done = |member: &Member| member.entry.is_none_or(|entry| entry <= durable);
        let alone = self.alone.take_if(|member| done(member) && ahead.is_empty());
        let ahead: BTreeSet<AccountId> = ahead.iter().filter_map(|record| record.account(state)).collect();
        let of = |account: &AccountId, member: &mut Member| done(member) && !ahead.contains(account);
        let members = self.members.extract_if(.., of).map(|(_, member)| member);
        for member in members.chain(alone) {
            if let Some(answer) = member.answer {
                // Who asked may have gone away.
                let _ = answer.send(Ok(member.records));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{
        account::AccountStatus,
        kill::{Authority, KillScope},
        time::Millis,
    };
    use tokio::sync::oneshot;

    fn changed(account: i64) -> Record {
        Record::AccountChanged { account: AccountId(account), status: AccountStatus::Active, at: Millis(0) }
    }

    fn released() -> Record {
        let (scope, authority, by) = (KillScope::Tenant, Authority::Broker, "test".to_owned());
        Record::KillReleased { scope, authority, by, at: Millis(0) }
    }

    fn asker(name: &str) -> Asker {
        Asker::system(name)
    }

    #[test]
    fn a_group_holds_one_command_an_account() {
        let mut group = Group::default();
        assert!(group.admits(None) && group.admits(Some(AccountId(1))));
        group.join(Some(AccountId(1)), asker("test"), None);
        assert!(group.admits(Some(AccountId(2))));
        assert!(!group.admits(Some(AccountId(1))), "it must find its account as it would alone");
        assert!(!group.admits(None), "what concerns no single account goes alone");
        let mut alone = Group::default();
        alone.join(None, asker("test"), None);
        assert!(!alone.admits(Some(AccountId(1))) && !alone.admits(None));
    }

    #[test]
    fn each_asker_is_told_what_came_of_their_own_command() {
        let (mut group, state) = (Group::default(), State::default());
        let (first, mut of_first) = oneshot::channel();
        let (second, mut of_second) = oneshot::channel();
        group.join(Some(AccountId(1)), asker("first"), Some(first));
        group.join(Some(AccountId(2)), asker("second"), Some(second));
        group.take(1, &[changed(2), changed(1), changed(3)], &state);
        assert_eq!(group.asker(&changed(2), &state), Some(&asker("second")));
        assert_eq!(group.asker(&changed(3), &state), None, "nobody asked for what happened elsewhere");
        group.answer(1, &[], &state);
        assert_eq!(of_first.try_recv().unwrap().unwrap(), [changed(1)]);
        assert_eq!(of_second.try_recv().unwrap().unwrap(), [changed(2)]);
        let (kill, mut of_kill) = oneshot::channel();
        group.join(None, asker("kill"), Some(kill));
        group.take(2, &[changed(7), released()], &state);
        assert_eq!(group.asker(&changed(7), &state), Some(&asker("kill")), "all that follows from it is its own");
        group.answer(2, &[changed(8)], &state);
        assert!(of_kill.try_recv().is_err(), "all that has happened is about one that concerns everybody");
        group.answer(2, &[], &state);
        assert_eq!(of_kill.try_recv().unwrap().unwrap(), [released()], "it is told what is about no account");
    }

    #[test]
    fn an_answer_waits_for_the_last_commit_about_its_account() {
        let (mut group, state) = (Group::default(), State::default());
        let (first, mut of_first) = oneshot::channel();
        let (second, mut of_second) = oneshot::channel();
        group.join(Some(AccountId(1)), asker("first"), Some(first));
        group.take(1, &[changed(1)], &state);
        group.answer(0, &[], &state);
        assert!(of_first.try_recv().is_err(), "its first record is not durable yet");
        group.join(Some(AccountId(2)), asker("second"), Some(second));
        group.take(2, &[changed(2)], &state);
        // The first entry is durable, and what the venue answered to it becomes the third.
        group.answer(1, &[changed(1)], &state);
        assert!(of_first.try_recv().is_err(), "what the venue answered is in no entry yet");
        group.take(3, &[changed(1)], &state);
        group.answer(1, &[], &state);
        assert!(of_first.try_recv().is_err(), "what the venue answered is not durable yet");
        assert!(!group.admits(Some(AccountId(1))), "an account has one command under way");
        group.answer(2, &[], &state);
        assert_eq!(of_second.try_recv().unwrap().unwrap(), [changed(2)], "nothing about it is in the third entry");
        assert!(of_first.try_recv().is_err());
        group.answer(3, &[], &state);
        assert_eq!(of_first.try_recv().unwrap().unwrap(), [changed(1), changed(1)]);
        assert!(group.is_empty());
    }

    #[test]
    fn who_changed_nothing_is_answered_at_once() {
        let (mut group, state) = (Group::default(), State::default());
        let (first, mut of_first) = oneshot::channel();
        let (second, mut of_second) = oneshot::channel();
        group.join(Some(AccountId(1)), asker("first"), Some(first));
        group.join(Some(AccountId(2)), asker("second"), Some(second));
        group.take(5, &[changed(3)], &state);
        group.refuse(Some(AccountId(2)), Refusal::Duplicate);
        assert!(of_second.try_recv().unwrap().is_err());
        group.answer(4, &[], &state);
        assert_eq!(of_first.try_recv().unwrap().unwrap(), []);
        assert!(group.is_empty());
    }
}
