//! What is to be seen of a world: of its links, in the log that the person reads, and among what is counted.

use serde_json::Value;
use store::{Assistant, LinkState, Page};
use voice::Link;

use super::World;

impl World {
    /// How it is with a link of the person.
    pub(crate) async fn link(&self, assistant: Assistant) -> Link {
        let links = self.voice.links(self.organization, self.account).await.unwrap();
        links.into_iter().find(|link| link.assistant == assistant).unwrap()
    }

    /// Waits until a link is so.
    pub(crate) async fn wait_for_link(&self, assistant: Assistant, state: LinkState) {
        while self.link(assistant).await.state != state {
            tokio::task::yield_now().await;
        }
    }

    /// What was written down for the person, sorted, since the clock stands: what, and of it the assistant or the name.
    pub(crate) async fn written(&self) -> Vec<(String, String)> {
        let page = Page::first(100);
        let entries = self.store.audit_of_account(self.account, page).await.unwrap().items;
        let of = |detail: &Value| {
            ["assistant", "name"].iter().find_map(|key| detail[key].as_str()).map(str::to_owned)
        };
        let mut written: Vec<_> =
            entries.into_iter().map(|entry| (entry.what, of(&entry.detail).unwrap_or_default())).collect();
        written.sort();
        written
    }

    /// Waits until so many entries are written down for the person.
    pub(crate) async fn wait_for_written(&self, count: usize) -> Vec<(String, String)> {
        while self.written().await.len() < count {
            tokio::task::yield_now().await;
        }
        self.written().await
    }

    /// Waits until so many are counted under a name with its labels: what is counted may be seen before that.
    pub(crate) async fn wait_for_count(&self, metric: &str, count: u64) {
        while self.counted(metric) < count {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.counted(metric), count, "{metric}");
    }

    /// What was counted under a name with its labels.
    pub(crate) fn counted(&self, metric: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let start = format!("promenade_voice_{metric} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&start));
        count.map_or(0, |count| count.parse().unwrap())
    }
}
