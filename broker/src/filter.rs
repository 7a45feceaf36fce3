//! Topic filters (MQTT 5 section 4.7): what is well formed, what matches, what lies inside what.

/// More levels than this in a filter is refused: each level costs a node of the subscription tree.
pub(crate) const MAX_LEVELS: usize = 64;

/// Whether `filter` is well formed: `#` alone in the last level, `+` alone in its level (MQTT-4.7.1-1, -2); behind
/// `$share/` a group of at least one character without wildcards, and a filter (MQTT-4.8.2-1, -2).
pub(crate) fn is_valid(path: &str) -> bool {
    let (share, filter) = share(path);
    let bad_group = share.is_some_and(|share| share.group.is_empty() || share.group.contains(['+', '#']));
    if bad_group || (share.is_none() && path.starts_with("$share/")) {
        return false;
    }
    if filter.is_empty() || levels(filter) > MAX_LEVELS {
        return false;
    }
    let mut rest = filter.split('/').peekable();
    while let Some(level) = rest.next() {
        let wild = level.contains(['+', '#']);
        if wild && (level.len() > 1 || (level == "#" && rest.peek().is_some())) {
            return false;
        }
    }
    true
}

/// A shared subscription: the name of its group, and the filter that the group shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share<'a> {
    pub(crate) group: &'a str,
    pub(crate) filter: &'a str,
}

/// Takes `$share/GROUP/` off the front of a filter (section 4.8.2); answers the rest beside it.
pub(crate) fn share(path: &str) -> (Option<Share<'_>>, &str) {
    let parts = path.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    match parts {
        Some((group, filter)) => (Some(Share { group, filter }), filter),
        None => (None, path),
    }
}

/// How many levels a topic or filter has.
pub(crate) fn levels(text: &str) -> usize {
    text.bytes().filter(|&b| b == b'/').count() + 1
}

/// Whether `topic` matches `filter`. Wildcards in the first level never match a topic that starts with `$` (MQTT-4.7.2-1).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    covers(filter, topic)
}

/// Whether every topic that `asked` (a topic or a filter) matches is matched by `allowed` too.
pub(crate) fn covers(allowed: &str, asked: &str) -> bool {
    let (mut allowed, mut asked) = (allowed.split('/'), asked.split('/'));
    loop {
        match (allowed.next(), asked.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Whether some topic is matched by both filters.
pub(crate) fn overlaps(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_filters() {
        for good in
            ["#", "+", "a/+/b", "a/#", "/", "a//b", "+/+", "$SYS/#", "é/#", "$share/g/a/#", "$share/g//"]
        {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "a#",
            "a/#/b",
            "a+",
            "+a/b",
            "#/",
            "a/b+/c",
            "$share/g",
            "$share//a",
            "$share/+/a",
            "$share/g/",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&"a/".repeat(MAX_LEVELS)));
    }

    #[test]
    fn matching_follows_the_specification() {
        for (filter, topic) in
            [("#", "a/b"), ("a/#", "a"), ("a/#", "a/b/c"), ("+/b", "a/b"), ("a/+", "a/"), ("+/+", "/x")]
        {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("#", "$SYS/x"), ("+/x", "$SYS/x"), ("a/+", "a"), ("a/b", "a/b/c"), ("a/+", "a/b/c"), ("a", "A")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn covering_and_overlapping() {
        assert!(
            covers("a/#", "a/+/b") && covers("a/#", "a/#") && covers("a/+", "a/b") && covers("a/+", "a/+")
        );
        assert!(!covers("a/+", "a/#") && !covers("a/b", "a/+") && !covers("a/b", "#"));
        assert!(
            overlaps("a/+/c", "a/b/+")
                && overlaps("#", "a/b")
                && overlaps("a/#", "a")
                && overlaps("+/b", "a/#")
        );
        assert!(!overlaps("a/b", "a/c") && !overlaps("a/+", "a/b/c") && !overlaps("b/#", "a/#"));
    }
}
