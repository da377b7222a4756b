#!/usr/bin/env bash
# Fills corpus/ with the inputs to start from: what earlier runs kept, the fixtures of the tests, and what our
# writers write.
set -euo pipefail
cd "$(dirname "$0")"
fixtures=../crates/dextra-data/tests/fixtures
for target in fuzz_targets/*.rs; do mkdir -p "corpus/$(basename "$target" .rs)"; done
for kept in corpus/*.tar.gz; do
    [[ ! -e $kept ]] || tar -xzf "$kept" -C corpus
done

cp "$fixtures"/*.npz "$fixtures"/pickles/*.npz "$fixtures"/recordings/grab/grab/s1/*.npz corpus/npz
find "$fixtures" -name '*.npy' -exec cp {} corpus/npy \;
cp "$fixtures"/pickles/*.pkl "$fixtures"/pickles/*.pt corpus/pickle
cp ../assets/devices/*.toml corpus/device
cp ../assets/hands/*.xml corpus/mjcf
cp ../assets/hands/*.toml corpus/map
cp ../crates/dextra/recipes/*.toml corpus/recipe
hands=../crates/dextra-sim/tests/it/hands
# The text NAME of the tests in FILE.
text_of() { sed -n "/^const $1: &str = r#\"/,/\"#;\$/p" "$hands/$2" | sed '1s/.*r#"//; $s/"#;$//'; }
text_of HAND files.rs >corpus/mjcf/stub.xml
text_of PINCH urdf.rs >corpus/urdf/pinch.urdf
rail='<link name="world"/><joint name="rail" type="prismatic"><parent link="world"/><child link="palm"/></joint>'
sed "1s|\$|$rail|; s|nowhere/tip.dae|tip.obj|" corpus/urdf/pinch.urdf >corpus/urdf/rail.urdf

with_byte() { { printf '%b' "\\x$1"; cat "$2"; } >"$3"; }
find "$fixtures" -name '*.obj' | while read -r f; do with_byte 00 "$f" "corpus/mesh/$(basename "$(dirname "$f")").obj"; done
find "$fixtures" -name '*.ply' | while read -r f; do with_byte 02 "$f" "corpus/mesh/$(basename "$f")"; done
python3 - corpus <<'PYTHON'
import json, struct, sys
out = sys.argv[1]
# A binary STL and a GLB of one triangle.
corners = [0, 0, 0, 1, 0, 0, 0, 1, 0]
stl = bytes(80) + struct.pack("<I12fH", 1, 0, 0, 1, *corners, 0)
open(f"{out}/mesh/triangle.stl", "wb").write(b"\1" + stl)
data = struct.pack("<9f3H2x", *corners, 0, 1, 2)
views = [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 6}]
accessors = [
    {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
    {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
]
gltf = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": len(data)}], "bufferViews": views,
        "accessors": accessors, "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "nodes": [{"mesh": 0, "translation": [0, 0, 1]}], "scenes": [{"nodes": [0]}], "scene": 0}
text = json.dumps(gltf).encode()
text += b" " * (-len(text) % 4)
chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
open(f"{out}/mesh/triangle.glb", "wb").write(b"\3" + struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
# A hand of 21 points in 4 frames.
hand = [[0.0, 0.0, 0.0]] + [[(0.02 if f == 0 else 0.09) + 0.022 * j, 0.05 - 0.02 * f, -0.012 * j]
                            for f in range(5) for j in range(4)]
frames = [[[x + 0.001 * t, y, z] for x, y, z in hand] for t in range(4)]
open(f"{out}/keypoints/hand.json", "wb").write(b"\0" + json.dumps({"fps": 30, "right": frames}).encode())
rows = "\n".join(",".join(f"{v:g}" for p in frame for v in p) for frame in frames)
open(f"{out}/keypoints/hand.csv", "wb").write(b"\1" + rows.encode())
landmarks = [{"x": x, "y": y, "z": z} for x, y, z in hand]
mediapipe = {"fps": 30, "frames": [{"hands": [{"handedness": "Right", "worldLandmarks": landmarks}]}] * 4}
open(f"{out}/keypoints/mediapipe.json", "wb").write(b"\3" + json.dumps(mediapipe).encode())
PYTHON
for target in recording hot3d mano dataset clip; do
    DEXTRA_FUZZ_SEEDS="$PWD/corpus/$target" cargo +nightly fuzz run "$target" "corpus/device/leap.toml" 2>/dev/null
done
DEXTRA_FUZZ_SEEDS="$PWD/corpus/checkpoint" cargo +nightly fuzz run --features learning checkpoint "corpus/device/leap.toml" 2>/dev/null
rm -f corpus/*/seed-*.py
