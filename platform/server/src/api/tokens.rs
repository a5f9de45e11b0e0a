//! What programs show: they sign in, renew what they have, and sign out.
//!
//! These operations need no `Idempotency-Key`: their answers hold secrets, which are not kept to be given again.

use super::{Tag, refused::Refused, text::Text};
use crate::{
    audit::Recorder,
    edge::Tenant,
    identity::{AccessTokens, Identity, Visit},
    secrets::Secret,
};
use poem::web::Data;
use poem_openapi::{Enum, Object, OpenApi, payload::Json, types::Example};

pub(super) struct Tokens;

/// Who lets the program in.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none, example)]
struct Credentials {
    /// Their address.
    email: Text,
    /// Their password.
    password: Text,
    /// A code of their second factor, or a backup code, when they have one.
    code: Option<Text>,
}

impl Example for Credentials {
    fn example() -> Self {
        Self { email: "trader@aurora.example".into(), password: "a long pass phrase".into(), code: None }
    }
}

/// A refresh token.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct RefreshToken {
    /// The one that came last; it is used up by this.
    refresh_token: Text,
}

impl Example for RefreshToken {
    fn example() -> Self {
        Self { refresh_token: "mqr_hB1n0Hq3cT5Zb7Yk2m8VQxw4sLr9JdKfPg6EoUaNiMt".into() }
    }
}

/// A token to be ended.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct TokenToEnd {
    /// Either of the two: both end, with all that came before them.
    token: Text,
}

impl Example for TokenToEnd {
    fn example() -> Self {
        Self { token: "mqr_hB1n0Hq3cT5Zb7Yk2m8VQxw4sLr9JdKfPg6EoUaNiMt".into() }
    }
}

/// How a token is shown.
#[derive(Enum)]
enum TokenType {
    /// In `Authorization: Bearer …`.
    Bearer,
}

/// What a program gets. Neither token can be shown again.
#[derive(Object)]
#[oai(rename = "Tokens")]
struct TokensAnswer {
    /// Opens the API.
    access_token: String,
    /// How it is shown.
    token_type: TokenType,
    /// Seconds until it ends.
    expires_in: i64,
    /// Is exchanged, once, for the next two.
    refresh_token: String,
    /// Seconds until it ends.
    refresh_expires_in: i64,
    /// Who the program speaks for.
    user: String,
}

impl From<AccessTokens> for TokensAnswer {
    fn from(tokens: AccessTokens) -> Self {
        Self {
            access_token: tokens.access.expose().to_owned(),
            token_type: TokenType::Bearer,
            expires_in: tokens.access_s,
            refresh_token: tokens.refresh.expose().to_owned(),
            refresh_expires_in: tokens.refresh_s,
            user: tokens.user.to_string(),
        }
    }
}

/// That the tokens are worth nothing now.
#[derive(Object)]
struct Ended {
    /// Always true: a token that was worth nothing before is no error.
    ended: bool,
}

#[OpenApi(tag = "Tag::Tokens")]
impl Tokens {
    /// Sign a program in
    ///
    /// With the address and password of the person it is to speak for. Whatever does not fit gets the same answer.
    #[oai(path = "/tokens", method = "post", operation_id = "create_tokens")]
    async fn create_tokens(
        &self,
        visit: Visit,
        Data(identity): Data<&Identity>,
        by: Json<Credentials>,
    ) -> Result<Json<TokensAnswer>, Refused> {
        let Credentials { email, password, code } = by.0;
        let (password, code) = (Secret::new(password.0), code.as_ref().map(|code| code.0.as_str()));
        let tokens = identity.sign_in_program(&visit, &email.0, password, code).await?;
        Ok(Json(tokens.into()))
    }

    /// Renew the tokens of a program
    ///
    /// The refresh token is used up. If it was used before, two have it: then every token of that sign-in ends, and the
    /// program must sign in again. A program that loses the answer signs in again, too.
    #[oai(path = "/tokens/refresh", method = "post", operation_id = "refresh_tokens")]
    async fn refresh_tokens(
        &self,
        tenant: Tenant,
        Data(identity): Data<&Identity>,
        Data(recorder): Data<&Recorder>,
        by: Json<RefreshToken>,
    ) -> Result<Json<TokensAnswer>, Refused> {
        let tokens = identity.renew(&tenant, recorder, &Secret::new(by.0.refresh_token.0)).await?;
        Ok(Json(tokens.into()))
    }

    /// Sign a program out
    ///
    /// Every token of that sign-in ends. What is not a token here is answered in the same way.
    #[oai(path = "/tokens/end", method = "post", operation_id = "end_tokens")]
    async fn end_tokens(
        &self,
        tenant: Tenant,
        Data(identity): Data<&Identity>,
        Data(recorder): Data<&Recorder>,
        which: Json<TokenToEnd>,
    ) -> Result<Json<Ended>, Refused> {
        identity.sign_out_program(&tenant, recorder, &Secret::new(which.0.token.0)).await?;
        Ok(Json(Ended { ended: true }))
    }
}
