//! Recordings for Rerun against Rerun itself, and against data that no recording can hold.

use crate::support::{box_mesh, python};
use dextra_core::{Pose, TriMesh};
use dextra_data::rrd::{
    Arrow, Color, Level, Message, Paint, Pane, Recording, Series, View, ViewKind, When,
};
use nalgebra::{Point3, Quaternion, UnitQuaternion, Vector3};
use std::path::Path;

const TIMES: [f64; 4] = [0.0, 0.1, 0.25, 2.0];
const RED: Color = Color::rgb(255, 0, 0);
const CLEAR_BLUE: Color = Color([0, 1, 2, 128]);

fn point(row: usize, part: usize) -> Point3<f64> {
    Point3::new(row as f64 + 0.25 * part as f64, -(part as f64), 0.5)
}

fn points(row: usize, count: usize) -> Vec<Point3<f64>> {
    (0..count).map(|part| point(row, part)).collect()
}

fn pose(row: usize) -> Pose {
    let x = row as f64;
    // 0.5 and 0.5 sqrt(3) about an axis that changes.
    let q = [Quaternion::new(0.5, 0.5, 0.5, 0.5), Quaternion::new(0.6, 0.0, 0.0, -0.8)][row % 2];
    Pose::from_parts(Vector3::new(x, 2.0 * x, -0.125).into(), UnitQuaternion::new_unchecked(q))
}

/// A square whose two triangles lie in one plane.
fn square() -> TriMesh {
    let at = |x, y| Point3::new(x, y, 0.0);
    TriMesh {
        vertices: vec![at(0.0, 0.0), at(1.0, 0.0), at(1.0, 2.0), at(0.0, 2.0)],
        faces: vec![[0, 1, 2], [0, 2, 3]],
    }
}

fn layout() -> Vec<Pane> {
    let view = |kind, name: &str, entity: &str| View {
        kind,
        name: name.to_owned(),
        entity: entity.to_owned(),
    };
    vec![
        Pane { share: 3.0, views: vec![view(ViewKind::Scene, "Scene", "world")] },
        Pane {
            share: 1.5,
            views: vec![
                view(ViewKind::Plot, "Errors", "plots"),
                view(ViewKind::Document, "Notes", "notes →"),
                view(ViewKind::Log, "Events", "/"),
            ],
        },
    ]
}

/// Every kind of data. `shift` moves one point of one strip of one row by so much.
fn sample(path: &Path, shift: f64) -> Recording {
    let at = When::At(&TIMES);
    let mut recording = Recording::new(path, "a name");
    recording.mesh("world/box", &box_mesh([0.5, 1.0, 2.0]), Paint::Whole(CLEAR_BLUE)).unwrap();
    let poses: Vec<Pose> = (0..4).map(pose).collect();
    recording.poses("world/box", at, &poses).unwrap();
    let corners: Vec<Color> = (1..5).map(|i| Color::rgb(i, 0, i)).collect();
    recording.mesh("world/robot hand", &square(), Paint::Parts(&corners)).unwrap();
    recording.poses("world/robot hand", When::Always, &poses[1..2]).unwrap();

    let rows: Vec<Vec<Point3<f64>>> = (0..4).map(|row| points(row, row)).collect();
    let colors: Vec<Vec<Color>> =
        (0..4).map(|row| (0..row as u8).map(|i| Color::rgb(9, i, 0)).collect()).collect();
    recording.points("world/human/points", at, &rows, Paint::Rows(&colors), 0.01).unwrap();
    let mut strips: Vec<Vec<Vec<Point3<f64>>>> =
        (0..4).map(|row| vec![points(row, 2), points(row + 10, 3)]).collect();
    strips[2][1][2].x += shift;
    let pair = [RED, CLEAR_BLUE];
    recording.line_strips("world/human/bones", at, &strips, Paint::Parts(&pair), 0.002).unwrap();
    let arrows: Vec<Vec<Arrow>> = [0, 1, 2, 0]
        .into_iter()
        .enumerate()
        .map(|(row, count)| {
            let arrow = |i| Arrow { origin: point(row, i), vector: -point(row + 5, i).coords };
            (0..count).map(arrow).collect()
        })
        .collect();
    recording.arrows("world/contacts", at, &arrows, Paint::Whole(RED), 0.003).unwrap();

    let series =
        ["error [cm]", "force [N]"].map(|name| Series { name: name.to_owned(), color: RED });
    let numbers: Vec<[f64; 2]> = (0..4).map(|row| [0.1 * f64::from(row), -2.5]).collect();
    recording.scalars("plots/error", &TIMES, &series, &numbers).unwrap();
    recording.document("notes →", "# größer\n\n*text*").unwrap();
    let messages = [(Level::Info, "begins"), (Level::Warn, "slips"), (Level::Error, "falls")]
        .map(|(level, text)| Message { level, text: text.to_owned() });
    recording.messages("events", &[0.0, 0.1, 0.1], &messages).unwrap();
    recording.layout(layout()).unwrap();
    recording
}

const MODULES: [&str; 4] = ["rerun", "rerun.chunk", "pyarrow", "numpy"];

/// What [`sample`] records, again in Python, and how to read files with Rerun.
const PYTHON: &str = r#"
import subprocess, sys
import numpy as np, pyarrow as pa
import rerun as rr, rerun.blueprint as rrb
from rerun.chunk import RrdReader

TIMES = [0.0, 0.1, 0.25, 2.0]
RED, CLEAR_BLUE = 0xff0000ff, 0x00010280
def point(row, part): return [row + 0.25 * part, -part, 0.5]
def points(row, count): return [point(row, part) for part in range(count)]
translations = [[row, 2 * row, -0.125] for row in range(4)]
quaternions = [[[0.5, 0.5, 0.5, 0.5], [0.0, 0.0, -0.8, 0.6]][row % 2] for row in range(4)]
corners = [0x010001ff, 0x020002ff, 0x030003ff, 0x040004ff]
point_rows = [points(row, row) for row in range(4)]
point_colors = [[0x090000ff + (i << 16) for i in range(row)] for row in range(4)]
strip_rows = [[points(row, 2), points(row + 10, 3)] for row in range(4)]
origins = [points(row, count) for row, count in enumerate([0, 1, 2, 0])]
vectors = [[[-x for x in p] for p in points(row + 5, count)] for row, count in enumerate([0, 1, 2, 0])]
numbers = [[0.1 * row, -2.5] for row in range(4)]

def cli(*args):
    done = subprocess.run([sys.executable, '-m', 'rerun', 'rrd', *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr

def read(path):
    """{(entity, component): (times in ns or None, cells, field)} of the recording in a file."""
    return tables(RrdReader(path).stream())

def tables(stream):
    found = {}
    for chunk in stream.to_chunks():
        batch = chunk.to_record_batch()
        times = batch['time'].cast(pa.int64()).to_pylist() if 'time' in batch.schema.names else None
        for field, column in zip(batch.schema, batch.columns):
            if field.metadata[b'rerun:kind'] == b'data':
                key = chunk.entity_path, field.metadata[b'rerun:component'].decode()
                assert key not in found, key
                found[key] = times, column.to_pylist(), field
    return found
"#;

#[test]
fn rerun_reads_every_kind_of_data_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ours.rrd");
    sample(&path, 0.0).write().unwrap();
    let script = format!(
        "{PYTHON}
path = sys.argv[1]
status, printed = cli('verify', path)
assert status == 0 and '1 file verified without error' in printed, printed
assert 'WARN' not in printed, printed
found = read(path)
def same(entity, component, times, cells):
    stored, values, _ = found.pop((entity, component))
    assert stored == (times and [round(t * 1e9) for t in times]), (entity, component, stored)
    assert len(values) == len(cells), (entity, component, values)
    for value, cell in zip(values, cells):
        if cell and isinstance(cell[0], str):
            assert value == cell, (value, cell)
        else:
            value = np.array([np.ravel(v) for v in value] if cell == [] else value, float)
            assert value.shape == np.shape(cell), (entity, component, value, cell)
            assert np.allclose(value, cell, rtol=1e-6, atol=1e-7), (entity, component, value, cell)
same('/', 'ViewCoordinates:xyz', None, [[[3, 5, 1]]])
same('/__properties', 'RecordingInfo:name', None, [['a name']])
same('/world/box', 'Transform3D:translation', TIMES, [[t] for t in translations])
same('/world/box', 'Transform3D:quaternion', TIMES, [[q] for q in quaternions])
same('/world/robot\\\\ hand', 'Transform3D:translation', None, [[translations[1]]])
same('/world/robot\\\\ hand', 'Transform3D:quaternion', None, [[quaternions[1]]])
same('/world/human/points', 'Points3D:positions', TIMES, point_rows)
same('/world/human/points', 'Points3D:colors', TIMES, point_colors)
same('/world/human/points', 'Points3D:radii', None, [[0.01]])
stored, rows, _ = found.pop(('/world/human/bones', 'LineStrips3D:strips'))
assert stored == [0, 100_000_000, 250_000_000, 2_000_000_000] and rows == strip_rows, rows
same('/world/human/bones', 'LineStrips3D:colors', None, [[RED, CLEAR_BLUE]])
same('/world/human/bones', 'LineStrips3D:radii', None, [[0.002]])
same('/world/contacts', 'Arrows3D:origins', TIMES, origins)
same('/world/contacts', 'Arrows3D:vectors', TIMES, vectors)
same('/world/contacts', 'Arrows3D:colors', None, [[RED]])
same('/world/contacts', 'Arrows3D:radii', None, [[0.003]])
same('/plots/error', 'Scalars:scalars', TIMES, numbers)
same('/plots/error', 'SeriesLines:names', None, [['error [cm]', 'force [N]']])
same('/plots/error', 'SeriesLines:colors', None, [[RED, RED]])
notes = next(entity for entity, _ in found if 'notes' in entity)
same(notes, 'TextDocument:text', None, [['# größer\\n\\n*text*']])
same(notes, 'TextDocument:media_type', None, [['text/markdown']])
same('/events', 'TextLog:text', [0.0, 0.1, 0.1], [['begins'], ['slips'], ['falls']])
same('/events', 'TextLog:level', [0.0, 0.1, 0.1], [['INFO'], ['WARN'], ['ERROR']])
same('/world/robot\\\\ hand', 'Mesh3D:vertex_colors', None, [corners])
same('/world/robot\\\\ hand', 'Mesh3D:vertex_positions', None, [[[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0]]])
same('/world/robot\\\\ hand', 'Mesh3D:vertex_normals', None, [[[0, 0, 1]] * 4])
same('/world/robot\\\\ hand', 'Mesh3D:triangle_indices', None, [[[0, 1, 2], [0, 2, 3]]])
same('/world/box', 'Mesh3D:albedo_factor', None, [[CLEAR_BLUE]])
box = lambda part: np.array(found.pop(('/world/box', 'Mesh3D:' + part))[1][0])
faces, positions, normals = box('triangle_indices'), box('vertex_positions'), box('vertex_normals')
assert faces.shape == (12, 3) and len(positions) == len(normals) == 24
for face in faces:
    a, b, c = positions[face]
    out = np.cross(b - a, c - a)
    assert (normals[face] == out / np.linalg.norm(out)).all() and out @ a > 0
    assert (np.abs(positions[face]) == [0.25, 0.5, 1.0]).all()
    axis = np.argmax(np.abs(out))
    assert len(set(positions[face][:, axis])) == 1
assert not found, found
print('same')
"
    );
    if let Some(printed) = python(&MODULES, &script, &[&path]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn rerun_finds_no_difference_to_what_its_own_library_writes() {
    let dir = tempfile::tempdir().unwrap();
    let [ours, moved, theirs] = ["ours", "moved", "theirs"].map(|name| dir.path().join(name));
    sample(&ours, 0.0).write().unwrap();
    sample(&moved, 1.0).write().unwrap();
    let script = format!(
        "{PYTHON}
ours, moved, theirs = sys.argv[1:]
store = RrdReader(ours).recordings()[0]
assert store.application_id == 'dextra', store
rec = rr.RecordingStream('dextra', recording_id=store.recording_id, send_properties=False)
rec.save(theirs)
rec.send_recording_name('a name')
index = [rr.TimeColumn('time', duration=TIMES)]
at = lambda entity, *columns: rec.send_columns(entity, indexes=index, columns=[c for cs in columns for c in cs])
always = lambda entity, data: rec.log(entity, data, static=True)
colors = lambda bits: np.array(bits, np.uint32)
flat = lambda rows: [part for row in rows for part in row]
cut = lambda columns, rows: columns.partition([len(row) for row in rows])
always('/', rr.ViewCoordinates.RIGHT_HAND_Z_UP)
box = lambda part: read(ours)['/world/box', 'Mesh3D:' + part][1][0]
always('world/box', rr.Mesh3D(vertex_positions=box('vertex_positions'), vertex_normals=box('vertex_normals'),
    triangle_indices=box('triangle_indices'), albedo_factor=CLEAR_BLUE))
at('world/box', rr.Transform3D.columns(translation=translations, quaternion=quaternions))
always('world/robot\\\\ hand', rr.Mesh3D(vertex_positions=[[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0]],
    vertex_normals=[[0, 0, 1]] * 4, triangle_indices=[[0, 1, 2], [0, 2, 3]], vertex_colors=colors(corners)))
rec.log('world/robot\\\\ hand', rr.Transform3D.from_fields(translation=translations[1],
    quaternion=rr.Quaternion(xyzw=quaternions[1])), static=True)
points = rr.Points3D.columns(positions=flat(point_rows), colors=colors(flat(point_colors)))
at('world/human/points', cut(points, point_rows))
always('world/human/points', rr.Points3D.from_fields(radii=[0.01]))
at('world/human/bones', cut(rr.LineStrips3D.columns(strips=flat(strip_rows)), strip_rows))
always('world/human/bones', rr.LineStrips3D.from_fields(colors=colors([RED, CLEAR_BLUE]), radii=[0.002]))
at('world/contacts', cut(rr.Arrows3D.columns(origins=flat(origins), vectors=flat(vectors)), origins))
always('world/contacts', rr.Arrows3D.from_fields(colors=colors([RED]), radii=[0.003]))
at('plots/error', rr.Scalars.columns(scalars=numbers))
always('plots/error', rr.SeriesLines(names=['error [cm]', 'force [N]'], colors=colors([RED, RED])))
always('notes\\\\ →', rr.TextDocument('# größer\\n\\n*text*', media_type='text/markdown'))
rec.send_columns('events', indexes=[rr.TimeColumn('time', duration=[0.0, 0.1, 0.1])],
    columns=rr.TextLog.columns(text=['begins', 'slips', 'falls'], level=['INFO', 'WARN', 'ERROR']))
rec.flush()
rec.disconnect()

status, printed = cli('compare', '--unordered', ours, theirs)
assert status == 0, printed
a, b = read(ours), read(theirs)
assert a.keys() == b.keys(), a.keys() ^ b.keys()
for key in a:
    assert a[key][0] == b[key][0] and a[key][1] == b[key][1], key
    assert a[key][2].equals(b[key][2], check_metadata=True), (a[key][2].metadata, b[key][2].metadata)
# Read from the index alone, without the data it points at.
lines = lambda path: sorted(RrdReader(path).store().summary().splitlines())
assert lines(ours) == lines(theirs), (lines(ours), lines(theirs))
# The names and types of all columns, hashed, stand in the index.
digest = lambda path: [l.split('= ')[1] for l in cli('stats', path)[1].splitlines() if 'schema_sha256' in l]
assert len(digest(theirs)) == 1 and digest(theirs)[0] in digest(ours), (digest(theirs), digest(ours))
# The comparison of the command sees a metre (and overlooks a millimetre, unlike that above).
status, printed = cli('compare', '--unordered', moved, theirs)
assert status != 0 and 'LineStrips3D' in printed, printed
print('same')
"
    );
    if let Some(printed) = python(&MODULES, &script, &[&ours, &moved, &theirs]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn the_layout_is_what_reruns_own_library_makes_of_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
    sample(&ours, 0.0).write().unwrap();
    let script = format!(
        "{PYTHON}
ours, theirs = sys.argv[1:]
blueprint = rrb.Blueprint(rrb.Horizontal(
    rrb.Vertical(rrb.Spatial3DView(origin='/world', name='Scene')),
    rrb.Vertical(rrb.TimeSeriesView(origin='/plots', name='Errors'),
        rrb.TextDocumentView(origin='/notes\\\\ →', name='Notes'), rrb.TextLogView(origin='/', name='Events')),
    column_shares=[3.0, 1.5]), collapse_panels=False, auto_views=False)
rec = rr.RecordingStream('dextra', recording_id='x', send_properties=False)
rec.save(theirs, default_blueprint=blueprint)
rec.log('a', rr.Scalars(1.0))
rec.flush()
rec.disconnect()

def layout(path):
    stores = RrdReader(path).blueprints()
    assert len(stores) == 1 and stores[0].application_id == 'dextra', stores
    found = tables(RrdReader(path).stream(store=stores[0]))
    kinds = {{}}
    for (entity, component), (times, cells, field) in found.items():
        assert times is None and len(cells) == 1
        kinds.setdefault(component, field.remove_metadata() and field)
    def cell(entity, component):
        value = found.pop((entity, component), (None, [None]))[1][0]
        return value
    def walk(name):
        entity = '/' + name
        if name.startswith('container/'):
            parts = cell(entity, 'ContainerBlueprint:contents')
            kind = cell(entity, 'ContainerBlueprint:container_kind')
            shares = cell(entity, 'ContainerBlueprint:col_shares')
            return kind, shares, [walk(part) for part in parts]
        view = [cell(entity, 'ViewBlueprint:' + part)
            for part in ('class_identifier', 'display_name', 'space_origin')]
        view[2] = [origin.replace('\\\\u{{2192}}', '→') for origin in view[2]]
        return view, cell(entity + '/ViewContents', 'ViewContents:query')
    root = bytes(cell('/viewport', 'ViewportBlueprint:root_container')[0]).hex()
    root = '-'.join([root[:8], root[8:12], root[12:16], root[16:20], root[20:]])
    tree = walk('container/' + root)
    rest = sorted((entity, component, cells[0]) for (entity, component), (_, cells, _) in found.items())
    return tree, rest, kinds

a, b = layout(ours), layout(theirs)
assert a[0] == b[0], (a[0], b[0])
assert a[0][1] == [3.0, 1.5] and len(a[0][2][1][2]) == 3, a[0]
assert a[1] == b[1], (a[1], b[1])
assert a[2].keys() == b[2].keys()
for component, field in a[2].items():
    assert field.equals(b[2][component], check_metadata=True), (field.metadata, b[2][component].metadata)
print('same')
"
    );
    if let Some(printed) = python(&MODULES, &script, &[&ours, &theirs]) {
        assert_eq!(printed.trim(), "same");
    }
}

#[test]
fn rerun_accepts_recordings_with_little_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["nothing", "still", "no contact"].map(|name| dir.path().join(name));
    Recording::new(&paths[0], "").write().unwrap();
    let mut still = Recording::new(&paths[1], "still");
    still.mesh("box", &box_mesh([1.0; 3]), Paint::Whole(RED)).unwrap();
    still.write().unwrap();
    let mut no_contact = Recording::new(&paths[2], "no contact");
    let rows: [&[Arrow]; 2] = [&[], &[]];
    no_contact.arrows("c", When::At(&[0.0, 1.0]), &rows, Paint::Whole(RED), 0.1).unwrap();
    no_contact.write().unwrap();
    let script = format!(
        "{PYTHON}
for path in sys.argv[1:]:
    status, printed = cli('verify', path)
    assert status == 0 and '1 file verified without error' in printed, printed
    assert RrdReader(path).blueprints() == []
    print(len(RrdReader(path).store().summary().splitlines()))
assert read(path)['/c', 'Arrows3D:origins'][:2] == ([0, 1_000_000_000], [[], []])
"
    );
    let paths = paths.each_ref().map(|path| path.as_path());
    if let Some(printed) = python(&MODULES, &script, &paths) {
        // Name and axes; a mesh; the look of arrows and their rows.
        assert_eq!(printed.split_whitespace().collect::<Vec<_>>(), ["2", "3", "4"]);
    }
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str, shift| {
        let path = dir.path().join(name);
        sample(&path, shift).write().unwrap();
        std::fs::read(path).unwrap()
    };
    let first = bytes("first.rrd", 0.0);
    assert!(first == bytes("second.rrd", 0.0));
    assert!(first.starts_with(b"RRF2"));
    let moved = bytes("moved.rrd", 0.001);
    // The announcement of the first store, which has the recording's identity in it.
    assert_ne!(first[..200], moved[..200]);
}

#[test]
fn an_unfinished_recording_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("view.rrd");
    drop(sample(&path, 0.0));
    let error = sample(&path, 0.0).write().unwrap_err().to_string();
    assert!(error.contains("view.rrd"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn data_that_cannot_be_recorded_is_refused_by_name() {
    /// The call fails with all of `words`, and leaves the entity free for data that are right.
    #[track_caller]
    fn refused(
        call: impl Fn(&mut Recording) -> Result<(), dextra_data::DataError>,
        words: &[&str],
    ) {
        let mut recording = Recording::new(Path::new("view.rrd"), "x");
        recording.points("taken", When::Always, &[points(0, 1)], PAINT, 0.1).unwrap();
        let error = call(&mut recording).unwrap_err().to_string();
        for word in words.iter().chain(&["view.rrd"]) {
            assert!(error.contains(word), "no `{word}` in: {error}");
        }
        recording.points("e", When::Always, &[points(0, 1)], PAINT, 0.1).unwrap();
    }
    const PAINT: Paint<'static> = Paint::Whole(RED);
    let nan = Point3::new(0.0, f64::NAN, 0.0);
    let huge = Point3::new(1e39, 0.0, 0.0);
    let two = When::At(&[0.0, 1.0]);

    for name in ["", "a//b"] {
        refused(|r| r.document(name, "x"), &["empty"]);
    }
    refused(|r| r.document("__properties/x", "x"), &["__properties/x", "`__`"]);
    let again = |r: &mut Recording| r.points("/taken", two, &[[nan], [nan]], PAINT, 0.1);
    refused(again, &["/taken", "second Points3D"]);
    refused(|r| r.points("e", two, &[points(0, 1)], PAINT, 0.1), &["/e", "2 times for 1 rows"]);
    refused(|r| r.points("e", When::At(&[]), &[[nan]; 0], PAINT, 0.1), &["/e", "no rows"]);
    let rows = [points(0, 1), points(1, 1)];
    refused(|r| r.points("e", When::Always, &rows, PAINT, 0.1), &["/e", "2 rows for all times"]);
    for (times, problem) in [
        ([1.0, 0.5], "0.5 s comes after 1 s"),
        ([0.0, f64::NAN], "time NaN s is out"),
        ([0.0, 1e10], "10000000000 s is out"),
    ] {
        let call = |r: &mut Recording| r.points("e", When::At(&times), &rows, PAINT, 0.1);
        refused(call, &["`/e` at frame 1", problem]);
    }
    for bad in [nan, huge] {
        let at_1 = ["`/e` at frame 1", "not finite"];
        refused(|r| r.points("e", two, &[points(0, 1), vec![bad]], PAINT, 0.1), &at_1);
        let strips = [vec![points(0, 2)], vec![points(0, 2), vec![bad]]];
        refused(|r| r.line_strips("e", two, &strips, PAINT, 0.1), &at_1);
        let good = Arrow { origin: Point3::origin(), vector: Vector3::zeros() };
        for arrow in [Arrow { origin: bad, ..good }, Arrow { vector: bad.coords, ..good }] {
            refused(|r| r.arrows("e", two, &[[good], [arrow]], PAINT, 0.1), &at_1);
        }
        let poses = [Pose::identity(), Pose::translation(bad.x, bad.y, bad.z)];
        refused(|r| r.poses("e", two, &poses), &at_1);
        let mut mesh = square();
        mesh.vertices[2] = bad;
        refused(|r| r.mesh("e", &mesh, PAINT), &["/e", "vertex 2 is not finite"]);
    }
    for radius in [0.0, -0.1, f64::NAN, 1e39, 1e-60] {
        let call = |r: &mut Recording| r.points("e", two, &rows, PAINT, radius);
        refused(call, &["/e", "radius"]);
    }

    let colors = [RED, RED];
    let paint = Paint::Parts(&colors);
    refused(|r| r.points("e", two, &rows, paint, 0.1), &["`/e` at frame 0", "2 colours for 1"]);
    let rows_of_colors = [vec![RED], vec![]];
    let paint = Paint::Rows(&rows_of_colors);
    refused(|r| r.points("e", two, &rows, paint, 0.1), &["`/e` at frame 1", "0 colours for 1"]);
    let paint = Paint::Rows(&rows_of_colors[..1]);
    refused(|r| r.points("e", two, &rows, paint, 0.1), &["/e", "1 rows of colours for 2"]);
    refused(|r| r.mesh("e", &square(), paint), &["/e", "no colours per row"]);
    refused(|r| r.mesh("e", &square(), Paint::Parts(&colors)), &["/e", "2 colours for 4"]);
    let mut mesh = square();
    mesh.faces[1][2] = 4;
    refused(|r| r.mesh("e", &mesh, PAINT), &["/e", "face 1", "4"]);
    refused(|r| r.mesh("e", &TriMesh::default(), PAINT), &["/e", "no faces"]);

    let series = [Series { name: "error".to_owned(), color: RED }];
    let short = |r: &mut Recording| r.scalars("e", &[0.0, 1.0], &series, &[vec![1.0], vec![]]);
    refused(short, &["`/e` at frame 1", "0 numbers for 1 series"]);
    let infinite = [[1.0], [f64::INFINITY]];
    let call = |r: &mut Recording| r.scalars("e", &[0.0, 1.0], &series, &infinite);
    refused(call, &["`/e` at frame 1", "`error` is not finite"]);
    refused(|r| r.scalars("e", &[0.0], &[], &[[0.0; 0]]), &["/e", "no series"]);
    refused(|r| r.messages("e", &[0.0], &[]), &["/e", "1 times for 0 rows"]);

    let panes = |share, entity: &str| {
        let view = View { kind: ViewKind::Scene, name: "S".to_owned(), entity: entity.to_owned() };
        vec![Pane { share, views: vec![view] }]
    };
    refused(|r| r.layout(vec![]), &["`layout`", "no view"]);
    refused(|r| r.layout(vec![Pane { share: 1.0, views: vec![] }]), &["`layout`", "without one"]);
    for share in [0.0, f32::NAN] {
        refused(|r| r.layout(panes(share, "taken")), &["`layout`", "share"]);
    }
    for entity in ["take", "taken/x"] {
        refused(|r| r.layout(panes(1.0, entity)), &["`S`", entity, "nothing is recorded"]);
    }
}
