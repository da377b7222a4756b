//! Descriptions of robot hands and arms, as `.toml` files.

use crate::{DataError, atomic};
use dextra_core::device::{
    AngleUnit, ArmGeometry, Channel, ChannelLimits, Device, DhLink, LinkCapsule,
};
use dextra_core::{Pose, names, pose};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

macro_rules! builtin {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../assets/devices/", $name, ".toml")))),*]
    };
}

/// Name and text of every built-in description.
const BUILTIN: [(&str, &str); 5] = builtin!("allegro", "fr3", "inspire", "leap", "shadow");

/// Larger files are no descriptions.
const MAX_BYTES: u64 = 1 << 20;

/// Names of the built-in descriptions, of arms or of hands.
pub fn builtin_names(arms: bool) -> Vec<&'static str> {
    let kind = if arms { "kind = \"arm\"" } else { "kind = \"hand\"" };
    BUILTIN.iter().filter(|(_, text)| text.contains(kind)).map(|(name, _)| *name).collect()
}

/// The description called `spec`, or the one in the file of that name where it ends in `.toml`.
///
/// # Errors
/// An unknown name, with those that exist; a file that cannot be read; a field that is missing, unknown or
/// impossible, with its name.
pub fn load_device(spec: &str) -> Result<Device, DataError> {
    let path = Path::new(spec);
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")) {
        let bytes = atomic::read_file(path, MAX_BYTES)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| DataError::format(path, "not text (UTF-8 was expected)"))?;
        return parse(&text, path);
    }
    match BUILTIN.iter().find(|(name, _)| *name == spec) {
        Some((_, text)) => parse(text, path),
        None => {
            let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
            let known = names.join(", ");
            Err(DataError::format(
                path,
                format!(
                    "no device is called so; there are {known}, and FILE.toml reads a description{}",
                    names::hint(spec, names)
                ),
            ))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Hand,
    Arm,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Rad,
    Deg,
    Count,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    kind: Kind,
    model: String,
    unit: Unit,
    rate_hz: f64,
    resolution: Option<f64>,
    velocity: Option<f64>,
    acceleration: Option<f64>,
    jerk: Option<f64>,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    mount: Option<Mount>,
    arm: Option<Arm>,
    channel: Vec<ChannelEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mount {
    root_from_flange_pos_m: [f64; 3],
    root_from_flange_quat_wxyz: [f64; 4],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm {
    flange_pos_m: [f64; 3],
    link: Vec<Link>,
    #[serde(default)]
    capsule: Vec<Capsule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    a_m: f64,
    d_m: f64,
    alpha_rad: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capsule {
    link: usize,
    from_m: [f64; 3],
    to_m: [f64; 3],
    radius_m: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelEntry {
    name: String,
    drives: String,
    zero: Option<f64>,
    per_rad: Option<f64>,
    position: Option<[f64; 2]>,
    velocity: Option<f64>,
    acceleration: Option<f64>,
    jerk: Option<f64>,
}

/// Reads a description; `path` names it in errors.
pub fn parse(text: &str, path: &Path) -> Result<Device, DataError> {
    let file: File = toml::from_str(text)
        .map_err(|error| DataError::format(path, names::with_hint(&error.to_string())))?;
    let field = |name: &str, problem: &str| DataError::field(path, name, problem);
    let positive = |name: &str, value: Option<f64>| match value {
        Some(v) if !(v.is_finite() && v > 0.0) => Err(field(name, "must be above zero")),
        value => Ok(value),
    };
    positive("rate_hz", Some(file.rate_hz))?;
    positive("resolution", file.resolution)?;
    if file.channel.is_empty() {
        return Err(field("channel", "none; a device takes at least one number"));
    }
    let mut channels: Vec<Channel> = Vec::with_capacity(file.channel.len());
    for (index, entry) in file.channel.iter().enumerate() {
        let at = |name: &str| format!("channel[{index}].{name}");
        let finite = |name: &str, value: Option<f64>| match value {
            Some(v) if !v.is_finite() => Err(field(&at(name), "is not a finite number")),
            value => Ok(value),
        };
        let unit = match file.unit {
            Unit::Rad => Some(1.0),
            Unit::Deg => Some(180.0 / std::f64::consts::PI),
            Unit::Count => None,
        };
        let per_rad = finite("per_rad", entry.per_rad)?.or(unit).filter(|v| *v != 0.0);
        let per_rad = per_rad.ok_or_else(|| {
            field(&at("per_rad"), "is missing or zero; say how many counts a radian is")
        })?;
        let position = match entry.position {
            Some([low, high]) if !(low.is_finite() && high.is_finite() && low < high) => {
                return Err(field(&at("position"), "must be two numbers, the smaller one first"));
            }
            position => position.map(Into::into),
        };
        if let Some(twin) =
            channels.iter().find(|c| c.name == entry.name || c.drives == entry.drives)
        {
            let problem = format!("`{}` drives `{}` already", twin.name, twin.drives);
            return Err(field(&at("drives"), &problem));
        }
        channels.push(Channel {
            name: entry.name.clone(),
            drives: entry.drives.clone(),
            zero: finite("zero", entry.zero)?.unwrap_or(0.0),
            per_rad,
            limits: ChannelLimits {
                position,
                velocity: positive(&at("velocity"), entry.velocity.or(file.velocity))?,
                acceleration: positive(
                    &at("acceleration"),
                    entry.acceleration.or(file.acceleration),
                )?,
                jerk: positive(&at("jerk"), entry.jerk.or(file.jerk))?,
            },
        });
    }
    let mount = match &file.mount {
        None => None,
        Some(mount) => Some(checked_mount(mount).map_err(|problem| field("mount", problem))?),
    };
    let arm = match (file.kind, &file.arm) {
        (Kind::Arm, None) => return Err(field("arm", "is missing; an arm needs its links")),
        (Kind::Hand, Some(_)) => return Err(field("arm", "a hand has none")),
        (_, None) => None,
        (_, Some(arm)) => Some(geometry(arm, &channels, &field)?),
    };
    Ok(Device {
        name: file.name,
        model: file.model,
        unit: match file.unit {
            Unit::Rad => AngleUnit::Radian,
            Unit::Deg => AngleUnit::Degree,
            Unit::Count => AngleUnit::Count,
        },
        rate_hz: file.rate_hz,
        resolution: file.resolution,
        channels,
        root_from_flange: mount,
        arm,
        sources: file.sources.into_iter().collect(),
    })
}

fn checked_mount(mount: &Mount) -> Result<Pose, &'static str> {
    let (pos, quat) = (mount.root_from_flange_pos_m, mount.root_from_flange_quat_wxyz);
    if pos.iter().chain(&quat).any(|v| !v.is_finite()) {
        return Err("has a number that is not finite");
    }
    let norm = quat.iter().map(|v| v * v).sum::<f64>().sqrt();
    if (norm - 1.0).abs() > 1e-3 {
        return Err("root_from_flange_quat_wxyz has not the norm 1");
    }
    Ok(pose::from_pos_quat(pos, quat))
}

fn geometry(
    arm: &Arm,
    channels: &[Channel],
    field: &dyn Fn(&str, &str) -> DataError,
) -> Result<ArmGeometry, DataError> {
    if arm.link.len() != channels.len() {
        return Err(field("arm.link", "must have one entry per channel"));
    }
    if channels.iter().any(|channel| channel.limits.position.is_none()) {
        return Err(field("channel.position", "is missing; every joint of an arm needs its range"));
    }
    let numbers = arm.link.iter().flat_map(|link| [link.a_m, link.d_m, link.alpha_rad]);
    if numbers.chain(arm.flange_pos_m).any(|v| !v.is_finite()) {
        return Err(field("arm", "has a number that is not finite"));
    }
    let capsule = |(index, capsule): (usize, &Capsule)| {
        let numbers = capsule.from_m.iter().chain(&capsule.to_m);
        let sound = numbers.copied().all(f64::is_finite) && capsule.radius_m > 0.0;
        if !sound || !capsule.radius_m.is_finite() || capsule.link > arm.link.len() {
            let name = format!("arm.capsule[{index}]");
            return Err(field(
                &name,
                "needs finite ends, a radius above zero and a link that exists",
            ));
        }
        let ends = [capsule.from_m.into(), capsule.to_m.into()];
        Ok(LinkCapsule { link: capsule.link, ends, radius: capsule.radius_m })
    };
    let [x, y, z] = arm.flange_pos_m;
    Ok(ArmGeometry {
        links: arm
            .link
            .iter()
            .map(|link| DhLink { a: link.a_m, d: link.d_m, alpha: link.alpha_rad })
            .collect(),
        last_from_flange: Pose::translation(x, y, z),
        capsules: arm.capsule.iter().enumerate().map(capsule).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_description_is_sound() {
        for (name, _) in BUILTIN {
            let device = load_device(name).unwrap();
            assert_eq!(device.name, name);
            assert_eq!(device.arm.is_some(), builtin_names(true).contains(&name));
            assert!(device.sources.len() >= 5, "{name} does not say where its facts are from");
            assert!(device.channels.iter().all(|channel| channel.limits.position.is_some()));
        }
    }

    #[test]
    fn an_inspire_finger_is_1000_when_open_and_0_when_closed() {
        let device = load_device("inspire").unwrap();
        let names: Vec<&str> = device.channels.iter().map(|c| c.name.as_str()).collect();
        let order = ["little", "ring", "middle", "index", "thumb_bend", "thumb_rotation"];
        assert_eq!(names, order);
        let index = &device.channels[3];
        assert!((index.encode(0.0) - 1000.0).abs() < 1e-4 && index.encode(1.7).abs() < 1e-4);
        let (low, high) = device.channels[4].range().unwrap();
        assert!((low + 0.1).abs() < 1e-6 && (high - 0.6).abs() < 1e-6, "{low} {high}");
        assert!((index.decode(index.encode(0.4)) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn wrong_fields_are_named() {
        let good = "name = \"x\"\nkind = \"hand\"\nmodel = \"x\"\nunit = \"rad\"\nrate_hz = 50.0\n\
                    [[channel]]\nname = \"a\"\ndrives = \"a\"\n";
        let path = Path::new("x.toml");
        assert!(parse(good, path).is_ok());
        for (from, to, word) in [
            ("rate_hz = 50.0", "rate_hz = 0.0", "`rate_hz`"),
            ("rate_hz = 50.0", "rate_hz = nan", "`rate_hz`"),
            ("unit = \"rad\"", "unit = \"count\"", "`channel[0].per_rad`"),
            ("unit = \"rad\"", "unit = \"turn\"", "turn"),
            ("kind = \"hand\"", "kind = \"arm\"", "`arm`"),
            ("drives = \"a\"", "drives = \"a\"\nposition = [1.0, 0.0]", "`channel[0].position`"),
            ("drives = \"a\"", "drives = \"a\"\nvelocity = -1.0", "`channel[0].velocity`"),
            ("drives = \"a\"", "drives = \"a\"\nspeed = 1.0", "speed"),
            (
                "[[channel]]",
                "[mount]\nroot_from_flange_pos_m = [0.0, 0.0, 0.0]\n\
              root_from_flange_quat_wxyz = [1.0, 1.0, 0.0, 0.0]\n[[channel]]",
                "`mount`",
            ),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good);
            let message = parse(&text, path).unwrap_err().to_string();
            assert!(message.contains("x.toml") && message.contains(word), "{message}");
        }
        let twice = format!("{good}[[channel]]\nname = \"b\"\ndrives = \"a\"\n");
        let message = parse(&twice, path).unwrap_err().to_string();
        assert!(message.contains("channel[1]"), "{message}");
        let message = parse(&good.replacen("name", "nmae", 1), path).unwrap_err().to_string();
        assert!(message.ends_with("did you mean `name`?"), "{message}");
        assert!(load_device("fanuc").unwrap_err().to_string().contains("fr3"));
    }
}
