//! Answers of the store that are believed for a moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Timestamp;

/// How long an answer is believed.
const BELIEVED_MS: i64 = 30_000;
/// Answers that are remembered; when there are more, those that are no longer believed go, and then all.
const REMEMBERED: usize = 50_000;

/// The latest answers, by what was asked. That there is nothing is not remembered.
pub(crate) struct Remembered<K, V> {
    known: Mutex<Known<K, V>>,
}

struct Known<K, V> {
    answers: HashMap<K, (V, Timestamp)>,
    /// Counts what was dropped: an answer that was asked for before a change and came after it is not kept.
    drops: u64,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { known: Mutex::new(Known { answers: HashMap::new(), drops: 0 }) }
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// The answer for `key`; asks when there is none that is believed.
    pub(crate) async fn get<E>(
        &self,
        key: K,
        now: Timestamp,
        ask: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        let drops = {
            let known = self.known();
            match known.answers.get(&key) {
                // A clock that was set back must not make an answer live longer.
                Some((answer, asked)) if is_believed(*asked, now) => return Ok(Some(answer.clone())),
                _ => known.drops,
            }
        };
        let Some(answer) = ask.await? else { return Ok(None) };
        let mut known = self.known();
        if known.drops == drops {
            known.keep(key, answer.clone(), now);
        }
        Ok(Some(answer))
    }

    /// Drops the answers that a change makes doubtful, and those that are on their way.
    pub(crate) fn drop_where(&self, mut is_doubtful: impl FnMut(&K, &V) -> bool) {
        let mut known = self.known();
        known.answers.retain(|key, (answer, _)| !is_doubtful(key, answer));
        known.drops += 1;
    }

    /// The same for the answer to one question.
    pub(crate) fn drop_one(&self, key: &K) {
        let mut known = self.known();
        known.answers.remove(key);
        known.drops += 1;
    }

    /// A panic elsewhere cannot leave the map half changed.
    fn known(&self) -> MutexGuard<'_, Known<K, V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Known<K, V> {
    fn keep(&mut self, key: K, answer: V, now: Timestamp) {
        if self.answers.len() >= REMEMBERED {
            self.answers.retain(|_, (_, asked)| is_believed(*asked, now));
            if self.answers.len() >= REMEMBERED {
                self.answers.clear();
            }
        }
        self.answers.insert(key, (answer, now));
    }
}

fn is_believed(asked: Timestamp, now: Timestamp) -> bool {
    (0..BELIEVED_MS).contains(&now.since(asked))
}
