//! Links: bodies that move as one.

use dextra_core::kinematics::KinematicTree;

/// Bodies grouped into links: a body without joints belongs to its parent's link. A link has the index of
/// its first body.
pub(super) struct Links {
    /// Link of every body.
    pub(super) of_body: Vec<usize>,
    /// Link above every link, at the index of its body; `None` for the root and for bodies that are
    /// not the first of a link.
    pub(super) above: Vec<Option<usize>>,
}

impl Links {
    pub(super) fn new(tree: &KinematicTree) -> Self {
        let mut of_body: Vec<usize> = Vec::new();
        let mut above = vec![None; tree.bodies.len()];
        for (index, body) in tree.bodies.iter().enumerate() {
            match body.parent {
                Some(parent) if body.joints.is_empty() => of_body.push(of_body[parent]),
                Some(parent) => {
                    above[index] = Some(of_body[parent]);
                    of_body.push(index);
                }
                None => of_body.push(index),
            }
        }
        Self { of_body, above }
    }

    /// Whether two bodies belong to one link or to links joined by a hinge, which do not collide.
    pub(super) fn near(&self, a: usize, b: usize) -> bool {
        let [a, b] = [a, b].map(|body| self.of_body[body]);
        a == b || self.above[a] == Some(b) || self.above[b] == Some(a)
    }

    /// Links from the root to `link`, both included.
    pub(super) fn path(&self, link: usize) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(Some(link), |&l| self.above[l]).collect();
        path.reverse();
        path
    }
}
