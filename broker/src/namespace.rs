//! Which topics can meet which filters.
//!
//! Whatever a filter says, it is only ever held against the topics of its own namespace. So no wildcard of a free topic
//! reaches what the platform tells, and nothing of one organization reaches another.

use protocol::{OrganizationId, Topic};

/// A set of topics that know nothing of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Namespace {
    /// Topics without a meaning to the platform; those of clients that do not sign in have an organization of nobody.
    Free(OrganizationId),
    /// `v1/…`.
    Platform(OrganizationId),
    /// `$SYS/…`, of the whole installation.
    System,
}

impl Namespace {
    /// Where a topic or a filter of somebody in the organization is.
    pub(crate) fn of(organization: OrganizationId, name: &str) -> Self {
        if is_platform(name) {
            Self::Platform(organization)
        } else if is_system(name) {
            Self::System
        } else {
            Self::Free(organization)
        }
    }
}

/// Names that only the platform gives a meaning.
pub(crate) fn is_platform(name: &str) -> bool {
    name == "v1" || name.starts_with(Topic::PREFIX)
}

/// Names that tell of the server itself.
pub(crate) fn is_system(name: &str) -> bool {
    name == "$SYS" || name.starts_with("$SYS/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Timestamp;

    #[test]
    fn names_are_told_apart_by_their_first_level() {
        let organization = OrganizationId::new(Timestamp(1), [1; 10]);
        for (name, namespace) in [
            ("v1", Namespace::Platform(organization)),
            ("v1/#", Namespace::Platform(organization)),
            ("v10/a", Namespace::Free(organization)),
            ("+/organizations/#", Namespace::Free(organization)),
            ("#", Namespace::Free(organization)),
            ("$SYS/#", Namespace::System),
            ("$SYSTEM/a", Namespace::Free(organization)),
        ] {
            assert_eq!(Namespace::of(organization, name), namespace, "{name}");
        }
    }
}
