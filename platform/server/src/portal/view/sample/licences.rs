//! Sample data for the pages of Expert Advisors.

use super::{Sample, Shell};
use crate::portal::view::{
    Badge, Clock, EasPage, EventLine, Field, FieldKind, FileLine, IncludedEa, LicenceLine, LicencePage, LicenceQuery,
    LicenceSteps, Link, Pager, PolicyLine, ProductFilled, ProductForm, ProductLine, ProductPage, SeatLine, Tone,
    VendorPage, VersionLine, When, event_words, licence_badge,
};
use marque_domain::{
    licence::State,
    time::{Millis, Zone},
};
use marque_store::LicenceEventKind;

fn when() -> When {
    Clock::new(Zone::utc()).show(Millis(1_795_176_000_000))
}

fn line(state: State) -> LicenceLine {
    LicenceLine {
        href: "/eas/lic_000000000001a".to_owned(),
        ea: "Gold Rush".to_owned(),
        policy: "Monthly".to_owned(),
        owner: "trader@example.com".to_owned(),
        status: licence_badge(state, false),
        ends: (state == State::Active).then(when),
        seats: "1 of 2".to_owned(),
    }
}

fn version(yanked: bool) -> VersionLine {
    VersionLine {
        version: if yanked { "1.19" } else { "1.20" }.to_owned(),
        channel: "stable",
        at: when(),
        changelog: "A closer stop.".to_owned(),
        yanked: yanked.then(|| "It counted lots wrongly.".to_owned()),
        yank: (!yanked).then(|| "/admin/ea-versions/eav_000000000001a/yank".to_owned()),
        files: if yanked { Vec::new() } else { vec![file("Gold Rush.ex5", true), file("Manual.pdf", false)] },
    }
}

fn file(name: &str, sealed: bool) -> FileLine {
    FileLine {
        name: name.to_owned(),
        size: "212 KiB".to_owned(),
        sealed,
        download: Some("/ea-files/eaf_000000000001a/download".to_owned()),
        remove: Some("/admin/ea-files/eaf_000000000001a/remove".to_owned()),
    }
}

fn plans() -> Vec<(String, String)> {
    [("start", "Start"), ("plus", "Plus")].map(|(code, name)| (code.to_owned(), name.to_owned())).to_vec()
}

fn seat(held: bool) -> SeatLine {
    SeatLine {
        release: "/eas/lic_000000000001a/seats/act_000000000001a/release".to_owned(),
        account: "5001 at Broker-Demo (demo)".to_owned(),
        machine: "24740fcf".to_owned(),
        program: "MetaTrader 5, version 1.20".to_owned(),
        place: "Czech Republic (203.0.113.9)".to_owned(),
        seen: when(),
        usage: "14 orders, 1.40 lots, 212 h".to_owned(),
        status: if held { Badge::new(Tone::Good, "In use") } else { Badge::new(Tone::Quiet, "Released") },
        held,
    }
}

fn event(kind: LicenceEventKind) -> EventLine {
    let (what, tone) = event_words(kind);
    let whereabouts = "Account 5001, computer 24740fcf, Czech Republic (203.0.113.9)".to_owned();
    EventLine { at: when(), what, tone, whereabouts }
}

fn page(vendor: bool) -> LicencePage {
    let state = if vendor { State::Suspended } else { State::Active };
    LicencePage {
        back: Link::new("Expert Advisors", "/eas"),
        line: line(state),
        id: "lic_000000000001a".to_owned(),
        action: "/eas/lic_000000000001a".to_owned(),
        notice: None,
        reason: if vendor { "The payment was charged back.".to_owned() } else { String::new() },
        key: (!vendor).then(|| "ABCDE-FGHJK-MNPQR-STVWX-YZ012".to_owned()),
        may_show_key: !vendor,
        may_reissue: true,
        seats: vec![seat(true), seat(false)],
        versions: vec![version(false), version(true)],
        settings: vec![Field::new(FieldKind::Number, "setting.lots", "Lots").value("0.10")],
        may_set: true,
        error: None,
        events: LicenceEventKind::ALL.map(event).to_vec(),
        unusual: if vendor { vec!["9 computers took a seat within seven days.".to_owned()] } else { Vec::new() },
        steps: vendor.then_some(LicenceSteps { suspend: false, reinstate: true, alive: true }),
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

fn product() -> ProductLine {
    ProductLine {
        href: "/admin/eas/prd_000000000001a".to_owned(),
        name: "Gold Rush".to_owned(),
        code: "gold-rush".to_owned(),
        plans: "plus, desk".to_owned(),
        version: "1.20".to_owned(),
    }
}

fn vendor(empty: bool) -> VendorPage {
    let policies = [("pol_000000000001a".to_owned(), "Gold Rush · Monthly".to_owned())];
    VendorPage {
        products: if empty { Vec::new() } else { vec![product()] },
        search: VendorPage::search(
            &LicenceQuery::default(),
            &[("prd_000000000001a".to_owned(), "Gold Rush".to_owned())],
        ),
        narrowed: false,
        licences: if empty { Vec::new() } else { [State::Active, State::Suspended, State::Revoked].map(line).to_vec() },
        pager: Pager { newer: None, older: (!empty).then(|| "?before=1".to_owned()) },
        csv: "/admin/licences.csv".to_owned(),
        new_product: Some(VendorPage::product_form(&plans())),
        new_licence: if empty { Vec::new() } else { VendorPage::licence_form(&policies) },
        error: None,
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

fn product_page(empty: bool) -> ProductPage {
    let terms = "30 days, renewable; 2 computers, 1 accounts; demo and live".to_owned();
    ProductPage {
        line: product(),
        summary: "Buys gold when it rises.".to_owned(),
        versions: if empty { Vec::new() } else { vec![version(false), version(true)] },
        policies: if empty { Vec::new() } else { vec![PolicyLine { name: "Monthly".to_owned(), terms }] },
        new_version: ProductPage::version_form(),
        new_file: if empty {
            Vec::new()
        } else {
            ProductPage::file_form(&[("eav_000000000001a".to_owned(), "1.20".to_owned())])
        },
        new_policy: ProductPage::policy_form(),
        more_policy: ProductPage::policy_form_more(),
        change: Some(
            ProductForm::of(&plans(), &ProductFilled { name: "Gold Rush".to_owned(), ..ProductFilled::default() })
                .in_form("change"),
        ),
        notice: None,
        error: None,
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

/// Lists, a licence for each kind of reader, products.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let of = |title: &str, path: &str| shell(title, path, true);
    let list = |licences, included| EasPage { licences, included, zone: "UTC".to_owned() };
    let silver =
        IncludedEa { name: "Silver Rush".to_owned(), summary: "Buys silver.".to_owned(), version: version(false) };
    vec![
        Sample::page(
            "eas",
            of("Expert Advisors", "/eas"),
            &list(vec![line(State::Active), line(State::Revoked)], vec![silver]),
        ),
        Sample::page("eas-none", of("Expert Advisors", "/eas"), &list(Vec::new(), Vec::new())),
        Sample::page("ea", of("Gold Rush", "/eas/x"), &page(false)),
        Sample::page("ea-vendor", of("Gold Rush", "/eas/x"), &page(true)),
        Sample::page("admin-eas", of("Expert Advisors", "/admin/eas"), &vendor(false)),
        Sample::page("admin-eas-none", of("Expert Advisors", "/admin/eas"), &vendor(true)),
        Sample::page("admin-ea", of("Gold Rush", "/admin/eas/x"), &product_page(false)),
        Sample::page("admin-ea-new", of("Gold Rush", "/admin/eas/x"), &product_page(true)),
    ]
}
