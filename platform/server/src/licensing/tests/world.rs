//! A brand with a product and licences, one or more servers over its database, and EAs that ask them.

use super::super::{
    ea::{self, Ea},
    mac::{LicenceSecret, Mac, hex},
    manage::{NewLicence, NewProduct, PolicyWish, good_key_for_tests, hand_over, issue},
};
use crate::{
    clock::Clock,
    licensing::{
        Licensing,
        manage::{put_policy, put_product},
    },
    secrets::{Vault, random_bytes},
    testing::{NOON, TestServer, TestStore, config, postgres},
};
use ed25519_dalek::{Signature, VerifyingKey};
use marque_domain::{
    id::{LicenceId, UserId},
    licence::{Kid, LicenceKey, SignedKind, signed_bytes},
    time::Millis,
};
use marque_store::{Concealed, LicenceChange, LicenceRow, Store, TenantDb, User, UserStatus};
use poem::{EndpointExt as _, Route};
use serde_json::{Map, Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

pub const AURORA: &str = "aurora.localhost";
pub const BOREALIS: &str = "borealis.localhost";
pub const PRODUCT: &str = "gold-rush";

/// Time, as tests let it pass.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn pass_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// One server.
pub struct Node {
    pub licensing: Licensing,
    server: TestServer,
}

pub struct World {
    pub store: Store,
    pub time: Time,
    pub vault: Vault,
    pub node: Node,
    test: TestStore,
}

impl World {
    pub async fn start() -> Self {
        let test = TestStore::with_demo(&[]).await;
        Self::over(test.store.clone(), test).await
    }

    /// The same on a real PostgreSQL, where there is one.
    pub async fn postgres(name: &str) -> Option<(Self, marque_testkit::Database<'static>)> {
        let (store, database) = postgres(name).await?;
        // The edge finds the brands in a database of its own, with the same ids.
        let test = TestStore::with_demo(&[]).await;
        Some((Self::over(store, test).await, database))
    }

    async fn over(store: Store, test: TestStore) -> Self {
        let time = Time(Arc::new(AtomicI64::new(NOON.0)));
        let clock = {
            let time = time.clone();
            Clock::from_fn(move || time.now())
        };
        let vault = Vault::for_tests(clock);
        let node = Self::node_of(&store, &test, &time, &vault, "ea_per_minute = 1000000").await;
        Self { store, time, vault, node, test }
    }

    async fn node_of(store: &Store, _test: &TestStore, time: &Time, vault: &Vault, limits: &str) -> Node {
        let config = config(&format!("[limits]\n{limits}\n"));
        let clock = {
            let time = time.clone();
            Clock::from_fn(move || time.now())
        };
        let limits = crate::identity::limits::Limits::new(&config).unwrap();
        let licensing = Licensing::new(store, clock, vault.clone(), limits, 1_000);
        let resolver = crate::edge::Resolver::new(store.system("tests"), &config.limits);
        let pages: crate::edge::ErrorPages = Arc::new(|_| None);
        let ready: crate::edge::Readiness = Arc::new(|| Box::pin(async { Ok(()) }));
        let edge = crate::edge::Edge::new(&config, resolver, pages, ready, &[]);
        let route = Route::new().nest_no_strip(ea::PREFIX, Ea::new(licensing.clone()));
        Node { licensing, server: TestServer::start(route.with(edge)).await }
    }

    /// Everything that is on disk.
    pub fn on_disk(&self) -> Vec<u8> {
        self.test.bytes()
    }

    /// Another server over the same database.
    pub async fn another(&self) -> Node {
        Self::node_of(&self.store, &self.test, &self.time, &self.vault, "ea_per_minute = 1000000").await
    }

    /// One that lets a licence key ask so often in a minute.
    pub async fn strict(&self, per_minute: u32) -> Node {
        Self::node_of(&self.store, &self.test, &self.time, &self.vault, &format!("ea_per_minute = {per_minute}")).await
    }

    pub async fn db(&self, host: &str) -> TenantDb {
        let system = self.store.system("tests");
        let tenant = system.tenant_by_host(host).await.unwrap().unwrap();
        system.tenant_db(tenant.id)
    }

    /// Somebody, the brand's product, a policy and a licence under it.
    pub async fn licence(&self, host: &'static str, wish: PolicyWish) -> Given {
        self.licence_on(host, wish, &[]).await
    }

    /// The same for a product that these plans grant.
    pub async fn licence_on(&self, host: &'static str, wish: PolicyWish, plans: &[&str]) -> Given {
        let (db, now) = (self.db(host).await, self.time.now());
        let user = match db.user_by_email("ann@x.example").await.unwrap() {
            Some(user) => user.id,
            None => {
                db.create_user(&person(1, "ann")).await.unwrap();
                UserId(1)
            }
        };
        let product = match db.ea_products().await.unwrap().into_iter().find(|p| p.code == PRODUCT) {
            Some(product) => product,
            None => {
                let new = NewProduct {
                    code: PRODUCT.to_owned(),
                    name: "Gold Rush".to_owned(),
                    summary: "Buys gold.".to_owned(),
                    plans: plans.iter().map(|plan| (*plan).to_owned()).collect(),
                    settings_schema: Some(json!({
                        "type": "object",
                        "properties": { "lots": { "type": "number" }, "comment": { "type": "string" } },
                    })),
                };
                put_product(&db, new, now).await.unwrap()
            }
        };
        let name = format!("p{}", hex(&random_bytes::<4>().unwrap()));
        let policy = put_policy(&db, product.id, &PolicyWish { name, ..wish }, now).await.unwrap();
        let issued = issue(&db, &self.vault, NewLicence { user, policy, ends_at: None }, now).await.unwrap();
        Given { host, db, id: issued.licence.id, key: issued.key.parse().unwrap() }
    }
}

fn person(id: i64, name: &str) -> User {
    User {
        id: UserId(id),
        email: format!("{name}@x.example"),
        display_name: name.to_owned(),
        password_hash: Concealed::new("none".to_owned()),
        role: "trader".to_owned(),
        created_at: NOON,
        email_verified_at: Some(NOON),
        status: UserStatus::Active,
        plan: None,
        failures: 0,
        failed_at: None,
    }
}

/// A licence, as its owner has it.
#[derive(Clone)]
pub struct Given {
    pub host: &'static str,
    pub db: TenantDb,
    pub id: LicenceId,
    pub key: LicenceKey,
}

impl Given {
    /// The same as somebody else's: as who is given it has it from now on.
    pub async fn handed_over(&self, world: &World) -> Self {
        let bob = UserId(2);
        self.db.create_user(&person(bob.0, "bob")).await.unwrap();
        hand_over(&self.db, &world.vault, self.id, bob, "203.0.113.9", world.time.now()).await.unwrap();
        Self { key: good_key_for_tests(&self.db, &world.vault, self.id).await, ..self.clone() }
    }

    pub async fn change(&self, change: LicenceChange, at: Millis) -> LicenceRow {
        self.db.change_licence(self.id, &change, at).await.unwrap()
    }

    /// An EA on this account and computer.
    pub fn ea(&self, account: &str, machine: u8) -> Client {
        let secret = LicenceSecret::of(&self.key);
        let fields = json!({
            "protocol": 1, "key_id": hex(&secret.key_id()), "product": PRODUCT, "version": "1.20", "account": account,
            "server": "Broker-Demo", "kind": "demo", "machine": hex(&[machine; 32]), "platform": "mt5", "build": 4150,
        });
        Client { host: self.host, secret, fields: fields.as_object().unwrap().clone(), seat: None, sequence: 0 }
    }
}

/// What a seat's EA keeps.
#[derive(Clone)]
pub struct Held {
    pub activation: String,
    pub generation: u64,
    pub salt: String,
}

/// An EA.
pub struct Client {
    host: &'static str,
    pub secret: LicenceSecret,
    pub fields: Map<String, Value>,
    pub seat: Option<Held>,
    pub sequence: i64,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub signature: String,
    pub body: Value,
    pub bytes: Vec<u8>,
    pub retry_after: Option<String>,
    /// `RateLimit-Policy` and `RateLimit`.
    pub limits: [String; 2],
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    fn mac(&self, kid: &Kid) -> Mac {
        match (kid, &self.seat) {
            (Kid::Activation { .. }, Some(seat)) => {
                self.secret.activation_mac(seat.activation.parse().unwrap(), seat.generation, &seat.salt)
            }
            _ => self.secret.licence_mac(),
        }
    }

    pub fn kid(&self, operation: &str) -> Kid {
        match &self.seat {
            Some(seat) if operation != "activate" => {
                Kid::Activation { id: seat.activation.clone(), generation: seat.generation }
            }
            _ => Kid::Licence(self.fields["key_id"].as_str().unwrap().to_owned()),
        }
    }

    /// The fields of a request.
    pub fn request(&self, operation: &str, more: Value) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        fields.insert("nonce".to_owned(), hex(&random_bytes::<16>().unwrap()).into());
        if let (Some(seat), true) = (&self.seat, operation != "activate") {
            fields.insert("activation".to_owned(), seat.activation.clone().into());
        }
        fields.extend(more.as_object().cloned().unwrap_or_default());
        fields
    }

    /// Sends a body under a signature of the right key, and answers what came, its signature checked.
    pub async fn send(&self, node: &Node, operation: &str, fields: &Map<String, Value>) -> Reply {
        let body = serde_json::to_vec(fields).unwrap();
        let kid = self.kid(operation);
        let header = self.mac(&kid).header(&kid, &signed_bytes(SignedKind::Request, operation, &kid, &body));
        let reply = raw(node, self.host, operation, &header, body).await;
        if reply.status == 200 && reply.signature.contains("hmac-sha256") {
            self.check(operation, &reply, fields);
        }
        reply
    }

    /// That the answer is genuine, as a client makes sure.
    fn check(&self, operation: &str, reply: &Reply, fields: &Map<String, Value>) {
        let (kid, signature) = reply.signature.strip_prefix("kid=").unwrap().split_once(", ").unwrap();
        let kid: Kid = kid.parse().unwrap();
        let mac = match (&kid, operation) {
            (Kid::Activation { id, generation }, "activate") => {
                let salt = reply.body["salt"].as_str().unwrap();
                self.secret.activation_mac(id.parse().unwrap(), *generation, salt)
            }
            _ => self.mac(&kid),
        };
        let bytes = signed_bytes(SignedKind::Answer, operation, &kid, &reply.bytes);
        assert_eq!(mac.header(&kid, &bytes), format!("kid={kid}, {signature}"), "{operation}");
        for same in ["protocol", "nonce", "key_id", "product", "account", "machine"] {
            assert_eq!(reply.body[same], fields[same], "{same}");
        }
        assert_eq!(reply.body["operation"], operation);
        let valid = reply.body["valid"] == true;
        assert_eq!(valid, reply.code() == "VALID");
        let at = |name: &str| reply.body[name].as_i64().unwrap();
        if valid {
            assert!(matches!(kid, Kid::Activation { .. }), "a yes counts only under the activation's key");
            assert!(at("server_time") <= at("lease_until") && at("lease_until") <= at("grace_until"));
            assert!(at("grace_until") <= at("server_time") + 31 * 86_400);
        }
        assert!(reply.body["message"].as_str().unwrap().chars().count() <= 200);
    }

    pub async fn ask(&self, node: &Node, operation: &str) -> Reply {
        self.ask_with(node, operation, json!({})).await
    }

    pub async fn ask_with(&self, node: &Node, operation: &str, more: Value) -> Reply {
        self.send(node, operation, &self.request(operation, more)).await
    }

    /// Takes a seat, and keeps its key.
    pub async fn activate(&mut self, node: &Node) -> Reply {
        let reply = self.ask(node, "activate").await;
        self.keep(&reply);
        reply
    }

    pub fn keep(&mut self, reply: &Reply) {
        if reply.code() == "VALID" {
            self.seat = Some(Held {
                activation: reply.body["activation"].as_str().unwrap().to_owned(),
                generation: reply.body["generation"].as_u64().unwrap(),
                salt: reply.body["salt"].as_str().unwrap().to_owned(),
            });
        }
    }

    /// A report of one more order than the last.
    pub fn report(&mut self) -> Value {
        self.sequence += 1;
        json!({ "sequence": self.sequence, "orders": self.sequence, "lots": "0.25", "runtime_s": self.sequence * 200 })
    }

    pub async fn beat(&mut self, node: &Node) -> Reply {
        let report = self.report();
        self.ask_with(node, "heartbeat", report).await
    }
}

/// Sends bytes under a header as it is.
pub async fn raw(node: &Node, host: &str, operation: &str, signature: &str, body: Vec<u8>) -> Reply {
    let client = node.server.client(host).build().unwrap();
    let url = node.server.url(host, &format!("{}/{operation}", ea::PREFIX));
    let request = client.post(url).header("content-type", "application/json").header("marque-signature", signature);
    reply(request.body(body).send().await.unwrap()).await
}

/// Asks by GET.
pub async fn get(node: &Node, host: &str, path: &str, signature: &str) -> Reply {
    let client = node.server.client(host).build().unwrap();
    let url = node.server.url(host, &format!("{}/{path}", ea::PREFIX));
    reply(client.get(url).header("marque-signature", signature).send().await.unwrap()).await
}

async fn reply(answer: reqwest::Response) -> Reply {
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, signature, retry_after) =
        (answer.status().as_u16(), header("marque-signature"), header("retry-after"));
    let limits = [header("ratelimit-policy"), header("ratelimit")].map(Option::unwrap_or_default);
    let bytes = answer.bytes().await.unwrap().to_vec();
    let body = serde_json::from_slice(&bytes).unwrap();
    Reply { status, signature: signature.unwrap_or_default(), body, bytes, retry_after, limits }
}

/// Whether an answer is signed by a tenant with one of its published keys.
pub async fn is_of_tenant(node: &Node, host: &str, operation: &str, reply: &Reply) -> bool {
    let keys = get(node, host, "keys", "").await.body;
    let (kid, signature) = reply.signature.strip_prefix("kid=").unwrap().split_once(", ed25519=").unwrap();
    let Some(public) = keys[kid].as_str().and_then(super::super::mac::of_hex::<32>) else { return false };
    let bytes = signed_bytes(SignedKind::Answer, operation, &kid.parse().unwrap(), &reply.bytes);
    let signature: [u8; 64] = super::super::mac::of_hex(signature).unwrap();
    VerifyingKey::from_bytes(&public).unwrap().verify_strict(&bytes, &Signature::from_bytes(&signature)).is_ok()
}
