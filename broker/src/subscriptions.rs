//! The subscription tree: which sessions a topic reaches, in time that grows with the topic's levels and not with the
//! number of subscriptions.

use std::collections::HashMap;

use crate::namespace::Namespace;

/// A tree for each namespace: a topic of one never matches a filter of another.
#[derive(Debug)]
pub(crate) struct Forest<T> {
    trees: HashMap<Namespace, Subscriptions<T>>,
    count: usize,
}

impl<T> Default for Forest<T> {
    fn default() -> Self {
        Self { trees: HashMap::new(), count: 0 }
    }
}

impl<T> Forest<T> {
    /// Adds or replaces a subscription.
    pub(crate) fn insert(&mut self, namespace: Namespace, filter: &str, session: u64, value: T) {
        let tree = self.trees.entry(namespace).or_default();
        self.count -= tree.len();
        tree.insert(filter, session, value);
        self.count += tree.len();
    }

    /// Takes a subscription away; nothing happens if there is none.
    pub(crate) fn remove(&mut self, namespace: Namespace, filter: &str, session: u64) {
        let Some(tree) = self.trees.get_mut(&namespace) else { return };
        self.count -= tree.len();
        tree.remove(filter, session);
        self.count += tree.len();
        if tree.len() == 0 {
            self.trees.remove(&namespace);
        }
    }

    /// How many subscriptions there are in all.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Calls `found` for each subscription in the namespace whose filter matches `topic`.
    pub(crate) fn matching<'a>(
        &'a self,
        namespace: Namespace,
        topic: &str,
        found: &mut impl FnMut(u64, &'a T),
    ) {
        if let Some(tree) = self.trees.get(&namespace) {
            tree.matching(topic, found);
        }
    }
}

/// A tree of topic levels; each node knows who subscribed to the filter that ends there.
#[derive(Debug)]
pub(crate) struct Subscriptions<T> {
    root: Node<T>,
    count: usize,
}

#[derive(Debug)]
struct Node<T> {
    children: HashMap<Box<str>, Node<T>>,
    subscribers: Vec<(u64, T)>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { children: HashMap::new(), subscribers: Vec::new() }
    }
}

impl<T> Default for Subscriptions<T> {
    fn default() -> Self {
        Self { root: Node::default(), count: 0 }
    }
}

impl<T> Subscriptions<T> {
    /// Adds or replaces the subscription of `session` to `filter`.
    pub(crate) fn insert(&mut self, filter: &str, session: u64, value: T) {
        let node = filter.split('/').fold(&mut self.root, |node, level| {
            if !node.children.contains_key(level) {
                node.children.insert(level.into(), Node::default());
            }
            node.children.get_mut(level).expect("inserted above")
        });
        if let Some((_, old)) = node.subscribers.iter_mut().find(|(id, _)| *id == session) {
            *old = value;
        } else {
            node.subscribers.push((session, value));
            self.count += 1;
        }
    }

    /// Takes the subscription of `session` to `filter` away, with the branches that nobody needs any more.
    pub(crate) fn remove(&mut self, filter: &str, session: u64) {
        let levels: Vec<&str> = filter.split('/').collect();
        if self.root.remove(&levels, session) {
            self.count -= 1;
        }
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Calls `found` for each subscription whose filter matches `topic`; a session with several such filters is found
    /// several times.
    pub(crate) fn matching<'a>(&'a self, topic: &str, found: &mut impl FnMut(u64, &'a T)) {
        self.root.matching(Some(topic), topic.starts_with('$'), found);
    }
}

impl<T> Node<T> {
    fn remove(&mut self, levels: &[&str], session: u64) -> bool {
        let Some((level, rest)) = levels.split_first() else {
            let before = self.subscribers.len();
            self.subscribers.retain(|(id, _)| *id != session);
            return self.subscribers.len() < before;
        };
        let Some(child) = self.children.get_mut(*level) else { return false };
        let removed = child.remove(rest, session);
        if child.children.is_empty() && child.subscribers.is_empty() {
            self.children.remove(*level);
        }
        removed
    }

    /// `rest` are the levels still to go; `guarded` keeps wildcards off the first level of a `$` topic.
    fn matching<'a>(&'a self, rest: Option<&str>, guarded: bool, found: &mut impl FnMut(u64, &'a T)) {
        if !guarded && let Some(all) = self.children.get("#") {
            all.subscribers.iter().for_each(|(id, value)| found(*id, value));
        }
        let Some(rest) = rest else {
            self.subscribers.iter().for_each(|(id, value)| found(*id, value));
            return;
        };
        let (level, tail) = rest.split_once('/').map_or((rest, None), |(level, tail)| (level, Some(tail)));
        if let Some(child) = self.children.get(level) {
            child.matching(tail, false, found);
        }
        if !guarded && let Some(child) = self.children.get("+") {
            child.matching(tail, false, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter;
    use proptest::prelude::*;

    fn hits(tree: &Subscriptions<()>, topic: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        tree.matching(topic, &mut |id, ()| ids.push(id));
        ids.sort_unstable();
        ids
    }

    proptest! {
        /// The tree finds what matching each filter alone finds, also after removals.
        #[test]
        fn agrees_with_matching_one_by_one(
            filters in prop::collection::vec("[ab+]?(/[ab+]?){0,3}(/#)?", 1..20),
            gone in prop::collection::vec(any::<bool>(), 20),
            topics in prop::collection::vec("[$]?[ab]?(/[ab]?){0,4}", 1..10),
        ) {
            let mut tree = Subscriptions::default();
            for (id, filter) in filters.iter().enumerate() {
                tree.insert(filter, id as u64, ());
            }
            for (id, filter) in filters.iter().enumerate().filter(|(id, _)| gone[*id]) {
                tree.remove(filter, id as u64);
                tree.remove(filter, id as u64);
            }
            prop_assert_eq!(tree.len(), (0..filters.len()).filter(|id| !gone[*id]).count());
            for topic in &topics {
                let expected: Vec<u64> = (0..filters.len())
                    .filter(|&id| !gone[id] && filter::matches(&filters[id], topic))
                    .map(|id| id as u64)
                    .collect();
                prop_assert_eq!(hits(&tree, topic), expected, "{}", topic);
            }
        }
    }

    #[test]
    fn empty_branches_go() {
        let mut tree = Subscriptions::default();
        tree.insert("a/b/c", 1, ());
        tree.remove("a/b/c", 1);
        assert!(tree.root.children.is_empty());
    }
}
