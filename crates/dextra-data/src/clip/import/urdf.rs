//! The surface of an object that a URDF file describes: one link, made of mesh files.

use crate::DataError;
use crate::mesh::MAX_FACES;
use dextra_core::{Pose, TriMesh};
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};
use std::path::Path;

/// Largest URDF file of an object, bytes.
pub(super) const MAX_BYTES: u64 = 1 << 24;

/// Most pieces of one object.
const MAX_PIECES: usize = 1000;

/// A mesh file of the object, as the URDF places it.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// The file, as written.
    pub file: String,
    /// Factors along the axes of the mesh.
    pub scale: [f64; 3],
    /// Its frame in that of the link, metres.
    pub link_from_piece: Pose,
}

/// The meshes that are drawn of the only link; where none are, those that collide.
pub(super) fn pieces(file: &Path, text: &str) -> Result<Vec<Piece>, DataError> {
    // ManipTrans's own example starts with an empty line, which XML forbids before its declaration.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let document = Document::parse(text)
        .map_err(|e| DataError::format(file, format!("not a URDF file: {e}")))?;
    let robot = document.root_element();
    let links: Vec<Node> = children(robot, "link").collect();
    let [link] = links[..] else {
        let problem = format!("{} links; objects of one link are read", links.len());
        return Err(DataError::format(file, problem));
    };
    for kind in ["visual", "collision"] {
        let elements: Vec<Node> = children(link, kind).collect();
        if elements.len() > MAX_PIECES {
            let problem = format!("{} pieces, of which {MAX_PIECES} are read", elements.len());
            return Err(DataError::format(file, problem));
        }
        if !elements.is_empty() {
            return elements.into_iter().map(|element| piece(file, element)).collect();
        }
    }
    Err(DataError::format(file, "the link has neither `visual` nor `collision`"))
}

fn piece(file: &Path, element: Node) -> Result<Piece, DataError> {
    let shape = children(element, "geometry").find_map(|g| g.children().find(Node::is_element));
    let mesh = shape.filter(|shape| shape.has_tag_name("mesh")).ok_or_else(|| {
        let found = shape.map_or("nothing", |shape| shape.tag_name().name());
        problem(file, element, format!("geometry of `mesh` was expected, not {found}"))
    })?;
    let name = mesh.attribute("filename").map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| problem(file, mesh, "no `filename`".to_owned()))?;
    let scale = numbers(file, mesh, "scale", [1.0; 3])?;
    if scale.contains(&0.0) {
        return Err(problem(file, mesh, format!("the scale is {scale:?}")));
    }
    let link_from_piece = match children(element, "origin").next() {
        Some(origin) => {
            pose(numbers(file, origin, "xyz", [0.0; 3])?, numbers(file, origin, "rpy", [0.0; 3])?)
        }
        None => Pose::identity(),
    };
    Ok(Piece { file: name.to_owned(), scale, link_from_piece })
}

/// A pose as URDF has it: turned about the fixed axes x, y, z in this order, radians.
fn pose(xyz: [f64; 3], [roll, pitch, yaw]: [f64; 3]) -> Pose {
    let turn = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
    Pose::from_parts(Translation3::from(Vector3::from(xyz)), turn)
}

/// Three numbers of an attribute, those given where there is none.
fn numbers(file: &Path, node: Node, name: &str, without: [f64; 3]) -> Result<[f64; 3], DataError> {
    let Some(text) = node.attribute(name) else { return Ok(without) };
    let values: Option<Vec<f64>> = text
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|value: &f64| value.is_finite()))
        .collect();
    values
        .and_then(|values| values.try_into().ok())
        .ok_or_else(|| problem(file, node, format!("`{name}` is `{text}`, not three numbers")))
}

fn children<'a, 'd>(node: Node<'a, 'd>, name: &'static str) -> impl Iterator<Item = Node<'a, 'd>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

fn problem(file: &Path, node: Node, problem: String) -> DataError {
    let line = node.document().text_pos_at(node.range().start).row as usize;
    DataError::mesh(file, Some(line), problem)
}

impl Piece {
    /// Adds the mesh of this piece to the surface `whole`, which is in the link's frame, metres.
    pub fn add_to(
        &self,
        file: &Path,
        mesh: &TriMesh,
        whole: &mut TriMesh,
    ) -> Result<(), DataError> {
        let faces = whole.faces.len() + mesh.faces.len();
        if faces > MAX_FACES {
            return Err(DataError::TooLarge {
                file: file.to_owned(),
                what: "the number of faces".to_owned(),
                size: faces as u64,
                limit: MAX_FACES as u64,
            });
        }
        let first = whole.vertices.len() as u32;
        let scale = Vector3::from(self.scale);
        whole.vertices.extend(
            mesh.vertices
                .iter()
                .map(|v| self.link_from_piece * Point3::from(v.coords.component_mul(&scale))),
        );
        // A mirrored mesh has its faces inside out.
        let mirrored = self.scale.iter().product::<f64>() < 0.0;
        whole.faces.extend(mesh.faces.iter().map(|&[a, b, c]| match mirrored {
            true => [a, c, b].map(|v| v + first),
            false => [a, b, c].map(|v| v + first),
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URDF: &str = r#"
<?xml version="1.0"?>
<robot name="design">
  <link name="base">
    <visual>
      <origin xyz="1 2 3" rpy="1.5707963267948966 0 1.5707963267948966"/>
      <geometry><mesh filename="a.obj" scale="1 -2 1"/></geometry>
    </visual>
    <collision><geometry><box size="1 1 1"/></geometry></collision>
  </link>
</robot>"#;

    fn error(text: &str) -> String {
        pieces(Path::new("cube.urdf"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_piece_is_scaled_then_turned_then_moved() {
        let pieces = pieces(Path::new("cube.urdf"), URDF).unwrap();
        assert_eq!((pieces.len(), pieces[0].file.as_str()), (1, "a.obj"));
        let mesh = TriMesh {
            vertices: vec![
                Point3::new(1.0, 1.0, 0.0),
                Point3::origin(),
                Point3::new(0.0, 0.0, 1.0),
            ],
            faces: vec![[0, 1, 2]],
        };
        let mut whole = TriMesh::default();
        for _ in 0..2 {
            pieces[0].add_to(Path::new("a.obj"), &mesh, &mut whole).unwrap();
        }
        // (1, -2, 0), a quarter about x: (1, 0, -2), a quarter about z: (0, 1, -2).
        let wanted = [[1.0, 3.0, 1.0], [1.0, 2.0, 3.0], [2.0, 2.0, 3.0]];
        for (found, wanted) in whole.vertices.iter().zip(wanted.iter().chain(&wanted)) {
            assert!((found.coords - Vector3::from(*wanted)).norm() < 1e-12, "{found}");
        }
        assert_eq!(whole.faces, [[0, 2, 1], [3, 5, 4]]);
    }

    #[test]
    fn what_is_not_one_link_of_meshes_is_refused_with_its_line() {
        let shape = URDF.replace(r#"<mesh filename="a.obj" scale="1 -2 1"/>"#, "<sphere/>");
        assert_eq!(error(&shape), "cube.urdf:4: geometry of `mesh` was expected, not sphere");
        let scale = URDF.replace("1 -2 1", "1 2");
        assert_eq!(error(&scale), "cube.urdf:6: `scale` is `1 2`, not three numbers");
        assert!(error(&URDF.replace("1 2 3", "1 2 nan")).contains("three numbers"));
        assert!(error(&URDF.replace("1 -2 1", "1 0 1")).contains("the scale is"));
        assert!(error(&URDF.replace("filename", "file")).contains("no `filename`"));
        assert!(error(&URDF.replace("</link>", "</link><link/>")).contains("2 links"));
        assert!(error("<robot><link/></robot>").contains("neither `visual` nor `collision`"));
        assert!(error("<robot>").contains("not a URDF file"));
    }
}
