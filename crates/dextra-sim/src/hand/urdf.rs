//! URDF to MJCF.
//!
//! Links that fixed joints weld together become one body; the frame of a link that vanishes so stays
//! as a site of its name. Mimic joints become joint equalities. Meshes are looked for where
//! `package://` and relative paths can mean; what is not there is left out and said. Servos are not
//! part of a URDF and are added later, see [`super::servo`].

mod inertia;
mod mesh;
mod read;

use super::HandError;
use dextra_core::Pose;
use dextra_core::pose::{pos, quat_wxyz};
use read::{Kind, Robot, Shape};
use std::fmt::Write;
use std::path::Path;

/// Attributes of a geom that collides.
const SOLID: &str = "group=\"3\"";
/// Attributes of a geom that is only drawn.
const DRAWN: &str = "group=\"2\" contype=\"0\" conaffinity=\"0\" mass=\"0\"";

/// A URDF as MJCF.
pub(super) struct Converted {
    /// Complete MJCF without actuators; files are given by absolute paths.
    pub(super) xml: String,
    /// Greatest effort that the file states per joint, newton metres; absent where it states none.
    pub(super) efforts: Vec<(String, f64)>,
    /// Moving links with neither mass nor geometry, which were given a gram.
    pub(super) stubs: Vec<String>,
    /// What was left out, replaced or assumed.
    pub(super) notices: Vec<String>,
}

/// Converts the text of the file `path`, with what is only drawn if `drawn`.
///
/// # Errors
/// [`HandError::Urdf`] with the element that is wrong, or [`HandError::Unsupported`] for joints that
/// a hand cannot have.
pub(super) fn convert(text: &str, path: &Path, drawn: bool) -> Result<Converted, HandError> {
    let file = path.display().to_string();
    let robot = read::robot(text, &file)?;
    let mut writer = Writer {
        robot: &robot,
        drawn,
        finder: mesh::Finder::new(path),
        assets: String::new(),
        meshes: Vec::new(),
        mended: inertia::Mended::default(),
        notices: Vec::new(),
        file,
    };
    let root = robot.root();
    let mut bodies = String::new();
    writer.body(root, &Pose::identity(), None, 2, &mut bodies)?;
    let mut equalities = String::new();
    for joint in robot.joints.iter().filter(|j| j.kind == Kind::Revolute) {
        if let Some(mimic) = &joint.mimic {
            let _ = writeln!(
                equalities,
                "    <joint name=\"{0}\" joint1=\"{0}\" joint2=\"{1}\" polycoef=\"{2} {3} 0 0 0\"/>",
                escape(&joint.name),
                escape(&mimic.joint),
                mimic.offset,
                mimic.multiplier
            );
        }
    }
    writer.summarise();
    let xml = format!(
        "<mujoco model=\"{}\">\n  <compiler angle=\"radian\" autolimits=\"true\" fusestatic=\"false\"/>\n  \
         <default>\n    <geom condim=\"4\" friction=\"1 0.01 0.001\"/>\n    <site size=\"0.003\" group=\"4\"/>\n  \
         </default>\n  <asset>\n{}  </asset>\n  <worldbody>\n{bodies}  </worldbody>\n  <equality>\n{equalities}  \
         </equality>\n</mujoco>\n",
        escape(&robot.name),
        writer.assets
    );
    let efforts = robot.joints.iter().filter(|j| j.effort > 0.0);
    Ok(Converted {
        efforts: efforts.map(|j| (j.name.clone(), j.effort)).collect(),
        stubs: writer.mended.stubs,
        notices: writer.notices,
        xml,
    })
}

struct Writer<'a> {
    robot: &'a Robot,
    /// Whether visual geometry is written where there is collision geometry.
    drawn: bool,
    finder: mesh::Finder,
    assets: String,
    /// `(file, scale)` of the meshes so far, in the order of their names.
    meshes: Vec<(String, [f64; 3])>,
    mended: inertia::Mended,
    notices: Vec<String>,
    file: String,
}

impl Writer<'_> {
    /// Writes the body of `link`, with all links welded to it.
    fn body(
        &mut self,
        link: usize,
        parent_from_link: &Pose,
        joint: Option<usize>,
        depth: usize,
        out: &mut String,
    ) -> Result<(), HandError> {
        let robot = self.robot;
        let indent = "  ".repeat(depth);
        let name = match robot.links[link].name.as_str() {
            // MuJoCo keeps this name for its own.
            "world" => "world_link".to_owned(),
            name => escape(name),
        };
        let [x, y, z] = pos(parent_from_link);
        let [w, i, j, k] = quat_wxyz(parent_from_link);
        let _ = writeln!(
            out,
            "{indent}<body name=\"{name}\" pos=\"{x} {y} {z}\" quat=\"{w} {i} {j} {k}\" gravcomp=\"1\">"
        );
        // The links welded to this one, with their poses in it; parents come first.
        let mut welded = vec![(link, Pose::identity())];
        let mut moving = Vec::new();
        let mut at = 0;
        while at < welded.len() {
            let (inner, body_from_inner) = welded[at];
            for (index, next) in robot.joints.iter().enumerate() {
                if robot.link(&next.parent) != Some(inner) {
                    continue;
                }
                let child = robot.link(&next.child).expect("checked when the file was read");
                let pose = body_from_inner * next.parent_from_child;
                match next.kind {
                    Kind::Fixed | Kind::Carrier => welded.push((child, pose)),
                    Kind::Revolute => moving.push((child, pose, index)),
                }
            }
            at += 1;
        }
        if let Some(joint) = joint.map(|j| &robot.joints[j]) {
            let [x, y, z] = joint.axis;
            let range = match joint.range {
                Some((low, high)) => format!(" range=\"{low} {high}\""),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "{indent}  <joint name=\"{}\" axis=\"{x} {y} {z}\"{range} damping=\"{}\" frictionloss=\"{}\"/>",
                escape(&joint.name),
                joint.damping,
                joint.friction
            );
        }
        let mut shapes = String::new();
        let mut there = 0;
        for (index, body_from_link) in &welded {
            let part = &robot.links[*index];
            if *index != link {
                let [x, y, z] = pos(body_from_link);
                let [w, i, j, k] = quat_wxyz(body_from_link);
                let _ = writeln!(
                    shapes,
                    "{indent}  <site name=\"{}\" pos=\"{x} {y} {z}\" quat=\"{w} {i} {j} {k}\"/>",
                    escape(&part.name)
                );
            }
            let mut solid = 0;
            for element in &part.collisions {
                solid += usize::from(self.geom(
                    element,
                    body_from_link,
                    (SOLID, true),
                    &indent,
                    &mut shapes,
                )?);
            }
            // A link that is only drawn collides as it is drawn.
            let look = (if solid > 0 { DRAWN } else { SOLID }, false);
            let mut drawn = 0;
            let visuals = if self.drawn || solid == 0 { &part.visuals[..] } else { &[] };
            for element in visuals {
                drawn +=
                    usize::from(self.geom(element, body_from_link, look, &indent, &mut shapes)?);
            }
            there += solid + drawn;
            if solid == 0 && drawn > 0 {
                self.notices.push(format!(
                    "{}: link `{}` has no collision geometry; what is drawn of it collides",
                    self.file, part.name
                ));
            }
        }
        let inertial =
            inertia::of_body(robot, &welded, (joint.is_some(), there > 0), &mut self.mended);
        if let Some(inertial) = inertial {
            let _ = writeln!(out, "{indent}  {inertial}");
        }
        out.push_str(&shapes);
        for (child, body_from_child, index) in moving {
            self.body(child, &body_from_child, Some(index), depth + 1, out)?;
        }
        let _ = writeln!(out, "{indent}</body>");
        Ok(())
    }

    /// Writes a geom with the attributes `look`; `solid` says whether the file means it to collide. `false`
    /// when its mesh is not there.
    fn geom(
        &mut self,
        element: &read::Element,
        body_from_link: &Pose,
        (look, solid): (&str, bool),
        indent: &str,
        out: &mut String,
    ) -> Result<bool, HandError> {
        let shape = match &element.shape {
            Shape::Box([x, y, z]) => {
                format!("type=\"box\" size=\"{} {} {}\"", x / 2.0, y / 2.0, z / 2.0)
            }
            Shape::Sphere(radius) => format!("type=\"sphere\" size=\"{radius}\""),
            Shape::Cylinder(radius, length) => {
                format!("type=\"cylinder\" size=\"{radius} {}\"", length / 2.0)
            }
            Shape::Capsule(radius, length) => {
                format!("type=\"capsule\" size=\"{radius} {}\"", length / 2.0)
            }
            Shape::Mesh(name, scale) => match self.finder.find(name, solid) {
                Some(found) => format!("type=\"mesh\" mesh=\"{}\"", self.mesh(&found, *scale)?),
                None => return Ok(false),
            },
        };
        let pose = body_from_link * element.link_from_element;
        let [x, y, z] = pos(&pose);
        let [w, i, j, k] = quat_wxyz(&pose);
        let _ = writeln!(
            out,
            "{indent}  <geom {shape} pos=\"{x} {y} {z}\" quat=\"{w} {i} {j} {k}\" {look}/>"
        );
        Ok(true)
    }

    /// Name of the mesh asset for a file at a scale.
    fn mesh(&mut self, found: &Path, scale: [f64; 3]) -> Result<String, HandError> {
        let Some(text) = found.to_str() else {
            let message = format!("its path is not valid UTF-8: {}", found.display());
            return Err(read::wrong(&self.file, "mesh", &message));
        };
        let key = (text.to_owned(), scale);
        let index = match self.meshes.iter().position(|m| *m == key) {
            Some(index) => index,
            None => {
                let [x, y, z] = scale;
                let index = self.meshes.len();
                let _ = writeln!(
                    self.assets,
                    "    <mesh name=\"mesh_{index}\" file=\"{}\" scale=\"{x} {y} {z}\" inertia=\"convex\"/>",
                    escape(text)
                );
                self.meshes.push(key);
                index
            }
        };
        Ok(format!("mesh_{index}"))
    }

    /// One notice per kind of loss instead of one per mesh.
    fn summarise(&mut self) {
        for line in self.finder.summary() {
            self.notices.push(format!("{}: {line}", self.file));
        }
        for note in self.mended.summary().iter().chain(&self.robot.notices) {
            self.notices.push(format!("{}: {note}", self.file));
        }
    }
}

/// Text for an attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
