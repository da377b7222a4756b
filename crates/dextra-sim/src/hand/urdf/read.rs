//! What a URDF says, checked: names, numbers, one tree.

use crate::hand::HandError;
use dextra_core::Pose;
use nalgebra::{Matrix3, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};

/// Deepest chain of links; no hand has more, and a longer one would exhaust the stack.
const MAX_DEPTH: usize = 200;
/// Most links of a file; a hand has tens, and look-ups here are by name.
const MAX_LINKS: usize = 500;
/// Joints whose range is smaller than this stand still, radians.
const STILL: f64 = 1e-6;

/// A robot.
pub(super) struct Robot {
    pub(super) name: String,
    pub(super) links: Vec<Link>,
    pub(super) joints: Vec<Joint>,
    pub(super) notices: Vec<String>,
    root: usize,
}

/// A link.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) inertial: Option<Inertial>,
    pub(super) visuals: Vec<Element>,
    pub(super) collisions: Vec<Element>,
}

/// Mass and inertia as written.
pub(super) struct Inertial {
    pub(super) mass: f64,
    pub(super) link_from_inertial: Pose,
    /// About the centre of mass, in the inertial frame.
    pub(super) inertia: Matrix3<f64>,
}

/// A piece of geometry.
pub(super) struct Element {
    pub(super) link_from_element: Pose,
    pub(super) shape: Shape,
}

/// Geometry; lengths in metres.
pub(super) enum Shape {
    /// Full side lengths.
    Box([f64; 3]),
    Sphere(f64),
    /// Radius and whole length.
    Cylinder(f64, f64),
    /// Radius and length of the cylinder between the caps.
    Capsule(f64, f64),
    /// File as written, scale per axis.
    Mesh(String, [f64; 3]),
}

/// What a joint allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fixed,
    Revolute,
    /// Carries the whole hand, as the scene does; anywhere else it is refused. Fixed once checked.
    Carrier,
}

/// A joint; its frame is the child's.
pub(super) struct Joint {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) parent: String,
    pub(super) child: String,
    pub(super) parent_from_child: Pose,
    /// Unit axis in the child's frame.
    pub(super) axis: [f64; 3],
    /// Radians; `None` without limits.
    pub(super) range: Option<(f64, f64)>,
    /// Newton metres; 0 where the file states none.
    pub(super) effort: f64,
    pub(super) damping: f64,
    pub(super) friction: f64,
    pub(super) mimic: Option<Mimic>,
}

/// `angle = multiplier * angle of joint + offset`.
pub(super) struct Mimic {
    pub(super) joint: String,
    pub(super) multiplier: f64,
    pub(super) offset: f64,
}

impl Robot {
    /// Index of the link that is nobody's child.
    pub(super) fn root(&self) -> usize {
        self.root
    }

    /// Index of a link by name.
    pub(super) fn link(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|l| l.name == name)
    }
}

pub(super) fn wrong(file: &str, element: &str, message: &str) -> HandError {
    HandError::Urdf {
        file: file.to_owned(),
        element: element.to_owned(),
        message: message.to_owned(),
    }
}

/// Reads and checks a URDF.
pub(super) fn robot(text: &str, file: &str) -> Result<Robot, HandError> {
    let document =
        Document::parse(text).map_err(|e| wrong(file, "file", &format!("is not XML: {e}")))?;
    let top = document.root_element();
    if !top.has_tag_name("robot") {
        let message = format!("is `{}`; a URDF is a <robot>", top.tag_name().name());
        return Err(wrong(file, "top element", &message));
    }
    let count =
        top.children().filter(|n| n.has_tag_name("link") || n.has_tag_name("joint")).count();
    if count > 2 * MAX_LINKS {
        let message = format!("has {count} links and joints; a hand has at most {}", 2 * MAX_LINKS);
        return Err(wrong(file, "file", &message));
    }
    let reader = Reader { file };
    let mut robot = Robot {
        name: top.attribute("name").unwrap_or("hand").to_owned(),
        links: Vec::new(),
        joints: Vec::new(),
        notices: Vec::new(),
        root: 0,
    };
    for node in top.children().filter(|n| n.has_tag_name("link")) {
        let link = reader.link(&node)?;
        if robot.link(&link.name).is_some() {
            return Err(wrong(file, &format!("link `{}`", link.name), "comes twice"));
        }
        robot.links.push(link);
    }
    // A <joint> inside a <transmission> is not one of the robot.
    for node in top.children().filter(|n| n.has_tag_name("joint")) {
        let joint = reader.joint(&node, &mut robot.notices)?;
        if robot.joints.iter().any(|j| j.name == joint.name) {
            return Err(wrong(file, &format!("joint `{}`", joint.name), "comes twice"));
        }
        robot.joints.push(joint);
    }
    reader.tree(&mut robot)?;
    reader.mimics(&mut robot)?;
    mend_followers(&mut robot);
    Ok(robot)
}

struct Reader<'a> {
    file: &'a str,
}

impl Reader<'_> {
    fn link(&self, node: &Node<'_, '_>) -> Result<Link, HandError> {
        let name = self.name(node, "link")?;
        let element = format!("link `{name}`");
        let pieces = |tag: &str| -> Result<Vec<Element>, HandError> {
            let nodes = node.children().filter(|n| n.has_tag_name(tag));
            nodes.map(|n| self.element(&n, &element)).filter_map(Result::transpose).collect()
        };
        let inertial = match child(node, "inertial") {
            Some(inertial) => Some(self.inertial(&inertial, &element)?),
            None => None,
        };
        Ok(Link { inertial, visuals: pieces("visual")?, collisions: pieces("collision")?, name })
    }

    fn inertial(&self, node: &Node<'_, '_>, element: &str) -> Result<Inertial, HandError> {
        let mass = match child(node, "mass") {
            Some(mass) => self.number(&mass, "value", element)?.unwrap_or(0.0),
            None => 0.0,
        };
        if mass < 0.0 {
            return Err(wrong(self.file, element, "has a negative mass"));
        }
        let mut entries = [0.0; 6];
        if let Some(inertia) = child(node, "inertia") {
            for (entry, key) in entries.iter_mut().zip(["ixx", "ixy", "ixz", "iyy", "iyz", "izz"]) {
                *entry = self.number(&inertia, key, element)?.unwrap_or(0.0);
            }
        }
        let [xx, xy, xz, yy, yz, zz] = entries;
        Ok(Inertial {
            mass,
            link_from_inertial: self.origin(node, element)?,
            inertia: Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz),
        })
    }

    /// `None` for an element without geometry, as some exporters write them.
    fn element(&self, node: &Node<'_, '_>, owner: &str) -> Result<Option<Element>, HandError> {
        let geometry = child(node, "geometry");
        let Some(shape) = geometry.and_then(|g| g.children().find(Node::is_element)) else {
            return Ok(None);
        };
        let length = |key: &str| -> Result<f64, HandError> {
            match self.number(&shape, key, owner)? {
                Some(value) if value > 0.0 => Ok(value),
                _ => {
                    let tag = shape.tag_name().name();
                    let message = format!("<{tag}> needs `{key}` above zero");
                    Err(wrong(self.file, owner, &message))
                }
            }
        };
        let shape = match shape.tag_name().name() {
            "box" => {
                let size = self.triple(&shape, "size", owner)?.unwrap_or([0.0; 3]);
                if size.iter().any(|&s| s <= 0.0) {
                    return Err(wrong(self.file, owner, "<box> needs three `size`s above zero"));
                }
                Shape::Box(size)
            }
            "sphere" => Shape::Sphere(length("radius")?),
            "cylinder" => Shape::Cylinder(length("radius")?, length("length")?),
            "capsule" => Shape::Capsule(length("radius")?, length("length")?),
            "mesh" => {
                let Some(name) = shape.attribute("filename").filter(|n| !n.is_empty()) else {
                    return Err(wrong(self.file, owner, "<mesh> needs a `filename`"));
                };
                let scale = self.triple(&shape, "scale", owner)?.unwrap_or([1.0; 3]);
                if scale.contains(&0.0) {
                    return Err(wrong(self.file, owner, "<mesh> has a `scale` of zero"));
                }
                Shape::Mesh(name.to_owned(), scale)
            }
            other => {
                let message = format!(
                    "has the unknown geometry <{other}>; box, sphere, cylinder, capsule and mesh are known"
                );
                return Err(wrong(self.file, owner, &message));
            }
        };
        Ok(Some(Element { link_from_element: self.origin(node, owner)?, shape }))
    }

    fn joint(&self, node: &Node<'_, '_>, notices: &mut Vec<String>) -> Result<Joint, HandError> {
        let name = self.name(node, "joint")?;
        let element = format!("joint `{name}`");
        let end = |tag: &str| match child(node, tag).and_then(|n| n.attribute("link")) {
            Some(link) => Ok(link.to_owned()),
            None => Err(wrong(self.file, &element, &format!("has no <{tag} link=…>"))),
        };
        let (parent, child_link) = (end("parent")?, end("child")?);
        let limit = child(node, "limit");
        let of_limit = |key: &str| match &limit {
            Some(limit) => self.number(limit, key, &element),
            None => Ok(None),
        };
        let word = node.attribute("type").unwrap_or_default();
        let (mut kind, range) = match word {
            "fixed" => (Kind::Fixed, None),
            "continuous" => (Kind::Revolute, None),
            "revolute" => {
                let low = of_limit("lower")?.unwrap_or(0.0);
                let high = of_limit("upper")?.unwrap_or(0.0);
                if low > high {
                    let message = format!("has its lower limit {low} above its upper {high}");
                    return Err(wrong(self.file, &element, &message));
                }
                (Kind::Revolute, Some((low, high)))
            }
            "prismatic" | "floating" | "planar" => (Kind::Carrier, None),
            other => {
                let message = format!("has the unknown type `{other}`");
                return Err(wrong(self.file, &element, &message));
            }
        };
        if range.is_some_and(|(low, high)| high - low < STILL) {
            notices.push(format!("{element} has no range and stands still"));
            kind = Kind::Fixed;
        }
        let axis = match child(node, "axis") {
            Some(axis) => self.triple(&axis, "xyz", &element)?.unwrap_or([1.0, 0.0, 0.0]),
            None => [1.0, 0.0, 0.0],
        };
        let axis = Vector3::from(axis);
        if kind == Kind::Revolute && axis.norm() < 1e-6 {
            return Err(wrong(self.file, &element, "has the axis 0 0 0"));
        }
        let dynamics = child(node, "dynamics");
        let of_dynamics = |key: &str| match &dynamics {
            Some(dynamics) => Ok(self.number(dynamics, key, &element)?.unwrap_or(0.0).max(0.0)),
            None => Ok(0.0),
        };
        let mimic = match child(node, "mimic") {
            Some(mimic) => Some(Mimic {
                joint: match mimic.attribute("joint") {
                    Some(joint) => joint.to_owned(),
                    None => return Err(wrong(self.file, &element, "<mimic> names no joint")),
                },
                multiplier: self.number(&mimic, "multiplier", &element)?.unwrap_or(1.0),
                offset: self.number(&mimic, "offset", &element)?.unwrap_or(0.0),
            }),
            None => None,
        };
        Ok(Joint {
            kind,
            parent,
            child: child_link,
            parent_from_child: self.origin(node, &element)?,
            axis: (axis / axis.norm().max(1e-6)).into(),
            range,
            effort: of_limit("effort")?.unwrap_or(0.0).max(0.0),
            damping: of_dynamics("damping")?,
            friction: of_dynamics("friction")?,
            mimic,
            name,
        })
    }

    /// Checks that the joints make one tree of all links.
    fn tree(&self, robot: &mut Robot) -> Result<(), HandError> {
        let mut parent: Vec<Option<usize>> = vec![None; robot.links.len()];
        for joint in &robot.joints {
            let element = format!("joint `{}`", joint.name);
            let find = |name: &str| {
                robot.link(name).ok_or_else(|| {
                    wrong(
                        self.file,
                        &element,
                        &format!("names the link `{name}`, which is not there"),
                    )
                })
            };
            let (above, below) = (find(&joint.parent)?, find(&joint.child)?);
            if parent[below].replace(above).is_some() {
                let message = format!("is a second parent of link `{}`", joint.child);
                return Err(wrong(self.file, &element, &message));
            }
        }
        let roots: Vec<usize> = (0..parent.len()).filter(|&l| parent[l].is_none()).collect();
        let [root] = roots[..] else {
            let names: Vec<_> =
                roots.iter().take(5).map(|&r| format!("`{}`", robot.links[r].name)).collect();
            let message = match roots.is_empty() {
                true => "have no root: every link is the child of another".to_owned(),
                false => format!("have several roots: {}", names.join(", ")),
            };
            return Err(wrong(self.file, "links", &message));
        };
        for link in 0..parent.len() {
            let mut at = link;
            for _ in 0..MAX_DEPTH {
                at = parent[at].unwrap_or(root);
            }
            if at != root {
                let message = "hangs on a circle of joints, or on a chain of more than 200 links";
                return Err(wrong(
                    self.file,
                    &format!("link `{}`", robot.links[link].name),
                    message,
                ));
            }
        }
        robot.root = root;
        self.carriers(robot, &parent)
    }

    /// Fixes joints that are not hinges where they carry all hinges but those above them: the scene
    /// carries the hand instead. A finger may not have one.
    fn carriers(&self, robot: &mut Robot, parent: &[Option<usize>]) -> Result<(), HandError> {
        let path = |link: usize| std::iter::successors(Some(link), |&l| parent[l]);
        for index in 0..robot.joints.len() {
            if robot.joints[index].kind != Kind::Carrier {
                continue;
            }
            let (name, child) = (&robot.joints[index].name, &robot.joints[index].child);
            let own = robot.link(child).unwrap_or(robot.root);
            let element = format!("joint `{name}`");
            let beside = robot.joints.iter().find(|j| {
                let link = robot.link(&j.child).unwrap_or(robot.root);
                let apart = !path(link).any(|l| l == own) && !path(own).any(|l| l == link);
                j.kind == Kind::Revolute && apart
            });
            let below = robot.joints.iter().any(|j| {
                let link = robot.link(&j.child).unwrap_or(robot.root);
                j.kind == Kind::Revolute && path(link).any(|l| l == own)
            });
            if beside.is_some() || !below {
                return Err(HandError::Unsupported {
                    file: self.file.to_owned(),
                    element,
                    message:
                        "is no hinge; the joints of a finger are revolute, continuous or fixed"
                            .to_owned(),
                });
            }
            robot
                .notices
                .push(format!("{element} carries the whole hand, as the scene does; fixed"));
            robot.joints[index].kind = Kind::Fixed;
        }
        Ok(())
    }

    /// Checks mimic joints; one that follows a joint that stands still is left as it is.
    fn mimics(&self, robot: &mut Robot) -> Result<(), HandError> {
        for index in 0..robot.joints.len() {
            let joint = &robot.joints[index];
            let Some(mimic) = joint.mimic.as_ref().filter(|_| joint.kind == Kind::Revolute) else {
                continue;
            };
            let element = format!("joint `{}`", joint.name);
            match robot.joints.iter().find(|j| j.name == mimic.joint) {
                None => {
                    let message = format!("mimics `{}`, which is not there", mimic.joint);
                    return Err(wrong(self.file, &element, &message));
                }
                Some(of) if of.kind == Kind::Fixed => {
                    let notice = format!(
                        "{element} mimics `{}`, which stands still; it moves freely",
                        of.name
                    );
                    robot.joints[index].mimic = None;
                    robot.notices.push(notice);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn name(&self, node: &Node<'_, '_>, tag: &str) -> Result<String, HandError> {
        match node.attribute("name").filter(|n| !n.is_empty()) {
            Some(name) => Ok(name.to_owned()),
            None => Err(wrong(self.file, &format!("<{tag}>"), "has no name")),
        }
    }

    fn origin(&self, node: &Node<'_, '_>, element: &str) -> Result<Pose, HandError> {
        let Some(origin) = child(node, "origin") else { return Ok(Pose::identity()) };
        let xyz = self.triple(&origin, "xyz", element)?.unwrap_or([0.0; 3]);
        let [roll, pitch, yaw] = self.triple(&origin, "rpy", element)?.unwrap_or([0.0; 3]);
        let turn = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
        Ok(Pose::from_parts(Vector3::from(xyz).into(), turn))
    }

    fn number(
        &self,
        node: &Node<'_, '_>,
        key: &str,
        element: &str,
    ) -> Result<Option<f64>, HandError> {
        node.attribute(key).map(|text| self.parse(text, key, element)).transpose()
    }

    fn triple(
        &self,
        node: &Node<'_, '_>,
        key: &str,
        element: &str,
    ) -> Result<Option<[f64; 3]>, HandError> {
        let Some(text) = node.attribute(key) else { return Ok(None) };
        let numbers = text
            .split_whitespace()
            .map(|word| self.parse(word, key, element))
            .collect::<Result<Vec<f64>, _>>()?;
        match numbers[..] {
            [x, y, z] => Ok(Some([x, y, z])),
            _ => {
                let message = format!("`{key}` has {} numbers instead of 3", numbers.len());
                Err(wrong(self.file, element, &message))
            }
        }
    }

    fn parse(&self, text: &str, key: &str, element: &str) -> Result<f64, HandError> {
        match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() && value.abs() < 1e9 => Ok(value),
            _ => Err(wrong(self.file, element, &format!("`{key}` is `{text}`, not a number"))),
        }
    }
}

/// Mends joints whose own range would cut the range of the joint they follow by more than a tenth: with
/// the other sign where that fits (mirrored hands forget to turn it), else by widening the range, for
/// nothing but the joint that is followed can move them.
fn mend_followers(robot: &mut Robot) {
    const KEPT: f64 = 0.9;
    for index in 0..robot.joints.len() {
        let joint = &robot.joints[index];
        let (Some(mimic), Some((low, high))) = (&joint.mimic, joint.range) else { continue };
        let of = robot.joints.iter().find(|j| j.name == mimic.joint);
        let Some(range) = of.and_then(|j| j.range) else { continue };
        let image = |multiplier: f64| {
            let (a, b) = (multiplier * range.0 + mimic.offset, multiplier * range.1 + mimic.offset);
            (a.min(b), a.max(b))
        };
        let fits =
            |(start, end): (f64, f64)| end.min(high) - start.max(low) >= KEPT * (end - start);
        let (start, end) = image(mimic.multiplier);
        if fits((start, end)) {
            continue;
        }
        let turned = fits(image(-mimic.multiplier));
        robot.notices.push(format!(
            "joint `{}` would be at {start:.2} to {end:.2} rad where it follows `{}`, but is limited to \
             {low:.2} to {high:.2}; {}",
            joint.name,
            mimic.joint,
            if turned { "its multiplier's sign was turned" } else { "its limits were widened" }
        ));
        let joint = &mut robot.joints[index];
        match &mut joint.mimic {
            Some(mimic) if turned => mimic.multiplier = -mimic.multiplier,
            _ => joint.range = Some((low.min(start), high.max(end))),
        }
    }
}

fn child<'a, 'input>(node: &Node<'a, 'input>, tag: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|n| n.has_tag_name(tag))
}
