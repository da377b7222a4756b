//! The state of an environment as bytes.

use super::TrackEnv;
use crate::track::TrackError;
use crate::track::episode::{Episode, Reader, Writer};
use crate::track::reward::TERMS;
use dextra_sim::batch::Sensed;

/// First bytes of a saved state; the number is that of the format.
const MAGIC: &[u8] = b"dextra track 2\n";

impl TrackEnv<'_> {
    /// Everything that [`TrackEnv::load_state`] needs to go on with the same bits.
    pub fn save_state(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.count(self.worlds() as u64);
        out.count(self.course.steps as u64);
        out.count(self.seed);
        out.count(self.progress.steps);
        out.number(self.progress.assist);
        out.count(self.progress.episodes);
        out.number(self.progress.score);
        out.numbers(&self.term_sums);
        out.count(self.term_count);
        for (world, lane) in self.lanes.iter().enumerate() {
            out.numbers(self.batch.state(world));
            out.numbers(self.sensed[world].qpos(self.nq));
            out.numbers(&self.sensed[world].qvel);
            lane.episode.write(&mut out);
            out.singles(&lane.observation);
        }
        out.0
    }

    /// Takes over a state from [`TrackEnv::save_state`] of an environment of the same task and
    /// settings; the number of threads may differ.
    ///
    /// # Errors
    /// Bytes that do not fit; the environment then has to be reset.
    pub fn load_state(&mut self, bytes: &[u8]) -> Result<(), TrackError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(TrackError::State("it is no saved state"))?;
        let mut input = Reader(rest);
        if input.count()? != self.worlds() as u64 || input.count()? != self.course.steps as u64 {
            return Err(TrackError::State("it has other numbers of worlds or steps"));
        }
        self.seed = input.count()?;
        self.progress.steps = input.count()?;
        self.progress.assist = input.number()?;
        self.progress.episodes = input.count()?;
        self.progress.score = input.number()?;
        self.term_sums.copy_from_slice(&input.numbers(TERMS.len())?);
        self.term_count = input.count()?;
        let relaxation = self.relaxation();
        self.relaxed = (relaxation.gravity, relaxation.friction);
        for world in 0..self.worlds() {
            let state = input.numbers(self.batch.state_size())?;
            self.batch.set_state(world, &state)?;
            let nv = self.sensed[world].qvel.len();
            self.sensed[world] = Sensed {
                path: input.numbers(self.nq)?,
                qvel: input.numbers(nv)?,
                finite: true,
                ..Sensed::default()
            };
            let lane = &mut self.lanes[world];
            lane.episode = Episode::read(&mut input, &lane.episode, self.course.steps)?;
            lane.observation = input.singles(self.layout.size)?;
            self.fields.write(&mut self.batch, world, &lane.episode.variation, &relaxation)?;
        }
        if input.0.is_empty() { Ok(()) } else { Err(TrackError::State("it is too long")) }
    }
}
