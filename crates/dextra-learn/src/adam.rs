//! Adam (Kingma and Ba 2015, algorithm 1) on plain numbers, and the limit on the gradient's norm.

/// β1 and β2.
const DECAY: [f64; 2] = [0.9, 0.999];
/// Keeps steps finite where gradients vanish.
const EPSILON: f32 = 1e-8;

/// Moments of the gradient, one list per parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Steps taken per parameter: one that starts late has its own start.
    pub steps: Vec<u64>,
    /// Decayed means of gradients.
    pub first: Vec<Vec<f32>>,
    /// Decayed means of squared gradients.
    pub second: Vec<Vec<f32>>,
}

impl Adam {
    /// At rest, for parameters of these lengths.
    pub fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let first: Vec<Vec<f32>> = lengths.map(|length| vec![0.0; length]).collect();
        Self { steps: vec![0; first.len()], second: first.clone(), first }
    }

    /// One step of size `rate` downhill. An empty gradient leaves its parameter alone.
    pub fn step(&mut self, parameters: &mut [&mut Vec<f32>], gradients: &[Vec<f32>], rate: f64) {
        let [keep_first, keep_second] = DECAY.map(|decay| decay as f32);
        let [add_first, add_second] = DECAY.map(|decay| (1.0 - decay) as f32);
        for (i, gradient) in gradients.iter().enumerate().filter(|(_, g)| !g.is_empty()) {
            self.steps[i] += 1;
            let corrections = DECAY.map(|decay| 1.0 - decay.powf(self.steps[i] as f64));
            let rate = (rate / corrections[0]) as f32;
            let scale = (1.0 / corrections[1].sqrt()) as f32;
            let moments = self.first[i].iter_mut().zip(&mut self.second[i]);
            for ((x, g), (first, second)) in parameters[i].iter_mut().zip(gradient).zip(moments) {
                *first = keep_first * *first + add_first * g;
                *second = keep_second * *second + add_second * g * g;
                *x -= rate * *first / (second.sqrt() * scale + EPSILON);
            }
        }
    }
}

/// Scales `gradients` down so that their common norm is at most `limit`; returns the norm they had.
pub fn limit_norm(gradients: &mut [Vec<f32>], limit: f32) -> f32 {
    let squares = |gradient: &Vec<f32>| gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    let norm = gradients.iter().map(squares).sum::<f64>().sqrt() as f32;
    if norm > limit {
        let scale = limit / norm;
        gradients.iter_mut().flatten().for_each(|g| *g *= scale);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_published_algorithm() {
        // Algorithm 1 in f64, one number at a time.
        let gradients = [0.3, -0.2, 0.05, 4.0, -1e-3];
        let (mut m, mut v, mut x) = (0.0_f64, 0.0_f64, 1.0_f64);
        let (mut adam, mut found) = (Adam::new([1].into_iter()), vec![1.0_f32]);
        for (t, g) in gradients.into_iter().enumerate() {
            let t = t as i32 + 1;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.999_f64.powi(t)));
            x -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
            adam.step(&mut [&mut found], &[vec![g as f32]], 0.01);
            assert!((f64::from(found[0]) - x).abs() < 1e-6, "step {t}: {found:?} for {x}");
        }
        // The first step has the size of the rate, whatever the gradient.
        let mut found = vec![0.0];
        Adam::new([1].into_iter()).step(&mut [&mut found], &[vec![-123.0]], 0.01);
        assert!((found[0] - 0.01).abs() < 1e-6);
    }

    #[test]
    fn a_parameter_without_a_gradient_stays() {
        let (mut a, mut b) = (vec![1.0], vec![2.0]);
        let mut adam = Adam::new([1, 1].into_iter());
        adam.step(&mut [&mut a, &mut b], &[vec![], vec![1.0]], 0.1);
        assert!(a == [1.0] && b[0] < 2.0);
        // When it gets one, its step is a first step.
        adam.step(&mut [&mut a, &mut b], &[vec![1.0], vec![1.0]], 0.1);
        assert!((a[0] - 0.9).abs() < 1e-6, "{a:?}");
    }

    #[test]
    fn only_long_gradients_are_shortened() {
        let mut gradients = vec![vec![3.0], vec![0.0, 4.0]];
        assert_eq!(limit_norm(&mut gradients, 10.0), 5.0);
        assert_eq!(gradients, [vec![3.0], vec![0.0, 4.0]]);
        assert_eq!(limit_norm(&mut gradients, 1.0), 5.0);
        assert!((gradients[0][0] - 0.6).abs() < 1e-6 && (gradients[1][1] - 0.8).abs() < 1e-6);
        assert!(limit_norm(&mut [vec![f32::NAN]], 1.0).is_nan());
    }
}
