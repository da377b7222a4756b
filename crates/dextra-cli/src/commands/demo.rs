//! `dextra demo synth`, `dextra demo info` and `dextra demo validate`.

use crate::args::{DemoArgs, DemoVerb, InfoArgs, SynthArgs, ValidateArgs};
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::demo::{self, ClipInfo};

/// Runs the verb.
pub fn run(args: &DemoArgs) -> Result<Exit> {
    match &args.verb {
        DemoVerb::Synth(args) => synth(args),
        DemoVerb::Info(args) => info(args),
        DemoVerb::Validate(args) => validate(args),
    }
}

/// Prints the paths that were written, one per line.
fn synth(args: &SynthArgs) -> Result<Exit> {
    let paths = demo::write(&args.clip, args.seed, args.noise, &args.out)?;
    let lines: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
    output::print(&lines)?;
    Ok(Exit::Fine)
}

fn info(args: &InfoArgs) -> Result<Exit> {
    let demonstration = demo::load(&args.clip, 0, &args.reading.options())?;
    if let Some(out) = &args.out
        && let Some(note) = demo::look(&demonstration, out)?
    {
        eprintln!("{note}");
    }
    let info = demo::info(&demonstration);
    let text = if args.json { serde_json::to_string(&info)? + "\n" } else { described(&info) };
    output::print(&text)?;
    Ok(Exit::Fine)
}

/// One row per clip, then what was inferred and why others are refused.
fn validate(args: &ValidateArgs) -> Result<Exit> {
    let options = args.reading.options();
    let found: Vec<_> = args.clips.iter().map(|clip| demo::validate(clip, &options)).collect();
    let mut text = String::new();
    if args.json {
        for validation in &found {
            text += &(serde_json::to_string(validation)? + "\n");
        }
    } else {
        let rows: Vec<_> = found
            .iter()
            .map(|v| vec![v.clip.clone(), v.status.to_owned(), v.notes.len().to_string()])
            .collect();
        text += &output::table(&["clip", "status", "notes"], &rows);
        for validation in &found {
            for note in validation.notes.iter().chain(&validation.cause) {
                // A cause may begin with the clip's name itself.
                let note = note.strip_prefix(&format!("{}: ", validation.clip)).unwrap_or(note);
                text += &format!("{}: {note}\n", validation.clip);
            }
        }
    }
    output::print(&text)?;
    let refused = found.iter().any(|validation| validation.status == "refused");
    Ok(if refused { Exit::SomeRejected } else { Exit::Fine })
}

/// A clip in words and tables.
pub fn described(info: &ClipInfo) -> String {
    let mut text = format!(
        "{}: {} frames at {} Hz ({:.2} s)\nsource: {}\nlicence: {}\n",
        info.clip, info.frames, info.fps_hz, info.duration_s, info.source, info.licence
    );
    for note in &info.notes {
        text += &format!("note: {note}\n");
    }
    let rows: Vec<_> = info
        .hands
        .iter()
        .map(|h| {
            vec![h.side.clone(), format!("{:.1}", h.palm_cm), format!("{:.0}", h.chirality_mm)]
        })
        .collect();
    text += "\n";
    text += &output::table(&["hand", "palm_cm", "chirality_mm"], &rows);
    let rows: Vec<_> = info
        .objects
        .iter()
        .map(|o| {
            let [x, y, z] = o.size_cm;
            vec![
                o.object.clone(),
                format!("{x:.1} x {y:.1} x {z:.1}"),
                o.mass_kg.map_or("-".to_owned(), |mass| format!("{mass:.3}")),
                o.faces.to_string(),
                format!("{:.1}", o.lift_cm),
                format!("{:.2}", o.peak_speed_m_s),
            ]
        })
        .collect();
    if rows.is_empty() {
        return text;
    }
    text += "\n";
    text += &output::table(
        &["object", "size_cm", "mass_kg", "faces", "lift_cm", "peak_speed_m_s"],
        &rows,
    );
    text
}
