//! Generalised advantage estimation.

/// Advantages of a rollout of T steps of N worlds (Schulman et al. 2016, equation 16):
/// `A_t = Σ_l (γλ)^l δ_{t+l}` with `δ_t = r_t + γ V_{t+1} − V_t`, where nothing counts past the end of an
/// episode.
///
/// `rewards`, `values` and `ended` are T × N; `next_values` are the N values after the last step.
/// What an episode that was cut off could still have earned belongs into `rewards`.
pub fn advantages(
    rewards: &[f32],
    values: &[f32],
    ended: &[bool],
    next_values: &[f32],
    gamma: f32,
    lambda: f32,
) -> Vec<f32> {
    let worlds = next_values.len();
    debug_assert!(rewards.len() == values.len() && values.len() == ended.len());
    let mut advantages = vec![0.0; rewards.len()];
    for world in 0..worlds {
        let (mut advantage, mut next) = (0.0, next_values[world]);
        for at in (world..rewards.len()).step_by(worlds).rev() {
            let goes_on = if ended[at] { 0.0 } else { 1.0 };
            let delta = rewards[at] + gamma * next * goes_on - values[at];
            advantage = delta + gamma * lambda * goes_on * advantage;
            advantages[at] = advantage;
            next = values[at];
        }
    }
    advantages
}

#[cfg(test)]
mod tests {
    use super::advantages;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64;

    #[test]
    fn a_worked_example() {
        // γ = 0.5, λ = 0.5; one world, the second step ends an episode.
        // δ2 = 4 + 0.5·8 − 2 = 6                      A2 = 6
        // δ1 = 3 + 0     − 1 = 2 (end)                A1 = 2
        // δ0 = 1 + 0.5·1 − 2 = −0.5                   A0 = −0.5 + 0.25·2 = 0
        let found =
            advantages(&[1.0, 3.0, 4.0], &[2.0, 1.0, 2.0], &[false, true, false], &[8.0], 0.5, 0.5);
        assert_eq!(found, [0.0, 2.0, 6.0]);
    }

    #[test]
    fn equals_the_sum_of_its_definition() {
        let (steps, worlds, gamma, lambda) = (12, 3, 0.97_f64, 0.9_f64);
        let mut rng = Pcg64::seed_from_u64(1);
        let mut draw = |n| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let (rewards, values) = (draw(steps * worlds), draw(steps * worlds));
        let (next, dice) = (draw(worlds), draw(steps * worlds));
        let ended: Vec<bool> = dice.iter().map(|d| *d > 0.6).collect();
        assert!(ended.iter().any(|e| *e), "some episodes end");
        let found = advantages(&rewards, &values, &ended, &next, gamma as f32, lambda as f32);
        for world in 0..worlds {
            for t in 0..steps {
                let mut sum = 0.0;
                for l in 0..steps - t {
                    let at = (t + l) * worlds + world;
                    let after = match (ended[at], t + l + 1 < steps) {
                        (true, _) => 0.0,
                        (false, true) => values[at + worlds],
                        (false, false) => next[world],
                    };
                    let delta =
                        f64::from(rewards[at]) + gamma * f64::from(after) - f64::from(values[at]);
                    sum += (gamma * lambda).powi(l as i32) * delta;
                    if ended[at] {
                        break;
                    }
                }
                let error = (f64::from(found[t * worlds + world]) - sum).abs();
                assert!(error < 1e-5, "world {world}, step {t}: off by {error}");
            }
        }
    }
}
