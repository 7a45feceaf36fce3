#![no_main]

use std::sync::LazyLock;

use broker::fuzzing::Ground;

static GROUND: LazyLock<Ground> = LazyLock::new(Ground::new);

libfuzzer_sys::fuzz_target!(|data: &[u8]| GROUND.session(data));
