//! One way through the venue: straight pieces between waypoints in time.

use crate::floor::Point;
use protocol::Timestamp;

/// A person's way from appearing in the venue to leaving it.
#[derive(Clone, Debug)]
pub struct Path {
    start: Timestamp,
    waypoints: Vec<Waypoint>,
}

/// Reached `after` milliseconds after the path's start.
#[derive(Clone, Copy, Debug)]
struct Waypoint {
    after: u32,
    place: Point,
}

impl Path {
    /// A path that begins somewhere at some time.
    pub(super) fn new(start: Timestamp, place: Point) -> Self {
        Self { start, waypoints: vec![Waypoint { after: 0, place }] }
    }

    /// When the person appears.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// When the person is gone.
    pub fn end(&self) -> Timestamp {
        self.start.plus(i64::from(self.last().after))
    }

    /// Where the path stands so far.
    pub(super) fn here(&self) -> Point {
        self.last().place
    }

    /// Goes on to a place, taking that many milliseconds.
    pub(super) fn go(&mut self, place: Point, takes_ms: i64) {
        let after = self.last().after + takes_ms.max(1) as u32;
        self.waypoints.push(Waypoint { after, place });
    }

    /// Ends the path at that moment when it would last longer.
    pub(super) fn cut(&mut self, end: Timestamp) {
        if self.end() <= end {
            return;
        }
        let place = self.place(end, &mut 0);
        let after = end.since(self.start).max(1) as u32;
        self.waypoints.retain(|waypoint| waypoint.after < after);
        self.waypoints.push(Waypoint { after, place });
    }

    /// Where the person is at that moment. `cursor` remembers the piece of the path, so that asking in the order of time
    /// is cheap; it starts at 0. Before the start it is the first place, after the end the last.
    pub fn place(&self, at: Timestamp, cursor: &mut usize) -> Point {
        let after = at.since(self.start).clamp(0, i64::from(self.last().after)) as u32;
        if *cursor >= self.waypoints.len() || self.waypoints[*cursor].after > after {
            *cursor = 0;
        }
        while *cursor + 1 < self.waypoints.len() && self.waypoints[*cursor + 1].after <= after {
            *cursor += 1;
        }
        let from = self.waypoints[*cursor];
        let Some(to) = self.waypoints.get(*cursor + 1) else { return from.place };
        from.place.toward(to.place, (after - from.after) as f32 / (to.after - from.after) as f32)
    }

    fn last(&self) -> Waypoint {
        self.waypoints[self.waypoints.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_between_waypoints_whatever_the_order_of_asking() {
        let mut path = Path::new(Timestamp(1_000), Point::new(0.0, 0.0));
        path.go(Point::new(10.0, 0.0), 10_000);
        path.go(Point::new(10.0, 5.0), 5_000);
        let mut cursor = 0;
        let at = |ms, cursor: &mut usize| path.place(Timestamp(ms), cursor);
        assert_eq!(at(6_000, &mut cursor), Point::new(5.0, 0.0));
        assert_eq!(at(12_000, &mut cursor), Point::new(10.0, 1.0));
        assert_eq!(at(2_000, &mut cursor), Point::new(1.0, 0.0));
        assert_eq!(at(99_000, &mut cursor), Point::new(10.0, 5.0));
        assert_eq!(path.end(), Timestamp(16_000));
    }

    #[test]
    fn a_cut_path_ends_where_it_was() {
        let mut path = Path::new(Timestamp(0), Point::new(0.0, 0.0));
        path.go(Point::new(10.0, 0.0), 10_000);
        path.go(Point::new(20.0, 0.0), 10_000);
        path.cut(Timestamp(15_000));
        assert_eq!(path.end(), Timestamp(15_000));
        assert_eq!(path.place(path.end(), &mut 0), Point::new(15.0, 0.0));
    }
}
