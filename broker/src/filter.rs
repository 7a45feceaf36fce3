//! Topic filters (MQTT 5 section 4.7): what is well formed, what matches, what lies inside what.

/// More levels than this in a topic or filter is refused: each level costs a node of the subscription tree.
pub(crate) const MAX_LEVELS: usize = 64;

/// Whether `filter` is well formed: `#` alone in the last level, `+` alone in its level (MQTT-4.7.1-1, -2).
pub(crate) fn is_valid(filter: &str) -> bool {
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
        for good in ["#", "+", "a/+/b", "a/#", "/", "a//b", "+/+", "$SYS/#", "é/#"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a#", "a/#/b", "a+", "+a/b", "#/", "a/b+/c"] {
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
