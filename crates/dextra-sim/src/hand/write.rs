//! A map as TOML, with what stands behind it as comments.

use super::derive::Finding;
use super::map::{RawMap, RawSide};
use std::fmt::Write;

/// The text of a map file.
pub(super) fn toml(map: &RawMap, findings: &[Finding], unknown: &[String]) -> String {
    let schema = map.schema();
    let mut text = String::from(
        "# Which parts of the hand mean what; points in the frame of the named body, metres.\n\
         # Derived from the model. A file like this beside the hand overrides what is derived.\n",
    );
    let _ = writeln!(text, "name = {}", quoted(&schema.name));
    comment(&mut text, findings, "side");
    let side = match schema.side {
        RawSide::Right => "right",
        RawSide::Left => "left",
    };
    let _ = writeln!(text, "side = \"{side}\"");
    comment(&mut text, findings, "contact bodies");
    let _ = writeln!(text, "contact_bodies = {}", list(&schema.contact_bodies));
    text += "\n[palm]\n";
    comment(&mut text, findings, "palm body");
    let _ = writeln!(text, "body = {}", quoted(&schema.palm.body));
    comment(&mut text, findings, "palm centre");
    let _ = writeln!(text, "center_m = {}", point(schema.palm.center_m));
    comment(&mut text, findings, "fingers axis");
    let _ = writeln!(text, "fingers_axis = {}", point(schema.palm.fingers_axis));
    comment(&mut text, findings, "palm normal");
    let _ = writeln!(text, "normal_axis = {}", point(schema.palm.normal_axis));
    for finger in &schema.finger {
        text += "\n[[finger]]\n";
        comment(&mut text, findings, &format!("finger {}", finger.name));
        let _ = writeln!(text, "name = {}", quoted(&finger.name));
        let _ = writeln!(text, "bodies = {}", list(&finger.bodies));
        comment(&mut text, findings, &format!("tip of {}", finger.name));
        if let Some(site) = &finger.tip_site {
            let _ = writeln!(text, "tip_site = {}", quoted(site));
        }
        if let Some(at) = finger.tip_point_m {
            let _ = writeln!(text, "tip_point_m = {}", point(at));
        }
    }
    text += "\n";
    comment(&mut text, findings, "keypoints");
    for keypoint in &schema.keypoint {
        let _ = writeln!(text, "[[keypoint]]\nindex = {}", keypoint.index);
        if let Some(site) = &keypoint.site {
            let _ = writeln!(text, "site = {}", quoted(site));
        }
        if let (Some(body), Some(at)) = (&keypoint.body, keypoint.point_m) {
            let _ = writeln!(text, "body = {}\npoint_m = {}", quoted(body), point(at));
        }
        text += "\n";
    }
    for line in unknown {
        let _ = writeln!(text, "# Not known: {}", one_line(line));
    }
    text
}

fn comment(text: &mut String, findings: &[Finding], item: &str) {
    if let Some(f) = findings.iter().find(|f| f.item == item) {
        let _ = writeln!(text, "# {}: {}", f.confidence.name(), one_line(&f.reason));
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|n| quoted(n)).collect();
    format!("[{}]", names.join(", "))
}

fn point([x, y, z]: [f64; 3]) -> String {
    format!("[{x:?}, {y:?}, {z:?}]")
}
