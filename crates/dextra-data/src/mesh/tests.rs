//! Good, odd and broken mesh files.

use super::*;

const TETRAHEDRON: &str = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n\
                           f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n";

fn read(name: &str, bytes: &[u8]) -> Result<TriMesh, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_mesh(&path)
}

fn obj(text: &str) -> Result<TriMesh, DataError> {
    read("a.obj", text.as_bytes())
}

fn assert_error(result: Result<TriMesh, DataError>, words: &[&str]) {
    let error = result.unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

fn binary_stl(triangles: &[[[f32; 3]; 3]]) -> Vec<u8> {
    // Many programs begin even binary files with this word.
    let mut bytes = b"solid made by a program".to_vec();
    bytes.resize(80, 0);
    bytes.extend((triangles.len() as u32).to_le_bytes());
    for triangle in triangles {
        bytes.extend([0; 12]);
        bytes.extend(triangle.iter().flatten().flat_map(|x| x.to_le_bytes()));
        bytes.extend([0; 2]);
    }
    bytes
}

fn tetrahedron_stl() -> Vec<u8> {
    let mesh = obj(TETRAHEDRON).unwrap();
    let corners = |f: usize| mesh.triangle(f).map(|p| [p.x as f32, p.y as f32, p.z as f32]);
    binary_stl(&[corners(0), corners(1), corners(2), corners(3)])
}

/// Six times the enclosed volume, by the divergence theorem.
fn volume(mesh: &TriMesh) -> f64 {
    (0..mesh.faces.len())
        .map(|f| {
            let [a, b, c] = mesh.triangle(f).map(|p| p.coords);
            a.dot(&b.cross(&c)) / 6.0
        })
        .sum()
}

#[test]
fn the_same_solid_is_read_from_every_flavour() {
    let ascii: String = {
        let mesh = obj(TETRAHEDRON).unwrap();
        let facets: String = (0..4)
            .map(|f| {
                let corners: String = mesh
                    .triangle(f)
                    .iter()
                    .map(|p| format!("   vertex {:e} {} {}\n", p.x, p.y, p.z))
                    .collect();
                format!(" facet normal 0 0 0\n  outer loop\n{corners}  endloop\n endfacet\n")
            })
            .collect();
        format!("solid t\r\n{facets}endsolid t\n")
    };
    for mesh in [
        obj(TETRAHEDRON).unwrap(),
        read("t.STL", &tetrahedron_stl()).unwrap(),
        read("t.stl", ascii.as_bytes()).unwrap(),
    ] {
        assert_eq!((mesh.vertices.len(), mesh.faces.len()), (4, 4), "corners are welded");
        assert!((volume(&mesh) - 1.0 / 6.0).abs() < 1e-12);
    }
}

#[test]
fn polygons_textures_negative_indices_and_odd_lines_are_read() {
    let text = "# comment\r\nmtllib x.mtl\no cube\nv 0 0 0 1.0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0\n\
                vt 0 0\nvn 0 0 1\nv 0 1 0\nusemtl y\nf 1/1/1 2/1/1 \\\n 3//1 -1\nl 1 2\n";
    let mesh = obj(text).unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2], [0, 2, 3]]);
    assert!((mesh.area() - 1.0).abs() < 1e-12);
}

#[test]
fn unused_vertices_and_collapsed_faces_are_dropped() {
    let mesh = obj(&format!("v 9 9 9\n{}f 2 2 3\n", TETRAHEDRON.replace('f', "#f"))).err();
    assert!(mesh.is_some(), "one collapsed face is no surface");
    let text = "v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 2 3 4\nf 2 2 3\n";
    let mesh = obj(text).unwrap();
    assert_eq!((mesh.vertices.len(), mesh.faces), (3, vec![[0, 1, 2]]));
}

#[test]
fn a_surface_with_holes_is_fine() {
    let open: String = TETRAHEDRON.lines().take(6).map(|line| format!("{line}\n")).collect();
    assert_eq!(obj(&open).unwrap().faces.len(), 2);
}

#[test]
fn broken_files_say_where_and_why() {
    assert_error(obj(""), &["a.obj", "empty"]);
    assert_error(obj("v 0 0 0\nv 1 0 0\nv 0 1 0\n"), &["no faces", "3 vertices"]);
    assert_error(obj("v 0 0\n"), &["a.obj:1", "3 numbers"]);
    assert_error(obj("v 0 0 nan\n"), &["a.obj:1", "not finite"]);
    assert_error(obj("v 0 0 1e999\n"), &["a.obj:1", "not finite"]);
    assert_error(obj(&format!("{TETRAHEDRON}f 1 2 5\n")), &["a.obj:9", "index 5", "4 vertices"]);
    assert_error(obj(&format!("{TETRAHEDRON}f 1 2 0\n")), &["a.obj:9", "index 0"]);
    assert_error(obj(&format!("{TETRAHEDRON}f 1 2 -5\n")), &["a.obj:9", "index -5"]);
    assert_error(obj(&format!("{TETRAHEDRON}f 1 2 x\n")), &["a.obj:9", "`x`"]);
    assert_error(obj(&format!("{TETRAHEDRON}f 1 2\n")), &["a.obj:9", "3 vertices"]);
    assert_error(obj("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n"), &["degenerate"]);
    assert_error(obj("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n"), &["degenerate"]);
    assert_error(read("a.dae", b"ply"), &["a.dae", ".obj, .stl, .ply or .glb"]);
}

#[test]
fn a_binary_stl_cut_anywhere_is_an_error() {
    let whole = tetrahedron_stl();
    for length in 0..whole.len() {
        assert!(read("a.stl", &whole[..length]).is_err(), "{length} bytes were accepted");
    }
    let mut headless = whole.clone();
    headless[..5].fill(b'x');
    assert_error(read("a.stl", &headless[..200]), &["cut short", "4 triangles", "284", "200"]);
    let mut spoilt = whole;
    spoilt[84 + 12..84 + 16].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_error(read("a.stl", &spoilt), &["triangle 0", "not finite"]);
}

#[test]
fn an_ascii_stl_cut_short_is_an_error() {
    let facet = " facet normal 0 0 0\n outer loop\n vertex 0 0 0\n vertex 1 0 0\n vertex 0 1 0\n \
                 endloop\n endfacet\n";
    assert!(read("a.stl", format!("solid x\n{facet}endsolid x").as_bytes()).is_ok());
    assert_error(read("a.stl", format!("solid x\n{facet}").as_bytes()), &["cut short"]);
    let two = facet.replacen(" vertex 1 0 0\n", "", 1);
    assert_error(read("a.stl", format!("solid x\n{two}endsolid").as_bytes()), &["2 vertices"]);
}

/// A bumpy square sheet of `2 n²` triangles.
fn sheet(n: u32) -> TriMesh {
    let at = |i: u32| f64::from(i) / f64::from(n) * 0.2;
    let vertices = (0..=n)
        .flat_map(|i| (0..=n).map(move |j| (i, j)))
        .map(|(i, j)| Point3::new(at(i), at(j), 0.01 * (at(i) * 50.0).sin()))
        .collect();
    let corner = |i, j| i * (n + 1) + j;
    let faces = (0..n)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .flat_map(|(i, j)| {
            let [a, b, c, d] =
                [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
            [[a, b, c], [a, c, d]]
        })
        .collect();
    TriMesh { vertices, faces }
}

#[test]
fn a_million_faces_read_back_bit_for_bit() {
    let mesh = sheet(708);
    assert!(mesh.faces.len() > 1_000_000);
    assert_eq!(obj(&write_obj(&mesh)).unwrap(), mesh);
}

#[test]
fn more_than_two_million_faces_are_refused_with_the_limit() {
    let mut text = TETRAHEDRON.to_owned();
    text.push_str(&"f 1 2 3\n".repeat(MAX_FACES));
    assert_error(obj(&text), &["2000001", "limit of 2000000"]);
    // A binary STL claims its count before it has to hold it.
    let mut bytes = binary_stl(&[]);
    bytes[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[..5].fill(b'x');
    assert_error(read("a.stl", &bytes), &["cut short"]);
}

/// A square of two triangles, as PLY in text.
const SQUARE: &str = "ply\nformat ascii 1.0\ncomment made by hand\nelement vertex 4\n\
    property float x\nproperty float y\nproperty float z\nproperty uchar red\nelement face 1\n\
    property list uchar int vertex_indices\nend_header\n\
    0 0 0 255\n1 0 0 255\n1 2 0 255\n0 2 0.5 9\n4 0 1 2 3\n";

#[test]
fn ply_is_read_in_text_and_in_both_byte_orders() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.ply");
    let (header, _) = SQUARE.split_once("0 0 0 255").unwrap();
    let mut files = vec![SQUARE.as_bytes().to_vec()];
    for order in ["little", "big"] {
        let header = header.replace("ascii", &format!("binary_{order}_endian"));
        let mut bytes = header.into_bytes();
        let big = order == "big";
        let mut put = |raw: &[u8]| {
            let mut raw = raw.to_vec();
            if big {
                raw.reverse();
            }
            bytes.extend(raw);
        };
        for [x, y, z] in [[0f32, 0., 0.], [1., 0., 0.], [1., 2., 0.], [0., 2., 0.5]] {
            [x, y, z].iter().for_each(|x| put(&x.to_le_bytes()));
            put(&[255]);
        }
        put(&[4]);
        (0..4i32).for_each(|i| put(&i.to_le_bytes()));
        files.push(bytes);
    }
    for bytes in &files {
        std::fs::write(&file, bytes).unwrap();
        let mesh = read_mesh(&file).unwrap();
        assert_eq!(mesh.faces, [[0, 1, 2], [0, 2, 3]]);
        assert_eq!(mesh.vertices[3], Point3::new(0.0, 2.0, 0.5));
        for length in 0..bytes.len() - 2 {
            std::fs::write(&file, &bytes[..length]).unwrap();
            read_mesh(&file).unwrap_err();
        }
    }
    std::fs::write(&file, SQUARE.replace("4 0 1 2 3", "4 0 1 2 9")).unwrap();
    assert!(read_mesh(&file).unwrap_err().to_string().contains("index 9 names no vertex"));
}

/// A triangle in millimetres under a node that turns it by 90 degrees about z, moves it and
/// brings it to metres.
fn glb() -> Vec<u8> {
    let json = r#"{"asset":{"version":"2.0"},"scene":0,"scenes":[{"nodes":[0]}],
        "nodes":[{"children":[1],"translation":[0,0,1]},
            {"mesh":0,"rotation":[0,0,0.70710678,0.70710678],"scale":[0.001,0.001,0.001]}],
        "meshes":[{"primitives":[{"attributes":{"POSITION":0},"indices":1}]}],
        "accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"},
            {"bufferView":1,"componentType":5123,"count":3,"type":"SCALAR"}],
        "bufferViews":[{"buffer":0,"byteLength":36},{"buffer":0,"byteOffset":36,"byteLength":6}],
        "buffers":[{"byteLength":44}]}"#;
    let mut binary = Vec::new();
    for x in [0f32, 0., 0., 100., 0., 0., 0., 50., 20.] {
        binary.extend(x.to_le_bytes());
    }
    for i in [0u16, 1, 2, 0] {
        binary.extend(i.to_le_bytes());
    }
    let mut bytes = b"glTF\x02\0\0\0\0\0\0\0".to_vec();
    for (kind, chunk) in [(b"JSON", json.as_bytes()), (b"BIN\0", &binary)] {
        bytes.extend((chunk.len() as u32).to_le_bytes());
        bytes.extend(kind);
        bytes.extend(chunk);
    }
    bytes
}

#[test]
fn the_nodes_of_a_glb_place_and_scale_its_meshes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.glb");
    let bytes = glb();
    std::fs::write(&file, &bytes).unwrap();
    let mesh = read_mesh(&file).unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2]]);
    for (found, wanted) in
        mesh.vertices.iter().zip([[0., 0., 1.], [0., 0.1, 1.], [-0.05, 0., 1.02]])
    {
        assert!((found - Point3::from(wanted)).norm() < 1e-8, "{found}");
    }
    for length in 0..bytes.len() - 2 {
        std::fs::write(&file, &bytes[..length]).unwrap();
        read_mesh(&file).unwrap_err();
    }
    for (from, to) in [("\"children\":[1]", "\"children\":[0]"), ("\"count\":3", "\"count\":9")] {
        let text = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let spoilt = [&bytes[..text], to.as_bytes(), &bytes[text + from.len()..]].concat();
        std::fs::write(&file, &spoilt).unwrap();
        read_mesh(&file).unwrap_err();
    }
}
