//! Licences and seats: one of many has the last one, and what was decided upon must still hold.

use crate::harness::{AURORA, BOREALIS, Bench, NOW};
use marque_domain::{
    fixed::Lots,
    id::{ActivationId, LicenceId, LicencePolicyId, ProductId, UserId},
    licence::{Policy, State},
    time::Millis,
};
use marque_store::{
    EaProduct, LicenceChange, LicenceEvent, LicenceEventKind, LicenceFilter, LicenceKeyRow, LicencePolicy, LicenceRow,
    LicenceTransfer, Page, PolicyTerms, Seat, SeatReport, SeatSalt, SeatTaken, StoreError, TenantDb, Usage, Whose,
};

on_both!(
    of_a_hundred_at_one_revision_one_takes_a_seat,
    a_lapse_waits_for_no_heartbeat,
    a_seat_in_anothers_place_gives_that_back,
    new_addresses_push_out_nothing_else,
    a_transfer_takes_it_from_who_had_it,
    reports_only_grow_and_hold_only_what_is_held,
    reports_of_many_tenants_last_together,
    licences_are_a_tenants_own,
    changes_are_told_in_their_order
);

async fn licence(bench: &Bench, tenant: marque_domain::id::TenantId, id: i64) -> TenantDb {
    let db = bench.db(tenant);
    if db.ea_products().await.unwrap().is_empty() {
        let product = EaProduct {
            id: ProductId(1),
            code: "gold-rush".to_owned(),
            name: "Gold Rush".to_owned(),
            summary: String::new(),
            plans: Vec::new(),
            settings_schema: "{}".to_owned(),
            schema_version: 1,
            created_at: NOW,
        };
        db.add_ea_product(&product).await.unwrap();
        assert!(matches!(db.add_ea_product(&product).await, Err(StoreError::Conflict(_))));
        let terms =
            PolicyTerms { policy: Policy::default(), period_ms: None, heartbeat_s: 200, requests_per_minute: None };
        let (policy, name) = (LicencePolicyId(1), "Standard".to_owned());
        let policy = LicencePolicy { id: policy, product: ProductId(1), name, terms, created_at: NOW };
        db.add_licence_policy(&policy).await.unwrap();
    }
    let row = LicenceRow {
        id: LicenceId(id),
        product: ProductId(1),
        policy: LicencePolicyId(1),
        user: UserId(1),
        state: State::Active,
        reason: String::new(),
        ends_at: None,
        created_at: NOW,
        first_used_at: None,
        first_activated_at: None,
        moved_at: None,
        revision: 0,
    };
    let byte = u8::try_from(id).unwrap();
    let key = LicenceKeyRow {
        id,
        licence: LicenceId(id),
        key_id: [byte; 16],
        secret: vec![byte],
        created_at: NOW,
        replaced_at: None,
    };
    db.add_licence(&row, &key).await.unwrap();
    db
}

fn taking(id: i64, revision: i64) -> SeatTaken {
    let seat = Seat {
        id: ActivationId(id),
        licence: LicenceId(1),
        account: id.to_string(),
        server: "Broker".to_owned(),
        machine: id.to_string(),
        kind: "demo".to_owned(),
        platform: "mt5".to_owned(),
        version: "1.20".to_owned(),
        address: String::new(),
        nonce: id.to_string(),
        generation: 1,
        taken_at: NOW,
        seen_at: NOW,
        released_at: None,
        lapsed_at: None,
        usage: Usage::default(),
    };
    let salt = SeatSalt {
        id,
        licence: LicenceId(1),
        activation: ActivationId(id),
        generation: 1,
        salt: vec![1],
        created_at: NOW,
        retires_at: None,
    };
    let (lapsed, forgotten, events) = (Vec::new(), Vec::new(), Vec::new());
    SeatTaken { revision, seat, new: true, moved: true, salt, lapsed, replaced: None, forgotten, events }
}

fn report(seat: i64, sequence: i64, alive_at: Option<Millis>) -> SeatReport {
    let usage = Usage { sequence, orders: sequence, lots: Lots::from_units(sequence), runtime_s: sequence };
    let (licence, seat) = (LicenceId(1), ActivationId(seat));
    SeatReport { licence, seat, usage, alive_at, address: "::1".to_owned(), version: "1.21".to_owned(), event: None }
}

async fn of_a_hundred_at_one_revision_one_takes_a_seat(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    let revision = db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    let race: Vec<_> = (1..=100)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move { db.take_seat(&taking(n, revision)).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for one in race {
        won += u32::from(one.await.unwrap());
    }
    assert_eq!(won, 1);
    let image = db.licence_image(LicenceId(1)).await.unwrap();
    assert_eq!((image.seats.len(), image.salts.len()), (1, 1));
    let licence = image.licence;
    assert_eq!(
        (licence.first_used_at, licence.first_activated_at, licence.moved_at),
        (Some(NOW), Some(NOW), Some(NOW))
    );
    assert!(!db.take_seat(&taking(200, revision)).await.unwrap(), "what was decided upon is over");
    assert!(db.take_seat(&taking(200, licence.revision)).await.unwrap());
}

async fn a_lapse_waits_for_no_heartbeat(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    let revision = async || db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    assert!(db.take_seat(&taking(1, revision().await)).await.unwrap());
    let silent = db.seats(LicenceId(1)).await.unwrap();
    let later = NOW.plus(60_000);
    assert!(db.report_usage(&report(1, 1, Some(later))).await.unwrap());
    let wanted = SeatTaken { lapsed: silent, ..taking(2, revision().await) };
    assert!(!db.take_seat(&wanted).await.unwrap(), "it was heard from since it was read");
    assert_eq!(db.seats(LicenceId(1)).await.unwrap().len(), 1, "nothing was done");
    let silent = db.seats(LicenceId(1)).await.unwrap();
    assert!(db.take_seat(&SeatTaken { lapsed: silent, ..taking(2, revision().await) }).await.unwrap());
    assert!(!db.report_usage(&report(1, 2, Some(later))).await.unwrap(), "and a late heartbeat brings nothing back");
}

fn event(id: i64, at: Millis, kind: LicenceEventKind) -> LicenceEvent {
    let (account, machine, address) = (id.to_string(), id.to_string(), String::new());
    LicenceEvent { id, licence: LicenceId(1), activation: None, at, kind, account, machine, address, nonce: None }
}

async fn a_seat_in_anothers_place_gives_that_back(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    let revision = async || db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    assert!(db.take_seat(&taking(1, revision().await)).await.unwrap());
    let wanted = SeatTaken { replaced: Some(ActivationId(1)), ..taking(2, revision().await) };
    assert!(db.take_seat(&wanted).await.unwrap());
    let released =
        async || db.seats(LicenceId(1)).await.unwrap().iter().map(|seat| seat.released_at).collect::<Vec<_>>();
    assert_eq!(released().await, [Some(NOW), None]);
    assert!(!db.report_usage(&report(1, 1, Some(NOW.plus(60_000)))).await.unwrap(), "a heartbeat brings nothing back");
    let again = SeatTaken { replaced: Some(ActivationId(1)), ..taking(3, revision().await) };
    assert!(!db.take_seat(&again).await.unwrap(), "it has no place any more");
    assert_eq!(released().await, [Some(NOW), None], "nothing was done");
}

async fn new_addresses_push_out_nothing_else(bench: Bench) {
    use LicenceEventKind as K;
    let db = licence(&bench, AURORA, 1).await;
    let revision = async || db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    let (old, new) = (event(1, NOW.plus(-60_000), K::Activated), event(2, NOW, K::TakenOver));
    let taken = SeatTaken { events: vec![old, new], ..taking(1, revision().await) };
    assert!(db.take_seat(&taken).await.unwrap());
    let moves = (3..2_103).map(|id| event(id, NOW, K::Moved)).collect();
    assert!(db.take_seat(&SeatTaken { events: moves, ..taking(2, revision().await) }).await.unwrap());
    let since = async |kinds: &[K], since: Millis, most: u64| {
        let found = db.licence_events_since(LicenceId(1), kinds, since, most).await.unwrap();
        found.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(since(&[K::Activated, K::TakenOver], NOW.plus(-60_000), 10).await, [2, 1]);
    assert_eq!(since(&[K::Activated, K::TakenOver], NOW, 10).await, [2]);
    assert_eq!(since(&[K::Activated, K::TakenOver], NOW.plus(-60_000), 1).await, [2]);
    let moved = since(&[K::Moved], NOW, 5_000).await;
    assert_eq!((moved.len(), moved.last()), (2_000, Some(&103)), "of which the newest are kept");
}

async fn a_transfer_takes_it_from_who_had_it(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    let revision = async || db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    assert!(db.take_seat(&taking(1, revision().await)).await.unwrap());
    let read = revision().await;
    assert!(db.take_seat(&taking(2, read)).await.unwrap());
    let key = LicenceKeyRow {
        id: 2,
        licence: LicenceId(1),
        key_id: [2; 16],
        secret: vec![2],
        created_at: NOW,
        replaced_at: None,
    };
    let events = vec![event(1, NOW, LicenceEventKind::Released), event(2, NOW, LicenceEventKind::Released)];
    let wanted = LicenceTransfer { licence: LicenceId(1), revision: read, to: UserId(2), key, events, at: NOW };
    assert_eq!(db.transfer_licence(&wanted).await.unwrap(), None, "a seat was taken since it was read");
    assert_eq!(db.seats(LicenceId(1)).await.unwrap().len(), 2, "nothing was done");
    let wanted = LicenceTransfer { revision: revision().await, ..wanted };
    let nobodys = LicenceTransfer { to: UserId(77), ..wanted.clone() };
    assert!(matches!(db.transfer_licence(&nobodys).await, Err(StoreError::BrokenReference(_))));
    let given = db.transfer_licence(&wanted).await.unwrap().unwrap();
    let image = db.licence_image(LicenceId(1)).await.unwrap();
    assert_eq!((image.licence.user, image.licence.moved_at), (UserId(2), None));
    assert_eq!(image.licence, given);
    assert_eq!((image.seats.len(), image.salts.len()), (0, 0));
    let good: Vec<i64> = image.keys.iter().filter(|key| key.replaced_at.is_none()).map(|key| key.id).collect();
    assert_eq!((image.keys.len(), good), (2, vec![2]));
    assert_eq!(db.licence_events(LicenceId(1), Page::default()).await.unwrap().items.len(), 2);
    assert!(!db.report_usage(&report(1, 1, Some(NOW))).await.unwrap(), "a late heartbeat is nobody's");
}

async fn reports_only_grow_and_hold_only_what_is_held(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    let revision = db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
    assert!(db.take_seat(&taking(1, revision)).await.unwrap());
    assert!(db.report_usage(&report(1, 5, Some(NOW))).await.unwrap());
    assert!(!db.report_usage(&report(1, 5, Some(NOW))).await.unwrap());
    assert!(!db.report_usage(&report(1, 4, Some(NOW))).await.unwrap());
    let shrunk =
        SeatReport { usage: Usage { sequence: 6, orders: 1, ..report(1, 6, None).usage }, ..report(1, 6, None) };
    assert!(!db.report_usage(&shrunk).await.unwrap());
    let revoked = LicenceChange::State(State::Revoked, "fraud".to_owned());
    db.change_licence(LicenceId(1), &revoked, NOW).await.unwrap();
    assert!(!db.report_usage(&report(1, 7, Some(NOW.plus(1)))).await.unwrap(), "a revoked licence holds nothing");
    assert!(db.report_usage(&report(1, 7, None)).await.unwrap(), "its usage is taken all the same");
    assert_eq!(db.seats(LicenceId(1)).await.unwrap()[0].seen_at, NOW);
    let back = db.change_licence(LicenceId(1), &LicenceChange::State(State::Active, String::new()), NOW).await;
    assert!(matches!(back, Err(StoreError::Conflict(_))));
}

async fn reports_of_many_tenants_last_together(bench: Bench) {
    let (here, there) = (licence(&bench, AURORA, 1).await, licence(&bench, BOREALIS, 1).await);
    for db in [&here, &there] {
        let revision = db.licence(Whose::Everyone, LicenceId(1)).await.unwrap().revision;
        assert!(db.take_seat(&taking(1, revision)).await.unwrap());
    }
    let reports = [report(1, 2, Some(NOW)), report(9, 1, Some(NOW)), report(1, 3, None)];
    let [second, stray, third] = &reports;
    let taken = tokio::join!(
        there.report_usage(second),
        here.report_usage(second),
        here.report_usage(stray),
        there.report_usage(third)
    );
    let taken = [taken.0, taken.1, taken.2, taken.3].map(Result::unwrap);
    assert_eq!(taken, [true, true, false, true], "in order of their numbers");
    let sequence = async |db: &TenantDb| db.seats(LicenceId(1)).await.unwrap()[0].usage.sequence;
    assert_eq!((sequence(&here).await, sequence(&there).await), (2, 3), "each at its own tenant");
}

async fn licences_are_a_tenants_own(bench: Bench) {
    let (here, there) = (licence(&bench, AURORA, 1).await, bench.db(BOREALIS));
    assert_eq!(here.licence_of_key([1; 16]).await.unwrap(), Some(LicenceId(1)));
    assert_eq!(there.licence_of_key([1; 16]).await.unwrap(), None);
    assert!(matches!(there.licence_image(LicenceId(1)).await, Err(StoreError::NotFound(_))));
    assert!(matches!(there.licence(Whose::Everyone, LicenceId(1)).await, Err(StoreError::NotFound(_))));
    assert!(matches!(here.licence(Whose::User(UserId(2)), LicenceId(1)).await, Err(StoreError::NotFound(_))));
    assert!(!there.take_seat(&taking(1, 1)).await.is_ok_and(|taken| taken));
    let ends = LicenceChange::Ends(Some(NOW));
    assert!(matches!(there.change_licence(LicenceId(1), &ends, NOW).await, Err(StoreError::NotFound(_))));
    let filter = LicenceFilter { text: "TRADER@", ..LicenceFilter::default() };
    assert_eq!(here.licences(Whose::Everyone, filter, Page::default()).await.unwrap().items.len(), 1);
    assert!(there.licences(Whose::Everyone, LicenceFilter::default(), Page::default()).await.unwrap().items.is_empty());
    // A licence cannot be another tenant's policy's, whatever the code does.
    licence(&bench, BOREALIS, 9).await;
    let policy = LicenceChange::Policy(LicencePolicyId(77));
    assert!(matches!(here.change_licence(LicenceId(1), &policy, NOW).await, Err(StoreError::BrokenReference(_))));
}

async fn changes_are_told_in_their_order(bench: Bench) {
    let db = licence(&bench, AURORA, 1).await;
    licence(&bench, AURORA, 2).await;
    let system = bench.store.system("test");
    let at = async || system.licensing_revisions().await.unwrap().into_iter().find(|(id, ..)| *id == AURORA).unwrap();
    let (_, before, epoch) = at().await;
    assert!(db.changed_licences(before, None).await.unwrap().is_empty());
    db.change_licence(LicenceId(2), &LicenceChange::Ends(Some(NOW)), NOW).await.unwrap();
    db.use_licence(LicenceId(1), NOW).await.unwrap();
    let changed: Vec<i64> = db.changed_licences(before, None).await.unwrap().into_iter().map(|(id, _)| id.0).collect();
    assert_eq!(changed, [2, 1]);
    let (_, now, same) = at().await;
    assert_eq!((now, same), (before + 2, epoch));
    db.set_plan(UserId(1), Some("desk")).await.unwrap();
    let of_one = db.changed_licences(now, None).await.unwrap();
    let both = [(LicenceId(1), now + 1), (LicenceId(2), now + 1)];
    assert_eq!(of_one, both, "another plan may grant another product");
    assert_eq!(db.changed_licences(now, of_one.first().copied()).await.unwrap(), both[1..], "the rest of one change");
    assert!(db.changed_licences(now, of_one.last().copied()).await.unwrap().is_empty());
    db.change_ea_product(&db.ea_product(ProductId(1)).await.unwrap()).await.unwrap();
    assert_eq!(at().await.2, epoch + 1);
}
