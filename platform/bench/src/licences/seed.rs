//! An estate of tenants and licences: each licence with its key, one seat and its salt, sealed as the server seals them.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use marque_domain::{
    id::TenantId,
    licence::{Policy, Version},
    time::{DAY_MS, Millis},
};
use marque_server::{
    clock::Clock,
    config::Config,
    secrets::{Place, SealedColumn, TenantKeys, Vault},
};
use marque_store::{PolicyTerms, Store};
use marque_testkit::site::{self, Running, Site};

use super::{
    client::{Ea, PRODUCT, SERVER, VERSION, hex},
    tables::{Cell, Loader, Table},
};

/// Licences that are written at once.
const CHUNK: u64 = 20_000;
/// Keys are asked for again after so long: they change.
const PATIENCE: Duration = Duration::from_millis(500);

const PRODUCTS: Table = Table {
    name: "ea_products",
    columns: "tenant_id,id,code,name,summary,plans,settings_schema,schema_version,created_at",
};
const VERSIONS: Table =
    Table { name: "ea_versions", columns: "tenant_id,id,product_id,version,channel,changelog,created_at,yank_reason" };
const POLICIES: Table = Table { name: "licence_policies", columns: "tenant_id,id,product_id,name,terms,created_at" };
const USERS: Table =
    Table { name: "users", columns: "tenant_id,id,email,display_name,password_hash,role,created_at,email_verified_at" };
const REVISIONS: Table = Table { name: "licensing_revisions", columns: "of_tenant,revision,epoch" };
const LICENCES: Table = Table {
    name: "licences",
    columns: "tenant_id,id,product_id,policy_id,user_id,state,reason,created_at,first_used_at,first_activated_at,\
              moved_at,revision",
};
const KEYS: Table = Table { name: "licence_keys", columns: "tenant_id,id,licence_id,key_id,secret,created_at" };
const SEATS: Table = Table {
    name: "licence_activations",
    columns: "tenant_id,id,licence_id,account,server,machine,kind,platform,version,address,nonce,generation,taken_at,\
              seen_at,sequence,orders,lots,runtime_s",
};
const SALTS: Table =
    Table { name: "licence_salts", columns: "tenant_id,id,licence_id,activation_id,generation,salt,created_at" };

/// Where it lies.
#[derive(Debug, Clone)]
pub enum Database {
    /// In the site's folder.
    Sqlite,
    /// On a server: the address for Marque, and for who loads.
    Postgres {
        /// Marque's own role.
        url: String,
        /// The superuser.
        loader: String,
    },
}

/// Tenants with licences.
pub struct Estate {
    site: Site,
    config: Config,
    database: Database,
    /// Their ids, in the order of their hosts.
    tenants: Vec<TenantId>,
    licences: u64,
}

impl Estate {
    /// So many tenants, without licences. `setting`s are the server's.
    ///
    /// # Errors
    /// When the database or the server refuses.
    pub async fn new(database: Database, tenants: u64, settings: &[(&'static str, String)]) -> Result<Self> {
        let mut site = Site::empty();
        for (name, value) in settings {
            site = site.with(name, value.clone());
        }
        if let Database::Postgres { url, .. } = &database {
            site = site.with("MARQUE_DATABASE_URL", url.clone());
        }
        site.succeeds(&["migrate"]);
        let folder = definitions(&site, tenants)?;
        site.succeeds(&["tenant", "apply", &folder]);
        // A market that is over at once: two ticks of a Thursday.
        let ticks = site.data().join("ticks.csv");
        fs::write(&ticks, "ts,bid,ask\n2014-05-01T00:00:00Z,1.3861,1.3862\n2014-05-01T00:00:01Z,1.3862,1.3863\n")?;
        site.succeeds(&["data", "import", "--instrument", "EURUSD", &ticks.display().to_string()]);
        let config = Config::read("bench", "", site.settings())?;
        let store = Store::connect(config.database().expose()).await?;
        let mut stored = store.system("bench").tenants().await?;
        stored.sort_by_key(|tenant| tenant.spec.hosts.first().cloned());
        let tenants = stored.iter().map(|tenant| tenant.id).collect();
        store.close().await?;
        let estate = Self { site, config, database, tenants, licences: 0 };
        estate.furnish().await?;
        Ok(estate)
    }

    /// How many licences there are.
    pub const fn licences(&self) -> u64 {
        self.licences
    }

    /// The host of licence `n`.
    pub fn host(&self, n: u64) -> String {
        host(n % self.count())
    }

    fn count(&self) -> u64 {
        u64::try_from(self.tenants.len()).unwrap_or(1).max(1)
    }

    /// Starts the server over it.
    pub async fn serve(&self) -> Running {
        self.site.serve().await
    }

    /// Opens the database as who loads it.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn loader(&self) -> Result<Loader> {
        match &self.database {
            Database::Sqlite => Loader::open(self.config.database().expose()).await,
            Database::Postgres { loader, .. } => Loader::open(loader).await,
        }
    }

    /// A folder of its own.
    pub fn folder(&self) -> PathBuf {
        self.site.data()
    }

    /// The address of the database, for who measures it bare.
    pub fn url(&self) -> String {
        self.config.database().expose().to_owned()
    }

    /// What every tenant needs before it has a licence.
    async fn furnish(&self) -> Result<()> {
        let terms =
            PolicyTerms { policy: Policy::default(), period_ms: None, heartbeat_s: 200, requests_per_minute: None };
        let terms = serde_json::to_string(&terms)?;
        let version: Version = VERSION.parse()?;
        let (mut products, mut versions, mut policies, mut users, mut revisions) =
            (vec![], vec![], vec![], vec![], vec![]);
        for tenant in self.tenants.iter().map(|tenant| tenant.0) {
            let at = made_at().0;
            products.push(vec![
                tenant.into(),
                1.into(),
                PRODUCT.into(),
                "Bench".into(),
                "Is measured.".into(),
                "[]".into(),
                "{}".into(),
                1.into(),
                at.into(),
            ]);
            versions.push(vec![
                tenant.into(),
                1.into(),
                1.into(),
                version.to_string().into(),
                "stable".into(),
                "First.".into(),
                at.into(),
                "".into(),
            ]);
            policies.push(vec![tenant.into(), 1.into(), 1.into(), "Perpetual".into(), terms.clone().into(), at.into()]);
            users.push(vec![
                tenant.into(),
                1.into(),
                "ann@bench.example".into(),
                "Ann".into(),
                "none".into(),
                "trader".into(),
                at.into(),
                at.into(),
            ]);
            revisions.push(vec![tenant.into(), 1.into(), 1.into()]);
        }
        let mut loader = self.loader().await?;
        for (table, rows) in [
            (&USERS, users),
            (&PRODUCTS, products),
            (&VERSIONS, versions),
            (&POLICIES, policies),
            (&REVISIONS, revisions),
        ] {
            loader.load(table, &rows).await?;
        }
        loader.close().await
    }

    /// Adds licences until there are so many. No server may be running.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grow_to(&mut self, licences: u64) -> Result<()> {
        let store = Store::connect(self.config.database().expose()).await?;
        let (system, vault) = (store.system("bench"), Vault::open(&self.config, Clock::system())?);
        let mut loader = self.loader().await?;
        let mut batch = Batch::default();
        for (place, tenant) in (0_u64..).zip(&self.tenants) {
            let db = system.tenant_db(*tenant);
            let (mut keys, mut asked) = (vault.of(&db).await?, std::time::Instant::now());
            let first = first_of(place, self.licences, self.count());
            for n in (first..licences).step_by(usize::try_from(self.count())?) {
                if asked.elapsed() > PATIENCE {
                    (keys, asked) = (vault.of(&db).await?, std::time::Instant::now());
                }
                batch.add(*tenant, &Ea::new(n), &keys)?;
                if batch.count >= CHUNK {
                    batch.write(&mut loader).await?;
                }
            }
        }
        batch.write(&mut loader).await?;
        let there = u64::try_from(loader.number("SELECT count(*) FROM licences").await?)?;
        loader.close().await?;
        store.close().await?;
        ensure!(there == licences, "{there} licences are there, {licences} were wanted");
        self.licences = licences;
        Ok(())
    }

    /// Numbers of `count` licences, spread over all of them and over all tenants.
    pub fn spread(&self, count: u64) -> impl Iterator<Item = u64> + use<> {
        // A prime that divides no number of licences here: each number comes once.
        const STEP: u64 = 611_953;
        let licences = self.licences.max(1);
        (0..count.min(licences)).map(move |at| at.wrapping_mul(STEP) % licences)
    }
}

/// The first licence from `from` on that belongs to the tenant at a place.
const fn first_of(place: u64, from: u64, tenants: u64) -> u64 {
    from + (place + tenants - from % tenants) % tenants
}

fn host(place: u64) -> String {
    format!("t{place:05}.localhost")
}

fn made_at() -> Millis {
    Clock::system().now().plus(-DAY_MS)
}

/// Writes a file for each tenant; answers the folder.
fn definitions(site: &Site, tenants: u64) -> Result<String> {
    let folder = site.data().join("bench-tenants");
    let demo = fs::read_to_string(site::workspace().join("tenants/aurora/tenant.toml"))?;
    let words =
        demo.split_once("[words]").and_then(|(_, rest)| rest.split_once("# logo")).context("the demo's words")?.0;
    let tokens =
        demo.split_once("[tokens]").and_then(|(_, rest)| rest.split_once("# What")).context("the demo's looks")?.0;
    let accounts = "[accounts]\ncurrency = \"USD\"\ninitial_balance = \"100000.00\"\nleverage = 30\n\n[[plans]]\ncode = \"start\"\n\
                    name = \"Start\"\nsummary = \"One.\"\nprice_minor = 0\ncurrency = \"EUR\"\ninterval = \"month\"\nquotas = {}\n";
    for place in 0..tenants {
        let own = folder.join(format!("t{place:05}"));
        fs::create_dir_all(&own)?;
        let head = format!(
            "name = \"Bench {place}\"\nhosts = [\"{}\"]\ntheme = \"daybreak\"\nlocale = \"en-GB\"\ntime_zone = \"UTC\"\nplugins = []\n",
            host(place)
        );
        fs::write(own.join("tenant.toml"), format!("{head}\n[words]{words}\n[tokens]{tokens}\n{accounts}"))?;
    }
    Ok(folder.display().to_string())
}

/// Rows that are not written yet.
#[derive(Default)]
struct Batch {
    licences: Vec<Vec<Cell>>,
    keys: Vec<Vec<Cell>>,
    seats: Vec<Vec<Cell>>,
    salts: Vec<Vec<Cell>>,
    count: u64,
}

impl Batch {
    fn add(&mut self, tenant: TenantId, ea: &Ea, keys: &TenantKeys) -> Result<()> {
        let (tenant, id, at) = (tenant.0, ea.id(), made_at().0);
        let secret = keys.seal(&Place::new(SealedColumn::LicenceKeys, id), ea.licence_key().canonical().as_bytes())?;
        let salt = keys.seal(&Place::new(SealedColumn::LicenceSalts, id), &ea.salt())?;
        self.licences.push(vec![
            tenant.into(),
            id.into(),
            1.into(),
            1.into(),
            1.into(),
            "active".into(),
            "".into(),
            at.into(),
            at.into(),
            at.into(),
            at.into(),
            1.into(),
        ]);
        self.keys.push(vec![
            tenant.into(),
            id.into(),
            id.into(),
            ea.key_id().to_vec().into(),
            secret.into(),
            at.into(),
        ]);
        self.seats.push(vec![
            tenant.into(),
            id.into(),
            id.into(),
            ea.account().into(),
            SERVER.into(),
            ea.machine().into(),
            "demo".into(),
            "mt5".into(),
            VERSION.into(),
            ea.address().into(),
            hex(&[0; 16]).into(),
            1.into(),
            at.into(),
            at.into(),
            0.into(),
            0.into(),
            0.into(),
            0.into(),
        ]);
        self.salts.push(vec![tenant.into(), id.into(), id.into(), id.into(), 1.into(), salt.into(), at.into()]);
        self.count += 1;
        Ok(())
    }

    async fn write(&mut self, loader: &mut Loader) -> Result<()> {
        let all = core::mem::take(self);
        for (table, rows) in [(&LICENCES, all.licences), (&KEYS, all.keys), (&SEATS, all.seats), (&SALTS, all.salts)] {
            loader.load(table, &rows).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_licence_belongs_to_one_tenant() {
        for (from, tenants) in [(0, 1), (0, 3), (7, 3), (9, 3), (10_000, 1_000)] {
            let mut all: Vec<u64> = (0..tenants)
                .flat_map(|place| (first_of(place, from, tenants)..from + 50).step_by(tenants as usize))
                .collect();
            all.sort_unstable();
            assert_eq!(all, (from..from + 50).collect::<Vec<_>>(), "{from} {tenants}");
            assert!((0..tenants).all(|place| first_of(place, from, tenants) % tenants == place));
        }
    }
}
