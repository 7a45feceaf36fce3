//! What listens, and what it needs for that.

use crate::world::World;

const FREE: &str = "127.0.0.1:0";

#[test]
fn only_what_is_on_is_printed() {
    let world = World::new();
    assert_eq!(world.serve(&["--mqtt", FREE]).names(), ["http", "mqtt"]);
    assert_eq!(world.serve(&["--mqtt", "off", "--ws", FREE]).names(), ["http", "ws"]);
    let made = world.run(&["ca", "init", "--server", "localhost", "127.0.0.1"]);
    assert!(made.succeeded, "{made:?}");
    let server = world.serve(&["--mqtt", FREE, "--mqtts", FREE, "--ws", FREE, "--wss", FREE]);
    assert_eq!(server.names(), ["http", "mqtt", "mqtts", "ws", "wss"]);
}

#[test]
fn without_a_certificate_it_says_which_setting_is_missing() {
    let world = World::new();
    for (arguments, part) in [
        (&["serve", "--http", FREE, "--mqtt", FREE, "--mqtts", FREE][..], "listen.mqtts needs a certificate"),
        (&["serve", "--http", FREE, "--mqtt", FREE, "--wss", FREE], "listen.wss needs a certificate"),
        (&["serve", "--http", FREE, "--mqtt", "false"], "or \"off\""),
    ] {
        let said = world.run(arguments);
        assert!(!said.succeeded && said.err.contains(part), "{arguments:?}: {said:?}");
        assert!(!said.out.contains("listening"), "{said:?}");
    }
}
