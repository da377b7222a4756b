use super::*;
use dextra_core::demonstration::keypoint;
use dextra_sim::render::film_model;

const XML: &str = r#"<mujoco><worldbody>
  <geom type="plane" size="1 1 .01" rgba=".6 .6 .6 1"/>
  <body name="finger" pos="0 .12 .05"><joint name="bend" axis="1 0 0"/>
    <geom type="capsule" fromto="0 0 0 0 0 .1" size=".012" rgba="0 0 1 1"/></body>
  <body name="cube" pos="0 0 .03"><freejoint/>
    <geom type="box" size=".03 .03 .03" rgba="1 0 0 1"/></body>
  </worldbody><actuator><position joint="bend"/></actuator></mujoco>"#;
const NOTICE: &str = "Made by dextra from: GRAB, s1 müg; licence: LicenseRef-non-commercial";
const FRAMES: usize = 7;
/// Physics steps between reference frames.
const STRIDE: usize = 10;

/// The demonstrated cube rises; the simulated one slides to the side instead.
fn reference() -> Reference {
    let frame = |index: usize| ReferenceFrame {
        step: index * STRIDE,
        world_from_object: vec![Pose::translation(0.0, 0.0, 0.03 + 0.02 * index as f64)],
        human_keypoints: vec![Some([Point3::new(0.0, 0.0, 0.2); keypoint::COUNT])],
    };
    Reference { frames: (0..FRAMES).map(frame).collect() }
}

fn states() -> Vec<Vec<f64>> {
    let slide = |step: usize| vec![0.0, 0.002 * step as f64, 0.0, 0.03, 1.0, 0.0, 0.0, 0.0];
    (0..=FRAMES * STRIDE).map(slide).collect()
}

fn recording<'a>(reference: &'a Reference, qpos: &'a [Vec<f64>]) -> Recording<'a> {
    Recording { object_bodies: &["cube"], joints: &[], reference, qpos, dt: 0.005 }
}

fn renderer() -> Option<Renderer> {
    match Renderer::new(&film_model(XML, &[], &[]).unwrap(), 160, 120) {
        Ok(renderer) => Some(renderer),
        Err(error @ RenderError::EglMissing { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Number of red pixels and their mean column and row, in columns `from..to`.
fn red(image: &RgbImage, from: u32, to: u32) -> (usize, f64, f64) {
    let mut sum = (0, 0.0, 0.0);
    for (x, y) in (BAR_PX..image.height).flat_map(|y| (from..to).map(move |x| (x, y))) {
        let [r, g, b] = image.get(x, y).unwrap();
        if r > 60 && r / 2 > g && r / 2 > b {
            sum = (sum.0 + 1, sum.1 + f64::from(x), sum.2 + f64::from(y));
        }
    }
    (sum.0, sum.1 / sum.0 as f64, sum.2 / sum.0 as f64)
}

#[test]
fn the_left_follows_the_demonstration_and_the_right_the_simulation() {
    let Some(mut renderer) = renderer() else {
        return;
    };
    let (reference, states) = (reference(), states());
    let config = FilmConfig { ghost: false, azimuth_deg: Some(135.0), ..FilmConfig::default() };
    let recording = recording(&reference, &states);
    let film = film(&mut renderer, &recording, &[0, 3, 6], &config).unwrap();
    assert_eq!(film.len(), 3);
    let (width, height) = (film[0].width, film[0].height);
    assert_eq!((width, height), (2 * 160 + GAP_PX, 120 + BAR_PX));
    let left = film.iter().map(|image| red(image, 0, 160)).collect::<Vec<_>>();
    let right = film.iter().map(|image| red(image, 160 + GAP_PX, width)).collect::<Vec<_>>();
    assert!(left.iter().chain(&right).all(|(count, ..)| *count > 50));
    assert!(left[2].2 < left[0].2 - 10.0, "demonstrated: rises");
    assert!((right[2].1 - right[0].1).abs() > 10.0, "simulated: slides");
    // Under one camera both start in the same place.
    assert!((right[0].1 - left[0].1 - f64::from(160 + GAP_PX)).abs() < 1.0);
    // The robot is on the right only.
    let blue = |from: u32, to: u32| {
        (BAR_PX..height)
            .flat_map(|y| (from..to).map(move |x| (x, y)))
            .filter(|&(x, y)| {
                let [r, g, b] = film[0].get(x, y).unwrap();
                b > 60 && b / 2 > r && b / 2 > g
            })
            .count()
    };
    assert!(blue(160 + GAP_PX, width) > 20 && blue(0, 160) == 0);
}

#[test]
fn a_ghost_fades_in_with_the_distance_from_its_object() {
    let frame = |pose: Pose| ReferenceFrame {
        step: 0,
        world_from_object: vec![pose],
        human_keypoints: vec![],
    };
    let state = [9.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let places = Places { addresses: &[1], joints: &[] };
    let alpha = |pose: Pose| match ghosts(&["cube"], &frame(pose), &state, &places).as_slice() {
        [] => 0.0,
        [Overlay::Ghost { rgba, .. }] => rgba[3],
        other => panic!("{other:?}"),
    };
    assert_eq!(alpha(Pose::identity()), 0.0);
    assert_eq!(alpha(Pose::translation(0.007, 0.0, 0.0)), 0.0);
    // Half-way between 8 and 25 mm.
    assert!((alpha(Pose::translation(0.0, 0.0165, 0.0)) - GHOST_RGBA[3] / 2.0).abs() < 1e-6);
    assert_eq!(alpha(Pose::rotation(Vector3::z())), GHOST_RGBA[3]);
}

#[test]
fn the_camera_stands_on_the_thumb_side() {
    // Fingers along -z, thumb side along +y: seen from +y, looking along -y (azimuth -90).
    let mut keypoints = [Point3::origin(); keypoint::COUNT];
    keypoints[MIDDLE_MCP].z = -0.1;
    keypoints[INDEX_MCP] = Point3::new(0.0, 0.03, -0.1);
    keypoints[PINKY_MCP] = Point3::new(0.0, -0.04, -0.08);
    let frame =
        |hands| ReferenceFrame { step: 0, world_from_object: vec![], human_keypoints: hands };
    let azimuth = |hands| opposition_azimuth_deg(&Reference { frames: vec![frame(hands)] });
    assert!((azimuth(vec![Some(keypoints)]) + 90.0).abs() < 1e-9);
    // Without a hand, or with one whose thumb side is up, the hands suggest nothing.
    assert_eq!(azimuth(vec![None]), AZIMUTH_DEG);
    keypoints[INDEX_MCP] = Point3::new(0.0, 0.0, 0.03);
    keypoints[PINKY_MCP] = Point3::new(0.0, 0.0, -0.04);
    assert_eq!(azimuth(vec![Some(keypoints)]), AZIMUTH_DEG);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let Some(mut renderer) = renderer() else {
        return;
    };
    let (reference, states) = (reference(), states());
    let config = FilmConfig::default();
    let mut try_film = |recording: Recording<'_>, shot: usize| {
        film(&mut renderer, &recording, &[shot], &config).unwrap_err().to_string()
    };
    let whole = recording(&reference, &states);
    assert!(try_film(whole, 99).contains("frame 99"));
    assert!(try_film(Recording { qpos: &states[..5], ..whole }, 3).contains("state 30"));
    let unknown = Recording { object_bodies: &["teapot"], ..whole };
    assert!(try_film(unknown, 0).contains("teapot"));
    let many = Recording { object_bodies: &["cube", "cube"], ..whole };
    assert!(try_film(many, 0).contains("1 object poses for 2 bodies"));
    let short = vec![vec![0.0; 3]; states.len()];
    assert!(try_film(Recording { qpos: &short, ..whole }, 0).contains("3 values"));
}

#[test]
fn shots_are_even_in_time_and_stop_where_the_rollout_stops() {
    let (mut reference, states) = (reference(), states());
    let whole = recording(&reference, &states);
    assert_eq!(even_shots(&whole, 3), [0, 3, 6]);
    assert_eq!(even_shots(&whole, 100), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(even_shots(&whole, 1), [0]);
    assert!(even_shots(&whole, 0).is_empty());
    // 60 steps of 5 ms: 0.3 s, so 10 pictures per second are four.
    assert_eq!(real_time_shots(&whole, 10.0, 100), (vec![0, 2, 4, 6], 10.0));
    let (shots, fps) = real_time_shots(&whole, 10.0, 3);
    assert_eq!(shots, [0, 3, 6]);
    assert!((fps - 2.0 / 0.3).abs() < 1e-9);
    let exploded = Recording { qpos: &states[..35], ..whole };
    assert_eq!(even_shots(&exploded, 100), [0, 1, 2, 3]);
    // A pause in the reference is filmed as one.
    reference.frames.iter_mut().skip(3).for_each(|frame| frame.step += 40);
    let states = vec![states[0].clone(); 200];
    let paused = recording(&reference, &states);
    assert_eq!(real_time_shots(&paused, 20.0, 100).0, [0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6][..11]);
    let nothing = Recording { reference: &Reference::default(), ..paused };
    assert!(real_time_shots(&nothing, 10.0, 100).0.is_empty());
}

/// A grey picture with a coloured square at `x`.
fn square_at(x: u32) -> RgbImage {
    let mut image = RgbImage::filled(64, 48, [120, 124, 128]);
    image.paste(&RgbImage::filled(10, 10, [220, 60, 30]), x, 12);
    image
}

#[test]
fn an_animation_decodes_to_its_frames_and_keeps_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.gif");
    // The third frame repeats the second: nothing changes between them.
    let frames = [3, 20, 20, 40].map(square_at);
    animation(&frames, 15.0, &path, NOTICE).unwrap();

    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(std::fs::File::open(&path).unwrap()).unwrap();
    let mut canvas = RgbImage::filled(64, 48, [0; 3]);
    let mut delays = Vec::new();
    for expected in &frames {
        let frame = decoder.read_next_frame().unwrap().unwrap();
        delays.push(frame.delay);
        for (index, pixel) in (0u32..).zip(frame.buffer.chunks_exact(4)) {
            let (x, y) = (index % u32::from(frame.width), index / u32::from(frame.width));
            if pixel[3] > 0 {
                let rgb = [pixel[0], pixel[1], pixel[2]];
                canvas.set(x + u32::from(frame.left), y + u32::from(frame.top), rgb);
            }
        }
        let error =
            canvas.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(error <= 8, "colours differ by {error}");
    }
    assert!(decoder.read_next_frame().unwrap().is_none());
    assert_eq!(delays, [7, 6, 7, 7], "27 hundredths for four frames at 15 Hz");
}

#[test]
fn a_strip_holds_every_tile_in_reading_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strip.png");
    let frames = [3, 20, 40].map(square_at);
    film_strip(&frames, 2, &path, NOTICE).unwrap();
    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let strip = RgbImage { width: info.width, height: info.height, pixels };
    assert_eq!((strip.width, strip.height), (2 * 64 + 8, 2 * 48 + 8));
    for (x, y) in [(3, 12), (72 + 20, 12), (40, 56 + 12)] {
        assert_eq!(strip.get(x, y), Some([220, 60, 30]));
    }
    assert_eq!(strip.get(72 + 40, 56 + 12), Some(STRIP_RGB), "no fourth tile");
}

#[test]
fn files_appear_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.gif");
    std::fs::write(&path, b"old").unwrap();
    let frames = [square_at(3), RgbImage::filled(5, 5, [0; 3])];
    assert!(matches!(animation(&frames, 15.0, &path, NOTICE), Err(FilmError::Request(_))));
    assert!(matches!(animation(&frames[..1], 0.0, &path, NOTICE), Err(FilmError::Request(_))));
    assert!(matches!(animation(&[], 15.0, &path, NOTICE), Err(FilmError::Request(_))));
    assert!(matches!(film_strip(&[], 2, &path, NOTICE), Err(FilmError::Request(_))));
    assert!(matches!(film_strip(&frames[..1], 0, &path, NOTICE), Err(FilmError::Request(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    let nowhere = dir.path().join("missing").join("film.gif");
    assert!(matches!(animation(&frames[..1], 15.0, &nowhere, NOTICE), Err(FilmError::Write(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn captions_are_legible_marks_of_their_text() {
    let mut image = RgbImage::filled(60, 20, [0; 3]);
    font::write(&mut image, "1", 2, 2, 2, [255; 3]);
    // The foot of the 1 is its full width, twice as large.
    let lit = |y: u32| (0..60).filter(|&x| image.get(x, y) == Some([255; 3])).count();
    assert_eq!((lit(2), lit(2 + 12), lit(2 + 14)), (2, 6, 0));
    assert_eq!(font::width("1.25 s", 2), 2 * (6 * 6 - 1));
    // Text beyond the edge is cut, not a panic.
    font::write(&mut image, "far too long for this", 40, 15, 3, [255; 3]);
}

#[test]
fn a_video_has_every_picture_at_its_time() {
    use shiguredo_mp4::demux::{Input, Mp4FileDemuxer};
    let frames: Vec<RgbImage> =
        (0..60).map(|i| RgbImage::filled(65, 48, [200, 4 * i as u8, 30])).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mp4");
    video(&frames, 29.97, &path, NOTICE).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(needed) = demuxer.required_input() {
        let from = needed.position as usize;
        let to = needed.size.map_or(bytes.len(), |size| bytes.len().min(from + size));
        demuxer.handle_input(Input { position: needed.position, data: &bytes[from..to] });
    }
    let (mut count, mut keys, mut ticks) = (0, 0, 0);
    while let Some(sample) = demuxer.next_sample().unwrap() {
        count += 1;
        keys += usize::from(sample.keyframe);
        ticks += u64::from(sample.duration);
    }
    assert_eq!((count, ticks), (60, (60.0 * 90_000.0 / 29.97_f64).round() as u64));
    assert!(keys >= 2, "players could not seek");
    assert!(
        video(&frames, 0.0, &path, NOTICE).is_err() && video(&[], 30.0, &path, NOTICE).is_err()
    );
    let other = [RgbImage::filled(64, 48, [0; 3]), RgbImage::filled(65, 48, [0; 3])];
    assert!(video(&other, 30.0, &path, NOTICE).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a failed video leaves the old one alone");
}

#[test]
fn others_read_source_and_licence_out_of_pictures_and_films() {
    const SCRIPT: &str = "
import sys, av, PIL.Image
png, gif, mp4 = sys.argv[1:]
print(PIL.Image.open(png).text['Copyright'])
print(PIL.Image.open(gif).info['comment'].decode())
print(av.open(mp4).metadata['copyright'])
print(sum(1 for _ in av.open(mp4).decode(video=0)))
";
    let dir = tempfile::tempdir().unwrap();
    let paths = ["strip.png", "film.gif", "film.mp4"].map(|name| dir.path().join(name));
    let frames = [3, 20, 40].map(square_at);
    film_strip(&frames, 2, &paths[0], NOTICE).unwrap();
    animation(&frames, 15.0, &paths[1], NOTICE).unwrap();
    video(&frames, 30.0, &paths[2], NOTICE).unwrap();
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let run = |arguments: &[&std::ffi::OsStr]| {
        std::process::Command::new(&python).env("PYTHONUTF8", "1").args(arguments).output()
    };
    if !run(&["-c".as_ref(), "import av, PIL".as_ref()]).is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: {python:?} has no av and pillow; DEXTRA_PYTHON names another Python");
        return;
    }
    let mut arguments = vec!["-c".as_ref(), SCRIPT.as_ref()];
    arguments.extend(paths.iter().map(|path| path.as_os_str()));
    let done = run(&arguments).unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let wrong = String::from_utf8_lossy(&done.stderr);
    assert_eq!(said.lines().collect::<Vec<_>>(), [NOTICE, NOTICE, NOTICE, "3"], "{wrong}");
}
