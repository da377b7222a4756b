//! `report.html`: a result as a page of its own, and runs side by side.
//!
//! A page is made from the files of a result alone. It holds everything it shows: no script, no
//! link to elsewhere.

mod bars;
mod clip;
mod collection;
mod compare;
mod contents;
mod feasibility;
mod hand;
pub(crate) mod measured;
mod plot;
mod raster;
mod robot;
mod rollout;
mod transfer;

use crate::error::Error;
use crate::report::Status;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dextra_data::atomic;
use plot::{Plot, escape};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use compare::compare;
pub(crate) use hand::page as hand;
pub(crate) use robot::page as robot;

const STAGE: &str = "report page";
const STYLE: &str = include_str!("page/page.css");
/// Larger files are none of ours.
const REPORT_BYTES: u64 = 64 << 20;
/// Larger pictures are left beside the page instead of in it.
const PICTURE_BYTES: u64 = 24 << 20;

/// Makes the page of a result from its folder.
type Maker = fn(&Path) -> Result<String, Error>;

/// What a folder can be the result of, by the file that says so.
const KINDS: [(&str, Maker); 7] = [
    ("report.json", transfer::page),
    ("rollout.json", rollout::page),
    ("feasibility.json", feasibility::page),
    ("dataset.json", collection::page),
    ("contents.json", contents::page),
    ("clip.json", clip::page),
    ("robot.json", robot::of_folder),
];

/// Whether `dir` holds a result that [`write()`] can make a page of.
pub fn is_result(dir: &Path) -> bool {
    KINDS.iter().any(|(file, _)| dir.join(file).is_file())
}

/// Whether `dir` holds a transfer or a rollout, which [`compare`] lays side by side.
pub fn is_run(dir: &Path) -> bool {
    ["report.json", "rollout.json"].iter().any(|file| dir.join(file).is_file())
}

/// Makes `report.html` in the folder of a result again, and returns its path. Results are those of `transfer`,
/// `rollout`, `feasibility`, `collect`, `dataset`, `demo` and `export robot`.
///
/// # Errors
/// A folder without a finished result, and files that are malformed, by name and field.
pub fn write(dir: &Path) -> Result<PathBuf, Error> {
    let Some((_, page)) = KINDS.iter().find(|(file, _)| dir.join(file).is_file()) else {
        let files = KINDS.map(|(file, _)| file).join(", no ");
        return Err(Error::Request(format!(
            "{}: no {files}; this is not the folder of a finished result",
            dir.display()
        )));
    };
    let path = dir.join("report.html");
    atomic::write_file(&path, page(dir)?.as_bytes()).map_err(Error::stage(STAGE))?;
    Ok(path)
}

/// Whether `file` of a result, such as `rollout.json`, may go into `dir`: to be asked before the work, not after it.
///
/// # Errors
/// There is a result of another kind, whose page would be lost.
pub fn may_hold(dir: &Path, file: &str) -> Result<(), Error> {
    let other = KINDS.iter().find(|(name, _)| *name != file && dir.join(name).is_file());
    let Some((other, _)) = other else { return Ok(()) };
    Err(Error::Request(format!(
        "{}: there is a {other} already, whose page would be lost; name another folder",
        dir.display()
    )))
}

/// Writes `file` of a result into `dir`, and its page.
///
/// # Errors
/// A folder with a result of another kind, whose page would be lost, and files that cannot be written.
pub(crate) fn put(dir: &Path, file: &str, result: &impl serde::Serialize) -> Result<(), Error> {
    may_hold(dir, file)?;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let json = serde_json::to_vec_pretty(result).map_err(Error::stage(STAGE))?;
    atomic::write_file(&dir.join(file), &json).map_err(Error::stage(STAGE))?;
    write(dir).map(drop)
}

/// A result as it was written by [`put`].
fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = atomic::read_file(path, REPORT_BYTES).map_err(Error::stage(STAGE))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Request(format!("{}: {error}", path.display())))
}

/// A whole page round its body.
fn document(title: &str, body: &str) -> String {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:";
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main>\
         <footer>dextra {}</footer></body></html>\n",
        escape(title),
        env!("CARGO_PKG_VERSION")
    )
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{}</h2>{content}</section>", escape(title))
}

/// Rows of cells that are HTML already, the first of each its heading; tables scroll for themselves
/// where they are wider than the screen.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = String::from("<div class=\"wide\" tabindex=\"0\"><table>");
    if !header.is_empty() {
        let cells: String = header.iter().map(|h| format!("<th scope=\"col\">{h}</th>")).collect();
        html += &format!("<thead><tr>{cells}</tr></thead>");
    }
    html += "<tbody>";
    for row in rows {
        let mut cells = row.iter();
        let head = cells.next().map(|cell| format!("<th scope=\"row\">{cell}</th>"));
        let rest: String = cells.map(|cell| format!("<td>{cell}</td>")).collect();
        html += &format!("<tr>{}{rest}</tr>", head.unwrap_or_default());
    }
    html + "</tbody></table></div>"
}

/// Title, verdict, what it means (HTML already), and the few numbers that matter, each with its unit and what it is.
fn header(title: &str, verdict: &str, text: &str, tiles: &[(String, &str)]) -> String {
    let tiles: String =
        tiles.iter().map(|(value, what)| format!("<li><b>{value}</b>{what}</li>")).collect();
    format!(
        "<header><h1>{}</h1>{verdict}{text}<ul class=\"tiles\">{tiles}</ul></header>",
        escape(title)
    )
}

fn badge(status: Status) -> String {
    coloured(status == Status::Accepted, status.name())
}

fn mark(met: bool) -> String {
    coloured(met, if met { "met" } else { "missed" })
}

/// A word on green where it is good, on red where it is not.
fn coloured(good: bool, word: &str) -> String {
    classed(if good { "accepted" } else { "rejected" }, word)
}

fn classed(class: &str, word: &str) -> String {
    format!("<span class=\"badge {class}\">{}</span>", escape(word))
}

/// Plots in as many columns as fit.
fn figures(plots: &[Plot]) -> String {
    let figures: String = plots.iter().map(Plot::figure).collect();
    format!("<div class=\"plots\">{figures}</div>")
}

/// Sources and licences of recordings, which hold for the page too.
fn made_from<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let rows: BTreeSet<_> = pairs.map(|(s, licence)| vec![escape(s), escape(licence)]).collect();
    section("Made from", &table(&["source", "licence"], &rows.into_iter().collect::<Vec<_>>()))
}

/// Sentences one below the other.
fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let items: String =
        items.into_iter().map(|item| format!("<li>{}</li>", escape(item.as_ref()))).collect();
    if items.is_empty() { "<p>None.</p>".to_owned() } else { format!("<ul>{items}</ul>") }
}

/// A picture wider than a phone, which scrolls for itself there; `data` is its address.
fn wide(data: &str, class: &str, alt: &str) -> String {
    format!(
        "<div class=\"wide\" tabindex=\"0\"><img class=\"{class}\" src=\"{data}\" alt=\"{alt}\"></div>"
    )
}

/// A picture as `data:` address; `None` when it is not there or too large to be carried.
fn picture(path: &Path) -> Result<Option<String>, Error> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(None) };
    if !meta.is_file() || meta.len() > PICTURE_BYTES {
        return Ok(None);
    }
    let bytes = atomic::read_file(path, PICTURE_BYTES).map_err(Error::stage(STAGE))?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("mp4") => "video/mp4",
        Some("gif") => "image/gif",
        _ => "image/png",
    };
    Ok(Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes))))
}

#[cfg(test)]
mod tests;
