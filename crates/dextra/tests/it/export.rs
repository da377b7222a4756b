//! A result in the terms of real machines.

use crate::cube_on_allegro;
use dextra::{RobotRequest, RobotStatus, Side, Silent, Status, export_robot, transfer};
use dextra_data::Npz;
use std::path::Path;
use std::process::Command;

fn request(out: &Path) -> RobotRequest {
    RobotRequest {
        result: cube_on_allegro().dir.path().to_owned(),
        out: Some(out.to_owned()),
        ..RobotRequest::default()
    }
}

/// Comments, names and rows of a table.
fn table(path: &Path) -> (Vec<String>, Vec<String>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(path).unwrap();
    let (comments, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|l| l.starts_with('#'));
    let words = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let numbers = |line: &&str| line.split(',').map(|w| w.parse().unwrap()).collect();
    let comments = comments.into_iter().map(str::to_owned).collect();
    (comments, words(rest[0]), rest[1..].iter().map(numbers).collect())
}

#[test]
fn the_table_is_the_controls_in_the_vendors_order_and_rate() {
    let dir = tempfile::tempdir().unwrap();
    let report = export_robot(
        &RobotRequest {
            smoothing_s: 0.0,
            rate_hz: Some(100.0),
            max_time_scale: 20.0,
            ..request(dir.path())
        },
        &Silent,
    )
    .unwrap();
    assert_eq!(report.status, RobotStatus::Ready, "{:?}", report.causes);
    let (comments, names, rows) = table(&dir.path().join("right_hand.csv"));
    assert_eq!((names.len(), &names[0][..], &names[16][..]), (17, "time_s", "joint_15.0_rad"));
    for word in ["# rate_hz: 100", "# unit: rad", "# licence: ", "# sha256 of rollout.npz: "] {
        assert!(comments.iter().any(|line| line.starts_with(word)), "{word} in {comments:?}");
    }
    assert!((rows[1][0] - 0.01).abs() < 1e-9);
    // The model's order is index, middle, ring, thumb too, and the wrist's servos come after it in `ctrl`.
    let npz = Npz::open(&cube_on_allegro().dir.path().join("rollout.npz")).unwrap();
    let (shape, ctrl) = npz.array_f64("ctrl").unwrap();
    let dt = npz.scalar_f64("timestep_s").unwrap();
    let mut compared = 0;
    for state in 0..shape[0] {
        let row = (report.rest_s + state as f64 * dt) * report.time_scale * 100.0;
        let near = row.round();
        // Only where a row falls upon a step of the rollout are both the same.
        if (row - near).abs() > 1e-6 {
            continue;
        }
        for joint in 0..16 {
            let target = ctrl[state * shape[1] + joint];
            let (low, high) = report.devices[0].channels[joint].position_limits.unwrap();
            let sent = rows[near as usize][1 + joint];
            assert!(
                (sent - target.clamp(low, high)).abs() < 2e-3,
                "{state} {joint} {sent} {target}"
            );
            compared += 1;
        }
    }
    assert!(compared > 0);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("right_hand.json")).unwrap())
            .unwrap();
    assert_eq!(json["names"][0], "joint_0.0");
    let read = |row: usize, column: usize| json["rows"][row][column].as_f64().unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), rows.len());
    assert!((read(50, 3) - rows[50][4]).abs() < 1e-8);
    assert_eq!(json["licence"], report.licence);
    assert!(dir.path().join("right_hand.png").is_file());
}

#[test]
fn another_hand_follows_with_its_fingertips() {
    let dir = tempfile::tempdir().unwrap();
    let report = export_robot(
        &RobotRequest { onto: Some("inspire".into()), ..request(dir.path()) },
        &Silent,
    )
    .unwrap();
    assert_eq!(report.alignment[0].fingers, ["thumb", "index", "middle", "ring"]);
    let error = report.alignment[0].tip_mean_mm;
    assert!(error > 0.1 && error < 25.0, "{error}");
    assert!(report.notes.iter().any(|note| note.contains("no claim")));
    let (_, names, rows) = table(&dir.path().join("right_hand.csv"));
    assert_eq!(names[1], "little_count");
    let counts = rows.iter().flat_map(|row| &row[1..]);
    assert!(counts.clone().all(|c| (0.0..=1000.0).contains(c) && c.fract() == 0.0));
}

/// The built-in six-servo hand with its coupled joints set free: twelve joints, twelve servos.
fn twelve_joints(dir: &Path) -> String {
    let hands = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/hands");
    let model = std::fs::read_to_string(hands.join("inspire.xml")).unwrap();
    let (before, rest) = model.split_once("<equality>").unwrap();
    let (coupled, after) = rest.split_once("</equality>").unwrap();
    let names = coupled.split("<joint name=\"").skip(1).map(|part| part.split('"').next().unwrap());
    let servo = |name| format!("<position name=\"{name}\" joint=\"{name}\" class=\"inspire\"/>\n");
    let servos: String = names.map(servo).collect();
    let free = format!("{before}{}", after.replace("</actuator>", &(servos + "</actuator>")));
    let path = dir.join("inspire12.xml");
    std::fs::write(&path, free).unwrap();
    std::fs::copy(hands.join("inspire.toml"), dir.join("inspire12.toml")).unwrap();
    path.display().to_string()
}

#[test]
fn a_hand_with_six_servos_follows_one_with_twelve() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let hand = twelve_joints(dir.path());
    let report = transfer(&crate::request("cube", &hand, &out), &Silent).unwrap();
    assert_eq!(report.status, Status::Accepted, "{:?}", report.cause);
    let request = |onto: &str, to: &str| RobotRequest {
        result: out.clone(),
        onto: Some(onto.into()),
        out: Some(dir.path().join(to)),
        ..RobotRequest::default()
    };
    let robot = export_robot(&request("inspire", "robot"), &Silent).unwrap();
    let aligned = &robot.alignment[0];
    assert_eq!(aligned.fingers, ["thumb", "index", "middle", "ring", "pinky"]);
    // The palm is the same and so are the fingers: what differs is that six joints follow six others. Fingers that
    // hold the cube stay near; one in the air may be bent as none of the coupled hand's can be.
    assert!(aligned.tip_mean_mm > 0.1 && aligned.tip_mean_mm < 6.0, "{}", aligned.tip_mean_mm);
    let (comments, names, rows) = table(&dir.path().join("robot/right_hand.csv"));
    assert!(comments.iter().any(|line| line.contains("inspire")), "{comments:?}");
    assert_eq!(names.len(), 7, "{names:?}");
    let counts = rows.iter().flat_map(|row| &row[1..]);
    assert!(counts.clone().all(|c| (0.0..=1000.0).contains(c) && c.fract() == 0.0));
    // Smoothness in time: no channel jumps by a tenth of its range from one row to the next.
    let jump = rows.windows(2).flat_map(|pair| pair[0][1..].iter().zip(&pair[1][1..]));
    let largest = jump.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(largest < 100.0, "{largest}");
    // Thumb and index, which hold the cube, close as far as the simulated hand's do.
    let span = |channel: usize| {
        let values = rows.iter().map(|row| row[channel]);
        values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
    };
    let index = names.iter().position(|name| name.starts_with("index")).unwrap();
    assert!(span(index) > 100.0, "{}", span(index));
}

#[test]
fn stock_mujoco_finds_the_flange_where_the_hand_was() {
    let dir = tempfile::tempdir().unwrap();
    let report = export_robot(
        &RobotRequest {
            arm: Some("fr3".into()),
            smoothing_s: 0.0,
            max_time_scale: 50.0,
            ..request(dir.path())
        },
        &Silent,
    )
    .unwrap();
    assert_eq!(report.status, RobotStatus::Ready, "{:?}", report.causes);
    assert_eq!(report.arms[0].reached, report.arms[0].frames);
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let import = "import numpy, mujoco; assert mujoco.__version__ == '3.17.0', mujoco.__version__";
    let found = Command::new(&python).args(["-c", import]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: {} has no mujoco 3.17.0 and numpy; DEXTRA_PYTHON names another Python",
            python.display()
        );
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/robot.py");
    let result = cube_on_allegro().dir.path();
    let output = Command::new(&python).arg(script).arg(result).arg(dir.path()).output().unwrap();
    let [said, wrong] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    assert_eq!(output.status.code(), Some(0), "{said}{wrong}");
    // A hand that stands still would be found as well.
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(
        words[1].parse::<usize>().unwrap() > 100 && words[3].parse::<f64>().unwrap() > 0.2,
        "{said}"
    );
}

#[test]
fn an_arm_out_of_reach_is_refused_with_its_frames_and_leaves_no_table() {
    let dir = tempfile::tempdir().unwrap();
    let wanted = RobotRequest { arm: Some("fr3".into()), ..request(dir.path()) };
    let far = RobotRequest {
        stands: vec![(Side::Right, [3.0, 0.0, 0.0, 180.0])],
        turns: vec![(Side::Right, 0.0)],
        ..wanted
    };
    let report = export_robot(&far, &Silent).unwrap();
    assert_eq!(report.status, RobotStatus::Refused);
    let cause = &report.causes[0];
    assert!(cause.contains("right arm") && cause.contains("at frame 0"), "{cause}");
    assert!(!dir.path().join("right_arm.csv").exists() && dir.path().join("robot.json").is_file());
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains(">refused</span>"), "{page}");
    // Made again of the folder alone, it is the same.
    let again = dextra::page::write(dir.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&again).unwrap(), page);
    // What others wrote into the report neither becomes markup nor leads to other files.
    let json = std::fs::read_to_string(dir.path().join("robot.json")).unwrap();
    let with = |what: &str, by: &str| {
        assert!(json.contains(what), "{json}");
        std::fs::write(dir.path().join("robot.json"), json.replace(what, by)).unwrap();
        dextra::page::write(dir.path())
    };
    with("\"unit\": \"rad\"", "\"unit\": \"<input>\"").unwrap();
    assert!(!std::fs::read_to_string(&again).unwrap().contains("<input>"));
    let error = with("\"right_arm\"", "\"../right_arm\"").unwrap_err().to_string();
    assert!(error.contains("robot.json") && error.contains("stem"), "{error}");
    // A folder with another result is refused before any work.
    let taken = RobotRequest { out: Some(request(dir.path()).result), ..request(dir.path()) };
    let error = export_robot(&taken, &Silent).unwrap_err().to_string();
    assert!(error.contains("report.json") && error.contains("another folder"), "{error}");
}

#[test]
fn what_cannot_be_exported_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |request: RobotRequest, word: &str| {
        let error = export_robot(&request, &Silent).unwrap_err();
        let mut text = error.to_string();
        let mut inner = std::error::Error::source(&error);
        while let Some(cause) = inner {
            text += &format!(": {cause}");
            inner = cause.source();
        }
        assert!(text.contains(word), "{word} is missing in {text}");
    };
    let good = || request(dir.path());
    fails(RobotRequest { result: dir.path().to_owned(), ..good() }, "report.json");
    fails(RobotRequest { onto: Some("human".into()), ..good() }, "--device");
    fails(RobotRequest { arm: Some("leap".into()), ..good() }, "not an arm");
    fails(RobotRequest { device: Some("leap".into()), ..good() }, "if_rot");
    fails(RobotRequest { rate_hz: Some(f64::NAN), ..good() }, "rate");
    fails(RobotRequest { turns: vec![(Side::Left, 0.0)], ..good() }, "--arms");
    // A rejected result, and one whose rollout has a hole.
    let copy = tempfile::tempdir().unwrap();
    let from = cube_on_allegro().dir.path();
    for name in ["report.json", "rollout.npz"] {
        std::fs::copy(from.join(name), copy.path().join(name)).unwrap();
    }
    let report = std::fs::read_to_string(copy.path().join("report.json")).unwrap();
    let rejected = report.replacen("\"accepted\"", "\"rejected\"", 1);
    assert_ne!(report, rejected);
    std::fs::write(copy.path().join("report.json"), rejected).unwrap();
    let there = |allow_rejected| RobotRequest {
        result: copy.path().to_owned(),
        allow_rejected,
        ..request(dir.path())
    };
    fails(there(false), "--allow-rejected");
    fails(there(true), "scene.xml");
}
