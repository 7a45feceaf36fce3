//! The floor plan's geometry: points and simple polygons in metres, x to the right and y upwards.

/// A place on the floor, in metres from the venue's lower left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Metres to the right.
    pub x: f32,
    /// Metres upwards on the plan.
    pub y: f32,
}

impl Point {
    /// The place at (x, y).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Straight distance to another place, in metres.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The place at `share` (0 to 1) of the straight way to `other`.
    pub fn toward(self, other: Self, share: f32) -> Self {
        Self { x: self.x + (other.x - self.x) * share, y: self.y + (other.y - self.y) * share }
    }
}

/// A simple polygon; its corners in order, either way round, the last joined to the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    corners: Vec<Point>,
    low: Point,
    high: Point,
}

impl Polygon {
    /// A polygon of three corners or more with an area; `None` for anything less.
    pub fn new(corners: Vec<Point>) -> Option<Self> {
        if corners.len() < 3 || corners.iter().any(|corner| !corner.x.is_finite() || !corner.y.is_finite()) {
            return None;
        }
        let fold = |pick: fn(f32, f32) -> f32| {
            corners.iter().copied().reduce(|a, b| Point::new(pick(a.x, b.x), pick(a.y, b.y)))
        };
        let (low, high) = (fold(f32::min)?, fold(f32::max)?);
        let polygon = Self { corners, low, high };
        (polygon.area() > 0.01).then_some(polygon)
    }

    /// The corners in order.
    pub fn corners(&self) -> &[Point] {
        &self.corners
    }

    /// The lower left and upper right corner of the box around it.
    pub fn bounds(&self) -> (Point, Point) {
        (self.low, self.high)
    }

    /// Square metres, by the shoelace formula.
    pub fn area(&self) -> f32 {
        (self.edges().map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f32>() / 2.0).abs()
    }

    /// Whether the place is inside, by counting crossings of a ray to the right. A place on a border shared by two
    /// polygons belongs to exactly one of them.
    pub fn contains(&self, place: Point) -> bool {
        if place.x < self.low.x || place.x > self.high.x || place.y < self.low.y || place.y > self.high.y {
            return false;
        }
        let crossings = self
            .edges()
            .filter(|(a, b)| {
                (a.y > place.y) != (b.y > place.y)
                    && place.x < (b.x - a.x) * (place.y - a.y) / (b.y - a.y) + a.x
            })
            .count();
        crossings % 2 == 1
    }

    /// The mean of the corners: inside for every convex polygon.
    pub fn center(&self) -> Point {
        let count = self.corners.len() as f32;
        let sum =
            self.corners.iter().fold(Point::new(0.0, 0.0), |sum, c| Point::new(sum.x + c.x, sum.y + c.y));
        Point::new(sum.x / count, sum.y / count)
    }

    /// The place itself when it is inside, else the nearest one on the border.
    pub fn nearest(&self, place: Point) -> Point {
        if self.contains(place) {
            return place;
        }
        self.edges()
            .map(|(a, b)| {
                let length = a.distance(b).max(f32::EPSILON);
                let along =
                    ((place.x - a.x) * (b.x - a.x) + (place.y - a.y) * (b.y - a.y)) / (length * length);
                a.toward(b, along.clamp(0.0, 1.0))
            })
            .min_by(|a, b| a.distance(place).total_cmp(&b.distance(place)))
            .unwrap_or(place)
    }

    fn edges(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().copied().zip(next.copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Polygon {
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)];
        Polygon::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).unwrap()
    }

    #[test]
    fn a_rectangle_knows_its_inside_area_and_border() {
        let square = square();
        assert!(square.contains(Point::new(1.0, 1.0)));
        assert!(!square.contains(Point::new(4.5, 1.0)));
        assert!((square.area() - 8.0).abs() < 1e-5);
        assert_eq!(square.center(), Point::new(2.0, 1.0));
        assert_eq!(square.nearest(Point::new(6.0, 1.0)), Point::new(4.0, 1.0));
        assert_eq!(square.nearest(Point::new(1.0, 1.5)), Point::new(1.0, 1.5));
    }

    #[test]
    fn a_concave_corner_is_outside() {
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)];
        let polygon = Polygon::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).unwrap();
        assert!(!polygon.contains(Point::new(2.0, 3.0)));
        assert!(polygon.contains(Point::new(0.5, 2.0)));
    }

    #[test]
    fn a_shared_border_belongs_to_one_side() {
        let left = square();
        let corners = [(4.0, 0.0), (8.0, 0.0), (8.0, 2.0), (4.0, 2.0)];
        let right = Polygon::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).unwrap();
        let border = Point::new(4.0, 1.0);
        assert!(left.contains(border) ^ right.contains(border));
    }

    #[test]
    fn lines_and_points_are_no_polygons() {
        assert!(Polygon::new(vec![Point::new(0.0, 0.0), Point::new(1.0, 1.0)]).is_none());
        let line = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)].map(|(x, y)| Point::new(x, y));
        assert!(Polygon::new(line.to_vec()).is_none());
    }
}
