//! The engines that what touches new tables is checked on.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::Config;

use crate::world::World;

/// Runs a test on an `SQLite` file and on a `PostgreSQL` database of its own. A missing `PostgreSQL` fails the test.
pub(crate) async fn each_engine(test: impl AsyncFn(World)) {
    Box::pin(test(World::new().await)).await;
    let database = Database::create();
    let config = Config { heartbeat: Duration::from_millis(20), ..Config::default() };
    Box::pin(test(World::at(config, &database.url, tempfile::tempdir().unwrap()).await)).await;
}

/// A `PostgreSQL` database that no other test knows; it goes with this value.
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    fn create() -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("PROMENADE_TEST_POSTGRES") else {
            panic!(
                "PROMENADE_TEST_POSTGRES names no PostgreSQL server: run `cargo xtask test`, which starts one"
            );
        };
        let name = format!("api_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (base, _) = server.rsplit_once('/').expect("a URL that ends in /DATABASE");
        let url = format!("{base}/{name}");
        assert!(execute(&server, &format!("CREATE DATABASE {name} TEMPLATE template0")), "psql");
        Database { server, name, url }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn execute(server: &str, statement: &str) -> bool {
    Command::new("psql").args([server, "-q", "-c", statement]).status().is_ok_and(|status| status.success())
}
