//! Files of Expert Advisors on pages: uploaded by their vendor, downloaded by whom they are for.

use super::{
    id_of,
    product::{product_view, refused},
    vendor::{Filled, HOME, is_refusal, refuse},
};
use crate::{
    audit::Recorder,
    edge::Tenant,
    identity::SignedIn,
    licensing::{
        files::{EaFiles, Fetched, NewFile},
        manage,
    },
    portal::{Scene, brand::see_other},
    problem::{Problem, ProblemCode},
};
use futures_util::stream;
use marque_domain::{id::ProductId, licence::FILE_BYTES_MAX};
use poem::{
    Body, FromRequest as _, Request, RequestBody, Response, handler,
    http::header,
    web::{Data, Multipart, Path},
};

/// Parts of a form that are read.
const PARTS_MAX: usize = 8;
/// Bytes of a part that is no file.
const TEXT_BYTES_MAX: usize = 1_024;
/// Bytes that are handed on at once.
const CHUNK: usize = 64 << 10;

/// What a form with a file says: its texts, and the file's name and bytes.
struct Parts {
    texts: Filled,
    file: Option<(String, Vec<u8>)>,
}

/// Reads a form that was sent in parts. The edge has bounded it.
async fn parts_of(mut form: Multipart) -> Result<Parts, Problem> {
    let unreadable = |_| Problem::new(ProblemCode::BadRequest, "Open the page again and send the form from there.");
    let mut parts = Parts { texts: Filled::new(), file: None };
    for _ in 0..PARTS_MAX {
        let Some(part) = form.next_field().await.map_err(unreadable)? else { break };
        let name = part.name().unwrap_or_default().to_owned();
        match part.file_name().map(str::to_owned) {
            // Some browsers name the whole path.
            Some(path) => {
                let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                parts.file = Some((
                    name,
                    part.bytes().await.map_err(|_| Problem::new(ProblemCode::BadRequest, "Send the file again."))?,
                ));
            }
            None => {
                let bytes =
                    part.bytes().await.map_err(|_| Problem::new(ProblemCode::BadRequest, "Send the form again."))?;
                let short = bytes.get(..bytes.len().min(TEXT_BYTES_MAX)).unwrap_or_default();
                parts.texts.insert(name, String::from_utf8_lossy(short).into_owned());
            }
        }
    }
    Ok(parts)
}

/// `POST /admin/eas/:ea/files`.
#[handler]
pub(super) async fn upload(
    scene: Scene,
    who: SignedIn,
    Data(files): Data<&EaFiles>,
    Path(id): Path<String>,
    request: &Request,
    body: Body,
) -> poem::Result<Response> {
    let id: ProductId = id_of(&id)?;
    // Of a product that is not there nothing is read.
    who.db().ea_product(id).await.map_err(Problem::from)?;
    let form = Multipart::from_request(request, &mut RequestBody::new(body)).await?;
    let Parts { texts, file } = parts_of(form).await?;
    let added =
        match file.filter(|(name, _)| !name.is_empty()) {
            None => Err(Problem::new(ProblemCode::Invalid, "Choose a file and send the form again.")
                .field("/file", "choose one")),
            Some((name, bytes)) => {
                let version = id_of(texts.get("version").map_or("", String::as_str))?;
                let new = NewFile { version, name, sealed: texts.contains_key("sealed"), bytes };
                add(&who, files, id, new).await
            }
        };
    match added {
        Ok(()) => Ok(see_other(&format!("{HOME}/{id}?done=uploaded#versions"))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = product_view(&scene, &who, id).await?;
            refuse(&mut page.new_file, &texts, &problem);
            refused(&scene, page, problem)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Adds a file to a version, which must be of the product whose page it was sent from.
async fn add(who: &SignedIn, files: &EaFiles, product: ProductId, new: NewFile) -> Result<(), Problem> {
    if who.db().ea_version(new.version).await?.product != product {
        return Err(Problem::not_found());
    }
    if new.bytes.len() > FILE_BYTES_MAX {
        return Err(Problem::new(ProblemCode::TooLarge, "Send at most 16 MiB in one file."));
    }
    manage::add_file(who, files, new).await.map(drop)
}

/// `POST /admin/ea-files/:ea_file/remove`.
#[handler]
pub(super) async fn remove(
    who: SignedIn,
    Data(files): Data<&EaFiles>,
    Path(id): Path<String>,
) -> poem::Result<Response> {
    let file = manage::remove_file(&who, files, id_of(&id)?).await?;
    let version = who.db().ea_version(file.version).await.map_err(Problem::from)?;
    Ok(see_other(&format!("{HOME}/{}?done=removed#versions", version.product)))
}

/// `POST /ea-files/:ea_file/download`: leads on to a short link, if the reader may have the file.
#[handler]
pub(super) async fn begin_download(
    who: SignedIn,
    Data(files): Data<&EaFiles>,
    Path(id): Path<String>,
) -> poem::Result<Response> {
    let link = manage::download_link(&who, files, id_of(&id)?).await?;
    Ok(see_other(&link.path))
}

/// `GET /ea-downloads/:link`: the file, to be saved. The link alone opens it.
#[handler]
pub(super) async fn download(
    tenant: Tenant,
    Data(recorder): Data<&Recorder>,
    Data(files): Data<&EaFiles>,
    Path(link): Path<String>,
) -> poem::Result<Response> {
    Ok(attachment(manage::download(tenant.db(), recorder, files, &link).await?))
}

/// A file as a browser saves it and never shows it. Its place in memory is given back when the last byte is on its way.
fn attachment(fetched: Fetched) -> Response {
    let Fetched { file, bytes, permit, .. } = fetched;
    let size = bytes.len();
    let chunks = stream::unfold((bytes, 0, permit), |(bytes, at, permit)| async move {
        let chunk = bytes.get(at..bytes.len().min(at + CHUNK)).filter(|chunk| !chunk.is_empty())?.to_vec();
        let next = at + chunk.len();
        Some((Ok::<_, std::io::Error>(chunk), (bytes, next, permit)))
    });
    // The name was taken in only because it needs no escaping.
    Response::builder()
        .content_type("application/octet-stream")
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name))
        .header(header::CONTENT_LENGTH, size)
        .header(header::CACHE_CONTROL, "private, no-store")
        .body(Body::from_bytes_stream(chunks))
}
