//! A hand model of the shapes of MANO and of the layout of its download, as Python pickles it.

use crate::support::python;
use dextra_core::Side;
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::mano::{self, Mano, Origin, TO_KEYPOINTS, Tips, VERTICES};
use dextra_data::{ClipOptions, Npz, load_clip, write_keypoint_clip};
use nalgebra::{Point3, Vector3};
use std::path::Path;

/// The script of the smaller model that the unit tests read.
const MAKE: &str = include_str!("../fixtures/mano/make.py");

/// Skinning of all 778 vertices is that of the published formulas in NumPy, the tips are at the
/// vertices that other libraries take, and a recording is read with the model.
#[test]
fn a_model_of_the_true_shapes_is_skinned_as_in_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, count) = (folder.path(), VERTICES.to_string());
    if python(&["numpy", "scipy"], MAKE, &[Path::new(&count), folder]).is_none() {
        return;
    }
    let expected = Npz::open(&folder.join("expected.npz")).unwrap();
    let numbers = |key: &str| expected.array_f64(key).unwrap().1;
    let points = |key: &str| -> Vec<Point3<f64>> {
        numbers(key).chunks_exact(3).map(Point3::from_slice).collect()
    };
    let right = Mano::load(folder, Side::Right).unwrap();
    let shaped = right.shaped(&numbers("betas"));
    let pose = right.from_axis_angles(&numbers("angles").try_into().unwrap(), true);
    let turns = mano::rotations(numbers("wrist").try_into().unwrap(), &pose);
    let transl = Vector3::from_column_slice(&numbers("transl"));
    let (vertices, joints) = (points("by_angles_vertices"), points("by_angles_joints"));
    let surface = shaped.surface(&turns, transl, Origin::Model);
    assert_eq!((surface.len(), vertices.len()), (VERTICES, VERTICES));
    for (found, wanted) in surface.iter().zip(&vertices) {
        assert!((found - wanted).norm() < 1e-12, "{found} {wanted}");
    }
    // From thumb to pinky, by manopth and by smplx.
    for (tips, ids) in
        [(Tips::Manopth, [745, 317, 444, 556, 673]), (Tips::Smplx, [744, 320, 443, 554, 671])]
    {
        let mut all = joints.clone();
        all.extend(ids.map(|id| vertices[id]));
        let keypoints = shaped.keypoints(&turns, transl, Origin::Model, tips);
        for (found, index) in keypoints.iter().zip(TO_KEYPOINTS) {
            assert!((found - all[index]).norm() < 1e-12, "{tips:?}: {found} {}", all[index]);
        }
    }

    // TACO's recording with this model: hands of the right sides, nothing of the model kept.
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/recordings/taco/Hand_Poses/(stir, spoon, bowl)/20230917_001");
    let opts = ImportOptions { mano: Some(folder.to_owned()), ..ImportOptions::default() };
    let demo = import(Format::Taco, &recording, &opts).unwrap();
    for hand in &demo.hands {
        let sign = if hand.side == Side::Right { 1.0 } else { -1.0 };
        assert!(sign * dextra_core::demonstration::chirality(&hand.keypoints_in_world) > 0.005);
    }
    assert!(demo.provenance.licence.contains(mano::LICENCE), "{}", demo.provenance.licence);
    let clip = folder.join("clip.npz");
    write_keypoint_clip(&clip, &demo).unwrap();
    let again = load_clip(&clip, &ClipOptions::default()).unwrap();
    assert_eq!((again.hands, again.provenance.licence), (demo.hands, demo.provenance.licence));
    let written = Npz::open(&clip).unwrap();
    for key in ["v_template", "shapedirs", "posedirs", "weights", "J_regressor"] {
        assert!(!written.contains(key), "{key}");
    }
}
