//! MJCF to specification to model, with whole error messages.

use super::HandError;
use super::log::with_warnings;
use mujoco_rs::error::MjEditError;
use mujoco_rs::mujoco_c;
use mujoco_rs::prelude::*;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;

/// Longest message taken from MuJoCo's parser; the binding itself cuts at 99 characters.
const MESSAGE_LEN: usize = 4096;

/// Parses MJCF text; `file` names it in errors.
pub(super) fn parse_string(xml: &str, file: &str) -> Result<MjSpec, HandError> {
    let text = CString::new(xml).map_err(|_| failed(file, "parse", "it holds a NUL character"))?;
    let (parsed, warnings) = with_warnings(|| MjSpec::from_xml_string(xml));
    refuse_nan(&warnings, file)?;
    parsed.map_err(|short| {
        let whole = whole_message(|buffer, len| {
            // SAFETY: `text` outlives the call; a null virtual file system is allowed.
            #[allow(unsafe_code)]
            unsafe {
                mujoco_c::mj_parseXMLString(text.as_ptr(), std::ptr::null(), buffer, len)
            }
        });
        failed(file, "parse", whole.unwrap_or_else(|| reason(&short)))
    })
}

/// Parses an MJCF file with what it includes.
pub(super) fn parse_file(path: &Path) -> Result<MjSpec, HandError> {
    let file = path.display().to_string();
    let name = path.to_str().and_then(|p| CString::new(p).ok());
    let name = name.ok_or_else(|| failed(&file, "parse", "its path is not valid UTF-8"))?;
    let (parsed, warnings) = with_warnings(|| MjSpec::from_xml(path));
    refuse_nan(&warnings, &file)?;
    parsed.map_err(|short| {
        let whole = whole_message(|buffer, len| {
            // SAFETY: `name` outlives the call; a null virtual file system is allowed.
            #[allow(unsafe_code)]
            unsafe {
                mujoco_c::mj_parseXML(name.as_ptr(), std::ptr::null(), buffer, len)
            }
        });
        failed(&file, "parse", whole.unwrap_or_else(|| reason(&short)))
    })
}

/// MuJoCo only warns of numbers that are not numbers; nothing sound comes of them.
fn refuse_nan(warnings: &[String], file: &str) -> Result<(), HandError> {
    match warnings.iter().find(|w| w.contains("NaN")) {
        Some(warning) => Err(failed(file, "parse", one_line(warning))),
        None => Ok(()),
    }
}

/// Compiles, adding MuJoCo's warnings to `notices`.
pub(super) fn compile(
    spec: &mut MjSpec,
    file: &str,
    notices: &mut Vec<String>,
) -> Result<MjModel, HandError> {
    let (model, mut warnings) = with_warnings(|| spec.compile());
    let model = model.map_err(|e| failed(file, "compile", reason(&e)))?;
    warnings.extend((0..spec.num_warnings()).filter_map(|i| spec.warning(i).map(str::to_owned)));
    for warning in &warnings {
        let notice = format!("{file}: MuJoCo warns: {}", one_line(warning));
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }
    Ok(model)
}

/// The compiled specification as MJCF text. MuJoCo writes six significant digits.
pub(super) fn save(spec: &MjSpec, file: &str) -> Result<String, HandError> {
    let saved = match spec.save_xml_string(1 << 18) {
        Err(MjEditError::XmlBufferTooSmall { required_size }) => {
            spec.save_xml_string(required_size + 1)
        }
        other => other,
    };
    saved.map_err(|e| failed(file, "save", reason(&e)))
}

pub(super) fn failed(file: &str, step: &'static str, message: impl Into<String>) -> HandError {
    HandError::Mjcf { file: file.to_owned(), step, message: message.into() }
}

/// MuJoCo's own words, without the binding's preamble.
pub(super) fn reason(error: &MjEditError) -> String {
    match error {
        MjEditError::ParseFailed(m)
        | MjEditError::CompileFailed(m)
        | MjEditError::SaveFailed(m)
        | MjEditError::DeleteFailed(m) => one_line(m),
        other => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Runs a parser again with a roomy buffer for its message.
fn whole_message(parse: impl FnOnce(*mut c_char, i32) -> *mut mujoco_c::mjSpec) -> Option<String> {
    let mut buffer = [0 as c_char; MESSAGE_LEN];
    let spec = parse(buffer.as_mut_ptr(), MESSAGE_LEN as i32);
    if !spec.is_null() {
        // SAFETY: the parser just returned it and nothing else holds it.
        #[allow(unsafe_code)]
        unsafe {
            mujoco_c::mj_deleteSpec(spec);
        }
        return None;
    }
    // SAFETY: the buffer is zeroed and MuJoCo ends its message with NUL inside it.
    #[allow(unsafe_code)]
    let message = unsafe { CStr::from_ptr(buffer.as_ptr()) };
    let message = one_line(&message.to_string_lossy());
    (!message.is_empty()).then_some(message)
}
