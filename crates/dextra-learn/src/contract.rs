//! What a policy sees and does: named slices of the observation, actions in joint order, the hand.

use crate::LearnError;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;

/// One named part of an observation. Parts follow each other without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationSlice {
    /// Name, unique in the contract.
    pub name: String,
    /// How many numbers.
    pub size: usize,
    /// Unit of each number; `"1"` where there is none.
    pub unit: String,
    /// Least and greatest value that the environment gives, in `unit`.
    pub range: [f32; 2],
}

impl ObservationSlice {
    /// A slice of `size` numbers in `unit` between `range[0]` and `range[1]`.
    pub fn new(name: &str, size: usize, unit: &str, range: [f32; 2]) -> Self {
        Self { name: name.into(), size, unit: unit.into(), range }
    }
}

/// One number of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionSlot {
    /// Name of the joint or direction.
    pub name: String,
    /// Unit of `scale`.
    pub unit: String,
    /// What an action of one stands for, in `unit`; the environment applies it.
    pub scale: f32,
}

impl ActionSlot {
    /// An action whose value of one stands for `scale` of `unit`.
    pub fn new(name: &str, unit: &str, scale: f32) -> Self {
        Self { name: name.into(), unit: unit.into(), scale }
    }
}

/// What an environment and a policy must agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Parts of the observation, in order.
    pub observations: Vec<ObservationSlice>,
    /// Numbers of the action, in order.
    pub actions: Vec<ActionSlot>,
    /// Hash of the hand's model.
    pub hand: String,
}

impl Contract {
    /// How many numbers one observation has.
    pub fn observation_size(&self) -> usize {
        self.observations.iter().map(|slice| slice.size).sum()
    }

    /// How many numbers one action has.
    pub fn action_size(&self) -> usize {
        self.actions.len()
    }

    /// Where the slice called `name` lies in an observation.
    pub fn range_of(&self, name: &str) -> Option<Range<usize>> {
        let mut start = 0;
        for slice in &self.observations {
            if slice.name == name {
                return Some(start..start + slice.size);
            }
            start += slice.size;
        }
        None
    }

    /// The slice that holds number `index` of an observation, and the place within it.
    pub fn slice_at(&self, index: usize) -> Option<(&ObservationSlice, usize)> {
        let mut start = 0;
        for slice in &self.observations {
            if index < start + slice.size {
                return Some((slice, index - start));
            }
            start += slice.size;
        }
        None
    }

    /// `name[place]` of number `index` of an observation, for messages.
    pub(crate) fn label_at(&self, index: usize) -> String {
        match self.slice_at(index) {
            Some((slice, place)) => format!("{}[{place}]", slice.name),
            None => format!("[{index}]"),
        }
    }

    /// Compares the contract of a file with the `expected` one.
    ///
    /// # Errors
    /// [`LearnError::Field`] names the first field that differs, with both values.
    pub fn check(&self, expected: &Contract, file: &Path) -> Result<(), LearnError> {
        let (found, wanted) = (&self.observations, &expected.observations);
        for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let at = |part| format!("observations[{i}].{part}");
            same(file, at("name"), &found.name, &wanted.name)?;
            same(file, at("size"), &found.size, &wanted.size)?;
            same(file, at("unit"), &found.unit, &wanted.unit)?;
            same(file, at("range"), &found.range, &wanted.range)?;
        }
        same(file, "observations".into(), &names(found, |s| &s.name), &names(wanted, |s| &s.name))?;
        let (found, wanted) = (&self.actions, &expected.actions);
        for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let at = |part| format!("actions[{i}].{part}");
            same(file, at("name"), &found.name, &wanted.name)?;
            same(file, at("unit"), &found.unit, &wanted.unit)?;
            same(file, at("scale"), &found.scale, &wanted.scale)?;
        }
        same(file, "actions".into(), &names(found, |s| &s.name), &names(wanted, |s| &s.name))?;
        same(file, "hand".into(), &self.hand, &expected.hand)
    }
}

fn names<T>(list: &[T], name: impl Fn(&T) -> &String) -> Vec<String> {
    list.iter().map(|item| name(item).clone()).collect()
}

fn same<T: PartialEq + Debug>(
    file: &Path,
    field: String,
    found: &T,
    wanted: &T,
) -> Result<(), LearnError> {
    if found == wanted {
        return Ok(());
    }
    Err(LearnError::field(file, field, format!("the file has {found:?}, expected {wanted:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract {
            observations: vec![
                ObservationSlice::new("joints", 3, "rad", [-2.0, 2.0]),
                ObservationSlice::new("object", 2, "m", [-1.0, 1.0]),
            ],
            actions: vec![ActionSlot::new("a", "rad", 0.1), ActionSlot::new("b", "rad", 0.2)],
            hand: "abc".into(),
        }
    }

    #[test]
    fn slices_lie_one_after_the_other() {
        let contract = contract();
        assert_eq!((contract.observation_size(), contract.action_size()), (5, 2));
        assert_eq!(contract.range_of("object"), Some(3..5));
        assert_eq!(contract.range_of("nothing"), None);
        assert_eq!(contract.label_at(4), "object[1]");
    }

    #[test]
    fn every_difference_is_named() {
        let expected = contract();
        assert!(expected.check(&expected, Path::new("x")).is_ok());
        type Change = fn(&mut Contract);
        let changes: [(&str, Change); 9] = [
            ("observations[0].name", |c| c.observations[0].name = "other".into()),
            ("observations[1].size", |c| c.observations[1].size = 7),
            ("observations[1].unit", |c| c.observations[1].unit = "mm".into()),
            ("observations[0].range", |c| c.observations[0].range[1] = 3.0),
            ("`observations`", |c| c.observations.truncate(1)),
            ("actions[0].scale", |c| c.actions[0].scale = 1.0),
            ("actions[0].name", |c| c.actions.swap(0, 1)),
            ("`actions`", |c| c.actions.truncate(1)),
            ("hand", |c| c.hand = "abd".into()),
        ];
        for (field, change) in changes {
            let mut found = contract();
            change(&mut found);
            let error = found.check(&expected, Path::new("dir/policy.json")).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(field) && text.contains("policy.json"), "{field}: {text}");
        }
    }
}
