//! MyoHand's kinematics against MuJoCo, with the model's own XML.

use crate::support::{python, shared};
use dextra_data::clip::myohand::{JOINTS, keypoints_in_world};
use std::path::Path;

/// Builds the table-top model from the body file (bodies, joints and tip sites only), then prints
/// the 21 keypoints of the joint vectors it reads, one line each.
const SCRIPT: &str = r#"
import re, sys
import xml.etree.ElementTree as ET
import mujoco
import numpy as np
text = re.sub(r"<!--.*?-->", "", open(sys.argv[1]).read(), flags=re.S)
body = next(b for b in ET.fromstring(text).iter("body") if b.get("name") == "full_body")
def strip(b):
    b.attrib.pop("childclass", None)
    for child in list(b):
        if child.tag == "body":
            strip(child)
        elif child.tag == "joint":
            for k in list(child.attrib):
                if k not in ("name", "axis", "pos", "type"):
                    child.attrib.pop(k)
        elif child.tag == "site" and child.get("name", "").endswith("tip"):
            for k in ("class", "size"):
                child.attrib.pop(k, None)
        else:
            b.remove(child)
    ET.SubElement(b, "geom", size="0.001", mass="0.01", contype="0", conaffinity="0")
strip(body)
joints = "".join(f'<joint name="ART{a}" type="slide" axis="{v}"/>' for a, v in zip("xyz", ["1 0 0", "0 1 0", "0 0 1"]))
joints += "".join(f'<joint name="ARR{a}" axis="{v}"/>' for a, v in zip("xyz", ["1 0 0", "0 1 0", "0 0 1"]))
xml = f"""<mujoco><compiler angle="radian"/><worldbody><body pos="0.1 -0.55 0.32">{joints}
<geom size="0.001" mass="0.01"/><body pos="-.175 .1 -1.4" euler="0 0 3.14">{ET.tostring(body, encoding="unicode")}
</body></body></worldbody></mujoco>"""
m = mujoco.MjModel.from_xml_string(xml)
d = mujoco.MjData(m)
assert m.nq == 29
print(" ".join(m.joint(j).name for j in range(m.njnt)))
chains = [["firstmc", "proximal_thumb", "distal_thumb", "THtip"]]
chains += [[f"proxph{i}", f"midph{i}", f"distph{i}", t + "tip"] for i, t in zip((2, 3, 4, 5), ("IF", "MF", "RF", "LF"))]
for line in open(sys.argv[2]):
    d.qpos[:] = [float(x) for x in line.split()]
    mujoco.mj_kinematics(m, d)
    points = [d.body("lunate").xpos] + [d.site(n).xpos if n.endswith("tip") else d.body(n).xpos for c in chains for n in c]
    print(" ".join(repr(float(x)) for x in np.array(points).ravel()))
"#;

#[test]
fn keypoints_agree_with_mujoco_for_any_joint_values() {
    for body in ["myohand_body.xml", "myohand_body_TTrans.xml"] {
        let Some(xml) = shared(&format!("myodm/myohand_xml/{body}")) else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        // A Weyl sequence covers the joint ranges without a random number generator.
        let vectors: Vec<[f64; JOINTS]> = (1..=50)
            .map(|n| {
                std::array::from_fn(|j| {
                    let root = f64::from((2 + j * j + 3 * j) as u32).sqrt();
                    2.0 * (f64::from(n) * root).fract() - 1.0
                })
            })
            .collect();
        let lines: Vec<String> =
            vectors.iter().map(|q| q.map(|x| x.to_string()).join(" ")).collect();
        let file = dir.path().join("q.txt");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let args: [&Path; 2] = [&xml, &file];
        let Some(printed) = python(&["mujoco", "numpy"], SCRIPT, &args) else {
            return;
        };
        let mut printed = printed.lines();
        let names: Vec<&str> = printed.next().unwrap().split(' ').collect();
        assert_eq!(names, dextra_data::clip::myohand::JOINT_NAMES);
        let mut worst: f64 = 0.0;
        for q in &vectors {
            let theirs: Vec<f64> =
                printed.next().unwrap().split(' ').map(|x| x.parse().unwrap()).collect();
            assert_eq!(theirs.len(), 63);
            for (k, point) in keypoints_in_world(q).iter().enumerate() {
                for axis in 0..3 {
                    worst = worst.max((point[axis] - theirs[3 * k + axis]).abs());
                }
            }
        }
        assert!(worst < 1e-12, "{body}: worst difference {worst} m");
    }
}
