//! The ways people take: along the street, through a door, from place to place and back out.

use super::path::Path;
use crate::chance::{normal, weighted};
use crate::floor::{Point, Polygon};
use crate::scenario::{Crowd, CrowdKind, Scenario, Walking};
use protocol::{Timestamp, ZoneKind};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The venue's zones as shapes.
#[derive(Clone, Debug)]
pub(crate) struct FloorPlan {
    zones: Vec<Zone>,
}

#[derive(Clone, Debug)]
struct Zone {
    kind: ZoneKind,
    shape: Polygon,
    attraction: f32,
}

impl FloorPlan {
    /// The floor of a checked scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let zone = |plan: &crate::scenario::ZonePlan| {
            let shape = plan.shape().expect("a checked scenario has shapes");
            Zone { kind: plan.kind, shape, attraction: plan.attraction }
        };
        Self { zones: scenario.zones.iter().map(zone).collect() }
    }

    /// The number of the zone a place is in; `hint` is tried first.
    pub(crate) fn zone_at(&self, place: Point, hint: Option<usize>) -> Option<usize> {
        if let Some(hint) = hint
            && self.zones[hint].shape.contains(place)
        {
            return Some(hint);
        }
        self.zones.iter().position(|zone| zone.shape.contains(place))
    }

    /// The kind of a zone.
    pub(crate) fn kind(&self, zone: usize) -> ZoneKind {
        self.zones[zone].kind
    }

    /// One way through the venue for someone of that crowd who appears at `at`; it ends at `until` at the latest.
    pub(super) fn walk(
        &self,
        crowd: &Crowd,
        walking: &Walking,
        at: Timestamp,
        until: Timestamp,
        rng: &mut ChaCha8Rng,
    ) -> Path {
        let speed = (walking.speed_mps + walking.speed_sigma * normal(rng)).clamp(0.4, 3.0);
        let mut walk = Walk { plan: self, walking, speed, rng };
        let mut path = match crowd.kind {
            CrowdKind::PasserBy => walk.along_the_street(crowd, at),
            CrowdKind::Bouncer => walk.a_look_inside(crowd, at),
            CrowdKind::Visitor => walk.through_the_shop(crowd, at),
            CrowdKind::Staff => walk.behind_the_scenes(crowd, at),
        };
        path.cut(until);
        path
    }
}

struct Walk<'a> {
    plan: &'a FloorPlan,
    walking: &'a Walking,
    speed: f32,
    rng: &'a mut ChaCha8Rng,
}

impl Walk<'_> {
    fn along_the_street(&mut self, crowd: &Crowd, at: Timestamp) -> Path {
        let street = self.choose(ZoneKind::Outside);
        let (one, other) = self.ends(street);
        let mut path = Path::new(at, one);
        let window = one.toward(other, self.rng.random_range(0.3..0.7));
        self.step(&mut path, window);
        let pause = crowd.dwell.draw(self.rng);
        if pause > 0 {
            path.go(window, pause);
        }
        self.step(&mut path, other);
        path
    }

    fn through_the_shop(&mut self, crowd: &Crowd, at: Timestamp) -> Path {
        let entry = self.choose(ZoneKind::Entrance);
        let mut path = self.enter(entry, at);
        self.stops(&mut path, crowd, ZoneKind::Interior);
        let exit = self.choose(ZoneKind::Entrance);
        self.leave(&mut path, exit);
        path
    }

    /// Only a few steps past the entrance, and out by the same door.
    fn a_look_inside(&mut self, crowd: &Crowd, at: Timestamp) -> Path {
        let entrance = self.choose(ZoneKind::Entrance);
        let mut path = self.enter(entrance, at);
        let room = self.nearest_zone(ZoneKind::Interior, entrance);
        let shape = &self.plan.zones[room].shape;
        let near = shape.nearest(path.here());
        let steps_in = 3.0 / near.distance(shape.center()).max(3.0);
        let inside = near.toward(shape.center(), steps_in);
        self.step(&mut path, inside);
        let dwell = crowd.dwell.draw(self.rng);
        self.dwell(&mut path, room, inside, dwell);
        self.leave(&mut path, entrance);
        path
    }

    /// From the end of the street to the inner side of a door.
    fn enter(&mut self, entrance: usize, at: Timestamp) -> Path {
        let street = self.nearest_zone(ZoneKind::Outside, entrance);
        let (appears, _) = self.ends(street);
        let mut path = Path::new(at, appears);
        let (front, door) = self.door(entrance);
        self.step(&mut path, front);
        self.step(&mut path, door);
        path
    }

    /// From wherever one is through a door to the end of the street.
    fn leave(&mut self, path: &mut Path, entrance: usize) {
        let (front, door) = self.door(entrance);
        self.step(path, door);
        self.step(path, front);
        let street = self.nearest_zone(ZoneKind::Outside, entrance);
        let (gone, _) = self.ends(street);
        self.step(path, gone);
    }

    fn behind_the_scenes(&mut self, crowd: &Crowd, at: Timestamp) -> Path {
        let room = self.choose(ZoneKind::Staff);
        let mut path = Path::new(at, self.plan.zones[room].shape.center());
        self.stops(&mut path, crowd, ZoneKind::Staff);
        path
    }

    /// Dwells at a few places of one kind of zone. The whole time is the crowd's dwell, shared unevenly.
    fn stops(&mut self, path: &mut Path, crowd: &Crowd, kind: ZoneKind) {
        let [fewest, most] = crowd.stops;
        let count = self.rng.random_range(fewest..=most);
        let shares: Vec<f64> = (0..count).map(|_| self.rng.random_range(0.4..1.6)).collect();
        let whole: f64 = shares.iter().sum();
        let dwell = crowd.dwell.draw(self.rng) as f64;
        for share in shares {
            let zone = self.choose(kind);
            let center = self.inside(zone);
            self.step(path, center);
            self.dwell(path, zone, center, (dwell * share / whole) as i64);
        }
    }

    /// Small movement around a place: a step or two every few seconds.
    fn dwell(&mut self, path: &mut Path, zone: usize, center: Point, mut left_ms: i64) {
        let drift = self.walking.drift_m;
        while left_ms > 0 {
            let near = Point::new(center.x + drift * normal(self.rng), center.y + drift * normal(self.rng));
            let near = if self.plan.zones[zone].shape.contains(near) { near } else { center };
            let moving = ((path.here().distance(near) / 0.6 * 1000.0) as i64).clamp(1, left_ms);
            path.go(near, moving);
            let standing = self.rng.random_range(4_000..16_000).min(left_ms - moving);
            if standing > 0 {
                path.go(near, standing);
            }
            left_ms -= moving + standing.max(0);
        }
    }

    fn step(&mut self, path: &mut Path, to: Point) {
        let takes = path.here().distance(to) / self.speed * 1000.0;
        path.go(to, takes as i64);
    }

    fn choose(&mut self, kind: ZoneKind) -> usize {
        let weights = self.plan.zones.iter();
        weighted(self.rng, weights.map(|zone| if zone.kind == kind { zone.attraction } else { 0.0 }))
    }

    /// The zone of a kind that is nearest to an entrance.
    fn nearest_zone(&self, kind: ZoneKind, entrance: usize) -> usize {
        let zones = &self.plan.zones;
        let door = zones[entrance].shape.center();
        let gap = |zone: usize| zones[zone].shape.nearest(door).distance(door);
        (0..zones.len())
            .filter(|zone| zones[*zone].kind == kind)
            .min_by(|a, b| gap(*a).total_cmp(&gap(*b)))
            .unwrap_or(entrance)
    }

    /// The place in front of an entrance and one in it.
    fn door(&mut self, entrance: usize) -> (Point, Point) {
        let street = self.nearest_zone(ZoneKind::Outside, entrance);
        let door = self.plan.zones[entrance].shape.center();
        let door =
            Point::new(door.x + self.rng.random_range(-0.5..0.5), door.y + self.rng.random_range(-0.5..0.5));
        let street = &self.plan.zones[street].shape;
        let front = street.nearest(door).toward(street.center(), 0.1);
        (front, door)
    }

    /// The two far ends of a street, in random order, at a random distance from the front.
    fn ends(&mut self, street: usize) -> (Point, Point) {
        let (low, high) = self.plan.zones[street].shape.bounds();
        let across: f32 = self.rng.random_range(0.15..0.85);
        let (x, y) = (low.x + (high.x - low.x) * across, low.y + (high.y - low.y) * across);
        let (one, other) = if high.x - low.x >= high.y - low.y {
            (Point::new(low.x, y), Point::new(high.x, y))
        } else {
            (Point::new(x, low.y), Point::new(x, high.y))
        };
        if self.rng.random_bool(0.5) { (one, other) } else { (other, one) }
    }

    /// A random place in a zone, not at its very border.
    fn inside(&mut self, zone: usize) -> Point {
        let shape = &self.plan.zones[zone].shape;
        let (low, high) = shape.bounds();
        for _ in 0..64 {
            let place =
                Point::new(self.rng.random_range(low.x..high.x), self.rng.random_range(low.y..high.y));
            if shape.contains(place) {
                return place.toward(shape.center(), 0.15);
            }
        }
        shape.center()
    }
}
