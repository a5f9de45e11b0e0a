//! Passkeys: a key pair on a person's device, which asks for their finger, face or PIN before it signs.
//!
//! Owns: both ceremonies of WebAuthn, and that each answer is accepted once. A passkey belongs to one host of one brand:
//! the relying party is the host that the browser is at, which the edge has found to be the tenant's.
//!
//! Between question and answer nothing is stored: the browser carries the question's state, which nobody but us can
//! make (a MAC under the tenant's key), for five minutes. What is stored is which were answered: a second answer to
//! the same question is refused.

use super::{FactorError, backup};
use crate::{
    edge::Origin,
    secrets::{self, TenantKeys},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::{
    id::UserId,
    time::{MINUTE_MS, Millis},
};
use marque_store::{Passkey, StoreError, TenantDb, TokenHash, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use webauthn_rs::prelude::{
    Passkey as Credential, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

/// How long a question may be answered.
const QUESTION_LASTS_MS: i64 = 5 * MINUTE_MS;
/// A state with an answer is larger than this from nobody honest.
const STATE_BYTES_MAX: usize = 64 * 1024;
const NAME_CHARS_MAX: usize = 60;
const MAC_BYTES: usize = 32;

/// What a passkey is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", content = "user", rename_all = "kebab-case")]
pub enum Purpose {
    /// To become this person's.
    Register(i64),
    /// To sign in whoever it belongs to.
    SignIn,
    /// To prove that it is this person.
    Prove(i64),
}

/// A question: what the browser hands to the device, and what it hands back to us with the answer.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    /// For `navigator.credentials`.
    pub options: Value,
    /// For us.
    pub state: String,
}

/// What is behind [`Question::state`].
#[derive(Serialize, Deserialize)]
struct State {
    purpose: Purpose,
    ends: i64,
    ceremony: Value,
}

/// The relying party: this brand at this host.
pub struct Party<'a> {
    webauthn: Webauthn,
    db: &'a TenantDb,
    keys: &'a TenantKeys,
    now: Millis,
}

impl<'a> Party<'a> {
    /// At the host that a browser is at.
    ///
    /// # Errors
    /// [`FactorError::Passkey`] when the host can have no passkeys: it is a bare address.
    pub fn new(
        db: &'a TenantDb,
        keys: &'a TenantKeys,
        origin: &Origin,
        brand: &str,
        now: Millis,
    ) -> Result<Self, FactorError> {
        let host = origin.authority.host.as_str();
        let scheme = if origin.secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{host}")).map_err(|_| FactorError::Passkey)?;
        // Behind a proxy the port that the browser used is not known here; a port is no part of a passkey's scope.
        let builder = WebauthnBuilder::new(host, &url).map_err(refused)?.rp_name(brand).allow_any_port(true);
        Ok(Self { webauthn: builder.build().map_err(refused)?, db, keys, now })
    }

    /// Asks a device for a new passkey of a person.
    ///
    /// # Errors
    /// [`FactorError`].
    pub async fn ask_new(&self, user: &User) -> Result<Question, FactorError> {
        let known = self.db.passkeys(user.id).await?.into_iter().map(|key| key.credential).collect();
        let started = self.webauthn.start_passkey_registration(
            self.handle(user.id),
            &user.email,
            &user.display_name,
            Some(known),
        );
        let (options, ceremony) = started.map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(|_| FactorError::Passkey)?;
        // Kept on the device where it can be: then it also signs in without an address being typed.
        if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
            *selection =
                json!({ "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required" });
        }
        let ceremony = serde_json::to_value(ceremony).map_err(|_| FactorError::Passkey)?;
        Ok(Question { options, state: self.close(Purpose::Register(user.id.0), ceremony)? })
    }

    /// Adds the passkey that answered. Answers new backup codes when it is the person's first second factor.
    ///
    /// # Errors
    /// [`FactorError::Passkey`] when it is no answer to this question; a conflict when it is known or there are too many.
    pub async fn add(&self, user: UserId, state: &str, answer: &str, name: &str) -> Result<Vec<String>, FactorError> {
        let (_, state) = self.open(state, Purpose::Register(user.0))?;
        let ceremony: PasskeyRegistration = read(state)?;
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| FactorError::Passkey)?;
        let credential = self.webauthn.finish_passkey_registration(&answer, &ceremony).map_err(refused)?;
        let first = !self.db.second_factors(user).await?.are_on();
        let (shown, stored) = backup::make(self.keys, user, self.now)?;
        let new = Passkey {
            id: secrets::new_id(self.now)?,
            user,
            credential: credential.cred_id().to_vec(),
            name: clean_name(name),
            data: serde_json::to_string(&credential).map_err(|_| FactorError::Passkey)?,
            created_at: self.now,
            last_used_at: None,
        };
        self.db.add_passkey(&new, &stored).await?;
        Ok(if first { shown } else { Vec::new() })
    }

    /// Asks for a passkey: any of this brand to sign in, or one of a person's to prove that it is them.
    ///
    /// # Errors
    /// [`FactorError`].
    pub async fn ask(&self, purpose: Purpose) -> Result<Question, FactorError> {
        let known = match purpose {
            Purpose::Prove(user) => self.db.passkeys(UserId(user)).await?,
            Purpose::SignIn | Purpose::Register(_) => Vec::new(),
        };
        let known: Vec<Credential> = known.iter().map(credential).collect::<Result<_, _>>()?;
        let (options, ceremony) = self.webauthn.start_passkey_authentication(&known).map_err(refused)?;
        let options = serde_json::to_value(options).map_err(|_| FactorError::Passkey)?;
        let mut ceremony = serde_json::to_value(ceremony).map_err(|_| FactorError::Passkey)?;
        // Whose answer it is will be looked up when it comes; the browser need not carry keys around.
        set_credentials(&mut ceremony, Vec::new())?;
        Ok(Question { options, state: self.close(purpose, ceremony)? })
    }

    /// Whose passkey answered. An answer counts once.
    ///
    /// # Errors
    /// [`FactorError::Passkey`] when it is no right answer to this question, or was given before.
    pub async fn answered(&self, purpose: Purpose, state: &str, answer: &str) -> Result<UserId, FactorError> {
        let (ends, mut ceremony) = self.open(state, purpose)?;
        let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| FactorError::Passkey)?;
        let stored = self.db.passkey(answer.get_credential_id()).await?.ok_or(FactorError::Passkey)?;
        if matches!(purpose, Purpose::Prove(user) if user != stored.user.0) {
            return Err(FactorError::Passkey);
        }
        if answer.get_user_unique_id().is_some_and(|handle| handle != self.handle(stored.user).as_bytes()) {
            return Err(FactorError::Passkey);
        }
        let mut key = credential(&stored)?;
        let whole = serde_json::to_value(&key).map_err(|_| FactorError::Passkey)?;
        set_credentials(&mut ceremony, whole.get("cred").cloned().into_iter().collect())?;
        let ceremony: PasskeyAuthentication = read(ceremony)?;
        let result = self.webauthn.finish_passkey_authentication(&answer, &ceremony).map_err(refused)?;
        if !result.user_verified() {
            return Err(FactorError::Passkey);
        }
        key.update_credential(&result);
        let data = serde_json::to_string(&key).map_err(|_| FactorError::Passkey)?;
        let (question, row) = (TokenHash(Sha256::digest(state).into()), secrets::new_id(self.now)?);
        if !self.db.use_passkey(&stored, &data, question, row, self.now, ends).await? {
            return Err(FactorError::Passkey);
        }
        Ok(stored.user)
    }

    /// What a device knows a person by: it tells nobody who they are.
    fn handle(&self, user: UserId) -> Uuid {
        let mac = self.keys.mac("passkey-user", &user.0.to_be_bytes());
        let (handle, _) = mac.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        Uuid::from_bytes(*handle)
    }

    fn close(&self, purpose: Purpose, ceremony: Value) -> Result<String, FactorError> {
        let state = State { purpose, ends: self.now.plus(QUESTION_LASTS_MS).0, ceremony };
        let text = serde_json::to_vec(&state).map_err(|_| FactorError::Passkey)?;
        Ok(URL_SAFE_NO_PAD.encode([self.keys.mac("passkey-question", &text).as_slice(), &text].concat()))
    }

    fn open(&self, state: &str, purpose: Purpose) -> Result<(Millis, Value), FactorError> {
        let bytes = Some(state).filter(|state| state.len() <= STATE_BYTES_MAX);
        let bytes = bytes.and_then(|state| URL_SAFE_NO_PAD.decode(state).ok()).ok_or(FactorError::Passkey)?;
        let (mac, text) = bytes.split_first_chunk::<MAC_BYTES>().ok_or(FactorError::Passkey)?;
        if !bool::from(self.keys.mac("passkey-question", text).ct_eq(mac)) {
            return Err(FactorError::Passkey);
        }
        let state: State = serde_json::from_slice(text).map_err(|_| FactorError::Passkey)?;
        let left = Millis(state.ends).since(self.now);
        if state.purpose != purpose || !(1..=QUESTION_LASTS_MS).contains(&left) {
            return Err(FactorError::Passkey);
        }
        Ok((Millis(state.ends), state.ceremony))
    }
}

/// A name as lists show it.
pub fn clean_name(name: &str) -> String {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    if name.is_empty() { "Passkey".to_owned() } else { name }
}

fn credential(stored: &Passkey) -> Result<Credential, FactorError> {
    serde_json::from_str(&stored.data)
        .map_err(|_| StoreError::Corrupt { what: "passkey", detail: "its public key cannot be read".to_owned() }.into())
}

/// The keys that a question may be answered with. The library fills them in when it asks; here they are filled in when
/// the answer says which it is.
fn set_credentials(ceremony: &mut Value, keys: Vec<Value>) -> Result<(), FactorError> {
    let there = ceremony.pointer_mut("/ast/credentials").ok_or(FactorError::Passkey)?;
    *there = Value::Array(keys);
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(ceremony: Value) -> Result<T, FactorError> {
    serde_json::from_value(ceremony).map_err(|_| FactorError::Passkey)
}

fn refused(error: WebauthnError) -> FactorError {
    tracing::info!(%error, "a passkey was refused");
    FactorError::Passkey
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        edge::host::Authority,
        secrets::Vault,
        testing::{NOON, TestStore},
    };
    use core::net::{IpAddr, Ipv4Addr};

    const ANN: i64 = 1;
    const BOB: i64 = 2;
    /// An answer as a browser writes it, of a device that nobody knows.
    const ANSWER: &str = r#"{
        "id": "AQID", "rawId": "AQID", "type": "public-key", "extensions": {},
        "response": { "authenticatorData": "AQID", "clientDataJSON": "AQID", "signature": "AQID", "userHandle": null }
    }"#;

    /// A brand's database and keys.
    struct Brand {
        db: TenantDb,
        keys: TenantKeys,
    }

    impl Brand {
        async fn of(store: &TestStore, host: &str) -> Self {
            let tenant = store.system().tenant_by_host(host).await.unwrap().unwrap();
            let db = store.system().tenant_db(tenant.id);
            let keys = Vault::for_tests(Clock::from_fn(|| NOON)).of(&db).await.unwrap();
            Self { db, keys }
        }

        fn party(&self, now: Millis) -> Party<'_> {
            let origin = Origin {
                client: IpAddr::V4(Ipv4Addr::LOCALHOST),
                authority: Authority::parse("aurora.localhost").unwrap(),
                secure: false,
                proxied: false,
            };
            Party::new(&self.db, &self.keys, &origin, "Aurora Markets", now).unwrap()
        }
    }

    /// Whether a state was opened, which comes before anything is read of an answer.
    fn opens(party: &Party<'_>, state: &str, purpose: Purpose) -> bool {
        match party.open(state, purpose) {
            Ok(_) => true,
            Err(error) => {
                assert!(matches!(error, FactorError::Passkey), "{error}");
                false
            }
        }
    }

    #[tokio::test]
    async fn a_question_is_answered_in_time_for_its_purpose_and_by_whom_it_was_asked() {
        let store = TestStore::with_demo(&[]).await;
        let (aurora, borealis) =
            (Brand::of(&store, "aurora.localhost").await, Brand::of(&store, "borealis.localhost").await);
        let purposes =
            [Purpose::SignIn, Purpose::Prove(ANN), Purpose::Prove(BOB), Purpose::Register(ANN), Purpose::Register(BOB)];
        for asked in purposes {
            let state = aurora.party(NOON).close(asked, json!({})).unwrap();
            for shown in purposes {
                assert_eq!(opens(&aurora.party(NOON), &state, shown), asked == shown, "{asked:?} for {shown:?}");
            }
            assert!(!opens(&borealis.party(NOON), &state, asked), "{asked:?} at another brand");
            for (after_ms, expect) in [
                (0, true),
                (QUESTION_LASTS_MS - 1, true),
                (QUESTION_LASTS_MS, false),
                (QUESTION_LASTS_MS * 1_000, false),
                // A clock that was set back prolongs nothing.
                (-1, false),
            ] {
                let party = aurora.party(NOON.plus(after_ms));
                assert_eq!(opens(&party, &state, asked), expect, "{asked:?} after {after_ms} ms");
            }
        }
    }

    #[tokio::test]
    async fn a_question_that_we_did_not_ask_is_none() {
        let store = TestStore::with_demo(&[]).await;
        let aurora = Brand::of(&store, "aurora.localhost").await;
        let party = aurora.party(NOON);
        let state = party.ask(Purpose::SignIn).await.unwrap().state;
        assert!(opens(&party, &state, Purpose::SignIn), "ours is one");
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for at in [0, MAC_BYTES - 1, MAC_BYTES, bytes.len() / 2, bytes.len() - 1] {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert!(!opens(&party, &URL_SAFE_NO_PAD.encode(forged), Purpose::SignIn), "byte {at}");
        }
        let text = String::from_utf8(bytes[MAC_BYTES..].to_vec()).unwrap();
        let forged = serde_json::to_vec(&State {
            purpose: Purpose::Prove(ANN),
            ends: NOON.plus(QUESTION_LASTS_MS).0,
            ceremony: serde_json::from_str::<State>(&text).unwrap().ceremony,
        });
        let another = aurora.keys.mac("passkey-user", text.as_bytes());
        for (what, forged) in [
            ("with the MAC of another", [&bytes[..MAC_BYTES], &forged.unwrap()].concat()),
            ("with a MAC for something else", [another.as_slice(), text.as_bytes()].concat()),
            ("with no MAC", text.into_bytes()),
            ("cut short", bytes[..MAC_BYTES - 1].to_vec()),
            ("with more after it", [bytes.as_slice(), b" "].concat()),
        ] {
            let forged = URL_SAFE_NO_PAD.encode(forged);
            for purpose in [Purpose::SignIn, Purpose::Prove(ANN)] {
                assert!(!opens(&party, &forged, purpose), "{what}");
            }
        }
        for nothing in [String::new(), "not base64!".to_owned(), "A".repeat(STATE_BYTES_MAX + 1)] {
            assert!(!opens(&party, &nothing, Purpose::SignIn));
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_refused_as_one_to_a_wrong_question_is() {
        let store = TestStore::with_demo(&[]).await;
        let aurora = Brand::of(&store, "aurora.localhost").await;
        let party = aurora.party(NOON);
        let right = party.ask(Purpose::SignIn).await.unwrap().state;
        let late = aurora.party(NOON.plus(-QUESTION_LASTS_MS)).ask(Purpose::SignIn).await.unwrap().state;
        let new = party.close(Purpose::Register(ANN), json!({})).unwrap();
        assert!(serde_json::from_str::<PublicKeyCredential>(ANSWER).is_ok(), "this one can be read");
        for answer in ["", "{}", "null", "[]", "\u{0}", &"[".repeat(10_000), ANSWER] {
            for state in [right.as_str(), &late, &new, "forged"] {
                let answered = party.answered(Purpose::SignIn, state, answer).await;
                assert!(matches!(answered, Err(FactorError::Passkey)), "{answered:?}");
                let added = party.add(UserId(ANN), state, answer, "Laptop").await;
                assert!(matches!(added, Err(FactorError::Passkey)), "{added:?}");
            }
        }
        assert!(aurora.db.passkeys(UserId(ANN)).await.unwrap().is_empty());
    }
}
