//! Files of Expert Advisors: a tenant's own, within limits that no two pass together.

use crate::harness::{AURORA, BOREALIS, Bench, NOW};
use marque_domain::{
    id::{EaFileId, EaVersionId, ProductId, UserId},
    plugin::Channel,
};
use marque_store::{
    EA_FILES_MAX, EaFile, EaFileRefused, EaProduct, EaVersion, RowKey, SealedColumn, StoreError, TenantDb,
};

on_both!(files_are_a_tenants_own, limits_hold_when_many_come_at_once, only_sealed_files_have_a_key_to_change);

const ROOM: i64 = 1_000;

async fn version(bench: &Bench, tenant: marque_domain::id::TenantId) -> TenantDb {
    let db = bench.db(tenant);
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
    for (id, number) in [(1, "1.0"), (2, "2.0")] {
        let version = EaVersion {
            id: EaVersionId(id),
            product: ProductId(1),
            version: number.parse().unwrap(),
            channel: Channel::Stable,
            changelog: String::new(),
            created_at: NOW,
            yanked_at: None,
            yank_reason: String::new(),
        };
        db.add_ea_version(&version).await.unwrap();
    }
    db
}

fn file(id: i64, size: i64) -> EaFile {
    EaFile {
        id: EaFileId(id),
        version: EaVersionId(1),
        name: format!("{id}.ex5"),
        size,
        digest: [7; 32],
        data_key: vec![1, 2, 3],
        uploaded_by: Some(UserId(1)),
        uploaded_at: NOW,
    }
}

async fn files_are_a_tenants_own(bench: Bench) {
    let (here, there) = (version(&bench, AURORA).await, version(&bench, BOREALIS).await);
    here.add_ea_file(&file(1, 1), ROOM).await.unwrap().unwrap();
    let second = EaFile { version: EaVersionId(2), uploaded_by: None, data_key: Vec::new(), ..file(2, 1) };
    here.add_ea_file(&second, ROOM).await.unwrap().unwrap();
    assert_eq!(here.ea_file(EaFileId(1)).await.unwrap(), file(1, 1));
    assert_eq!(here.ea_files(EaVersionId(2)).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(here.ea_files_of(ProductId(1)).await.unwrap(), [file(1, 1), second]);
    assert!(matches!(there.ea_file(EaFileId(1)).await, Err(StoreError::NotFound(_))));
    assert_eq!(there.ea_files_of(ProductId(1)).await.unwrap(), []);
    assert!(matches!(there.remove_ea_file(EaFileId(1)).await, Err(StoreError::NotFound(_))));
    let ids = [EaFileId(1), EaFileId(2), EaFileId(3)];
    assert_eq!(here.known_ea_files(&ids).await.unwrap().len(), 2);
    assert_eq!(there.known_ea_files(&ids).await.unwrap().len(), 0);
    // The same id lives at both; a version that is only there is nowhere here.
    there.add_ea_file(&file(1, 1), ROOM).await.unwrap().unwrap();
    let nowhere = EaFile { version: EaVersionId(9), ..file(9, 1) };
    assert!(matches!(here.add_ea_file(&nowhere, ROOM).await, Err(StoreError::BrokenReference(_))));
    assert_eq!(here.remove_ea_file(EaFileId(1)).await.unwrap(), file(1, 1));
    assert!(matches!(here.ea_file(EaFileId(1)).await, Err(StoreError::NotFound(_))));
    assert!(there.ea_file(EaFileId(1)).await.is_ok());
    assert_eq!(here.ea_version(EaVersionId(2)).await.unwrap().version.to_string(), "2.0");
    assert!(matches!(here.ea_version(EaVersionId(9)).await, Err(StoreError::NotFound(_))));
}

async fn limits_hold_when_many_come_at_once(bench: Bench) {
    let db = version(&bench, AURORA).await;
    db.add_ea_file(&file(1, 600), ROOM).await.unwrap().unwrap();
    let again = EaFile { name: "1.ex5".to_owned(), ..file(2, 1) };
    assert_eq!(db.add_ea_file(&again, ROOM).await.unwrap(), Err(EaFileRefused::NameTaken));
    let other = EaFile { version: EaVersionId(2), ..file(2, 401) };
    assert_eq!(db.add_ea_file(&other, ROOM).await.unwrap(), Err(EaFileRefused::NoRoom), "all versions count");
    let race: Vec<_> = (10..40)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move { db.add_ea_file(&file(id, 100), ROOM).await.unwrap() })
        })
        .collect();
    let mut added = 0;
    for one in race {
        added += u32::from(one.await.unwrap().is_ok());
    }
    assert_eq!(added, 4, "as many as there was room for");
    for id in 100.. {
        match db.add_ea_file(&file(id, 0), ROOM).await.unwrap() {
            Ok(()) => assert!(id < 200),
            Err(refused) => {
                assert_eq!(refused, EaFileRefused::TooMany);
                break;
            }
        }
    }
    let files = db.ea_files(EaVersionId(1)).await.unwrap();
    assert_eq!(u64::try_from(files.len()).unwrap(), EA_FILES_MAX);
}

async fn only_sealed_files_have_a_key_to_change(bench: Bench) {
    let db = version(&bench, AURORA).await;
    db.add_ea_file(&file(1, 1), ROOM).await.unwrap().unwrap();
    db.add_ea_file(&EaFile { data_key: Vec::new(), ..file(2, 1) }, ROOM).await.unwrap().unwrap();
    let sealed = db.sealed(SealedColumn::EaFiles, None).await.unwrap();
    assert_eq!(sealed.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [RowKey::Id(1)]);
    let fresh = vec![(sealed[0].clone(), vec![9])];
    assert_eq!(db.reseal(SealedColumn::EaFiles, &fresh).await.unwrap(), 1);
    assert_eq!(db.ea_file(EaFileId(1)).await.unwrap().data_key, [9]);
    assert_eq!(db.reseal(SealedColumn::EaFiles, &fresh).await.unwrap(), 0, "it is another by now");
}
