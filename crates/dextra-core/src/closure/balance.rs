//! The smallest squeeze that applies a wrench: a linear programme with six rows.

use super::{Body, Contact, Wrench, edges};
use nalgebra::Matrix6;

/// How contacts apply a wrench.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    /// Sum of the normal forces, newtons.
    pub force: f64,
    /// Sum of the components of the wrench that the contacts cannot apply, newtons; 0 when they can.
    pub missing: f64,
}

/// Each newton that the contacts do not apply counts as this much normal force: what needs more than
/// this is out of reach.
const OUT_OF_REACH: f64 = 1e3;
/// Reduced costs above this are not negative.
const OPTIMAL: f64 = 1e-9;
/// Steps by the steepest cost before the rule that cannot cycle.
const STEEPEST: usize = 60;
/// Steps, at most; a dozen or two is usual.
const STEPS: usize = 1000;

/// The smallest total normal force with which the contacts apply `wrench` to the body, within cones
/// of [`super::EDGES`] edges: `min sum(x)` over `x >= 0` with `sum(x_j edge_j) = wrench`. To hold a
/// weight at rest, `wrench` is `-m g` in the object's frame with no torque; for a motion, `m (a - g)`
/// and the rate of change of the angular momentum over the body's length.
///
/// Solved exactly by the revised simplex method from the basis in which nothing is applied, with a
/// cost for that (the big-M method). Where `missing` is not 0, the two are a trade-off: as much of the
/// wrench as pays.
pub fn least_force(contacts: &[Contact], body: &Body, wrench: &Wrench) -> Balance {
    let size = wrench.norm();
    if size == 0.0 || !size.is_finite() {
        return Balance { force: 0.0, missing: if size == 0.0 { 0.0 } else { f64::INFINITY } };
    }
    let mut columns = edges(contacts, body);
    let pushes = columns.len();
    columns.extend((0..6).flat_map(|row| [Wrench::ith(row, 1.0), Wrench::ith(row, -1.0)]));
    let cost = |at: usize| if at < pushes { 1.0 } else { OUT_OF_REACH };
    // In the beginning nothing is applied and everything is missing.
    let target = wrench / size;
    let mut basis: [usize; 6] =
        std::array::from_fn(|row| pushes + 2 * row + usize::from(target[row] < 0.0));
    let mut inverse = Matrix6::from_diagonal(&target.map(|x| if x < 0.0 { -1.0 } else { 1.0 }));
    let mut values = target.abs();
    for step in 0..STEPS {
        let prices = inverse.tr_mul(&Wrench::from_fn(|row, _| cost(basis[row])));
        let reduced = |&at: &usize| cost(at) - prices.dot(&columns[at]);
        let candidates = (0..columns.len()).filter(|at| !basis.contains(at));
        let entering = if step < STEEPEST {
            candidates
                .min_by(|a, b| reduced(a).total_cmp(&reduced(b)))
                .filter(|at| reduced(at) < -OPTIMAL)
        } else {
            { candidates }.find(|at| reduced(at) < -OPTIMAL)
        };
        let Some(entering) = entering else { break };
        let change = inverse * columns[entering];
        // Ties leave by the lowest index, which with the rule above ends every cycle (Bland).
        let leaving = (0..6).filter(|&row| change[row] > 1e-11).min_by(|&a, &b| {
            let ratio = |row: usize| values[row] / change[row];
            ratio(a).total_cmp(&ratio(b)).then(basis[a].cmp(&basis[b]))
        });
        let Some(leaving) = leaving else { break };
        let amount = values[leaving] / change[leaving];
        values -= change * amount;
        values[leaving] = amount;
        values.apply(|x| *x = x.max(0.0));
        let pivot = inverse.row(leaving) / change[leaving];
        inverse -= change * pivot;
        inverse.set_row(leaving, &pivot);
        basis[leaving] = entering;
    }
    let sum = |applied: bool| {
        (0..6).filter(|&row| (basis[row] < pushes) == applied).map(|row| values[row]).sum()
    };
    let (force, missing): (f64, f64) = (sum(true), sum(false));
    Balance { force: force * size, missing: if missing > 1e-9 { missing * size } else { 0.0 } }
}
