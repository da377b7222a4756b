//! The number of threads changes how long it takes and nothing else.

use crate::{assert_same_files, cube_on_allegro, request};
use dextra::{Report, Silent, TransferRequest, transfer};

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let one = cube_on_allegro();
    let dir = tempfile::tempdir().unwrap();
    let request = TransferRequest { threads: Some(3), ..request("cube", "allegro", dir.path()) };
    let three = transfer(&request, &Silent).unwrap();
    assert_same_files(one.dir.path(), dir.path());
    let timeless =
        |report: &Report| Report { wall_s: 0.0, cpu_s: 0.0, out: String::new(), ..report.clone() };
    assert_eq!(timeless(&three), timeless(&one.report));
}
