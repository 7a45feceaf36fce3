//! The corpus of the fuzz targets, through the same checks.

#[expect(unreachable_pub, reason = "it is the library of another crate, whose fuzz targets reach it")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::PathBuf;

fn replay(target: &str, check: impl Fn(&[u8])) {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut count = 0;
    for input in inputs {
        let path = input.unwrap().path();
        // Shown only when the check panics.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 5, "{count} inputs in {}", corpus.display());
}

#[test]
fn batch() {
    replay("batch", targets::batch);
}

#[test]
fn topic() {
    replay("topic", targets::topic);
}

#[test]
fn beacon() {
    replay("beacon", targets::beacon);
}

#[test]
fn reporter() {
    replay("reporter", targets::reporter);
}
