//! The built page, embedded into the program: a table from path to bytes and its content types.
//!
//! The table is written by the build; it is empty when the viewer was not built, and then the page
//! says so. Nothing is ever read from disk, so no path can lead outside.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

include!(concat!(env!("OUT_DIR"), "/viewer_assets.rs"));

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Portcullis</title>\
<h1>The viewer is not part of this build</h1>\
<p>Run <code>npm ci</code> and <code>npm run build</code> in <code>viewer/</code>, then build Portcullis again.</p></html>";

/// The page itself, for every address that the page's own program routes.
pub(super) fn index() -> Response {
    match find("index.html") {
        Some(bytes) => page(StatusCode::OK, Bytes::from_static(bytes)),
        None => page(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(NOT_BUILT.as_bytes())),
    }
}

/// A file of the page by its path below the root, without the leading slash.
pub(super) fn file(path: &str) -> Response {
    let Some(bytes) = find(path).filter(|_| path != "index.html") else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let headers = [(CONTENT_TYPE, content_type(path)), (CACHE_CONTROL, cache_control(path))];
    (headers, Bytes::from_static(bytes)).into_response()
}

fn page(status: StatusCode, bytes: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, content_type("index.html")), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, bytes).into_response()
}

fn find(path: &str) -> Option<&'static [u8]> {
    VIEWER_ASSETS.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
}

/// Names below `assets/` carry a digest of their content, so they may be kept for ever.
fn cache_control(path: &str) -> HeaderValue {
    HeaderValue::from_static(if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    })
}

fn content_type(path: &str) -> HeaderValue {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    HeaderValue::from_static(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    })
}
