use super::*;
use proptest::prelude::*;

/// A committed file that Python wrote; see `make.py` beside it.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles").join(name)
}

fn open(name: &str) -> Pickle {
    Pickle::open(&fixture(name)).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    let error = Pickle::from_bytes(Path::new("x.pkl"), bytes.to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("x.pkl: byte "), "{error}");
    error
}

fn assert_array(value: &Value, key: &str, shape: &[usize], numbers: &[f64]) {
    let (found_shape, found) = value.get(key).unwrap().array().unwrap();
    assert_eq!((found_shape.as_slice(), found.as_slice()), (shape, numbers), "{key}");
}

const RAMP: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

#[test]
fn every_protocol_gives_the_values_that_were_written() {
    for protocol in 0..6 {
        let pickle = open(&format!("values{protocol}.pkl"));
        let root = pickle.root();
        let get = |key: &str| root.get(key).unwrap();
        assert!(get("none").is_none());
        for (key, number) in [
            ("true", 1.0),
            ("false", 0.0),
            ("int", -7.0),
            ("medium", 70000.0),
            ("wide", -(2f64.powi(70))),
            ("float", 0.1),
            ("scalar", 0.5),
        ] {
            assert_eq!(get(key).number().unwrap(), number, "{key}, protocol {protocol}");
        }
        assert_eq!(get("text").text().unwrap(), "grün 🖐");
        assert_eq!(get("bytes").bytes().unwrap(), b"\x00\xff'\\\n");
        assert_array(&root, "list", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_array(&root, "tuple", &[4], &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(get("set").list().unwrap()[0].number().unwrap(), 5.0);
        assert_eq!(get("frozen").list().unwrap()[0].number().unwrap(), 6.0);
        assert_array(&root, "f8", &[2, 3], &RAMP);
        assert_array(&root, "fortran", &[2, 3], &RAMP);
        assert_array(&root, "sliced", &[2, 2], &[0.0, 2.0, 3.0, 5.0]);
        assert_array(&root, "big_endian", &[2], &[1.0, -2.5]);
        assert_array(&root, "i2", &[2], &[-2.0, 258.0]);
        assert_array(&root, "u1", &[1], &[255.0]);
        assert_array(&root, "bool", &[2], &[1.0, 0.0]);
        assert_array(&root, "shared", &[2, 2], &[1.5, -2.5, 1.5, -2.5]);
        assert_eq!(get("arrays").array().unwrap().0, [2, 2, 3]);
        assert_eq!(get("objects").list().unwrap()[0].get("a").unwrap().number().unwrap(), 1.0);
        assert_eq!(get("ordered").get("a").unwrap().number().unwrap(), 2.0);
        assert_array(&get("default"), "k", &[1], &[1.0]);
        let csc = get("csc");
        assert_array(&csc, "data", &[3], &[3.0, 2.0, 4.0]);
        assert_array(&csc, "indices", &[3], &[1.0, 0.0, 2.0]);
        assert_array(&csc, "indptr", &[3], &[0.0, 1.0, 3.0]);
        assert!(csc.class().unwrap().starts_with("scipy.sparse"), "{:?}", csc.class());
        assert_eq!(get("recorder").class().unwrap(), "__main__.Recorder");
        assert_eq!(get("recorder").get("name").unwrap().text().unwrap(), "mocap");
        let frames = get("frames").numbered().unwrap();
        assert_eq!(frames.iter().map(|f| f.0).collect::<Vec<_>>(), [3, 12]);
        assert!(get("path").class().unwrap().contains("PurePosixPath"));
        let error = get("complex").array().unwrap_err().to_string();
        assert!(error.contains("`complex`") && error.contains("numpy"), "{error}");
    }
}

#[test]
fn strings_of_python_2_are_keys_text_and_the_bytes_of_arrays() {
    let pickle = open("python2.pkl");
    assert_array(&pickle.root(), "pose", &[2, 3], &RAMP);
    assert_array(&pickle.root(), "f4", &[2], &[0.5, 1.5]);
    assert_eq!(pickle.root().get("name").unwrap().text().unwrap(), "S1");
}

#[test]
fn tensors_are_read_from_plain_pickles() {
    for name in ["tensors.pkl", "tensors2.pkl"] {
        assert_array(&open(name).root(), "f4", &[2, 3], &RAMP);
    }
    assert_array(&open("tensors2.pkl").root(), "transposed", &[3, 2], &[0., 3., 1., 4., 2., 5.]);
    let pickle = open("tensors.pkl");
    assert_array(&pickle.root(), "row", &[3], &[3.0, 4.0, 5.0]);
    assert_array(&pickle.root(), "i8", &[1], &[-(2f64.powi(40))]);
    assert_array(&pickle.root(), "expanded", &[3, 2], &[7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
    assert_array(&pickle.root(), "bf16", &[2], &[1.5, -0.15625]);
}

#[test]
fn tensors_are_read_from_both_archives_of_torch_save() {
    for name in ["saved.pt", "saved_old.pt"] {
        let pickle = open(name);
        let root = pickle.root();
        assert_array(&root, "f4", &[2, 3], &RAMP);
        assert_array(&root, "transposed", &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_array(&root, "row", &[3], &[3.0, 4.0, 5.0]);
        assert_array(&root, "expanded", &[3, 2], &[7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        assert_array(&root, "f8", &[], &[1.0 / 3.0]);
        assert_array(&root, "f2", &[1], &[-1.5]);
        assert_array(&root, "bf16", &[2], &[1.5, -0.15625]);
        assert_array(&root, "i8", &[1], &[-(2f64.powi(40))]);
        assert_array(&root, "u1", &[1], &[255.0]);
        assert_array(&root, "bool", &[2], &[1.0, 0.0]);
        assert_array(&root, "empty", &[0, 3], &[]);
        assert_array(&root, "parameter", &[1], &[0.25]);
        assert_array(&root, "grad", &[1], &[2.0]);
    }
    assert_eq!(open("state.pt").root().get("weight").unwrap().array().unwrap().0, [1, 2]);
}

#[test]
fn objects_in_a_npz_are_read_where_they_are_asked_for() {
    let npz = crate::Npz::open(&fixture("objects.npz")).unwrap();
    let hand = npz.pickled("lhand").unwrap();
    assert_array(&hand.root().unwrapped().get("params").unwrap(), "transl", &[2, 3], &RAMP);
    let rate = npz.pickled("framerate").unwrap();
    assert_eq!(rate.root().unwrapped().number().unwrap(), 120.0);
    assert!(npz.array_f64("lhand").unwrap_err().to_string().contains("never executed"));
    assert!(npz.pickled("plain").is_err());
}

#[test]
fn what_a_pickle_would_call_is_a_note_and_is_not_called() {
    for name in ["attack.pkl", "attack0.pkl"] {
        let pickle = open(name);
        let pose = pickle.root().get("pose").unwrap();
        assert!(pose.class().unwrap().ends_with(".system"), "{:?}", pose.class());
        let error = pose.array().unwrap_err().to_string();
        assert!(error.contains("`pose`") && error.contains(".system"), "{error}");
        assert_array(&pickle.root(), "fine", &[2, 3], &RAMP);
    }
    assert!(!Path::new("/tmp/dextra-was-here").exists());
}

#[test]
fn loops_and_depth_need_no_stack() {
    let pickle = open("loop.pkl");
    let list = pickle.root().get("loop").unwrap();
    assert_eq!(list.list().unwrap()[0].kind(), "a list of 1");
    assert!(list.array().unwrap_err().to_string().contains("numbers were expected"));
    assert!(open("deep.pkl").root().array().is_err());
    // A million lists in each other.
    let mut deep = vec![b']'; 1_000_000];
    deep.extend(vec![b'a'; 999_999]);
    deep.push(b'.');
    let pickle = Pickle::from_bytes(Path::new("x.pkl"), deep).unwrap();
    assert!(pickle.root().array().is_err());
    drop(pickle);
}

#[test]
fn errors_name_the_offset_and_the_opcode() {
    for (bytes, words) in [
        (b"".as_slice(), "the file is empty"),
        (b"\x80\x09.", "byte 0: unknown protocol 9 (PROTO)"),
        (b"]q\x00h\x01.", "byte 3: memo entry 1 was never made (GET)"),
        (b"a", "byte 0: the stack is empty (APPEND)"),
        (b".", "byte 0: the stack is empty (STOP)"),
        (b"N", "byte 1: the pickle is cut short: no STOP"),
        (b"N\xff.", "byte 1: not an opcode of any pickle protocol (opcode 0xff)"),
        (b"N.N", "byte 2: 1 bytes follow the end"),
        (b"\x82\x01.", "extension codes"),
        (b"(K\x01d.", "key without its value"),
        (b"NNR.", "what is called is not a global name (REDUCE)"),
        (b"K\x01Nb.", "a state is given to what is not an object (BUILD)"),
        (b"X\xff\xff\xff\x7fabc.", "cut short"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "cut short"),
        (b"PK\x03\x04nothing", "x.pkl: byte 0"),
    ] {
        let error = refused(bytes);
        assert!(error.contains(words), "{error}: `{words}`");
    }
    assert!(refused(&[b'('; 5000]).contains("nested marks"));
}

#[test]
fn a_memo_cannot_multiply_what_is_read() {
    // Lists of two references to the list before, 100 times: 2^100 items for who follows them.
    let mut bomb = b"]q\x00".to_vec();
    for level in 1..100u8 {
        bomb.extend([b']', b'q', level, b'h', level - 1, b'a', b'h', level - 1, b'a']);
    }
    bomb.push(b'.');
    let pickle = Pickle::from_bytes(Path::new("x.pkl"), bomb).unwrap();
    assert!(pickle.root().array().is_err());

    // A megabyte of text, encoded to bytes a thousand times.
    let mut bomb = b"c_codecs\nencode\nq\x000X\x00\x00\x10\x00".to_vec();
    bomb.extend(vec![b'a'; 1 << 20]);
    bomb.extend(b"\x85q\x010");
    for _ in 0..1000 {
        bomb.extend(b"h\x00h\x01R");
    }
    bomb.push(b'.');
    assert!(refused(&bomb).contains("far more memory"));
}

#[test]
fn a_tensor_cannot_reach_beyond_its_storage_nor_repeat_it_without_end() {
    let good = std::fs::read(fixture("tensors2.pkl")).unwrap();
    // `(2, 3)` with strides `(3, 1)`: K\x02K\x03\x86 ... K\x03K\x01\x86.
    let shape = b"K\x02K\x03\x86";
    let at = good.windows(shape.len()).position(|w| w == shape).unwrap();
    let with = |new: &[u8]| [&good[..at], new, &good[at + shape.len()..]].concat();
    assert!(refused(&with(b"K\x02K\x04\x86")).contains("reaches beyond its 6 elements"));
    assert!(refused(&with(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")).contains("memory"));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let names =
        ["values0.pkl", "values2.pkl", "values5.pkl", "tensors.pkl", "saved_old.pt", "saved.pt"];
    for name in names {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in 0..whole.len() {
            refused(&whole[..length]);
        }
    }
}

/// Looks at everything that was read, as far as it can be reached in a few steps.
fn look(value: &Value, depth: usize) {
    let _ = (value.array(), value.text(), value.numbered(), value.kind(), value.unwrapped());
    if depth == 0 {
        return;
    }
    for (_, inner) in value.items().into_iter().take(50) {
        look(&inner, depth - 1);
    }
    for inner in value.list().unwrap_or_default().into_iter().take(50) {
        look(&inner, depth - 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic(
        name in prop::sample::select(vec![
            "values0.pkl", "values1.pkl", "values3.pkl", "values4.pkl", "values5.pkl", "python2.pkl",
            "tensors.pkl", "saved.pt", "saved_old.pt", "attack.pkl",
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(pickle) = Pickle::from_bytes(Path::new("x.pkl"), bytes) {
            look(&pickle.root(), 3);
        }
    }

    #[test]
    fn random_programs_never_panic(
        bytes in prop::collection::vec(prop::sample::select(
            b"(.012NK\x01JGSUT\x8c\x05Xabc)\x85\x86\x87t]l}d\x8f\x91ae\x90suq\x00h\x00c\nR\x81bPQ\x88\x94\x93o'".to_vec()
        ), 0..60)
    ) {
        if let Ok(pickle) = Pickle::from_bytes(Path::new("x.pkl"), bytes) {
            look(&pickle.root(), 2);
        }
    }
}
