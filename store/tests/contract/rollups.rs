//! Rollups say what the rows say, whatever came in whichever order and whenever they were made.

mod history;

use std::collections::BTreeSet;

use presence::{Bucket, Tracker};
use protocol::{Subject, Timestamp, ZoneKind};
use sqlx::{Connection, PgConnection, SqliteConnection};
use store::{Checkpoint, Question, Store, VenuePatch, ZonePatch};

use crate::checkpoints::blank;
use crate::engines::{Database, each_engine, sqlite_url};
use crate::shop::{DAY, HOUR, MINUTE, Shop};

use history::{END, History, Random, START, check, rolled};

/// When everything is over and the rows are quiet.
const LATER: Timestamp = Timestamp(END.0 + DAY);

#[tokio::test]
async fn rollups_say_what_the_rows_say() {
    for seed in 1..=2 {
        each_engine(async |store| {
            let shop = Shop::open(&store).await;
            let mut random = Random(seed);
            let history = History::random(&store, &shop, 50, &mut random).await;
            let parts = history.parts(&mut random);
            let mut now = END;
            for (step, part) in parts.iter().enumerate() {
                let watermark = START.plus((step as i64 + 1) * END.since(START) / parts.len() as i64);
                let (visits, stays) = part;
                let mut checkpoint =
                    Checkpoint { visits, stays, now, ..blank(&store, &shop, 1, watermark).await };
                // Now and then a few subjects were not there at all on a day.
                let gone = [history.gone(&store, &shop, &mut random).await];
                if random.below(3) == 0 {
                    checkpoint.replaced = &gone;
                }
                store.checkpoint(&checkpoint).await.unwrap();
                check(&store, &shop, &format!("seed {seed}, step {step}, before")).await;
                now = now.plus(random.below(5) * MINUTE);
                for _ in 0..random.below(4) {
                    store.roll(shop.organization, shop.venue, now).await.unwrap();
                    check(&store, &shop, &format!("seed {seed}, step {step}, after")).await;
                }
            }
            rolled(&store, &shop, LATER).await;
            check(&store, &shop, &format!("seed {seed}, at the end")).await;
        })
        .await;
    }
}

/// How long anybody was in the shop on each day.
async fn occupied(store: &Store, shop: &Shop) -> Vec<u64> {
    let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
    let calendar = &timeline.versions()[0].1.calendar;
    let starts = calendar.buckets(Bucket::Day, START, END).unwrap();
    let question = Question {
        organization: shop.organization,
        venue: shop.venue,
        calendar,
        size: Bucket::Day,
        starts: &starts,
        end: END,
        known: END,
    };
    let days = store.tallies(&question, &[None]).await.unwrap().remove(0);
    days.iter().map(|day| day.occupied_ms).collect()
}

#[tokio::test]
async fn what_is_quiet_is_answered_from_rollups_and_what_is_not_from_rows() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create().await;
    for url in [&sqlite_url(&directory), &database.url] {
        let store = Store::open(url).await.unwrap();
        let shop = Shop::open(&store).await;
        let history = History::random(&store, &shop, 200, &mut Random(7)).await;
        let checkpoint = Checkpoint {
            visits: &history.visits,
            stays: &history.stays,
            now: END,
            ..blank(&store, &shop, 1, END).await
        };
        store.checkpoint(&checkpoint).await.unwrap();
        rolled(&store, &shop, LATER).await;
        let full = occupied(&store, &shop).await;
        assert!(full.iter().all(|ms| *ms > 0), "{full:?}");

        // A stay that grows takes its own hours out of the rollups, and only those.
        let grown = presence::Stay { to: history.stays[0].to.plus(1), ..history.stays[0] };
        let stays = [grown];
        let again = Checkpoint { stays: &stays, visits: &[], now: LATER, ..checkpoint };
        store.checkpoint(&again).await.unwrap();
        assert!(
            !store.roll(shop.organization, shop.venue, LATER.plus(MINUTE)).await.unwrap(),
            "not quiet yet"
        );
        execute(url, "DELETE FROM stays").await;
        let less = occupied(&store, &shop).await;
        let different: Vec<_> = (0..14).filter(|day| full[*day] != less[*day]).collect();
        assert_eq!(different.len(), 1, "{different:?}");
        assert!(less[different[0]] > 0, "the other hours of the day are still there");
        assert!(store.roll(shop.organization, shop.venue, LATER.plus(2 * MINUTE)).await.unwrap());
        assert_eq!(occupied(&store, &shop).await, less);
        assert!(
            !store.roll(shop.organization, shop.venue, LATER.plus(2 * MINUTE)).await.unwrap(),
            "all is made"
        );
        execute(url, "DELETE FROM rollups").await;
        assert_eq!(occupied(&store, &shop).await, [0; 14]);
        store.close().await;
    }
    database.drop().await;
}

async fn execute(url: &str, statement: &'static str) {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn another_configuration_makes_them_anew() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let history = History::random(&store, &shop, 40, &mut Random(9)).await;
        let checkpoint = Checkpoint {
            visits: &history.visits,
            stays: &history.stays,
            now: END,
            ..blank(&store, &shop, 1, END).await
        };
        store.checkpoint(&checkpoint).await.unwrap();
        rolled(&store, &shop, LATER).await;
        let middle = START.plus(7 * DAY);
        let outside =
            ZonePatch { kind: Some(ZoneKind::Outside), effective_from: Some(middle), ..ZonePatch::default() };
        store.patch_zone(shop.organization, shop.venue, shop.entrance, &outside, LATER).await.unwrap();
        check(&store, &shop, "another kind of zone, before").await;
        rolled(&store, &shop, LATER).await;
        check(&store, &shop, "another kind of zone, after").await;
        for (timezone, minutes) in [("Asia/Kathmandu", 0), ("Australia/Lord_Howe", 250)] {
            let patch = VenuePatch {
                timezone: Some(timezone.into()),
                day_starts_at: Some(minutes),
                ..VenuePatch::default()
            };
            store.patch_venue(shop.organization, shop.venue, &patch, LATER).await.unwrap();
            check(&store, &shop, &format!("{timezone}, before")).await;
            assert!(store.roll(shop.organization, shop.venue, LATER).await.unwrap());
            check(&store, &shop, &format!("{timezone}, begun")).await;
            rolled(&store, &shop, LATER).await;
            check(&store, &shop, &format!("{timezone}, after")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_else_rolls_or_reads_a_venue() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        assert!(store.roll(shop.other, shop.venue, LATER).await.is_err());
        assert!(!store.roll(shop.organization, shop.venue, LATER).await.unwrap(), "nothing was ever heard");
        let history = History::random(&store, &shop, 20, &mut Random(5)).await;
        let checkpoint =
            Checkpoint { visits: &history.visits, now: END, ..blank(&store, &shop, 1, END).await };
        store.checkpoint(&checkpoint).await.unwrap();
        rolled(&store, &shop, LATER).await;
        let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
        let question = Question {
            organization: shop.other,
            venue: shop.venue,
            calendar: &timeline.versions()[0].1.calendar,
            size: Bucket::Day,
            starts: &[START],
            end: START.plus(DAY),
            known: END,
        };
        assert!(store.tallies(&question, &[None]).await.unwrap()[0][0].is_empty());
        assert!(store.paths(&question).await.unwrap().is_empty());
        let tracker = Tracker::new(shop.venue, timeline.clone());
        let nobody = BTreeSet::from([Subject(u128::MAX)]);
        let day = timeline.day(START.plus(HOUR));
        let replaced = [tracker.recompute(day, Some(&nobody), Vec::new())];
        store.checkpoint(&Checkpoint { visits: &[], replaced: &replaced, ..checkpoint }).await.unwrap();
        assert!(
            !store.roll(shop.organization, shop.venue, LATER.plus(DAY)).await.unwrap(),
            "nothing was touched"
        );
    })
    .await;
}
