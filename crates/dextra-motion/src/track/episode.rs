//! One world's episode, and how it is written down.

use super::TrackError;
use super::anchor::Seen;
use super::compose::Memory;
use super::grasp::Held;
use super::randomise::Variation;

/// One world's episode.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Episode {
    /// How many the world has begun before.
    pub(super) index: u64,
    /// Control step of the task.
    pub(super) at: usize,
    /// Control steps since it began.
    pub(super) age: usize,
    /// How its world differs.
    pub(super) variation: Variation,
    /// Memory of the composition.
    pub(super) memory: Memory,
    /// The same of the composition below.
    pub(super) memory_below: Memory,
    /// What is known of the objects' displacement before every hold.
    pub(super) seen: Vec<Seen>,
    /// What was at the end of every grasp so far.
    pub(super) held: Vec<Option<Held>>,
    /// The last action.
    pub(super) action: Vec<f32>,
    /// Control steps on end that each tip of each hand has missed a contact.
    pub(super) missed: Vec<u64>,
    /// Sum over its steps of the object score, in `[0, age]`.
    pub(super) score: f64,
}

/// Writes numbers one after the other, little-endian.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn count(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn number(&mut self, value: f64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn numbers(&mut self, values: &[f64]) {
        self.count(values.len() as u64);
        values.iter().for_each(|&value| self.number(value));
    }

    pub(super) fn singles(&mut self, values: &[f32]) {
        self.count(values.len() as u64);
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }
}

/// Reads what [`Writer`] wrote.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

const SHORT: TrackError = TrackError::State("it ends too early");

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TrackError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn count(&mut self) -> Result<u64, TrackError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(super) fn number(&mut self) -> Result<f64, TrackError> {
        Ok(f64::from_le_bytes(self.take()?))
    }

    /// A list that must have `expected` numbers.
    pub(super) fn numbers(&mut self, expected: usize) -> Result<Vec<f64>, TrackError> {
        self.expect(expected)?;
        (0..expected).map(|_| self.number()).collect()
    }

    /// A list that must have `expected` single-precision numbers.
    pub(super) fn singles(&mut self, expected: usize) -> Result<Vec<f32>, TrackError> {
        self.expect(expected)?;
        (0..expected).map(|_| Ok(f32::from_le_bytes(self.take()?))).collect()
    }

    fn expect(&mut self, expected: usize) -> Result<(), TrackError> {
        if self.count()? == expected as u64 {
            Ok(())
        } else {
            Err(TrackError::State("it is of a scene or setting with other sizes"))
        }
    }
}

impl Episode {
    pub(super) fn write(&self, out: &mut Writer) {
        out.count(self.index);
        out.count(self.at as u64);
        out.count(self.age as u64);
        out.number(self.score);
        out.numbers(self.variation.shifts.as_flattened());
        for value in [self.variation.friction, self.variation.mass, self.variation.gain] {
            out.number(value);
        }
        out.count(u64::from(self.variation.late));
        self.memory.write(out);
        self.memory_below.write(out);
        self.seen.iter().for_each(|seen| seen.write(out));
        self.held.iter().for_each(|held| Held::write(held, out));
        out.singles(&self.action);
        self.missed.iter().for_each(|&steps| out.count(steps));
    }

    /// Reads an episode with the sizes of `like`, of a task with `steps` control steps
    /// and `nu` actuators.
    pub(super) fn read(
        input: &mut Reader<'_>,
        like: &Episode,
        (steps, nu): (usize, usize),
    ) -> Result<Episode, TrackError> {
        let index = input.count()?;
        let (at, age) = (input.count()? as usize, input.count()? as usize);
        if at >= steps {
            return Err(TrackError::State("an episode is beyond the end of the task"));
        }
        let score = input.number()?;
        let shifts = input.numbers(like.variation.shifts.len() * 3)?;
        let (friction, mass, gain) = (input.number()?, input.number()?, input.number()?);
        let late = input.count()? != 0;
        let memory = Memory::read(input, &like.memory)?;
        let memory_below = Memory::read(input, &like.memory_below)?;
        let seen = like.seen.iter().map(|_| Seen::read(input)).collect::<Result<_, _>>()?;
        let held = like.held.iter().map(|_| Held::read(input, nu)).collect::<Result<_, _>>()?;
        let action = input.singles(like.action.len())?;
        let missed = like.missed.iter().map(|_| input.count()).collect::<Result<_, _>>()?;
        let shifts = shifts.chunks_exact(3).map(|s| [s[0], s[1], s[2]]).collect();
        Ok(Episode {
            index,
            at,
            age,
            variation: Variation { shifts, friction, mass, gain, late },
            memory,
            memory_below,
            seen,
            held,
            action,
            missed,
            score,
        })
    }
}

impl Memory {
    fn write(&self, out: &mut Writer) {
        out.numbers(&self.values);
        out.numbers(self.turns.as_flattened());
        out.count(u64::from(self.begun));
    }

    /// Reads a memory with the sizes of `like`.
    fn read(input: &mut Reader<'_>, like: &Memory) -> Result<Self, TrackError> {
        let values = input.numbers(like.values.len())?;
        let turns = input.numbers(like.turns.len() * 4)?;
        let begun = input.count()? != 0;
        let turns = turns.chunks_exact(4).map(|q| [q[0], q[1], q[2], q[3]]).collect();
        Ok(Self { values, turns, begun })
    }
}
