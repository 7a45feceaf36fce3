//! `promenade pseudonyms`, and what a copy of the database tells of pseudonyms.

use std::path::Path;
use std::process::Command;

use protocol::{Subject, Timestamp};
use store::{KeyEpoch, Pseudonyms};

use crate::world::{Said, World};

const IDENTIFIER: &[u8] = b"app:anna";
const NOON: Timestamp = Timestamp(1_790_071_200_000);
const CLEAR: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// Changes the database as a program would that knows SQL and nothing of ours.
fn change(world: &World, sql: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
    let mut python = Command::new("python3");
    let said = Said::of(python.arg("-c").arg(script).arg(world.path("promenade.db")).arg(sql));
    assert!(said.succeeded, "{said:?}");
}

/// The pseudonym of the identifier under a key.
fn pseudonym(key: [u8; 32]) -> Subject {
    let first = KeyEpoch { epoch: 0, effective_from: Timestamp(0), key: Some(key) };
    Pseudonyms::new(vec![first]).expect("a key").of_identifier(IDENTIFIER, NOON)
}

/// Whether anything in the files of the database, taken as a key, gives the pseudonym.
fn gives_away(folder: &Path, subject: Subject) -> bool {
    let files = ["promenade.db", "promenade.db-wal"].map(|name| std::fs::read(folder.join(name)));
    files.into_iter().flatten().any(|file| {
        file.windows(16).any(|window| {
            let mut key = [0; 32];
            key[..16].copy_from_slice(window);
            pseudonym(key) == subject
        })
    })
}

fn lines(said: &Said) -> Vec<&str> {
    said.out.lines().collect()
}

#[tokio::test]
async fn a_copy_of_the_database_tells_no_pseudonym() {
    let world = World::new();
    world.register().await;
    let text = CLEAR.map(|byte| format!("{byte:02x}")).concat();
    // As an earlier version of the program left it.
    change(
        &world,
        &format!(
            "INSERT INTO pseudonym_keys (organization, epoch, effective_from, key)
            SELECT id, 0, 0, X'{text}' FROM organizations"
        ),
    );
    let subject = pseudonym(CLEAR);
    assert!(gives_away(world.data(), subject), "the attack finds a key that is there");
    let listed = world.run(&["pseudonyms", "list"]);
    assert!(listed.out.contains("not sealed yet"), "{listed:?}");

    drop(world.serve(&["--mqtt", "off"]));
    assert!(!gives_away(world.data(), subject), "a killed server leaves no key in the clear");
    assert_eq!(lines(&world.run(&["pseudonyms", "list"])), ["0  from the beginning  sealed"]);
    let doctor = world.run(&["doctor"]);
    assert!(lines(&doctor).contains(&"ok     the sealing key opens the key of pseudonyms"), "{doctor:?}");

    // Without the sealing key nothing is counted rather than counted under other pseudonyms.
    let (key, away) = (world.path("sealing.key"), world.path("elsewhere"));
    std::fs::rename(&key, &away).expect("moved");
    let doctor = world.run(&["doctor"]);
    let wrong = "WRONG  the keys of pseudonyms cannot be opened: the sealing key";
    assert!(!doctor.succeeded && doctor.out.lines().any(|line| line.starts_with(wrong)), "{doctor:?}");
    let served = world.run(&["serve", "--http", "127.0.0.1:0", "--mqtt", "off"]);
    assert!(!served.succeeded && served.err.contains("put the copy of it back"), "{served:?}");
    assert!(!key.exists(), "no other key takes its place");
    let other = World::new();
    drop(other.serve(&["--mqtt", "off"]));
    std::fs::copy(other.path("sealing.key"), &key).expect("copied");
    let served = world.run(&["serve", "--http", "127.0.0.1:0", "--mqtt", "off"]);
    assert!(!served.succeeded && served.err.contains("pseudonym"), "{served:?}");
    std::fs::rename(&away, &key).expect("moved back");
    drop(world.serve(&["--mqtt", "off"]));
    let given_up = world.run(&["pseudonyms", "give-up"]);
    assert!(given_up.out.starts_with("0 keys"), "{given_up:?}");

    // Whoever has lost it for good begins anew.
    std::fs::remove_file(&key).expect("lost");
    let given_up = world.run(&["pseudonyms", "give-up"]);
    assert!(given_up.out.starts_with("1 keys"), "{given_up:?}");
    drop(world.serve(&["--mqtt", "off"]));
    let listed = world.run(&["pseudonyms", "list"]);
    let states: Vec<_> = lines(&listed).into_iter().map(|line| line.split("  ").last()).collect();
    assert!(states[0].is_some_and(|state| state.starts_with("destroyed at ")), "{listed:?}");
    assert_eq!(states[1..], [Some("sealed")]);
}

#[test]
fn epochs_of_pseudonyms_begin_and_their_keys_are_destroyed() {
    let world = World::new();
    let nothing = world.run(&["pseudonyms", "rotate"]);
    assert!(!nothing.succeeded && nothing.err.contains("there is no database"), "{nothing:?}");
    let server = world.serve(&["--mqtt", "off"]);
    let refused = [
        (vec!["destroy", "0"], "epoch 0 is not over"),
        (vec!["destroy", "7"], "not found"),
        (vec!["rotate", "--at", "2026-01-01T00:00:00Z"], "a minute from now or later"),
        (vec!["rotate", "--at", "soon"], "RFC 3339"),
        (vec!["rotate", "--organization", "01890a5d-ac96-774b-bcce-b302099a8057"], "no such organization"),
    ];
    for (arguments, why) in refused {
        let said = world.run(&[&["pseudonyms"], &arguments[..]].concat());
        assert!(!said.succeeded && said.err.contains(why), "{arguments:?}: {said:?}");
    }
    let begun = world.run(&["pseudonyms", "rotate"]);
    assert!(begun.succeeded && begun.out.starts_with("Epoch 1 of default begins at "), "{begun:?}");
    let later = world.run(&["pseudonyms", "rotate", "--at", "2999-01-01T04:00:00+01:00"]);
    assert_eq!(lines(&later), ["Epoch 2 of default begins at 2999-01-01T03:00:00Z."]);
    drop(server);
    // As if the first one had been over for long.
    change(&world, "UPDATE pseudonym_keys SET effective_from = 5 WHERE epoch = 1");
    let destroyed = world.run(&["pseudonyms", "destroy", "0"]);
    assert!(destroyed.succeeded, "{destroyed:?}");
    let listed = world.run(&["pseudonyms", "list"]);
    let states: Vec<_> = lines(&listed).into_iter().map(|line| line.split("  ").last()).collect();
    assert!(states[0].is_some_and(|state| state.starts_with("destroyed at ")), "{listed:?}");
    assert_eq!(states[1..], [Some("sealed"), Some("sealed")]);
    let doctor = world.run(&["doctor"]);
    assert!(lines(&doctor).contains(&"ok     the sealing key opens the 2 keys of pseudonyms"), "{doctor:?}");
    drop(world.serve(&["--mqtt", "off"]));
}
