//! Files of versions of Expert Advisors.

use super::{Tag, caller::Caller, eas::id_of, idempotency::once, refused::Refused};
use crate::{
    identity::Operation,
    licensing::{
        files::{EaFiles, NewFile},
        manage,
    },
};
use marque_domain::id::EaVersionId;
use marque_store::EaFile;
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::{Binary, Json},
};

pub(super) struct Files;

/// A file of a version.
#[derive(Object)]
#[oai(rename = "EaFile")]
struct FileEntry {
    /// Its id.
    id: String,
    /// Of which version.
    version: String,
    /// What it is called when it is saved.
    name: String,
    /// Bytes.
    size: i64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    sha256: String,
    /// Whether it is sealed where it lies.
    sealed: bool,
    /// When it was uploaded.
    uploaded_at: String,
}

impl From<EaFile> for FileEntry {
    fn from(file: EaFile) -> Self {
        Self {
            id: file.id.to_string(),
            version: file.version.to_string(),
            size: file.size,
            sha256: file.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            sealed: file.is_sealed(),
            uploaded_at: file.uploaded_at.to_rfc3339(),
            name: file.name,
        }
    }
}

/// Files.
#[derive(Object)]
#[oai(rename = "EaFiles")]
struct FileList {
    /// The oldest first, at most 20.
    items: Vec<FileEntry>,
}

/// A link to a file.
#[derive(Object)]
#[oai(rename = "EaFileLink")]
struct LinkEntry {
    /// Its path at this site. It needs no sign-in: whoever has it can use it until it ends.
    path: String,
    /// When it ends.
    expires_at: String,
}

#[OpenApi(tag = "Tag::Licences")]
impl Files {
    /// List a version's files
    #[oai(path = "/ea-versions/:ea_version/files", method = "get", operation_id = "list_ea_files")]
    async fn list_ea_files(
        &self,
        caller: Caller,
        /// The version's id.
        ea_version: Path<String>,
    ) -> Result<Json<FileList>, Refused> {
        caller.who.may(Operation::ListEas)?;
        let version = caller.db().ea_version(id_of(&ea_version.0)?).await?;
        let items = caller.db().ea_files(version.id).await?.into_iter().map(FileEntry::from).collect();
        Ok(Json(FileList { items }))
    }

    /// Upload a file of a version
    ///
    /// The file itself is the body. It must be what its name says: a compiled program, MQL source or inputs as text, a PDF
    /// or a zip archive.
    #[oai(path = "/ea-versions/:ea_version/files", method = "post", operation_id = "add_ea_file", transform = "once")]
    #[expect(clippy::too_many_arguments, reason = "each is a part of the request that the description names")]
    async fn add_ea_file(
        &self,
        caller: Caller,
        files: Data<&EaFiles>,
        /// The version's id.
        ea_version: Path<String>,
        /// What it is called when it is saved: up to 100 letters, digits, spaces and `._-+()`, with one of the endings
        /// ex4, ex5, mq4, mq5, mqh, set, pdf and zip.
        name: Query<String>,
        /// Whether it is sealed where it lies, under a key of its own; left out: it is.
        sealed: Query<Option<bool>>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        content: Binary<Vec<u8>>,
    ) -> Result<Json<FileEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let version: EaVersionId = id_of(&ea_version.0)?;
        let new = NewFile { version, name: name.0, sealed: sealed.0.unwrap_or(true), bytes: content.0 };
        Ok(Json(manage::add_file(&caller.who, files.0, new).await?.into()))
    }

    /// Remove a file
    ///
    /// Nobody gets it any more; links to it end at once.
    #[oai(path = "/ea-files/:ea_file/remove", method = "post", operation_id = "remove_ea_file", transform = "once")]
    async fn remove_ea_file(
        &self,
        caller: Caller,
        files: Data<&EaFiles>,
        /// The file's id.
        ea_file: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<FileEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        Ok(Json(manage::remove_file(&caller.who, files.0, id_of(&ea_file.0)?).await?.into()))
    }

    /// Make a download link
    ///
    /// For five minutes, for who has a licence of the product that is good now, or a plan that the product names. Whether
    /// that still holds is asked again when the link is followed. Sent again with the same key, the same link is answered:
    /// send another key for another link.
    #[oai(path = "/ea-files/:ea_file/link", method = "post", operation_id = "link_ea_file", transform = "once")]
    async fn link_ea_file(
        &self,
        caller: Caller,
        files: Data<&EaFiles>,
        /// The file's id.
        ea_file: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<LinkEntry>, Refused> {
        let link = manage::download_link(&caller.who, files.0, id_of(&ea_file.0)?).await?;
        Ok(Json(LinkEntry { path: link.path, expires_at: link.until.to_rfc3339() }))
    }
}
