//! The engines that every promise is checked on.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::Store;

/// Runs a test on an `SQLite` file and on a `PostgreSQL` database of its own.
///
/// A missing `PostgreSQL` fails the test: a promise that was checked on one engine is not checked.
pub(crate) async fn each_engine(test: impl AsyncFn(Store)) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&sqlite_url(&directory)).await.unwrap();
    Box::pin(test(store.clone())).await;
    store.close().await;

    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    Box::pin(test(store.clone())).await;
    store.close().await;
    database.drop().await;
}

pub(crate) fn sqlite_url(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("promenade.db").display())
}

/// A `PostgreSQL` database that no other test knows.
pub(crate) struct Database {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("PROMENADE_TEST_POSTGRES") else {
            panic!(
                "PROMENADE_TEST_POSTGRES names no PostgreSQL server: run `cargo xtask test`, which starts one"
            );
        };
        let name = format!("store_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (base, _) = server.rsplit_once('/').expect("a URL that ends in /DATABASE");
        let url = format!("{base}/{name}");
        execute(&server, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Self { server, name, url }
    }

    pub(crate) async fn drop(self) {
        execute(&self.server, format!("DROP DATABASE {}", self.name)).await;
    }
}

async fn execute(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.expect("PROMENADE_TEST_POSTGRES answers");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
