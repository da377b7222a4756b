//! Distance field of an object on a grid, with the space a finger can reach marked.
//!
//! The openings that matter in manipulation are those a finger can enter. A ball of a stated radius (the probe) is
//! flooded in from outside; whatever it can touch is *reachable* and must stay free of collision hulls, the rest
//! (solid material, sealed cavities, hair cracks) may be filled. No watertight mesh is needed.

use nalgebra::Point3;

use super::hull::Hull;

/// Regular grid of points over an object.
pub(crate) struct Field {
    origin: Point3<f64>,
    /// Spacing, metres.
    pub(crate) cell: f64,
    dims: [usize; 3],
    /// Distance to the surface, negative where the probe cannot touch; capped, metres. `[x][y][z]`, z fastest.
    open_distance: Vec<f32>,
    /// Running sums along z of `max(0, open_distance - tolerance - cell / 2)`, per column of `dims[2] + 1`.
    excess_sums: Vec<f64>,
}

impl Field {
    /// Sample `distance` (point, cap → unsigned distance or cap, metres) over the box `lo..hi` and flood it with a
    /// probe ball of radius `probe` metres.
    pub(crate) fn new(
        distance: impl Fn(&Point3<f64>, f64) -> f64,
        (lo, hi): (Point3<f64>, Point3<f64>),
        cell: f64,
        probe: f64,
        tolerance: f64,
    ) -> Field {
        let pad = probe + 2.0 * cell;
        let origin = lo.map(|c| c - pad);
        let dims: [usize; 3] =
            (hi - lo).map(|c| ((c + 2.0 * pad) / cell).ceil() as usize + 1).into();
        let cap = 4.0 * (probe + tolerance) + 2.0 * cell;
        let mut field =
            Field { origin, cell, dims, open_distance: Vec::new(), excess_sums: Vec::new() };
        let all: Vec<f32> = (0..dims.iter().product())
            .map(|i| distance(&field.point(field.coords(i)), cap) as f32)
            .collect();
        // A barrier thinner than a cell diagonal would leak between grid points.
        let probe = probe.max(0.9 * cell);
        let reached = field.flood(&all, probe as f32);
        let reachable = field.grown(&reached, probe);
        field.open_distance =
            all.iter().zip(&reachable).map(|(&d, &open)| if open { d } else { -d }).collect();
        field.excess_sums = field.column_sums((tolerance + 0.5 * cell) as f32);
        field
    }

    fn coords(&self, index: usize) -> [usize; 3] {
        let [_, ny, nz] = self.dims;
        [index / (ny * nz), index / nz % ny, index % nz]
    }

    fn index(&self, [i, j, k]: [usize; 3]) -> usize {
        (i * self.dims[1] + j) * self.dims[2] + k
    }

    fn point(&self, [i, j, k]: [usize; 3]) -> Point3<f64> {
        self.origin + nalgebra::Vector3::new(i as f64, j as f64, k as f64) * self.cell
    }

    /// Grid points the centre of the probe can come to from the border of the grid.
    fn flood(&self, distance: &[f32], probe: f32) -> Vec<bool> {
        let mut reached = vec![false; distance.len()];
        let mut stack: Vec<usize> = (0..distance.len())
            .filter(|&i| {
                let at = self.coords(i);
                (0..3).any(|a| at[a] == 0 || at[a] + 1 == self.dims[a]) && distance[i] > probe
            })
            .collect();
        stack.iter().for_each(|&i| reached[i] = true);
        while let Some(index) = stack.pop() {
            let at = self.coords(index);
            for axis in 0..3 {
                for step in [usize::MAX, 1] {
                    let mut next = at;
                    next[axis] = next[axis].wrapping_add(step);
                    if next[axis] < self.dims[axis] {
                        let n = self.index(next);
                        if !reached[n] && distance[n] > probe {
                            reached[n] = true;
                            stack.push(n);
                        }
                    }
                }
            }
        }
        reached
    }

    /// Grid points within `radius` of a marked one.
    fn grown(&self, marked: &[bool], radius: f64) -> Vec<bool> {
        let r = (radius / self.cell).floor() as i64;
        let limit = (radius / self.cell).powi(2);
        let mut ball = Vec::new();
        for (i, j, k) in cube_offsets(r) {
            if ((i * i + j * j + k * k) as f64) <= limit {
                ball.push([i, j, k]);
            }
        }
        let mut out = marked.to_vec();
        for index in (0..marked.len()).filter(|&i| marked[i]) {
            let at = self.coords(index);
            // Only the skin of the marked region can mark anything new.
            let inner = (0..3).all(|a| {
                at[a] > 0 && at[a] + 1 < self.dims[a] && {
                    let (mut below, mut above) = (at, at);
                    below[a] -= 1;
                    above[a] += 1;
                    marked[self.index(below)] && marked[self.index(above)]
                }
            });
            if inner {
                continue;
            }
            for offset in &ball {
                let next = [0, 1, 2].map(|a| at[a] as i64 + offset[a]);
                if (0..3).all(|a| next[a] >= 0 && next[a] < self.dims[a] as i64) {
                    out[self.index(next.map(|c| c as usize))] = true;
                }
            }
        }
        out
    }

    fn column_sums(&self, tolerance: f32) -> Vec<f64> {
        let mut sums = Vec::with_capacity(self.open_distance.len() + self.dims[0] * self.dims[1]);
        for column in self.open_distance.chunks(self.dims[2]) {
            let mut sum = 0.0;
            sums.push(0.0);
            for &d in column {
                sum += f64::from((d - tolerance).max(0.0));
                sums.push(sum);
            }
        }
        sums
    }

    /// Integral over the hull of how much deeper than the tolerance its points lie in reachable space, m^4.
    ///
    /// The hull is grown by half a cell first and the tolerance with it: a slab thinner than a cell would otherwise
    /// hide between the points of the grid.
    pub(crate) fn excess(&self, hull: &Hull) -> f64 {
        let [nx, ny, nz] = self.dims;
        let grow = 0.5 * self.cell;
        let range = |axis: usize, n: usize| {
            let first =
                ((hull.lo[axis] - grow - self.origin[axis]) / self.cell).ceil().max(0.0) as usize;
            let last =
                ((hull.hi[axis] + grow - self.origin[axis]) / self.cell).floor().max(-1.0) as i64;
            first..((last + 1).max(0) as usize).min(n)
        };
        let rows = range(1, ny);
        let mut total = 0.0;
        let (mut low, mut high) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        for i in range(0, nx) {
            let foot = self.point([i, rows.start, 0]);
            low.fill(hull.lo.z - grow);
            high.fill(hull.hi.z + grow);
            // The stretch of each column inside all half-spaces, plane by plane over a row of columns: the inner loops
            // are branch-free and vectorise.
            for (n, offset) in &hull.planes {
                let rest = offset + grow - n.x * foot.x - n.y * foot.y;
                let step = n.y * self.cell;
                if n.z > 1e-9 {
                    let (first, slope) = (rest / n.z, step / n.z);
                    for (j, high) in high.iter_mut().enumerate() {
                        let bound = first - slope * j as f64;
                        *high = if bound < *high { bound } else { *high };
                    }
                } else if n.z < -1e-9 {
                    let (first, slope) = (rest / n.z, step / n.z);
                    for (j, low) in low.iter_mut().enumerate() {
                        let bound = first - slope * j as f64;
                        *low = if bound > *low { bound } else { *low };
                    }
                } else {
                    for (j, high) in high.iter_mut().enumerate() {
                        let outside = rest - step * (j as f64) < 0.0;
                        *high = if outside { f64::MIN } else { *high };
                    }
                }
            }
            for (j, (&low, &high)) in rows.clone().zip(low.iter().zip(&high)) {
                let first = ((low - foot.z) / self.cell).ceil().max(0.0);
                let last = ((high - foot.z) / self.cell).floor().min(nz as f64 - 1.0);
                if last >= first {
                    let base = (i * ny + j) * (nz + 1);
                    total += self.excess_sums[base + last as usize + 1]
                        - self.excess_sums[base + first as usize];
                }
            }
        }
        total * self.cell.powi(3)
    }

    /// Points of the grid inside the object, every `stride`-th in each direction: those the probe cannot touch that are
    /// more than a cell from the surface (nearer ones may lie just outside, by the rounding of the flood to the grid).
    pub(crate) fn inner_points(&self, stride: usize) -> Vec<Point3<f64>> {
        (0..self.open_distance.len())
            .map(|i| (i, self.coords(i)))
            .filter(|(i, at)| {
                self.open_distance[*i] < -self.cell as f32 && at.iter().all(|c| c % stride == 0)
            })
            .map(|(_, at)| self.point(at))
            .collect()
    }

    /// True if the probe can touch the grid point nearest to `p`; points off the grid are reachable.
    pub(crate) fn reachable(&self, p: &Point3<f64>) -> bool {
        let at = ((p - self.origin) / self.cell).map(f64::round);
        if (0..3).any(|a| !(at[a] >= 0.0 && at[a] < self.dims[a] as f64)) {
            return true;
        }
        self.open_distance[self.index([at.x as usize, at.y as usize, at.z as usize])] > 0.0
    }
}

/// All integer triples in the cube `-r..=r`.
fn cube_offsets(r: i64) -> impl Iterator<Item = (i64, i64, i64)> {
    (-r..=r).flat_map(move |i| (-r..=r).flat_map(move |j| (-r..=r).map(move |k| (i, j, k))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Surface, shapes};

    fn field_of(mesh: &dextra_core::TriMesh, probe: f64) -> Field {
        let surface = Surface::new(mesh).unwrap();
        Field::new(
            |p, cap| surface.distance_up_to(p, cap),
            mesh.bounds().unwrap(),
            0.002,
            probe,
            0.002,
        )
    }

    #[test]
    fn mug_cavity_and_handle_are_reachable_and_its_wall_is_not() {
        let field = field_of(&shapes::mug(), 0.004);
        assert!(field.reachable(&Point3::new(0.0, 0.0, 0.05)));
        assert!(field.reachable(&shapes::mug_handle_centre()));
        assert!(!field.reachable(&Point3::new(0.0, 0.0, 0.002)), "inside the floor");
    }

    #[test]
    fn single_sheet_cup_stays_open_and_closed_ball_does_not() {
        let cup = field_of(&shapes::open_sheet_cup(), 0.004);
        assert!(cup.reachable(&Point3::new(0.0, 0.0, 0.03)));
        let ball = field_of(&shapes::sphere(0.03, 24), 0.004);
        assert!(!ball.reachable(&Point3::origin()));
    }

    #[test]
    fn excess_of_a_block_in_open_space_matches_the_integral() {
        // A plate at z = 0 and a block 10 mm high on it: excess = area * integral of (z - 2 mm) over 2..10 mm.
        let plate = shapes::cuboid(0.08, 0.08, 0.002);
        let surface = Surface::new(&plate).unwrap();
        let (lo, hi) = (Point3::new(-0.05, -0.05, -0.02), Point3::new(0.05, 0.05, 0.02));
        let field =
            Field::new(|p, cap| surface.distance_up_to(p, cap), (lo, hi), 0.001, 0.004, 0.002);
        let block: Vec<_> = shapes::cuboid(0.04, 0.04, 0.01)
            .vertices
            .iter()
            .map(|p| Point3::new(p.x, p.y, p.z + 0.006))
            .collect();
        let expected = 0.04 * 0.04 * 0.008f64.powi(2) / 2.0;
        let got = field.excess(&Hull::of(&block, 0.0));
        // The block is grown by half a cell of 1 mm on each side: 5 % of its area, and rounding.
        assert!((got / expected - 1.0).abs() < 0.15, "{got} against {expected}");
    }
}
