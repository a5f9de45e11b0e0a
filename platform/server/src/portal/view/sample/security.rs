//! Sample data for the pages of `/security`.

use super::{Sample, too_often};
use crate::{
    portal::view::{
        BackupCodes, Clock, Confirm, ConfirmWith, PasskeyRow, SecurityApp, SecurityCodes, SecurityPage,
        SecurityPasskeys, Shell, SsoWay,
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::time::{Millis, Zone};

/// 20 November 2026, 12:00:00 UTC.
const SINCE: Millis = Millis(1_795_176_000_000);

pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let since = || Clock::new(Zone::utc()).show(SINCE);
    let wrong =
        Some("That code is not right. Check that the phone's clock is, and enter the code it shows now.".to_owned());
    let waiting = |error| {
        SecurityApp::waiting("/security/app/qr.svg?v=1".to_owned(), "GEZD GNBV GY3T QOJQ GEZD".to_owned(), error)
    };
    let codes = BackupCodes::new(["01ab2-cdefg", "hjkmn-pqrst", "vwxyz-01234"].map(str::to_owned).to_vec());
    let wrong_password = Problem::new(ProblemCode::WrongCredentials, "That password is not right. Try again.");
    let confirm = |with: ConfirmWith, problem: Problem| {
        let ways =
            if with == ConfirmWith::Password { vec![SsoWay::new("Acme", "/sso/acme/begin")] } else { Vec::new() };
        Confirm::new("/security/app", with, ways, Some(&problem))
    };
    let second = ConfirmWith::SecondFactor { passkeys: true };
    let rows =
        vec![PasskeyRow::new(1, "My phone", since(), Some(since())), PasskeyRow::new(2, "Laptop", since(), None)];
    let (keys, none) = (SecurityPasskeys::new(rows, None), SecurityPasskeys::new(Vec::new(), None));
    vec![
        Sample::page("security", shell("Security", "/security", true), &SecurityPage::new(Some(since()), 2, 8, true)),
        Sample::page("security-off", shell("Security", "/security", true), &SecurityPage::new(None, 0, 0, false)),
        Sample::page("security-app", shell("Authenticator app", "/security/app", true), &waiting(wrong)),
        Sample::page("security-app-on", shell("Authenticator app", "/security/app", true), &SecurityApp::on(since())),
        Sample::page("security-codes", shell("Backup codes", "/security/codes", true), &SecurityCodes::new(8, true)),
        Sample::page("backup-codes", shell("Backup codes", "/security/codes", true), &codes),
        Sample::page(
            "confirm",
            shell("Confirm that it is you", "/confirm", true),
            &confirm(ConfirmWith::Password, wrong_password),
        ),
        Sample::page("confirm-wait", shell("Confirm that it is you", "/confirm", true), &confirm(second, too_often())),
        Sample::page("security-passkeys", shell("Passkeys", "/security/passkeys", true), &keys),
        Sample::page("security-passkeys-none", shell("Passkeys", "/security/passkeys", true), &none),
    ]
}
