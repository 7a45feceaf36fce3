//! Scopes as types, so that a handler names the one it needs in its signature.

use store::Scope;

/// A scope that a handler needs.
pub(crate) trait Needed: Send + Sync + 'static {
    /// The scope itself.
    fn scope() -> Scope;
}

macro_rules! needed {
    ($($scope:ident),*) => {$(
        pub(crate) struct $scope;

        impl Needed for $scope {
            fn scope() -> Scope {
                Scope::$scope
            }
        }
    )*};
}

needed!(
    VenuesRead,
    VenuesWrite,
    DevicesRead,
    DevicesWrite,
    CommandsWrite,
    AnalyticsRead,
    StaysRead,
    MovementsSubscribe,
    PingsWrite,
    MeData,
    MetricsRead,
    Admin
);
