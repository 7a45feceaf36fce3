//! The migrations of the two engines say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sqlx::{Connection, PgConnection, SqliteConnection};
use store::{Store, StoreError};

use crate::engines::{Database, sqlite_url};

fn files(engine: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(engine);
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_engines_have_the_same_numbers_and_names() {
    let files = [files("sqlite"), files("postgres")];
    assert_eq!(files[0], files[1]);
    let well_named = |name: &String| {
        let (number, rest) = name.strip_suffix(".sql").and_then(|name| name.split_once('_')).unwrap();
        number.len() == 4 && number.bytes().all(|digit| digit.is_ascii_digit()) && !rest.is_empty()
    };
    assert!(files[0].iter().all(well_named), "{files:?}");
    let numbers: Vec<usize> = files[0].iter().map(|name| name[..4].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=files[0].len()).collect::<Vec<_>>());
}

/// Table to its columns, each with whether it may be null.
type Tables = BTreeMap<String, BTreeMap<String, bool>>;

fn tables(rows: Vec<(String, String, bool)>) -> Tables {
    let mut tables = Tables::new();
    for (table, column, nullable) in rows {
        tables.entry(table).or_default().insert(column, nullable);
    }
    tables
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_indexes() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create().await;
    for url in [&sqlite_url(&directory), &database.url] {
        Store::open(url).await.unwrap().close().await;
    }
    let mut sqlite = SqliteConnection::connect(&sqlite_url(&directory)).await.unwrap();
    let mut postgres = PgConnection::connect(&database.url).await.unwrap();

    let rows = sqlx::query_as(
        "SELECT t.name, c.name, c.\"notnull\" = 0 FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations'",
    );
    let ours = tables(rows.fetch_all(&mut sqlite).await.unwrap());
    let rows = sqlx::query_as(
        "SELECT table_name::TEXT, column_name::TEXT, is_nullable = 'YES' FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    );
    let theirs = tables(rows.fetch_all(&mut postgres).await.unwrap());
    assert_eq!(ours, theirs);
    assert!(ours.len() > 10);

    let named = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    );
    let ours: Vec<String> = named.fetch_all(&mut sqlite).await.unwrap();
    let named = sqlx::query_scalar(
        "SELECT indexname::TEXT FROM pg_indexes WHERE schemaname = 'public'
            AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key' ORDER BY indexname",
    );
    let theirs: Vec<String> = named.fetch_all(&mut postgres).await.unwrap();
    assert_eq!(ours, theirs);

    // Every row says whose it is, but those of the installation and those of a person alone.
    let without = [
        "account_links",
        "accounts",
        "browser_sessions",
        "identities",
        "organizations",
        "passkeys",
        "recovery_codes",
        "signing_keys",
        "upstream_flows",
    ];
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT t.name FROM sqlite_schema t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
            AND t.name <> '_sqlx_migrations' AND NOT EXISTS
                (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'organization')
        ORDER BY t.name",
    )
    .fetch_all(&mut sqlite)
    .await
    .unwrap();
    assert_eq!(tables, without);

    sqlite.close().await.unwrap();
    postgres.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn beside_a_server_the_database_is_taken_as_it_is() {
    const OLDER: &str =
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    assert!(Store::join(&url).await.is_err(), "nothing is made");
    assert!(!directory.path().join("promenade.db").exists());
    let database = Database::create().await;
    let empty = Store::join(&database.url).await;
    assert!(matches!(empty, Err(StoreError::Schema { found: 0, .. })), "{empty:?}");
    for url in [&url, &database.url] {
        Store::open(url).await.unwrap().close().await;
        Store::join(url).await.unwrap().close().await;
    }
    // As another version would leave it.
    let mut sqlite = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(OLDER).execute(&mut sqlite).await.unwrap();
    let mut postgres = PgConnection::connect(&database.url).await.unwrap();
    sqlx::query(OLDER).execute(&mut postgres).await.unwrap();
    sqlite.close().await.unwrap();
    postgres.close().await.unwrap();
    for url in [&url, &database.url] {
        let joined = Store::join(url).await;
        let Err(StoreError::Schema { found, known }) = joined else { panic!("{joined:?}") };
        assert_eq!(found + 1, known);
    }
    database.drop().await;
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    const NEWER: &str =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT version + 1, 'later', success, checksum, execution_time FROM _sqlx_migrations
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    let database = Database::create().await;
    for url in [&url, &database.url] {
        Store::open(url).await.unwrap().close().await;
    }
    let mut sqlite = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(NEWER).execute(&mut sqlite).await.unwrap();
    let mut postgres = PgConnection::connect(&database.url).await.unwrap();
    sqlx::query(NEWER).execute(&mut postgres).await.unwrap();
    sqlite.close().await.unwrap();
    postgres.close().await.unwrap();
    for url in [&url, &database.url] {
        let opened = Store::open(url).await;
        let Err(StoreError::Schema { found, known }) = opened else { panic!("{opened:?}") };
        assert_eq!(found, known + 1);
    }
    database.drop().await;
}
